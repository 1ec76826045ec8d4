// SPDX-License-Identifier: MIT
/*
 * peer.c: the other domain of xencheck. It owns what the runner asks it to make (shared pages, ports) and
 * does one thing a command; it never decides anything. An answer is "ok" with values, or the name of an
 * errno.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xen/src/xencheck.h"

#define SHARES_MAX 64

struct peer {
    uint32_t domid; /* the runner's */
    xengntshr_handle *gntshr;
    xenevtchn_handle *evtchn;
    struct {
        uint8_t *pages;
        uint32_t count;
    } shares[SHARES_MAX];
    char answer[3600];
};

static int answer(struct peer *peer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int answer(struct peer *peer, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(peer->answer, sizeof(peer->answer), fmt, args);
    va_end(args);
    return 0;
}

static int answer_result(struct peer *peer, int ret)
{
    return ret < 0 ? -errno : answer(peer, "ok %d", ret);
}

static int share_new(struct peer *peer, uint8_t *pages, const uint32_t *refs, uint32_t count)
{
    unsigned int id = 0;
    int length;

    while (id < SHARES_MAX && peer->shares[id].pages)
        id++;
    if (id == SHARES_MAX)
        return -ENOSPC;
    peer->shares[id].pages = pages;
    peer->shares[id].count = count;
    length = snprintf(peer->answer, sizeof(peer->answer), "ok %u", id);
    for (uint32_t i = 0; i < count; i++) {
        pattern_fill(pages + (size_t)i * PAGE, 1, i);
        length += snprintf(peer->answer + length, sizeof(peer->answer) - length, " %u", refs[i]);
    }
    return 0;
}

/* share COUNT WRITABLE [DOMID]: with the runner's domain, or with that one. */
static int do_share(struct peer *peer, const long *arg)
{
    uint32_t refs[REFS_MAX];
    uint8_t *pages;

    if (arg[0] > REFS_MAX)
        return -E2BIG;
    pages =
        xengntshr_share_pages(peer->gntshr, arg[2] ? (uint32_t)arg[2] : peer->domid, arg[0], refs, arg[1]);
    return pages ? share_new(peer, pages, refs, arg[0]) : -errno;
}

/* share-notify OFFSET PORT: one page; what its unsharing does. */
static int do_share_notify(struct peer *peer, const long *arg)
{
    uint32_t ref;
    uint8_t *page = xengntshr_share_page_notify(peer->gntshr, peer->domid, &ref, 1, arg[0], arg[1]);

    return page ? share_new(peer, page, &ref, 1) : -errno;
}

/* share-most: as many pages as there are, one by one; answers how many, and gives them back. */
static int do_share_most(struct peer *peer, const long *arg)
{
    uint32_t refs[REFS_MAX];
    long count = 0;
    void *last;
    struct {
        void *pages;
    } chunk[1024];
    int chunks = 0, error = 0;

    (void)arg;
    while (chunks < 1024 && (last = xengntshr_share_pages(peer->gntshr, peer->domid, 16, refs, 1)))
        chunk[chunks++].pages = last;
    error = errno;
    count = chunks * 16L;
    while (chunks)
        xengntshr_unshare(peer->gntshr, chunk[--chunks].pages, 16);
    return answer(peer, "ok %ld %s", count, errno_name(error));
}

/* share-and-die OFFSET PORT: a process shares a page, tells its ref, and is killed by the next command. */
static pid_t doomed;
static int doomed_pipe[2] = { -1, -1 };

static int do_doomed(struct peer *peer, const long *arg)
{
    uint32_t ref = 0;

    if (pipe(doomed_pipe) < 0)
        return -errno;
    doomed = fork();
    if (doomed < 0)
        return -errno;
    if (!doomed) {
        xengntshr_handle *gntshr = xengntshr_open(&quiet, 0);
        xenevtchn_handle *evtchn = xenevtchn_open(&quiet, 0);
        int port = arg[1] < 0 ? -1 : xenevtchn_bind_interdomain(evtchn, peer->domid, arg[1]);
        uint8_t *page = xengntshr_share_page_notify(gntshr, peer->domid, &ref, 1, arg[0], port);

        if (page)
            pattern_fill(page, 1, 0);
        if (write(doomed_pipe[1], &ref, sizeof(ref)) != sizeof(ref))
            _exit(1);
        for (;;)
            pause();
    }
    close(doomed_pipe[1]);
    if (read(doomed_pipe[0], &ref, sizeof(ref)) != sizeof(ref))
        return -EPIPE;
    return answer(peer, "ok %u", ref);
}

static int do_kill(struct peer *peer, const long *arg)
{
    (void)arg;
    kill(doomed, SIGKILL);
    waitpid(doomed, NULL, 0);
    close(doomed_pipe[0]);
    return answer(peer, "ok");
}

static uint8_t *share_page(struct peer *peer, const long *arg)
{
    if (arg[0] < 0 || arg[0] >= SHARES_MAX || !peer->shares[arg[0]].pages || arg[1] < 0 ||
        arg[1] >= peer->shares[arg[0]].count)
        return NULL;
    return peer->shares[arg[0]].pages + arg[1] * PAGE;
}

/* unshare ID */
static int do_unshare(struct peer *peer, const long *arg)
{
    int ret;

    if (!share_page(peer, (long[]){ arg[0], 0 }))
        return -ENOENT;
    ret = xengntshr_unshare(peer->gntshr, peer->shares[arg[0]].pages, peer->shares[arg[0]].count);
    peer->shares[arg[0]].pages = NULL;
    return answer_result(peer, ret);
}

/* fill ID PAGE SEED, test ID PAGE SEED, poke ID PAGE OFFSET VALUE, peek ID PAGE OFFSET */
static int do_fill(struct peer *peer, const long *arg)
{
    uint8_t *page = share_page(peer, arg);

    if (!page)
        return -ENOENT;
    pattern_fill(page, arg[2], arg[1]);
    return answer(peer, "ok");
}

static int do_test(struct peer *peer, const long *arg)
{
    uint8_t *page = share_page(peer, arg);

    return page ? answer(peer, "ok %d", pattern_matches(page, arg[2], arg[1])) : -ENOENT;
}

static int do_poke(struct peer *peer, const long *arg)
{
    uint8_t *page = share_page(peer, arg);

    if (!page)
        return -ENOENT;
    __atomic_store_n(page + arg[2], (uint8_t)arg[3], __ATOMIC_SEQ_CST);
    return answer(peer, "ok");
}

static int do_peek(struct peer *peer, const long *arg)
{
    uint8_t *page = share_page(peer, arg);

    return page ? answer(peer, "ok %d", __atomic_load_n(page + arg[2], __ATOMIC_SEQ_CST)) : -ENOENT;
}

/* bind, connect PORT, notify PORT, unmask PORT, unbind PORT, wait MILLISECONDS */
static int do_bind(struct peer *peer, const long *arg)
{
    (void)arg;
    return answer_result(peer, xenevtchn_bind_unbound_port(peer->evtchn, peer->domid));
}

static int do_connect(struct peer *peer, const long *arg)
{
    return answer_result(peer, xenevtchn_bind_interdomain(peer->evtchn, peer->domid, arg[0]));
}

static int do_notify(struct peer *peer, const long *arg)
{
    return answer_result(peer, xenevtchn_notify(peer->evtchn, arg[0]));
}

static int do_unmask(struct peer *peer, const long *arg)
{
    return answer_result(peer, xenevtchn_unmask(peer->evtchn, arg[0]));
}

static int do_unbind(struct peer *peer, const long *arg)
{
    return answer_result(peer, xenevtchn_unbind(peer->evtchn, arg[0]));
}

static int do_wait(struct peer *peer, const long *arg)
{
    return answer(peer, "ok %u", event_wait(peer->evtchn, arg[0]));
}

static void peer_fini(struct peer *peer)
{
    for (int id = 0; id < SHARES_MAX; id++)
        if (peer->shares[id].pages)
            xengntshr_unshare(peer->gntshr, peer->shares[id].pages, peer->shares[id].count);
    if (peer->gntshr)
        xengntshr_close(peer->gntshr);
    if (peer->evtchn)
        xenevtchn_close(peer->evtchn);
    *peer = (struct peer){ .domid = peer->domid };
}

static int peer_init(struct peer *peer, uint32_t domid)
{
    peer->domid = domid;
    peer->gntshr = xengntshr_open(&quiet, 0);
    peer->evtchn = xenevtchn_open(&quiet, 0);
    if (!peer->gntshr || !peer->evtchn)
        return -errno;
    return 0;
}

/* reset: a new beginning for the next check. */
static int do_reset(struct peer *peer, const long *arg)
{
    int ret;

    (void)arg;
    peer_fini(peer);
    ret = peer_init(peer, peer->domid);
    return ret < 0 ? ret : answer(peer, "ok");
}

static const struct {
    const char *name;
    int (*fn)(struct peer *peer, const long *arg);
} commands[] = {
    { "share", do_share },
    { "share-notify", do_share_notify },
    { "share-most", do_share_most },
    { "doomed", do_doomed },
    { "kill", do_kill },
    { "unshare", do_unshare },
    { "fill", do_fill },
    { "test", do_test },
    { "poke", do_poke },
    { "peek", do_peek },
    { "bind", do_bind },
    { "connect", do_connect },
    { "notify", do_notify },
    { "unmask", do_unmask },
    { "unbind", do_unbind },
    { "wait", do_wait },
    { "reset", do_reset },
};

static int peer_command(struct peer *peer, char *text)
{
    char *save, *name = strtok_r(text, " ", &save), *word;
    long arg[4] = { 0 };

    if (!name)
        return -EINVAL;
    for (int i = 0; i < 4 && (word = strtok_r(NULL, " ", &save)); i++)
        arg[i] = strtol(word, NULL, 10);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(commands[i].name, name))
            return commands[i].fn(peer, arg);
    return -ENOSYS;
}

int peer_serve(struct link *link, uint32_t domid)
{
    struct peer peer = { 0 };
    char text[256];
    int ret = peer_init(&peer, domid);

    while (!ret && !(ret = link_receive(link, text, sizeof(text), -1))) {
        int error;

        if (!strcmp(text, "quit")) {
            ret = link_send(link, "ok");
            break;
        }
        error = peer_command(&peer, text);
        if (error < 0)
            answer(&peer, "%s", errno_name(-error));
        ret = link_send(link, peer.answer);
    }
    peer_fini(&peer);
    return ret;
}
