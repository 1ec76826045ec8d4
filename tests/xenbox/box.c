// SPDX-License-Identifier: MIT
/* box.c: see box.h. */
#include <config.h>

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/xenbox/box.h"

static void hypervisor_exec(const struct test_box *box, const char *option, int ready_fd)
{
    const char *dir = getenv("XENBOX_LIBEXECDIR"), *mode = getenv("XS_MODE");
    char path[4096], fd[16];

    snprintf(path, sizeof(path), "%s/xenbox-hv", dir ? dir : PKGLIBEXECDIR);
    snprintf(fd, sizeof(fd), "%d", ready_fd);
    /* A test program that is killed takes its box along. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(path, path, "--dir", box->dir, "--name", "test", "--ready-fd", fd, "--mode",
          mode && *mode ? mode : "autotranslated", option, NULL);
    perror(path);
    _exit(127);
}

void test_box_start(struct test_box *box, const char *option)
{
    const char *tmp = getenv("TMPDIR");
    int ends[2];
    char ready;

    memset(box, 0, sizeof(*box));
    snprintf(box->dir, sizeof(box->dir), "%s/xs-box.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(box->dir));
    assert_return_code(pipe(ends), 0);
    box->pid = fork();
    assert_return_code(box->pid, 0);
    if (box->pid == 0) {
        close(ends[0]);
        hypervisor_exec(box, option, ends[1]);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    setenv(XB_ENV_BOX, box->dir, 1);
    test_box_enter(0);
    assert_int_equal(client_open_as(&box->tool, "test", NULL, XB_CONN_TOOL, 0, 0, -1, NULL), 0);
}

void test_box_stop(struct test_box *box)
{
    char path[sizeof(box->dir) + sizeof(XB_SOCKET) + 1];
    int status;

    if (client_call(&box->tool, XB_OP_STOP, NULL, 0, NULL, 0, NULL) < 0)
        kill(box->pid, SIGKILL);
    waitpid(box->pid, &status, 0);
    client_close(&box->tool);
    snprintf(path, sizeof(path), "%s/%s", box->dir, XB_SOCKET);
    unlink(path);
    rmdir(box->dir);
}

void test_box_enter(uint32_t domid)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", domid);
    setenv(XB_ENV_DOMID, text, 1);
}

uint32_t test_box_create_domain(struct test_box *box)
{
    struct xb_domain_create create = { .domid = XB_DOMID_NONE };
    struct xb_u32 domid;

    assert_int_equal(
        client_call(&box->tool, XB_OP_DOMAIN_CREATE, &create, sizeof(create), &domid, sizeof(domid), NULL),
        0);
    return domid.value;
}

unsigned test_box_pins(const struct test_box *box)
{
    return box->tool.tables->mode == XB_MODE_PV ? 2 : 1;
}

void test_box_audit(struct test_box *box)
{
    char why[256];

    if (audit_tables(box->tool.tables, why, sizeof(why)) < 0)
        fail_msg("%s", why);
    if (audit_views(box->tool.tables, client_frames_fd(&box->tool), why, sizeof(why)) < 0)
        fail_msg("%s", why);
}

bool test_box_wait(struct test_box *box, bool (*condition)(struct test_box *, void *), void *arg,
                   int timeout_ms)
{
    for (int ms = 0; ms < timeout_ms; ms++) {
        if (condition(box, arg))
            return true;
        nanosleep(&(struct timespec){ .tv_nsec = 1000 * 1000 }, NULL);
    }
    return condition(box, arg);
}

static bool counts_are(struct test_box *box, void *arg)
{
    struct audit_counts counts;

    audit_count(box->tool.tables, &counts);
    return memcmp(&counts, arg, sizeof(counts)) == 0;
}

bool test_box_wait_counts(struct test_box *box, const struct audit_counts *expected)
{
    struct audit_counts counts;

    if (test_box_wait(box, counts_are, (void *)expected, 10000))
        return true;
    audit_count(box->tool.tables, &counts);
    print_error("conns %u chunks %u maps %u domains %u grants %u frames %u ports %u, expected "
                "%u %u %u %u %u %u %u\n",
                counts.conns, counts.chunks, counts.maps, counts.domains, counts.grants, counts.frames,
                counts.ports, expected->conns, expected->chunks, expected->maps, expected->domains,
                expected->grants, expected->frames, expected->ports);
    return false;
}

int test_box_pending(xenevtchn_handle *handle)
{
    struct pollfd fd = { .fd = xenevtchn_fd(handle), .events = POLLIN };

    return poll(&fd, 1, 5000) == 1 ? xenevtchn_pending(handle) : -1;
}

unsigned test_box_descriptors(const struct test_box *box)
{
    char path[64];
    unsigned count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)box->pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
