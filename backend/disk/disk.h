// SPDX-License-Identifier: MIT
/*
 * disk.h: where blocks go. One checkpoint through which every request to any kind of disk passes: it asserts
 * what callers promise (range, alignment, capability), calls the kind's function, and checks what comes back.
 *
 * A disk is opened by the offload pool or the main thread, then used by the worker of the queue that it serves.
 * Lengths and offsets are in bytes; sectors of blkif are always 512 bytes.
 */
#ifndef XENSPLIT_BACKEND_DISK_DISK_H
#define XENSPLIT_BACKEND_DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "backend/offload.h"

struct disk;
struct engine;

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD };

/* One piece of work, embedded in the caller's request: nothing is allocated on the request path. */
struct disk_io {
    enum disk_op op;
    uint64_t offset_bytes;
    uint64_t length_bytes; /* sum of iov; 0 for a flush; a discard has no iov, and may be as long as the disk */
    struct iovec *iov; /* stays valid until done; short transfers advance it */
    unsigned int iov_count; /* 0: no data is moved */
    void (*done)(struct disk_io *io,
                 int error); /* 0 or negative errno; worker's thread; never inside submit */
    /* private to disk/ from here */
    struct disk_io *next;
    struct offload_job job; /* for what an engine cannot do asynchronously */
    struct disk *disk; /* of a discard */
    struct engine *engine;
    int fd;
    int error;
    int64_t result; /* of an offloaded transfer */
    unsigned int tries;
    bool is_direct; /* fd bypasses the page cache */
    struct disk_io_fault {
        uint64_t due_us;
        int64_t result;
        size_t length; /* of the first of iov, before it was cut */
        unsigned int count;
        int pipe[2];
        bool is_kept;
    } fault; /* faults.c only */
};

struct disk_geometry {
    uint64_t size_bytes; /* multiple of sector_bytes */
    uint32_t sector_bytes; /* logical: 512 or 4096 */
    uint32_t physical_sector_bytes;
    bool is_readonly;
    bool can_flush;
    bool can_discard;
    uint32_t discard_granularity_bytes, discard_alignment_bytes; /* as blkif.h has them; with can_discard */
    bool is_volatile; /* contents go with the daemon: cannot be taken over by a restarted one */
    bool is_direct; /* I/O bypasses the page cache */
    bool is_file; /* I/O goes through the kernel */
    uint32_t memory_align_bytes; /* of what is moved without a copy; at most 4096 */
    bool is_void; /* has no data: no read delivers any, no write needs any */
};

/*
 * Opens what the spec names: "/path" (raw file or block device), "null:SIZE[,zero=off]" or "mem:SIZE". On failure
 * returns negative errno and a reason that says what was expected and what was found. -EBUSY: somebody else, perhaps
 * the last I/O of a daemon that died, has the file locked. May block, but does not wait for that.
 */
int disk_open(struct disk **disk, const char *spec, bool is_readonly, char *reason, size_t reason_size);
/*
 * Is this open disk what disk_open would open now: the same spec and mode, and behind it the same file of the same
 * size? No I/O in flight; may block.
 */
bool disk_is_current(const struct disk *disk, const char *spec, bool is_readonly);
/* No I/O in flight; may block. Safe on NULL. */
void disk_close(struct disk *disk);
const struct disk_geometry *disk_geometry(const struct disk *disk);
const char *disk_kind(const struct disk *disk);

/*
 * Memory that holds these blocks, for kinds that are memory: the data is moved to or from it and no I/O follows.
 * NULL when the request must be submitted. Any thread.
 */
void *disk_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes);

/*
 * Queues one piece of work on the worker's engine; nothing is lost or refused: errors come through done. The
 * engine starts it at the next engine_start().
 */
void disk_submit(struct disk *disk, struct engine *engine, struct disk_io *io);

#endif
