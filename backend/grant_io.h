// SPDX-License-Identifier: MIT
/*
 * grant_io.h: moving data between a guest's granted pages and memory of ours. One pair of calls, get (before a
 * write) and put (after a read), collects pieces; grant_io_run moves them all with one system call. How they
 * move is decided here and nowhere else; the method is grant copy, which is safe with any engine and any death.
 *
 * Worker's thread only. The guest may revoke a grant or change a page at any time: a piece then fails, or moves
 * whatever was there, and nothing else happens.
 */
#ifndef XENSPLIT_BACKEND_GRANT_IO_H
#define XENSPLIT_BACKEND_GRANT_IO_H

#include <stdint.h>
#include <xengnttab.h>

#define GRANT_IO_PIECES 352u /* of one batch: a ring full of requests with all their segments */

struct grant_io {
    xengnttab_handle *gnttab;
    uint16_t domid; /* whose grants */
    unsigned int count;
    struct xengnttab_grant_copy_segment *pieces;
    int **errors; /* piece i: where its failure goes */
};

/* A struct that is zeroed, or released: then its memory is used again. 0 or -ENOMEM. */
int grant_io_init(struct grant_io *io, xengnttab_handle *gnttab, uint16_t domid);
/* On the thread that made it: everything that is the guest's goes, the memory stays. Safe on zeroes and twice. */
void grant_io_release(struct grant_io *io);
/* The memory, too; any thread when it was released. Safe on zeroes and twice. */
void grant_io_fini(struct grant_io *io);

/*
 * One piece: length_bytes at offset_bytes of a grant, within its 4096 bytes. *error must stay valid until the
 * run and is set to a negative errno when the piece fails and no earlier failure is there (the first one wins
 * and stays: catalogue C06).
 */
void grant_io_get(struct grant_io *io, uint32_t ref, uint32_t offset_bytes, uint32_t length_bytes, void *to,
                  int *error);
void grant_io_put(struct grant_io *io, uint32_t ref, uint32_t offset_bytes, uint32_t length_bytes,
                  const void *from, int *error);
/* Moves what was collected. Every piece's status is looked at by itself. */
void grant_io_run(struct grant_io *io);

#endif
