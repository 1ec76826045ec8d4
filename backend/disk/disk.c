// SPDX-License-Identifier: MIT
/*
 * disk.c: the checkpoint between requests and the kinds of disk. Finds the kind that a spec names, and holds
 * every request against the geometry before the kind sees it. Never logs.
 */
#include <config.h>

#include "backend/disk/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"

static const struct {
    const char *prefix; /* of the spec */
    bool is_part; /* the prefix belongs to the argument */
    const struct disk_kind *kind;
} kinds[] = {
    { "/", true, &disk_kind_raw },
    { "null:", false, &disk_kind_null },
    { "mem:", false, &disk_kind_mem },
};

int disk_size_parse(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    unsigned int shift = 0;
    uint64_t value;
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno)
        return -EINVAL;
    if (*end) {
        const char *unit = strchr(units, *end);

        if (!unit || end[1])
            return -EINVAL;
        shift = 10 * (unsigned int)(unit - units + 1);
    }
    if (value == 0 || value > ((uint64_t)INT64_MAX >> shift) || (value << shift) % 512)
        return -EINVAL;
    *bytes = value << shift;
    return 0;
}

int disk_size_open(struct disk *disk, const char *argument, char *reason, size_t reason_size)
{
    if (disk_size_parse(argument, &disk->geometry.size_bytes)) {
        snprintf(
            reason, reason_size,
            "%s disk: expected a size such as 64M that is a positive multiple of 512 bytes, found \"%s\"",
            disk->kind->name, argument);
        return -EINVAL;
    }
    disk->geometry.sector_bytes = 512;
    disk->geometry.physical_sector_bytes = 4096;
    disk->geometry.can_flush = true;
    disk->geometry.can_discard = !disk->geometry.is_readonly;
    disk->geometry.discard_granularity_bytes = 4096;
    return 0;
}

/* A reason has to hold what comes after the path, too. */
static void show_spec(const char *spec, char *shown, size_t size)
{
    const size_t length = strlen(spec), half = size / 2 - 4;

    if (length < size)
        memcpy(shown, spec, length + 1);
    else
        snprintf(shown, size, "%.*s...%s", (int)half, spec, spec + length - half);
}

int disk_open(struct disk **result, const char *spec, bool is_readonly, char *reason, size_t reason_size)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].prefix);
        struct disk *disk;
        int ret;

        if (strncmp(spec, kinds[i].prefix, length) != 0)
            continue;
        disk = calloc(1, sizeof(*disk));
        if (disk)
            disk->spec = strdup(spec);
        if (!disk || !disk->spec) {
            free(disk);
            snprintf(reason, reason_size, "no memory to open %s", spec);
            return -ENOMEM;
        }
        disk->kind = kinds[i].kind;
        show_spec(spec, disk->shown, sizeof(disk->shown));
        disk->geometry.is_readonly = is_readonly;
        ret = disk->kind->open(disk, kinds[i].is_part ? spec : spec + length, reason, reason_size);
        if (ret) {
            free(disk->spec);
            free(disk);
            return ret;
        }
        *result = disk;
        return 0;
    }
    snprintf(reason, reason_size,
             "params: expected an absolute path, null:SIZE[,zero=off] or mem:SIZE, found \"%s\"", spec);
    return -EINVAL;
}

void disk_close(struct disk *disk)
{
    if (!disk)
        return;
    disk->kind->close(disk);
    free(disk->spec);
    free(disk);
}

bool disk_is_current(const struct disk *disk, const char *spec, bool is_readonly)
{
    if (strcmp(disk->spec, spec) != 0 || disk->geometry.is_readonly != is_readonly)
        return false;
    return disk->kind->is_current(disk);
}

bool disk_memory_is_current(const struct disk *disk)
{
    return true;
}

const struct disk_geometry *disk_geometry(const struct disk *disk)
{
    return &disk->geometry;
}

const char *disk_kind(const struct disk *disk)
{
    return disk->kind->name;
}

/* 0 when the request keeps what blk_request.c and its like have promised. */
static int disk_check(const struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    const struct disk_geometry *geometry = &disk->geometry;

    if (op == DISK_FLUSH)
        return geometry->can_flush && length_bytes == 0 ? 0 : -EOPNOTSUPP;
    if (op == DISK_DISCARD && !geometry->can_discard)
        return -EOPNOTSUPP;
    if (op != DISK_READ && geometry->is_readonly)
        return -EROFS;
    if (length_bytes == 0 || (offset_bytes | length_bytes) % geometry->sector_bytes)
        return -EINVAL;
    if (length_bytes > geometry->size_bytes || offset_bytes > geometry->size_bytes - length_bytes)
        return -EINVAL;
    return 0;
}

void *disk_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    if (disk_check(disk, op, offset_bytes, length_bytes))
        return NULL;
    return disk->kind->window(disk, op, offset_bytes, length_bytes);
}

/* Offload thread. */
static void discard_work(struct offload_job *job)
{
    struct disk_io *io = (struct disk_io *)((char *)job - offsetof(struct disk_io, job));

    io->result = io->disk->kind->discard(io->disk, io->offset_bytes, io->length_bytes);
}

void disk_submit(struct disk *disk, struct engine *engine, struct disk_io *io)
{
    int error = disk_check(disk, io->op, io->offset_bytes, io->length_bytes);

    io->error = 0;
    io->tries = 0;
    if (error) {
        engine_finish(engine, io, error);
    } else if (io->op == DISK_DISCARD) {
        io->disk = disk;
        io->job.work = discard_work;
        engine_submit(engine, io);
    } else {
        disk->kind->submit(disk, engine, io);
    }
}
