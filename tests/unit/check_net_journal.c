// SPDX-License-Identifier: MIT
/*
 * check_net_journal.c: a daemon that dies at each point of answering a batch, and what its successor makes of it.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/net/net_journal.h"

#define BEFORE 700u /* answered earlier: the rings have wrapped */
#define BATCH 5u

static char directory[] = "/tmp/xs-check_net_journal.XXXXXX";
static char path[64];
static const struct net_journal_identity identity = { .domid = 3,
                                                      .ref = { 8, 9 },
                                                      .event_channel = { 4, 5 } };
static unsigned char tx_page[4096] __attribute__((aligned(4096))),
    rx_page[4096] __attribute__((aligned(4096)));

struct daemon {
    struct net_journal journal;
    netif_tx_back_ring_t tx;
    netif_rx_back_ring_t rx;
};

static int set_up(void **state)
{
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/inflight/vif", directory);
    return 0;
}

static int tear_down(void **state)
{
    char inflight[64];

    unlink(path);
    snprintf(inflight, sizeof(inflight), "%s/inflight", directory);
    rmdir(inflight);
    rmdir(directory);
    return 0;
}

static void begin(struct daemon *daemon)
{
    memset(daemon, 0, sizeof(*daemon));
    memset(tx_page, 0x77, sizeof(tx_page));
    memset(rx_page, 0x77, sizeof(rx_page));
    ((netif_tx_sring_t *)tx_page)->rsp_prod = ((netif_rx_sring_t *)rx_page)->rsp_prod = BEFORE;
    ((netif_tx_sring_t *)tx_page)->req_prod = ((netif_rx_sring_t *)rx_page)->req_prod = BEFORE + BATCH;
    netif_tx_ring_attach(&daemon->tx, tx_page);
    netif_rx_ring_attach(&daemon->rx, rx_page);
    assert_int_equal(net_journal_open(&daemon->journal, path, &identity, false), 0);
    for (unsigned int i = 0; i < BATCH; i++) {
        daemon->journal.page->tx.answer[i] =
            (struct netif_tx_response){ .id = (uint16_t)(100 + i), .status = 0 };
        daemon->journal.page->rx.answer[i].response =
            (struct netif_rx_response){ .id = (uint16_t)i, .status = 60 };
    }
    daemon->tx.req_cons += BATCH;
    daemon->rx.req_cons += BATCH;
}

/* The next one: as after a kill, nothing was closed in order. */
static int succeed(struct daemon *daemon, struct daemon *dead)
{
    net_journal_close(&dead->journal, true);
    memset(daemon, 0, sizeof(*daemon));
    netif_tx_ring_attach(&daemon->tx, tx_page);
    netif_rx_ring_attach(&daemon->rx, rx_page);
    assert_int_equal(net_journal_open(&daemon->journal, path, &identity, true), 0);
    return net_journal_replay(&daemon->journal, &daemon->tx, &daemon->rx);
}

static void expect_answered(const struct daemon *daemon)
{
    assert_int_equal(daemon->tx.sring->rsp_prod, BEFORE + BATCH);
    assert_int_equal(daemon->rx.sring->rsp_prod, BEFORE + BATCH);
    assert_int_equal(netif_tx_ring_waiting(&daemon->tx), 0); /* none of them is a request again */
    assert_int_equal(netif_rx_ring_waiting(&daemon->rx), 0);
    for (unsigned int i = 0; i < BATCH; i++) {
        assert_int_equal(daemon->tx.sring->ring[(BEFORE + i) % NETIF_RING_SLOTS].rsp.id, 100 + i);
        assert_int_equal(daemon->rx.sring->ring[(BEFORE + i) % NETIF_RING_SLOTS].rsp.id, i);
    }
}

/* written: how many slots it had overwritten when it died. */
static void test_killed_while_it_answers(void **state)
{
    for (unsigned int written = 0; written <= BATCH; written++) {
        struct daemon dead, next;

        begin(&dead);
        dead.journal.page->tx.first = dead.journal.page->rx.first = BEFORE;
        dead.journal.page->tx.count = dead.journal.page->rx.count = BATCH;
        for (unsigned int i = 0; i < written; i++) {
            netif_tx_ring_answer(&dead.tx, &dead.journal.page->tx.answer[i]);
            netif_rx_ring_answer(&dead.rx, &dead.journal.page->rx.answer[i]);
        }
        assert_int_equal(succeed(&next, &dead), 0);
        expect_answered(&next);
        net_journal_close(&next.journal, false);
    }
}

static void test_killed_after_the_push(void **state)
{
    struct daemon dead, next;

    begin(&dead);
    net_journal_answer_tx(&dead.journal, &dead.tx, BATCH);
    net_journal_answer_rx(&dead.journal, &dead.rx, BATCH);
    dead.journal.page->tx.count = dead.journal.page->rx.count = BATCH; /* not crossed out yet */
    assert_int_equal(succeed(&next, &dead), 0);
    expect_answered(&next);
    assert_int_equal(next.journal.page->tx.count, 0);
    net_journal_close(&next.journal, false);
}

static void test_killed_before_it_answers(void **state)
{
    struct daemon dead, next;

    begin(&dead);
    assert_int_equal(succeed(&next, &dead), 0);
    assert_int_equal(netif_tx_ring_waiting(&next.tx), BATCH);
    assert_int_equal(netif_rx_ring_waiting(&next.rx), BATCH);
    net_journal_close(&next.journal, false);
}

static void test_guest_that_changed_the_producer(void **state)
{
    struct daemon dead, next;

    begin(&dead);
    dead.journal.page->tx.first = BEFORE;
    dead.journal.page->tx.count = BATCH;
    ((netif_tx_sring_t *)tx_page)->rsp_prod = BEFORE + 1;
    assert_int_equal(succeed(&next, &dead), -EPROTO);
    next.journal.page->tx.first = BEFORE + 1;
    next.journal.page->tx.count = NETIF_RING_SLOTS + 1;
    assert_int_equal(net_journal_replay(&next.journal, &next.tx, &next.rx), -EPROTO);
    net_journal_close(&next.journal, false);
}

static void test_of_another_guest(void **state)
{
    struct net_journal_identity other = identity;
    struct daemon dead;
    struct net_journal journal = { 0 };

    begin(&dead);
    net_journal_close(&dead.journal, true);
    other.generation[3] ^= 1;
    assert_int_equal(net_journal_open(&journal, path, &other, true), -ESTALE);
    assert_int_equal(truncate(path, 10), 0);
    assert_int_equal(net_journal_open(&journal, path, &identity, true), -ESTALE);
    unlink(path);
    assert_int_equal(net_journal_open(&journal, path, &identity, true), -ENOENT);
}

/* And not a SIGBUS at the first answer. Needs the right to mount. */
static void test_full_file_system_is_an_error(void **state)
{
    struct net_journal journal = { 0 };
    static const char block[4096];
    char filler[64];
    int fd;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", directory, "tmpfs", 0, "size=4096") < 0)
        skip();
    snprintf(filler, sizeof(filler), "%s/filler", directory);
    fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    close(fd);
    assert_int_equal(net_journal_open(&journal, path, &identity, false), -ENOSPC);
    assert_null(journal.page);
    assert_int_equal(access(path, F_OK), -1);
    unlink(filler);
    assert_int_equal(net_journal_open(&journal, path, &identity, false), 0);
    net_journal_close(&journal, false);
    umount2(directory, MNT_DETACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_while_it_answers),
        cmocka_unit_test(test_killed_after_the_push),
        cmocka_unit_test(test_killed_before_it_answers),
        cmocka_unit_test(test_guest_that_changed_the_producer),
        cmocka_unit_test(test_of_another_guest),
        cmocka_unit_test(test_full_file_system_is_an_error),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
