// SPDX-License-Identifier: MIT
/*
 * check_hazard.c: what must never be done with a mapped grant, done. On a PV dom0 with the kernels of today
 * the first three leave the kernel broken until it is rebooted: they run only when they are asked for by name,
 * on a machine that is thrown away, and tell what happened instead of expecting it. The file is a slow disk,
 * so that its I/O is surely in flight at the critical moment.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/xen/src/xencheck.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 11
#define APART (1LL << 20) /* between two requests, so that they are not merged into one */

/* One direct read into a fresh map that nobody disturbs: bytes or negative errno. */
static int read_directly(struct check_env *env, int fd, uint32_t ref)
{
    void *page = xengnttab_map_grant_ref(env->gnttab, env->domid, ref, RW);
    ssize_t length;

    if (!page)
        return -errno;
    length = pread(fd, page, PAGE, 0);
    if (length < 0)
        length = -errno;
    xengnttab_unmap(env->gnttab, page, 1);
    return (int)length;
}

/* Later guests suffer: the placeholder pages are used again. */
static void note_aftermath(struct check_env *env, int fd)
{
    struct share share = peer_share(env, PAGES, true);
    int failed = 0, error = 0;

    for (int i = 0; i < PAGES; i++) {
        int ret = read_directly(env, fd, share.refs[i]);

        if (ret < 0) {
            failed++;
            error = -ret;
        }
    }
    check_note("afterwards %d of %d direct reads into fresh mappings fail (%s)", failed, PAGES,
               errno_name(error));
}

static void unmap_under_direct_io(struct check_env *env)
{
    struct share share = peer_share(env, PAGES, true);
    uint8_t *pages = xengnttab_map_domain_grant_refs(env->gnttab, PAGES, env->domid, share.refs, RW);
    int fd = open(env->file, O_RDWR | O_DIRECT), ret, good = 0;
    io_context_t context = NULL;
    struct iocb block[PAGES], *blocks[PAGES];
    struct io_event event[PAGES];

    EXPECT(env, pages && fd >= 0 && !io_setup(PAGES, &context), "set up: %s", errno_name(errno));
    for (int i = 0; i < PAGES; i++) {
        io_prep_pread(&block[i], fd, pages + i * PAGE, PAGE, i * APART);
        blocks[i] = &block[i];
    }
    EXPECT(env, io_submit(context, PAGES, blocks) == PAGES, "submit");
    ret = xengnttab_unmap(env->gnttab, pages, PAGES);
    check_note("unmap with direct reads in flight returns %d (%s)", ret, errno_name(ret ? errno : 0));
    EXPECT(env, events_take(context, PAGES, event), "the reads never end");
    for (int i = 0; i < PAGES; i++)
        good += event[i].res == PAGE;
    check_note("%d of %d reads end with success", good, PAGES);
    io_destroy(context);
    note_aftermath(env, fd);
    close(fd);
}

/* What the peer is told of an unmap under I/O: the byte is cleared when the unmap begins, the event is for the end. */
static void notify_under_direct_io(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    int remote = atoi(peer_ask(env, "bind")), fd = open(env->file, O_RDWR | O_DIRECT);
    int port = xenevtchn_bind_interdomain(env->evtchn, env->domid, remote);
    uint8_t *page = xengnttab_map_grant_ref_notify(env->gnttab, env->domid, share.refs[0], RW, 100, port);
    struct timespec at_once = { 0 };
    io_context_t context = NULL;
    struct iocb block[PAGES], *blocks[PAGES];
    struct io_event event[PAGES];
    int done;

    EXPECT(env, page && fd >= 0 && !io_setup(PAGES, &context), "set up: %s", errno_name(errno));
    for (int i = 0; i < PAGES; i++) { /* none of them touches the byte */
        io_prep_pread(&block[i], fd, page + 512, 512, i * APART);
        blocks[i] = &block[i];
    }
    EXPECT(env, io_submit(context, PAGES, blocks) == PAGES, "submit");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
    EXPECT(env, !strcmp(peer_ask(env, "peek %u 0 100", share.id), "0"), "not cleared when the unmap began");
    done = atoi(peer_ask(env, "wait 100")) == remote;
    check_note("the event comes %s", done ? "with direct reads in flight" : "later than the unmap");
    done = io_getevents(context, 0, PAGES, event, &at_once);
    EXPECT(env, done >= 0 && done < PAGES, "the disk was too fast: %d of %d reads were over", done, PAGES);
    EXPECT(env, events_take(context, PAGES - done, event), "the reads never end");
    check_note("after the last of them it %s",
               atoi(peer_ask(env, "wait 2000")) == remote ? "comes" : "does not come any more");
    io_destroy(context);
    close(fd);
}

static void kill_under_io_uring(struct check_env *env)
{
    struct share share = peer_share(env, PAGES, true);
    int ready[2], fd = open(env->file, O_RDWR | O_DIRECT);
    void *again;
    char byte;
    pid_t child;

    EXPECT(env, fd >= 0 && !pipe(ready), "open: %s", errno_name(errno));
    child = fork();
    if (!child) {
        xengnttab_handle *gnttab = xengnttab_open(&quiet, 0);
        uint8_t *pages = xengnttab_map_domain_grant_refs(gnttab, PAGES, env->domid, share.refs, RW);
        struct io_uring ring;

        if (!pages || io_uring_queue_init(16, &ring, 0))
            _exit(1);
        for (int i = 0; i < PAGES; i++)
            io_uring_prep_read(io_uring_get_sqe(&ring), fd, pages + i * PAGE, PAGE, i * APART);
        if (io_uring_submit(&ring) != PAGES || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    EXPECT(env, read(ready[0], &byte, 1) == 1, "the other process failed");
    close(ready[0]);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    peer_unshare(env, &share);
    again = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[PAGES - 1], RW);
    check_note("after kill -9 with io_uring in flight the mappings are %s", again ? "still held" : "gone");
    if (again)
        xengnttab_unmap(env->gnttab, again, 1);
    note_aftermath(env, fd);
    close(fd);
}

/*
 * The guest goes while its pages are mapped and read into. XENCHECK_DESTROY is the command that destroys it. Nothing
 * breaks: the pages stay until they are unmapped.
 */
static void guest_destroyed_under_direct_io(struct check_env *env)
{
    struct share share = peer_share(env, PAGES, true);
    uint8_t *pages = xengnttab_map_domain_grant_refs(env->gnttab, PAGES, env->domid, share.refs, RW);
    int fd = open(env->file, O_RDONLY | O_DIRECT);
    const char *command = getenv("XENCHECK_DESTROY");
    static uint8_t bytes[PAGE] __attribute__((aligned(PAGE)));
    io_context_t context = NULL;
    struct iocb block[PAGES], *blocks[PAGES];
    struct io_event event[PAGES];

    EXPECT(env, command && pages && fd >= 0 && !io_setup(PAGES, &context), "set up: %s", errno_name(errno));
    for (int i = 0; i < PAGES; i++) {
        io_prep_pread(&block[i], fd, pages + i * PAGE, PAGE, i * APART);
        blocks[i] = &block[i];
    }
    EXPECT(env, io_submit(context, PAGES, blocks) == PAGES, "submit");
    env->is_peer_gone = true;
    EXPECT(env, !system(command), "%s failed", command);
    EXPECT(env, events_take(context, PAGES, event), "the reads never end");
    io_destroy(context);
    for (int i = 0; i < PAGES; i++)
        EXPECT(env, event[i].res == PAGE, "read %d: %ld", i, (long)event[i].res);
    EXPECT(env, pread(fd, bytes, PAGE, 0) == PAGE && !memcmp(bytes, pages, PAGE),
           "the bytes are not the disk's");
    for (int i = 0; i < PAGES; i++)
        EXPECT(env, probe_write(pages + i * PAGE), "page %d went with its guest", i);
    EXPECT(env, !xengnttab_unmap(env->gnttab, pages, PAGES), "unmap: %s", errno_name(errno));
    close(fd);
}

const struct check check_hazard_list[] = {
    { "hazard-unmap-under-direct-io", unmap_under_direct_io },
    { "hazard-notify-under-direct-io", notify_under_direct_io },
    { "hazard-kill-under-io-uring", kill_under_io_uring },
    { "hazard-guest-destroyed-under-direct-io", guest_destroyed_under_direct_io },
    { NULL, NULL },
};
