// SPDX-License-Identifier: MIT
/*
 * disk_kind.h: what a kind of disk supplies to the checkpoint in disk.c, and nobody else includes.
 */
#ifndef XENSPLIT_BACKEND_DISK_DISK_KIND_H
#define XENSPLIT_BACKEND_DISK_DISK_KIND_H

#include "backend/disk/disk.h"

struct disk {
    const struct disk_kind *kind;
    char *spec; /* what it was opened as */
    char shown[160]; /* the same for messages: the middle of a long one is left out */
    struct disk_geometry geometry;
    union {
        int fd; /* raw */
        void *memory; /* null, mem */
    };
    bool is_block; /* raw: a block device */
};

/* Every function is required. */
struct disk_kind {
    const char *name;
    /* argument: what follows the prefix. Fills geometry, whose is_readonly the caller has set. */
    int (*open)(struct disk *disk, const char *argument, char *reason, size_t reason_size);
    void (*close)(struct disk *disk);
    /* The spec has not changed: would open() find the very same thing, of the same size, now? */
    bool (*is_current)(const struct disk *disk);
    void *(*window)(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes);
    void (*submit)(struct disk *disk, struct engine *engine, struct disk_io *io);
    /* Any thread, may block, only with can_discard: lets these blocks go. 0 or negative errno. */
    int (*discard)(struct disk *disk, uint64_t offset_bytes, uint64_t length_bytes);
};

extern const struct disk_kind disk_kind_raw; /* argument: absolute path */
extern const struct disk_kind disk_kind_null; /* argument: size, and perhaps ",zero=off" */
extern const struct disk_kind disk_kind_mem; /* argument: size */

/* "64M": decimal digits and at most one of K, M, G, T; a positive multiple of 512. 0 or -EINVAL. */
int disk_size_parse(const char *text, uint64_t *bytes);

/* For kinds that are memory: nobody else can change what is there. */
bool disk_memory_is_current(const struct disk *disk);

/* For kinds that hold no file: writes a size that was not understood into reason. */
int disk_size_open(struct disk *disk, const char *argument, char *reason, size_t reason_size);

#endif
