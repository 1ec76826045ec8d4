// SPDX-License-Identifier: MIT
/*
 * grant_io.h: moving data between a guest's granted pages and memory of ours. One pair of calls, get (before a
 * write) and put (after a read), collects pieces; grant_io_run moves what has not moved yet. How they move is
 * decided here and nowhere else:
 *
 *   copy        the hypervisor copies, a batch with one system call. Safe with any engine and any death.
 *   persistent  pages are mapped when they are first used and kept (grant_cache.h); data is copied from and to
 *               the mappings without a system call. A page that is not mapped is copied by the hypervisor, and
 *               mapped afterwards if that went well: so a bad grant fails as it does with copy, and costs no more.
 *   map         a page is mapped and unmapped for each piece: for tests and measurements.
 *
 * A page that could not be unmapped is the guest's no more than ours: whoever answers looks at unmap_error, and when
 * that is set gives no answer any more, since the guest would use the page for something else. The unmap is tried once
 * more at the release.
 *
 * Worker's thread only. The guest may revoke a grant or change a page at any time: a piece then fails, or moves
 * whatever was there, and nothing else happens.
 */
#ifndef XENSPLIT_BACKEND_GRANT_IO_H
#define XENSPLIT_BACKEND_GRANT_IO_H

#include <stdint.h>
#include <xengnttab.h>

#include "backend/grant_cache.h"

#define GRANT_IO_PIECES 64u /* of one system call */
#define GRANT_IO_STUCK                                                                                       \
    33u /* mappings that are remembered when they do not go: those of a ring's requests, and a piece's */

enum grant_io_method { GRANT_IO_COPY, GRANT_IO_PERSISTENT, GRANT_IO_MAP };

struct grant_io {
    xengnttab_handle *gnttab;
    uint16_t domid; /* whose grants */
    enum grant_io_method method;
    unsigned int count;
    struct xengnttab_grant_copy_segment *pieces;
    int **errors; /* piece i: where its failure goes */
    struct grant_cache cache; /* persistent */
    uint64_t touched; /* where the bytes of grant_io_touch go */
    const char *label;
    int unmap_error; /* negative errno: pages are mapped that should not be; 0: none */
    struct grant_extent stuck[GRANT_IO_STUCK]; /* those */
    unsigned int stuck_count;
};

/*
 * A zeroed struct, or one that was released: its arrays are used again. 0 or -ENOMEM. label, for the log, stays
 * valid until the release.
 */
int grant_io_init(struct grant_io *io, xengnttab_handle *gnttab, uint16_t domid, enum grant_io_method method,
                  const char *label);
/* Lets go of the handle and of every mapping, and keeps the memory. Nothing uses the guest's pages any more. */
void grant_io_release(struct grant_io *io);
/* Safe on zeroes and twice. */
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
/* Resolves a grant for whom its data does not matter: fails as a get would. */
void grant_io_touch(struct grant_io *io, uint32_t ref, int *error);
/* Moves what was collected. Every piece's status is looked at by itself. */
void grant_io_run(struct grant_io *io);
/* Takes a mapping of the guest's pages away; a failure is logged, and stands in unmap_error until the release. */
void grant_io_unmap(struct grant_io *io, void *pages, uint32_t count);

const char *grant_io_method_name(enum grant_io_method method);

#endif
