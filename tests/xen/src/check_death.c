// SPDX-License-Identifier: MIT
/*
 * check_death.c: what is left of a process that was killed, or that went without tidying up.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xen/src/xencheck.h"

#define RW (PROT_READ | PROT_WRITE)
#define SOON 20000
#define NEVER 100

/* A process that binds, maps with both kinds of notification, says so, and ends as told or waits. */
static pid_t victim_start(struct check_env *env, uint32_t ref, int remote, bool exits)
{
    int ready[2];
    pid_t child;
    char byte;

    if (pipe(ready) < 0 || (child = fork()) < 0) {
        check_fail(env, __FILE__, __LINE__, "fork: %s", errno_name(errno));
        return -1;
    }
    if (!child) {
        xengnttab_handle *gnttab = xengnttab_open(&quiet, 0);
        xenevtchn_handle *evtchn = xenevtchn_open(&quiet, 0);
        int port = xenevtchn_bind_interdomain(evtchn, env->domid, remote);
        void *page = xengnttab_map_grant_ref_notify(gnttab, env->domid, ref, RW, 100, port);

        if (!page || write(ready[1], "", 1) != 1)
            _exit(1);
        if (exits)
            _exit(0);
        for (;;)
            pause();
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        check_fail(env, __FILE__, __LINE__, "the other process could not map");
    close(ready[0]);
    return child;
}

static void mapper_dies(struct check_env *env, bool exits)
{
    struct share share = peer_share(env, 1, true);
    int remote = atoi(peer_ask(env, "bind")), port;
    pid_t child = victim_start(env, share.refs[0], remote, exits);
    uint8_t *page;

    if (!exits)
        kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    EXPECT(env, atoi(peer_ask(env, "wait %d", SOON)) == remote, "no event tells of the death");
    EXPECT(env, !strcmp(peer_ask(env, "peek %u 0 100", share.id), "0"), "the byte is not cleared");
    /* All is as if it had never been: the page can be mapped, the peer's port bound again. */
    page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);
    EXPECT(env, page, "map: %s", errno_name(errno));
    port = xenevtchn_bind_interdomain(env->evtchn, env->domid, remote);
    EXPECT(env, port > 0, "the peer's port cannot be bound again: %s", errno_name(errno));
    peer_ask(env, "unmask %d", remote);
    EXPECT(env, !xenevtchn_notify(env->evtchn, port), "notify: %s", errno_name(errno));
    EXPECT(env, atoi(peer_ask(env, "wait %d", SOON)) == remote,
           "no event over the channel that was bound again");
    xengnttab_unmap(env->gnttab, page, 1);
}

static void kill_of_the_mapper_notifies(struct check_env *env)
{
    mapper_dies(env, false);
}

static void exit_of_the_mapper_notifies(struct check_env *env)
{
    mapper_dies(env, true);
}

static void kill_of_the_mapper_leaks_no_count(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page;

    /* More deaths than a page can have mappings. */
    for (int i = 0; i < 140 && !env->failure[0]; i++) {
        pid_t child = fork();

        if (!child) {
            xengnttab_handle *gnttab = xengnttab_open(&quiet, 0);

            if (!xengnttab_map_grant_ref(gnttab, env->domid, share.refs[0], RW))
                _exit(1);
            kill(getpid(), SIGKILL);
        }
        int status = 0;

        waitpid(child, &status, 0);
        EXPECT(env, WIFSIGNALED(status), "map %d was refused", i);
    }
    page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);
    EXPECT(env, page, "map after the deaths: %s", errno_name(errno));
    xengnttab_unmap(env->gnttab, page, 1);
}

static void second_mapper_outlives_the_first(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    int remote = atoi(peer_ask(env, "bind"));
    pid_t first = victim_start(env, share.refs[0], remote, false);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);

    EXPECT(env, page, "map of what another process has mapped: %s", errno_name(errno));
    kill(first, SIGKILL);
    waitpid(first, NULL, 0);
    EXPECT(env, atoi(peer_ask(env, "wait %d", SOON)) == remote, "no event tells of the death");
    EXPECT(env, probe_write(page), "the mapping went with another process");
    pattern_fill(page, 2, 0);
    EXPECT(env, !strcmp(peer_ask(env, "test %u 0 2", share.id), "1"), "the peer does not see our bytes");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
}

static void kill_of_the_sharer_leaves_the_page(struct check_env *env)
{
    int port = xenevtchn_bind_unbound_port(env->evtchn, env->domid);
    uint32_t ref = strtoul(peer_ask(env, "doomed 100 %d", port), NULL, 10);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, ref, RW);

    EXPECT(env, page, "map: %s", errno_name(errno));
    EXPECT(env, pattern_matches(page, 1, 0), "not the peer's bytes");
    peer_ask(env, "kill");
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port, "no event tells of the sharer's death");
    EXPECT(env, page[100] == 0, "the byte is not cleared: %u", page[100]);
    EXPECT(env, page[101] == pattern_byte(1, 0, 101) && probe_write(page), "the page went with its owner");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
}

static void unshare_notifies_the_mapper(struct check_env *env)
{
    int port = xenevtchn_bind_unbound_port(env->evtchn, env->domid);
    int remote = atoi(peer_ask(env, "connect %d", port));
    unsigned int id, ref;
    char *text = (char *)peer_ask(env, "share-notify 100 %d", remote);
    uint8_t *page;

    id = strtoul(text, &text, 10);
    ref = strtoul(text, &text, 10);
    page = xengnttab_map_grant_ref(env->gnttab, env->domid, ref, RW);
    EXPECT(env, page, "map: %s", errno_name(errno));
    peer_ask(env, "unshare %u", id);
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port, "no event tells of the unsharing");
    EXPECT(env, page[100] == 0, "the byte is not cleared: %u", page[100]);
    xengnttab_unmap(env->gnttab, page, 1);
}

const struct check check_death_list[] = {
    { "kill-of-the-mapper-notifies", kill_of_the_mapper_notifies },
    { "exit-of-the-mapper-notifies", exit_of_the_mapper_notifies },
    { "kill-of-the-mapper-leaks-no-count", kill_of_the_mapper_leaks_no_count },
    { "second-mapper-outlives-the-first", second_mapper_outlives_the_first },
    { "kill-of-the-sharer-leaves-the-page", kill_of_the_sharer_leaves_the_page },
    { "unshare-notifies-the-mapper", unshare_notifies_the_mapper },
    { NULL, NULL },
};
