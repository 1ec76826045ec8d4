// SPDX-License-Identifier: MIT
/*
 * net_journal.c: see net_journal.h.
 */
#include <config.h>

#include "backend/net/net_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/run_dir.h"

/* Stores before it are in the page cache before stores after it, as far as a process that is killed can tell. */
#define in_this_order() atomic_signal_fence(memory_order_seq_cst)

static int open_file(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int map_file(struct net_journal *journal, int fd)
{
    void *page = mmap(NULL, sizeof(*journal->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED)
        return -errno;
    journal->page = page;
    return 0;
}

/* A descriptor or negative errno. */
static int make_file(const char *path)
{
    int fd, ret;

    run_dir_make_parent(path);
    unlink(path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    /* Really allocated: a full file system is an error here and not a SIGBUS on the request path. */
    ret = -posix_fallocate(fd, 0, sizeof(struct net_journal_page));
    if (ret == 0)
        return fd;
    close(fd);
    unlink(path);
    return ret;
}

int net_journal_open(struct net_journal *journal, const char *path,
                     const struct net_journal_identity *identity, bool is_adopting)
{
    const int fd = is_adopting ? open_file(path) : make_file(path);
    struct stat status;
    int ret = fd < 0 ? fd : 0;

    if (ret == 0 && fstat(fd, &status) < 0)
        ret = -errno;
    if (ret == 0 && status.st_size != sizeof(struct net_journal_page))
        ret = -ESTALE;
    journal->path = strdup(path);
    if (ret == 0 && !journal->path)
        ret = -ENOMEM;
    if (ret == 0)
        ret = map_file(journal, fd);
    if (fd >= 0)
        close(fd);
    if (ret == 0 && !is_adopting)
        journal->page->identity = *identity;
    if (ret == 0 && memcmp(&journal->page->identity, identity, sizeof(*identity)) != 0)
        ret = -ESTALE;
    if (ret)
        net_journal_close(journal, true);
    return ret;
}

void net_journal_close(struct net_journal *journal, bool is_kept)
{
    if (journal->page)
        munmap(journal->page, sizeof(*journal->page));
    if (journal->path && !is_kept)
        unlink(journal->path);
    free(journal->path);
    memset(journal, 0, sizeof(*journal));
}

/* The slots, and the push. */
static bool write_tx(struct net_journal_page *page, netif_tx_back_ring_t *ring)
{
    for (uint32_t i = 0; i < page->tx.count; i++)
        netif_tx_ring_answer(ring, &page->tx.answer[i]);
    return netif_tx_ring_push(ring);
}

static bool write_rx(struct net_journal_page *page, netif_rx_back_ring_t *ring)
{
    for (uint32_t i = 0; i < page->rx.count; i++)
        netif_rx_ring_answer(ring, &page->rx.answer[i]);
    return netif_rx_ring_push(ring);
}

bool net_journal_answer_tx(struct net_journal *journal, netif_tx_back_ring_t *ring, unsigned int count)
{
    struct net_journal_page *page = journal->page;
    bool must_notify;

    page->tx.first = ring->rsp_prod_pvt;
    in_this_order();
    page->tx.count = count;
    in_this_order();
    must_notify = write_tx(page, ring);
    in_this_order();
    page->tx.count = 0;
    return must_notify;
}

bool net_journal_answer_rx(struct net_journal *journal, netif_rx_back_ring_t *ring, unsigned int count)
{
    struct net_journal_page *page = journal->page;
    bool must_notify;

    page->rx.first = ring->rsp_prod_pvt;
    in_this_order();
    page->rx.count = count;
    in_this_order();
    must_notify = write_rx(page, ring);
    in_this_order();
    page->rx.count = 0;
    return must_notify;
}

/* 1: begun and not pushed; 0: pushed, or none; -EPROTO: neither can be. */
static int was_begun(uint32_t first, uint32_t count, RING_IDX pushed)
{
    if (count == 0 || pushed == first + count)
        return 0;
    return count <= NETIF_RING_SLOTS && pushed == first ? 1 : -EPROTO;
}

int net_journal_replay(struct net_journal *journal, netif_tx_back_ring_t *tx, netif_rx_back_ring_t *rx)
{
    struct net_journal_page *page = journal->page;
    const int is_tx = was_begun(page->tx.first, page->tx.count, tx->rsp_prod_pvt);
    const int is_rx = was_begun(page->rx.first, page->rx.count, rx->rsp_prod_pvt);

    if (is_tx < 0 || is_rx < 0)
        return -EPROTO;
    if (is_tx) {
        tx->req_cons += page->tx.count;
        write_tx(page, tx);
    }
    if (is_rx) {
        rx->req_cons += page->rx.count;
        write_rx(page, rx);
    }
    in_this_order();
    page->tx.count = page->rx.count = 0;
    return 0;
}
