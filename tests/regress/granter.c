// SPDX-License-Identifier: MIT
/*
 * granter.c: the domain that grants, as rows see it.
 *
 * Its pages are shared by this process where that can be: in a box, and when a domain grants to itself. Otherwise the
 * granter is a guest in which `xencheck peer` does what it is told (granter_is_guest). What it has shared is then seen
 * here by the frames that its grant entries name, mapped as a toolstack does: that is no use of the grants.
 */
#define __XEN_TOOLS__ 1
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xenforeignmemory.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/memory.h>

#include "tests/regress/regress.h"
#include "tests/xen/src/link.h"

#define ENTRIES_OF_FRAME (PAGE / (uint32_t)sizeof(grant_entry_v1_t))
#define SHARES_MAX 64
#define SHARE_PAGES_MAX 256u /* that fit an answer of the peer's */
#define ANSWER_MS 60000
#define ANSWER_BYTES 4096

static xenforeignmemory_handle *memory;

/* What the guest has shared, and where that is seen here. */
static struct {
    const char *folder; /* NULL: there is no guest */
    struct link link;
    struct guest_share {
        void *pages;
        uint32_t count;
        char *ids; /* of the peer's shares, with a blank behind each */
    } share[SHARES_MAX];
} guest;

static xenforeignmemory_handle *memory_handle(void)
{
    if (!memory) {
        xengnttab_close(mapper_tab()); /* puts us into the mapper's domain */
        memory = xenforeignmemory_open(NULL, 0);
        CHECK(memory, "no handle for foreign memory");
    }
    return memory;
}

size_t table_frames(void)
{
    size_t bytes = 0;

    CHECK(xenforeignmemory_resource_size(memory_handle(), (domid_t)granter, XENMEM_resource_grant_table,
                                         XENMEM_resource_grant_table_id_shared, &bytes) == 0,
          "errno %d", errno);
    return bytes / PAGE;
}

xenforeignmemory_resource_handle *table_map(unsigned long frame, unsigned long frames, void **address)
{
    *address = NULL;
    return xenforeignmemory_map_resource(memory_handle(), (domid_t)granter, XENMEM_resource_grant_table,
                                         XENMEM_resource_grant_table_id_shared, frame, frames, address, RW,
                                         0);
}

int table_unmap(xenforeignmemory_resource_handle *table)
{
    return xenforeignmemory_unmap_resource(memory_handle(), table);
}

volatile struct grant_entry_v1 *granter_entry(uint32_t ref)
{
    static void *frame[64];
    uint32_t index = ref / ENTRIES_OF_FRAME;

    CHECK(index < sizeof(frame) / sizeof(frame[0]), "ref %u is past any table", ref);
    CHECK(frame[index] || table_map(index, 1, &frame[index]),
          "frame %u of the granter's table cannot be mapped, errno %d", index, errno);
    return (volatile grant_entry_v1_t *)frame[index] + ref % ENTRIES_OF_FRAME;
}

unsigned grant_in_use(uint32_t ref)
{
    uint16_t flags = granter_entry(ref)->flags;

    return (flags & GTF_reading ? IS_READ : 0) | (flags & GTF_writing ? IS_WRITTEN : 0);
}

int grant_read(xengnttab_handle *tab, uint32_t ref, void *bytes, uint16_t length)
{
    xengnttab_grant_copy_segment_t segment = { .len = length, .flags = GNTCOPY_source_gref, .status = 1 };

    segment.source.foreign.ref = ref;
    segment.source.foreign.domid = (domid_t)granter;
    segment.dest.virt = bytes;
    return xengnttab_grant_copy(tab, 1, &segment) == 0 ? segment.status : -1000 - errno;
}

void granter_is_guest(const char *folder)
{
    guest.folder = folder;
}

/* The answer to a command, without its "ok". */
static char *guest_ask(const char *command)
{
    static char answer[ANSWER_BYTES];
    int ret = 0;

    if (!guest.link.xs) {
        ret = link_open(&guest.link, guest.folder, false);
        CHECK(ret == 0, "nobody answers in %s: %s", guest.folder, strerror(-ret));
        guest_ask("reset");
    }
    ret = link_send(&guest.link, command);
    ret = ret == 0 ? link_receive(&guest.link, answer, sizeof(answer), ANSWER_MS) : ret;
    CHECK(ret == 0, "no answer to \"%s\": %s", command, strerror(-ret));
    CHECK(strncmp(answer, "ok", 2) == 0, "the guest answers \"%s\" to \"%s\"", answer, command);
    return answer + 2;
}

/* Lets the guest share pages, as many as it can tell of at a time, and takes down what it calls them. */
static void guest_share_some(struct guest_share *share, uint32_t to, uint32_t count, uint32_t *refs,
                             int is_writable)
{
    char command[64], *at, *end;
    size_t length = share->ids ? strlen(share->ids) : 0;

    snprintf(command, sizeof(command), "share %u %d %u", count, is_writable, to);
    at = guest_ask(command);
    share->ids = realloc(share->ids, length + 16);
    CHECK(share->ids, "no memory");
    snprintf(share->ids + length, 16, "%lu ", strtoul(at, &end, 10));
    for (uint32_t i = 0; i < count; i++) {
        at = end;
        refs[i] = (uint32_t)strtoul(at, &end, 10);
        CHECK(end > at, "the guest has told %u refs of %u", i, count);
    }
}

static void *guest_share(uint32_t to, uint32_t count, uint32_t *refs, int is_writable)
{
    struct guest_share *share = guest.share;
    xen_pfn_t *frames = calloc(count, sizeof(*frames));

    CHECK(frames, "no memory");
    while (share < guest.share + SHARES_MAX && share->pages)
        share++;
    CHECK(share < guest.share + SHARES_MAX, "the row shares more than %d times", SHARES_MAX);
    for (uint32_t at = 0, some; at < count; at += some) {
        some = count - at < SHARE_PAGES_MAX ? count - at : SHARE_PAGES_MAX;
        guest_share_some(share, to, some, refs + at, is_writable);
    }
    for (uint32_t i = 0; i < count; i++)
        frames[i] = granter_entry(refs[i])->frame;
    share->count = count;
    share->pages = xenforeignmemory_map(memory_handle(), granter, RW, count, frames, NULL);
    CHECK(share->pages, "what the guest has shared cannot be seen: %s", strerror(errno));
    memset(share->pages, 0, (size_t)count * PAGE);
    free(frames);
    return share->pages;
}

static int guest_unshare(struct guest_share *share)
{
    char command[64], *id, *rest = share->ids;

    xenforeignmemory_unmap(memory_handle(), share->pages, share->count);
    while ((id = strsep(&rest, " ")) && *id) {
        snprintf(command, sizeof(command), "unshare %s", id);
        guest_ask(command);
    }
    free(share->ids);
    *share = (struct guest_share){ 0 };
    return 0;
}

void *pages_share(xengntshr_handle *shr, uint32_t to, uint32_t count, uint32_t *refs, int is_writable)
{
    if (guest.folder && granter != mapper)
        return guest_share(to, count, refs, is_writable);
    return xengntshr_share_pages(shr, to, count, refs, is_writable);
}

int pages_unshare(xengntshr_handle *shr, void *pages, uint32_t count)
{
    for (struct guest_share *share = guest.share; share < guest.share + SHARES_MAX; share++) {
        if (share->pages == pages && pages)
            return guest_unshare(share);
    }
    return xengntshr_unshare(shr, pages, count);
}
