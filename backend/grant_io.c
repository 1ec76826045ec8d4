// SPDX-License-Identifier: MIT
/*
 * grant_io.c: batches of grant copies.
 */
#include <config.h>

#include "backend/grant_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int grant_io_init(struct grant_io *io, xengnttab_handle *gnttab, uint16_t domid)
{
    io->gnttab = gnttab;
    io->domid = domid;
    io->count = 0;
    if (!io->pieces)
        io->pieces = calloc(GRANT_IO_PIECES, sizeof(*io->pieces));
    if (!io->errors)
        io->errors = calloc(GRANT_IO_PIECES, sizeof(*io->errors));
    if (!io->pieces || !io->errors) {
        grant_io_fini(io);
        return -ENOMEM;
    }
    return 0;
}

void grant_io_release(struct grant_io *io)
{
    io->gnttab = NULL;
    io->count = 0;
}

void grant_io_fini(struct grant_io *io)
{
    grant_io_release(io);
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

void grant_io_get(struct grant_io *io, uint32_t ref, uint32_t offset_bytes, uint32_t length_bytes, void *to,
                  int *error)
{
    struct xengnttab_grant_copy_segment *piece = piece_add(io, length_bytes, GNTCOPY_source_gref, error);

    piece->source.foreign.ref = ref;
    piece->source.foreign.offset = (uint16_t)offset_bytes;
    piece->source.foreign.domid = io->domid;
    piece->dest.virt = to;
}

void grant_io_put(struct grant_io *io, uint32_t ref, uint32_t offset_bytes, uint32_t length_bytes,
                  const void *from, int *error)
{
    struct xengnttab_grant_copy_segment *piece = piece_add(io, length_bytes, GNTCOPY_dest_gref, error);

    piece->source.virt = (void *)from;
    piece->dest.foreign.ref = ref;
    piece->dest.foreign.offset = (uint16_t)offset_bytes;
    piece->dest.foreign.domid = io->domid;
}

void grant_io_run(struct grant_io *io)
{
    unsigned int count = io->count;
    int failure = -EFAULT; /* of a single piece: the guest's grant is bad */

    if (count == 0)
        return;
    io->count = 0;
    if (xengnttab_grant_copy(io->gnttab, count, io->pieces))
        failure = errno ? -errno : -EIO;
    for (unsigned int i = 0; i < count; i++)
        if (io->pieces[i].status != GNTST_okay && *io->errors[i] == 0)
            *io->errors[i] = failure;
}
