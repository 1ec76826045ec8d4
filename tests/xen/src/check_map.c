// SPDX-License-Identifier: MIT
/*
 * check_map.c: what mapping and unmapping grants does.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xen/src/xencheck.h"

#define RW (PROT_READ | PROT_WRITE)
#define BAD_REF 0x00ffffff /* beyond every table */

/* How often one page can be mapped: Xen counts 128 a kind; a PV kernel takes two for each mapping. */
static const int mappings_most[] = {
    [MEMORY_AUTOTRANSLATED] = 128, [MEMORY_PV] = 64, [MEMORY_XENBOX] = 128, [MEMORY_XENBOX_PV] = 64
};

static void map_shows_both_sides(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);

    EXPECT(env, page, "map: %s", errno_name(errno));
    EXPECT(env, pattern_matches(page, 1, 0), "the peer's bytes are not there");
    pattern_fill(page, 2, 0);
    EXPECT(env, !strcmp(peer_ask(env, "test %u 0 2", share.id), "1"), "the peer does not see our bytes");
    peer_ask(env, "poke %u 0 100 7", share.id);
    EXPECT(env, page[100] == 7, "the peer's store is not seen");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
    EXPECT(env, !probe_read(page), "the address is still there after the unmap");
}

static void map_keeps_the_order(struct check_env *env)
{
    struct share share = peer_share(env, 11, true);
    uint32_t refs[11], domids[11];
    uint8_t *pages;

    for (int i = 0; i < 11; i++) {
        refs[i] = share.refs[(i * 7) % 11];
        domids[i] = env->domid;
    }
    pages = xengnttab_map_domain_grant_refs(env->gnttab, 11, env->domid, refs, RW);
    EXPECT(env, pages, "map_domain_grant_refs: %s", errno_name(errno));
    for (int i = 0; i < 11; i++)
        EXPECT(env, pattern_matches(pages + i * PAGE, 1, (i * 7) % 11), "page %d is another", i);
    EXPECT(env, !xengnttab_unmap(env->gnttab, pages, 11), "unmap: %s", errno_name(errno));

    pages = xengnttab_map_grant_refs(env->gnttab, 11, domids, refs, PROT_READ);
    EXPECT(env, pages, "map_grant_refs: %s", errno_name(errno));
    for (int i = 0; i < 11; i++)
        EXPECT(env, pattern_matches(pages + i * PAGE, 1, (i * 7) % 11), "page %d is another", i);
    EXPECT(env, !xengnttab_unmap(env->gnttab, pages, 11), "unmap: %s", errno_name(errno));
}

static void map_read_only_faults_on_a_store(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], PROT_READ);
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    ssize_t length;

    EXPECT(env, page, "map: %s", errno_name(errno));
    EXPECT(env, probe_read(page), "a load faults");
    EXPECT(env, !probe_write(page), "a store is let through");
    EXPECT_ERRNO(env, read(zero, page, PAGE), EFAULT);
    length = write(null, page, PAGE);
    EXPECT(env, length == PAGE, "write() from it: %zd, %s", length, errno_name(errno));
    xengnttab_unmap(env->gnttab, page, 1);
    close(zero);
    close(null);
}

static void map_read_only_grant_refuses_write(struct check_env *env)
{
    struct share share = peer_share(env, 1, false);
    void *page;

    EXPECT_ERRNO(env, xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW), EINVAL);
    page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], PROT_READ);
    EXPECT(env, page, "map read-only: %s", errno_name(errno));
    EXPECT(env, pattern_matches(page, 1, 0), "the peer's bytes are not there");
    xengnttab_unmap(env->gnttab, page, 1);
}

static void map_refuses_nonsense(struct check_env *env)
{
    struct share share = peer_share(env, 1, true), gone = peer_share(env, 1, true);

    peer_unshare(env, &gone);
    EXPECT_ERRNO(env, xengnttab_map_grant_ref(env->gnttab, env->domid, BAD_REF, RW), EINVAL);
    EXPECT_ERRNO(env, xengnttab_map_grant_ref(env->gnttab, env->domid, gone.refs[0], RW), EINVAL);
    EXPECT_ERRNO(env, xengnttab_map_grant_ref(env->gnttab, 999, share.refs[0], RW), EINVAL);
    EXPECT_ERRNO(env, xengnttab_map_domain_grant_refs(env->gnttab, 0, env->domid, share.refs, RW), EINVAL);
}

static void map_fails_as_a_whole(struct check_env *env)
{
    struct share share = peer_share(env, 3, true);
    uint32_t refs[3] = { share.refs[0], BAD_REF, share.refs[2] };
    void *pages;

    for (int i = 0; i < mappings_most[env->memory] + 10; i++) /* none of the good ones may leak a count */
        EXPECT_ERRNO(env, xengnttab_map_domain_grant_refs(env->gnttab, 3, env->domid, refs, RW), EINVAL);
    pages = xengnttab_map_domain_grant_refs(env->gnttab, 3, env->domid, share.refs, RW);
    EXPECT(env, pages, "map of the good ones: %s", errno_name(errno));
    xengnttab_unmap(env->gnttab, pages, 3);
}

static void map_twice_gives_two_views(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *first = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);
    uint8_t *second = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);

    EXPECT(env, first && second && first != second, "map: %s", errno_name(errno));
    first[5] = 200;
    EXPECT(env, second[5] == 200, "the second view does not show the first one's store");
    EXPECT(env, !xengnttab_unmap(env->gnttab, first, 1), "unmap: %s", errno_name(errno));
    EXPECT(env, second[5] == 200 && probe_write(second), "the second view went with the first");
    EXPECT(env, !xengnttab_unmap(env->gnttab, second, 1), "unmap: %s", errno_name(errno));
}

static void map_limit_of_one_page(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    void *pages[300];
    int count = 0, error = 0;

    while (count < 300 &&
           (pages[count] = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW)))
        count++;
    error = errno;
    for (int i = 0; i < count; i++)
        xengnttab_unmap(env->gnttab, pages[i], 1);
    check_note("one page can be mapped %d times at once, then %s", count, errno_name(error));
    EXPECT(env, count == mappings_most[env->memory], "%d mappings at once, expected %d", count,
           mappings_most[env->memory]);
    EXPECT(env, error == EINVAL, "refused with %s, expected EINVAL", errno_name(error));
}

static void map_of_two_handles(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    xengnttab_handle *other = xengnttab_open(&quiet, 0);
    uint8_t *here = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);
    uint8_t *there = xengnttab_map_grant_ref(other, env->domid, share.refs[0], RW);

    EXPECT(env, here && there, "map: %s", errno_name(errno));
    xengnttab_close(other);
    if (is_xenbox(env)) {
        xengnttab_unmap(env->gnttab, here, 1);
        return;
    }
    /* The mapping holds the file open. */
    EXPECT(env, probe_write(there), "closing the handle took the mapping away");
    there[9] = 77;
    EXPECT(env, here[9] == 77, "the views differ");
    EXPECT(env, !munmap(there, PAGE), "munmap: %s", errno_name(errno));
    xengnttab_unmap(env->gnttab, here, 1);
}

static void unmap_wants_what_was_mapped(struct check_env *env)
{
    struct share share = peer_share(env, 3, true);
    uint8_t *pages = xengnttab_map_domain_grant_refs(env->gnttab, 3, env->domid, share.refs, RW);
    char local;

    EXPECT(env, pages, "map: %s", errno_name(errno));
    EXPECT_ERRNO(env, xengnttab_unmap(env->gnttab, pages, 2), EINVAL);
    EXPECT_ERRNO(env, xengnttab_unmap(env->gnttab, pages, 4), EINVAL);
    EXPECT_ERRNO(env, xengnttab_unmap(env->gnttab, pages, 0), EINVAL);
    EXPECT_ERRNO(env, xengnttab_unmap(env->gnttab, pages + PAGE, 2), EINVAL);
    EXPECT_ERRNO(env, xengnttab_unmap(env->gnttab, &local, 1), EINVAL);
    EXPECT(env, pattern_matches(pages, 1, 0) && pattern_matches(pages + 2 * PAGE, 1, 2),
           "a refused unmap unmapped");
    EXPECT(env, !xengnttab_unmap(env->gnttab, pages, 3), "unmap: %s", errno_name(errno));
    EXPECT_ERRNO(env, xengnttab_unmap(env->gnttab, pages, 3), EINVAL);
}

static void munmap_of_one_page_leaves_the_others(struct check_env *env)
{
    struct share share = peer_share(env, 3, true);
    uint8_t *pages = xengnttab_map_domain_grant_refs(env->gnttab, 3, env->domid, share.refs, RW);

    EXPECT(env, pages, "map: %s", errno_name(errno));
    EXPECT(env, !munmap(pages + PAGE, PAGE), "munmap: %s", errno_name(errno));
    EXPECT(env, !probe_read(pages + PAGE), "the page is still there");
    EXPECT(env, pattern_matches(pages, 1, 0) && pattern_matches(pages + 2 * PAGE, 1, 2),
           "the others changed");
    EXPECT(env, !xengnttab_unmap(env->gnttab, pages, 3), "unmap of the rest: %s", errno_name(errno));
}

/*
 * A PV kernel keeps a mapping from a child, since its page tables cannot be copied. Any other lets the child
 * have it, and the grant stays mapped until the last of them is gone.
 */
static void fork_and_the_mapping(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page = xengnttab_map_grant_ref_notify(env->gnttab, env->domid, share.refs[0], RW, 100, -1);
    int status = 0, unmapped[2];
    char byte;
    pid_t child;

    EXPECT(env, page && !pipe(unmapped), "map: %s", errno_name(errno));
    child = fork();
    if (!child) {
        close(unmapped[1]);
        status = probe_read(page);
        (void)!read(unmapped[0], &byte, 1); /* until the parent has unmapped */
        _exit(status | probe_read(page) << 1);
    }
    close(unmapped[0]);
    EXPECT(env, pattern_matches(page, 1, 0), "the parent's mapping changed");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
    if (env->memory == MEMORY_AUTOTRANSLATED)
        EXPECT(env, strcmp(peer_ask(env, "peek %u 0 100", share.id), "0"),
               "unmapped before the child was gone");
    close(unmapped[1]);
    waitpid(child, &status, 0);
    EXPECT(env, WIFEXITED(status) && WEXITSTATUS(status) == (env->memory == MEMORY_AUTOTRANSLATED ? 3 : 0),
           "the child could read it before and after the parent's unmap: status %x", status);
    EXPECT(env, !strcmp(peer_ask(env, "peek %u 0 100", share.id), "0"), "not unmapped when both are gone");
}

static void unmap_clears_the_notify_byte(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page = xengnttab_map_grant_ref_notify(env->gnttab, env->domid, share.refs[0], RW, 100, -1);

    EXPECT(env, page, "map: %s", errno_name(errno));
    EXPECT(env, atoi(peer_ask(env, "peek %u 0 100", share.id)) == pattern_byte(1, 0, 100), "cleared at once");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
    EXPECT(env, !strcmp(peer_ask(env, "peek %u 0 100", share.id), "0"), "not cleared");
    EXPECT(env, atoi(peer_ask(env, "peek %u 0 101", share.id)) == pattern_byte(1, 0, 101),
           "its neighbour too");
}

static void unmap_sends_the_notify_event(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    int remote = atoi(peer_ask(env, "bind"));
    int port = xenevtchn_bind_interdomain(env->evtchn, env->domid, remote);
    uint8_t *page;

    EXPECT(env, port > 0, "bind_interdomain: %s", errno_name(errno));
    page = xengnttab_map_grant_ref_notify(env->gnttab, env->domid, share.refs[0], RW, -1, port);
    EXPECT(env, page, "map: %s", errno_name(errno));
    EXPECT(env, !strcmp(peer_ask(env, "wait 50"), "0"), "an event before the unmap");
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
    EXPECT(env, atoi(peer_ask(env, "wait 2000")) == remote, "no event after the unmap");
}

static void unmap_notify_outlives_the_port(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    int remote = atoi(peer_ask(env, "bind"));
    xenevtchn_handle *evtchn = xenevtchn_open(&quiet, 0);
    int port = xenevtchn_bind_interdomain(evtchn, env->domid, remote);
    uint8_t *page = xengnttab_map_grant_ref_notify(env->gnttab, env->domid, share.refs[0], RW, 100, port);

    EXPECT(env, page, "map: %s", errno_name(errno));
    xenevtchn_close(evtchn); /* gntdev holds a reference to the port */
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
    EXPECT(env, !strcmp(peer_ask(env, "peek %u 0 100", share.id), "0"), "the byte is not cleared");
    EXPECT(env, atoi(peer_ask(env, "wait 2000")) == remote,
           "no event, since the handle of the port was closed");
}

static void notify_refuses_nonsense(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint32_t ref = share.refs[0];
    uint8_t *page;

    EXPECT_ERRNO(env, xengnttab_map_grant_ref_notify(env->gnttab, env->domid, ref, PROT_READ, 100, -1),
                 EINVAL);
    EXPECT_ERRNO(env, xengnttab_map_grant_ref_notify(env->gnttab, env->domid, ref, RW, 100, 999), EINVAL);
    /* A byte beyond the page means none, a port of -1 too: a plain mapping. */
    page = xengnttab_map_grant_ref_notify(env->gnttab, env->domid, ref, RW, PAGE, -1);
    EXPECT(env, page, "map: %s", errno_name(errno));
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
}

static void unshare_leaves_the_mapping(struct check_env *env)
{
    struct share share = peer_share(env, 1, true);
    uint8_t *page = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW), *again;

    EXPECT(env, page, "map: %s", errno_name(errno));
    EXPECT(env, !strcmp(peer_try(env, "unshare %u", share.id), "ok 0"),
           "unshare of a mapped page is refused");
    EXPECT(env, pattern_matches(page, 1, 0), "the contents went with the share");
    EXPECT(env, probe_write(page), "the page went with the share");
    /* The entry cannot be revoked while it is in use, and the owner's kernel tries again later. */
    again = xengnttab_map_grant_ref(env->gnttab, env->domid, share.refs[0], RW);
    EXPECT(env, again, "a second map while the first lives: %s", errno_name(errno));
    EXPECT(env, !xengnttab_unmap(env->gnttab, again, 1), "unmap: %s", errno_name(errno));
    EXPECT(env, !xengnttab_unmap(env->gnttab, page, 1), "unmap: %s", errno_name(errno));
}

static void share_limit(struct check_env *env)
{
    const char *most = peer_ask(env, "share-most");

    EXPECT(env, !strcmp(most, "1024 ENOSPC"), "the peer can share %s, expected 1024 ENOSPC", most);
}

const struct check check_map_list[] = {
    { "map-shows-both-sides", map_shows_both_sides },
    { "map-keeps-the-order", map_keeps_the_order },
    { "map-read-only-faults-on-a-store", map_read_only_faults_on_a_store },
    { "map-read-only-grant-refuses-write", map_read_only_grant_refuses_write },
    { "map-refuses-nonsense", map_refuses_nonsense },
    { "map-fails-as-a-whole", map_fails_as_a_whole },
    { "map-twice-gives-two-views", map_twice_gives_two_views },
    { "map-limit-of-one-page", map_limit_of_one_page },
    { "map-of-two-handles", map_of_two_handles },
    { "unmap-wants-what-was-mapped", unmap_wants_what_was_mapped },
    { "munmap-of-one-page-leaves-the-others", munmap_of_one_page_leaves_the_others },
    { "fork-and-the-mapping", fork_and_the_mapping },
    { "unmap-clears-the-notify-byte", unmap_clears_the_notify_byte },
    { "unmap-sends-the-notify-event", unmap_sends_the_notify_event },
    { "unmap-notify-outlives-the-port", unmap_notify_outlives_the_port },
    { "notify-refuses-nonsense", notify_refuses_nonsense },
    { "unshare-leaves-the-mapping", unshare_leaves_the_mapping },
    { "share-limit", share_limit },
    { NULL, NULL },
};
