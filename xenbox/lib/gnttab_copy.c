// SPDX-License-Identifier: MIT
/*
 * gnttab_copy.c: grant copy.
 *
 * A granted page is copied under its entry's lock, straight from or to the mapping of all frames: no pin, no
 * record, and the owner cannot end the grant meanwhile. A program that dies there has copied a part, as a
 * hypervisor might have, and its lock is taken from it.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "xenbox/hv/atoms.h"
#include "xenbox/hv/bugs.h"
#include "xenbox/lib/entry.h"
#include "xenbox/lib/fault_copy.h"
#include "xenbox/lib/gnttab.h"

#define COPY_FAULT 2 /* beside GNTST_* and ENTRY_LOST: the local end is not memory of this process */

/* In a thread that cannot take a fault: the kernel moves the bytes, and looks at the address while it does. */
static bool bytes_copy_by_kernel(struct client *client, size_t offset, void *local, uint16_t length,
                                 bool is_into_page)
{
    ssize_t moved = is_into_page ? pwrite(client_frames_fd(client), local, length, (off_t)offset)
                                 : pread(client_frames_fd(client), local, length, (off_t)offset);

    return moved == length;
}

/*
 * Moves the bytes. In a strict box a bad local address is an error, as the device has it; in a fast one it faults in
 * this process.
 */
static int bytes_copy(struct client *client, uint8_t *frames, size_t offset, void *local, uint16_t length,
                      bool is_into_page)
{
    void *to = is_into_page ? frames + offset : local;
    const void *from = is_into_page ? local : frames + offset;
    bool is_done = true;

    if (!(client->tables->flags & XB_BOX_STRICT))
        memcpy(to, from, length);
    else if (fault_copy_is_ready())
        is_done = fault_copy(to, from, length);
    else
        is_done = bytes_copy_by_kernel(client, offset, local, length, is_into_page);
    return is_done ? GNTST_okay : COPY_FAULT;
}

/* The entry is free again, and its page with it, long before the bytes are copied (B16). */
static void page_let_go(struct locked_entry *entry)
{
    entry_unlock(entry);
    nanosleep(&(struct timespec){ .tv_nsec = 2 * 1000 * 1000 }, NULL);
}

/* One direction: between a granted page, locked meanwhile, and memory of ours. */
static int page_copy(struct client *client, uint8_t *frames, const union xengnttab_copy_ptr *page,
                     void *local, uint16_t length, bool is_into_page)
{
    bool is_let_go = bug_is_on(client->tables, BUG_B16);
    struct locked_entry entry;
    int status = entry_lock(&entry, client, page->foreign.domid, page->foreign.ref);

    if (status != GNTST_okay)
        return status;
    status = entry_check(&entry, !is_into_page || bug_is_on(client->tables, BUG_B36));
    if (is_let_go)
        page_let_go(&entry);
    if (status == GNTST_okay)
        status = bytes_copy(client, frames, (size_t)entry.frame * XB_FRAME_SIZE + page->foreign.offset, local,
                            length, is_into_page);
    if (is_let_go)
        return status;
    if (bug_is_on(client->tables, BUG_B14))
        xb_grant_store(entry.shared, xb_grant_load(entry.shared) & ~XB_GRANT_IN_USE);
    entry_unlock(&entry);
    return status;
}

/* Does a file stand behind this memory, one that is no frame of the box? */
static bool is_of_a_file(const void *address)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long start, end;
    char line[512], flag = 0, *path = NULL;

    while (maps && !path && fgets(line, sizeof(line), maps))
        if (sscanf(line, "%lx-%lx %*3c%c", &start, &end, &flag) == 3 &&
            (uintptr_t)address - start < end - start)
            path = strchr(line, '/');
    if (maps)
        fclose(maps);
    return path && flag == 's' && strncmp(path, "/memfd:", 7) != 0;
}

static int segment_copy(struct xengntdev_handle *handle, uint8_t *frames,
                        const xengnttab_grant_copy_segment_t *segment)
{
    bool is_from_page = segment->flags & GNTCOPY_source_gref;
    bool is_to_page = segment->flags & GNTCOPY_dest_gref;
    const void *local = is_to_page ? segment->source.virt : segment->dest.virt;
    struct client *client = &handle->client;
    uint8_t bounce[XB_FRAME_SIZE];
    int status;

    if (segment->len == 0 && !bug_is_on(client->tables, BUG_B38))
        return GNTST_okay;
    /* A hypervisor takes frames of the caller's own for the local end, and a mapped grant is not one. */
    if (is_from_page != is_to_page && gnttab_has_mapped(handle, local, segment->len))
        return GNTST_bad_page;
    if (!is_to_page && bug_is_on(client->tables, BUG_H12) && is_of_a_file(local))
        return page_copy(client, frames, &segment->source, bounce, segment->len, false);
    if (!is_to_page)
        return page_copy(client, frames, &segment->source, segment->dest.virt, segment->len, false);
    if (!is_from_page)
        return page_copy(client, frames, &segment->dest, segment->source.virt, segment->len, true);
    /* Two entries are never locked at once, so two copies in opposite directions cannot block each other. */
    status = page_copy(client, frames, &segment->source, bounce, segment->len, false);
    if (status != GNTST_okay)
        return status;
    return page_copy(client, frames, &segment->dest, bounce, segment->len, true);
}

/* What the device refuses before anything is copied: no granted page at all, or past the end of one. */
static bool segment_is_valid(const struct xb_tables *tables, const xengnttab_grant_copy_segment_t *segment)
{
    if (!(segment->flags & (GNTCOPY_source_gref | GNTCOPY_dest_gref)))
        return false;
    if (bug_is_on(tables, BUG_A41))
        return true;
    if ((segment->flags & GNTCOPY_source_gref) &&
        (uint32_t)segment->source.foreign.offset + segment->len > XB_FRAME_SIZE)
        return false;
    return !(segment->flags & GNTCOPY_dest_gref) ||
           (uint32_t)segment->dest.foreign.offset + segment->len <= XB_FRAME_SIZE;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count, xengnttab_grant_copy_segment_t *segs)
{
    uint8_t *frames;
    int failed = 0; /* what ends the whole call: ENTRY_LOST or COPY_FAULT */

    if (!client_is_ours(&xgt->client) || xgt->is_restricted)
        return gnttab_error(-EINVAL);
    for (uint32_t i = 0; i < count; i++) {
        if (!segment_is_valid(xgt->client.tables, &segs[i]))
            return gnttab_error(-EINVAL);
    }
    frames = client_frames(&xgt->client);
    if (!frames)
        return gnttab_error(-ENOMEM);

    /* The journal of a connection has room for one locked entry. */
    pthread_mutex_lock(&xgt->lock);
    for (uint32_t i = 0; i < count; i++) {
        int status = failed ? failed : segment_copy(xgt, frames, &segs[i]);

        failed = status > 0 ? status : 0;
        segs[i].status = failed ? GNTST_general_error : status;
        if (status < 0 && bug_is_on(xgt->client.tables, BUG_B20))
            segs[i].status = 1;
        if (status < 0 && bug_is_on(xgt->client.tables, BUG_B21))
            break;
    }
    pthread_mutex_unlock(&xgt->lock);
    return failed ? gnttab_error(failed == COPY_FAULT ? -EFAULT : -EIO) : 0;
}
