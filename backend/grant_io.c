// SPDX-License-Identifier: MIT
/*
 * grant_io.c: see grant_io.h. What is moved later is kept as the segments of a grant copy, whatever the method.
 */
#include <config.h>

#include "backend/grant_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/grant_unmap.h"

const char *grant_io_method_name(enum grant_io_method method)
{
    static const char *const names[] = {
        [GRANT_IO_COPY] = "copy",
        [GRANT_IO_PERSISTENT] = "persistent",
        [GRANT_IO_MAP] = "map",
    };

    return names[method];
}

int grant_io_init(struct grant_io *io, xengnttab_handle *gnttab, uint16_t domid, enum grant_io_method method,
                  const char *label)
{
    io->gnttab = gnttab;
    io->domid = domid;
    io->method = method;
    io->label = label;
    io->count = 0;
    io->unmap_error = 0;
    if (!io->pieces)
        io->pieces = calloc(GRANT_IO_PIECES, sizeof(*io->pieces));
    if (!io->errors)
        io->errors = calloc(GRANT_IO_PIECES, sizeof(*io->errors));
    if (!io->pieces || !io->errors ||
        (method == GRANT_IO_PERSISTENT && grant_cache_init(&io->cache, gnttab, domid, label))) {
        grant_io_fini(io);
        return -ENOMEM;
    }
    return 0;
}

void grant_io_release(struct grant_io *io)
{
    grant_cache_release(&io->cache);
    while (io->stuck_count > 0) {
        const struct grant_extent *extent = &io->stuck[--io->stuck_count];

        grant_unmap(io->gnttab, extent->base, extent->count, io->label);
    }
    io->gnttab = NULL;
    io->count = 0;
    io->unmap_error = 0;
}

void grant_io_fini(struct grant_io *io)
{
    grant_io_release(io);
    grant_cache_fini(&io->cache);
    free(io->pieces);
    free(io->errors);
    memset(io, 0, sizeof(*io));
}

static struct xengnttab_grant_copy_segment *piece_add(struct grant_io *io, uint32_t length_bytes,
                                                      uint16_t flags, int *error)
{
    struct xengnttab_grant_copy_segment *piece;

    if (io->count == GRANT_IO_PIECES)
        grant_io_run(io);
    io->errors[io->count] = error;
    piece = &io->pieces[io->count++];
    piece->len = (uint16_t)length_bytes;
    piece->flags = flags;
    piece->status = GNTST_general_error; /* of a piece that the copy never came to */
    return piece;
}

/* The page, when it is mapped already. */
static char *find(const struct grant_io *io, uint32_t ref)
{
    return io->method == GRANT_IO_PERSISTENT ? grant_cache_find(&io->cache, ref) : NULL;
}

void grant_io_get(struct grant_io *io, uint32_t ref, uint32_t offset_bytes, uint32_t length_bytes, void *to,
                  int *error)
{
    const char *page = find(io, ref);
    struct xengnttab_grant_copy_segment *piece;

    if (page) {
        memcpy(to, page + offset_bytes, length_bytes);
        return;
    }
    piece = piece_add(io, length_bytes, GNTCOPY_source_gref, error);
    piece->source.foreign.ref = ref;
    piece->source.foreign.offset = (uint16_t)offset_bytes;
    piece->source.foreign.domid = io->domid;
    piece->dest.virt = to;
}

void grant_io_put(struct grant_io *io, uint32_t ref, uint32_t offset_bytes, uint32_t length_bytes,
                  const void *from, int *error)
{
    char *page = find(io, ref);
    struct xengnttab_grant_copy_segment *piece;

    if (page) {
        memcpy(page + offset_bytes, from, length_bytes);
        return;
    }
    piece = piece_add(io, length_bytes, GNTCOPY_dest_gref, error);
    piece->source.virt = (void *)from;
    piece->dest.foreign.ref = ref;
    piece->dest.foreign.offset = (uint16_t)offset_bytes;
    piece->dest.foreign.domid = io->domid;
}

void grant_io_touch(struct grant_io *io, uint32_t ref, int *error)
{
    if (!find(io, ref))
        grant_io_get(io, ref, 0, sizeof(io->touched), &io->touched, error);
}

static bool is_get(const struct xengnttab_grant_copy_segment *piece)
{
    return piece->flags == GNTCOPY_source_gref;
}

static uint32_t piece_ref(const struct xengnttab_grant_copy_segment *piece)
{
    return is_get(piece) ? piece->source.foreign.ref : piece->dest.foreign.ref;
}

void grant_io_unmap(struct grant_io *io, void *pages, uint32_t count)
{
    int error = grant_unmap(io->gnttab, pages, count, io->label);

    if (!error)
        return;
    io->unmap_error = error;
    if (io->stuck_count < GRANT_IO_STUCK)
        io->stuck[io->stuck_count++] = (struct grant_extent){ .base = pages, .count = count };
}

/* By a mapping of its own. False: there is none, and a grant copy shall say what is wrong. */
static bool piece_map(struct grant_io *io, struct xengnttab_grant_copy_segment *piece)
{
    char *page;

    if (io->unmap_error) /* no more of them */
        return false;
    page = xengnttab_map_grant_ref(io->gnttab, io->domid, piece_ref(piece),
                                   is_get(piece) ? PROT_READ : PROT_READ | PROT_WRITE);
    if (!page)
        return false;
    if (is_get(piece))
        memcpy(piece->dest.virt, page + piece->source.foreign.offset, piece->len);
    else
        memcpy(page + piece->dest.foreign.offset, piece->source.virt, piece->len);
    grant_io_unmap(io, page, 1);
    return true;
}

/* Moves what can be mapped and closes the gaps; how many pieces are left. */
static unsigned int map_pieces(struct grant_io *io, unsigned int count)
{
    unsigned int left = 0;

    for (unsigned int i = 0; i < count; i++) {
        if (piece_map(io, &io->pieces[i]))
            continue;
        io->errors[left] = io->errors[i];
        io->pieces[left++] = io->pieces[i];
    }
    return left;
}

/* What was copied well is mapped for the next time. */
static void keep_pieces(struct grant_io *io, unsigned int count)
{
    uint32_t refs[GRANT_IO_PIECES], good = 0;

    for (unsigned int i = 0; i < count; i++)
        if (io->pieces[i].status == GNTST_okay)
            refs[good++] = piece_ref(&io->pieces[i]);
    grant_cache_add(&io->cache, refs, good);
}

void grant_io_run(struct grant_io *io)
{
    unsigned int count = io->count;
    int failure = -EFAULT; /* of a single piece: the guest's grant is bad */

    if (count == 0)
        return;
    io->count = 0;
    if (io->method == GRANT_IO_MAP)
        count = map_pieces(io, count);
    if (count > 0 && xengnttab_grant_copy(io->gnttab, count, io->pieces))
        failure = errno ? -errno : -EIO;
    for (unsigned int i = 0; i < count; i++)
        if (io->pieces[i].status != GNTST_okay && *io->errors[i] == 0)
            *io->errors[i] = failure;
    if (io->method == GRANT_IO_PERSISTENT)
        keep_pieces(io, count);
}
