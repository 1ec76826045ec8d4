// SPDX-License-Identifier: MIT
/*
 * raw.c: a disk whose blocks lie one to one in a file or on a block device. Opens it, finds out whether it can
 * bypass the page cache at the alignment that guests use, and hands requests to the engine.
 *
 * The buffers are our own and page-aligned, so O_DIRECT is safe here whatever `direct-io-safe` says (catalogue
 * H02 is about granted pages).
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "backend/config.h"
#include "backend/disk/discard.h"
#include "backend/disk/disk_kind.h"
#include "backend/disk/engine.h"

static int fail(int error, char *reason, size_t reason_size, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(int error, char *reason, size_t reason_size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(reason, reason_size, fmt, args);
    va_end(args);
    return error;
}

/* 0 when the kind of file can hold blocks. */
static int raw_check_type(mode_t mode, const char *path, char *reason, size_t reason_size)
{
    static const struct {
        mode_t type;
        const char *name;
    } types[] = {
        { S_IFDIR, "a directory" },
        { S_IFCHR, "a character device" },
        { S_IFIFO, "a pipe" },
        { S_IFSOCK, "a socket" },
    };

    const char *found = "something else";

    if (S_ISREG(mode) || S_ISBLK(mode))
        return 0;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if ((mode & S_IFMT) == types[i].type)
            found = types[i].name;
    return fail(S_ISDIR(mode) ? -EISDIR : -EINVAL, reason, reason_size,
                "%s: expected a regular file or a block device, found %s", path, found);
}

static int raw_measure(struct disk *disk, const char *path, char *reason, size_t reason_size)
{
    struct disk_geometry *geometry = &disk->geometry;
    unsigned int physical = 0;
    uint64_t size = 0;
    struct stat st;
    int logical = 0, ret;

    if (fstat(disk->fd, &st))
        return fail(-errno, reason, reason_size, "cannot examine %s: %s", path, strerror(errno));
    ret = raw_check_type(st.st_mode, path, reason, reason_size);
    if (ret)
        return ret;
    if (S_ISBLK(st.st_mode)) {
        if (ioctl(disk->fd, BLKGETSIZE64, &size) || ioctl(disk->fd, BLKSSZGET, &logical))
            return fail(-errno, reason, reason_size, "cannot measure %s: %s", path, strerror(errno));
        if (ioctl(disk->fd, BLKPBSZGET, &physical))
            physical = logical;
    } else {
        size = st.st_size;
        logical = 512;
        physical = st.st_blksize == 4096 ? 4096 : 512;
    }
    if (logical < 512 || logical > 4096)
        return fail(-EINVAL, reason, reason_size, "%s: expected sectors of 512 to 4096 bytes, found %d", path,
                    logical);
    if (size == 0 || size % logical)
        return fail(-EINVAL, reason, reason_size,
                    "%s: expected a size that is a positive multiple of %d bytes, found %llu", path, logical,
                    (unsigned long long)size);
    disk->is_block = S_ISBLK(st.st_mode);
    geometry->size_bytes = size;
    geometry->sector_bytes = logical;
    geometry->physical_sector_bytes = physical;
    if (!geometry->is_readonly && disk->is_block)
        discard_probe_device(geometry, st.st_rdev);
    else if (!geometry->is_readonly)
        discard_probe_file(geometry, disk->fd, st.st_blksize);
    geometry->can_flush = true;
    geometry->is_file = true;
    geometry->memory_align_bytes = 1;
    return 0;
}

/*
 * One writer or many readers. The lock lives as long as the open file, and that as long as any I/O on it: a
 * restarted daemon gets it only when the last write of the one before has reached the file or was dropped, so
 * no late write of the dead can hit what the living wrote.
 */
static int raw_lock(struct disk *disk, const char *path, char *reason, size_t reason_size)
{
    int how = (disk->geometry.is_readonly ? LOCK_SH : LOCK_EX) | LOCK_NB;

    if (flock(disk->fd, how) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return fail(-errno, reason, reason_size, "cannot lock %s: %s", path, strerror(errno));
    return fail(-EBUSY, reason, reason_size, "%s: expected to be its only %s, found it locked by another", path,
                disk->geometry.is_readonly ? "reader beside other readers" : "user");
}

/* Does a transfer of one sector, at an offset that is aligned to no more than that, pass? */
static bool direct_works(struct disk *disk)
{
    struct disk_geometry *geometry = &disk->geometry;
    uint64_t last = geometry->size_bytes - geometry->sector_bytes;
    uint64_t odd = geometry->sector_bytes < last ? geometry->sector_bytes : last;
    void *sector;
    bool works;

#ifdef STATX_DIOALIGN
    struct statx stx;

    if (statx(disk->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 && (stx.stx_mask & STATX_DIOALIGN)) {
        geometry->memory_align_bytes = stx.stx_dio_mem_align;
        return stx.stx_dio_offset_align && stx.stx_dio_offset_align <= geometry->sector_bytes &&
               stx.stx_dio_mem_align <= 4096;
    }
#endif
    geometry->memory_align_bytes = 4096; /* what is not said may be that much */
    if (posix_memalign(&sector, 4096, geometry->sector_bytes))
        return false;
    works = pread(disk->fd, sector, geometry->sector_bytes, odd) == (ssize_t)geometry->sector_bytes;
    free(sector);
    return works;
}

/* Only the O_DIRECT bit is ever changed: the mode that the file was opened with stays (catalogue C23). */
static int raw_go_direct(struct disk *disk, const char *path, char *reason, size_t reason_size)
{
    int flags = fcntl(disk->fd, F_GETFL);

    if (config_get()->direct == DIRECT_OFF)
        return 0;
    if (fcntl(disk->fd, F_SETFL, flags | O_DIRECT) == 0) {
        disk->geometry.is_direct = direct_works(disk);
        if (disk->geometry.is_direct)
            return 0;
        fcntl(disk->fd, F_SETFL, flags);
    }
    if (config_get()->direct == DIRECT_AUTO)
        return 0;
    return fail(
        -EOPNOTSUPP, reason, reason_size,
        "%s: expected to bypass the page cache (direct = on), found that it cannot be done for sectors "
        "of %u bytes here",
        path, disk->geometry.sector_bytes);
}

static int raw_open(struct disk *disk, const char *path, char *reason, size_t reason_size)
{
    bool is_readonly = disk->geometry.is_readonly;
    struct stat st;
    int ret;

    /* Looked at first: opening a pipe would wait for its other end, and a directory cannot be opened to write. */
    ret = stat(path, &st) ? 0 : raw_check_type(st.st_mode, disk->shown, reason, reason_size);
    if (ret)
        return ret;
    disk->fd = open(path, (is_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (disk->fd < 0)
        return fail(-errno, reason, reason_size, "cannot open %s to %s: %s", disk->shown,
                    is_readonly ? "read" : "read and write", strerror(errno));
    /* Before it is measured: who has it may change its size. */
    ret = raw_lock(disk, disk->shown, reason, reason_size);
    if (ret)
        goto fail;
    ret = raw_measure(disk, disk->shown, reason, reason_size);
    if (ret)
        goto fail;
    fcntl(disk->fd, F_SETFL, fcntl(disk->fd, F_GETFL) & ~O_NONBLOCK);
    ret = raw_go_direct(disk, disk->shown, reason, reason_size);
    if (ret)
        goto fail;
    return 0;
fail:
    close(disk->fd);
    return ret;
}

/* A file that was replaced, resized or moved away has to be opened anew, and so has another device node. */
static bool raw_is_current(const struct disk *disk)
{
    struct stat st, open_st;
    uint64_t size = 0;

    if (stat(disk->spec, &st) || fstat(disk->fd, &open_st) || st.st_dev != open_st.st_dev ||
        st.st_ino != open_st.st_ino)
        return false;
    if (S_ISBLK(st.st_mode))
        return st.st_rdev == open_st.st_rdev && ioctl(disk->fd, BLKGETSIZE64, &size) == 0 &&
               size == disk->geometry.size_bytes;
    return (uint64_t)st.st_size == disk->geometry.size_bytes;
}

static void raw_close(struct disk *disk)
{
    close(disk->fd);
}

static void *raw_window(struct disk *disk, enum disk_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    return NULL;
}

static void raw_submit(struct disk *disk, struct engine *engine, struct disk_io *io)
{
    io->fd = disk->fd;
    io->is_direct = disk->geometry.is_direct;
    engine_submit(engine, io);
}

static int raw_discard(struct disk *disk, uint64_t offset_bytes, uint64_t length_bytes)
{
    return disk->is_block ? discard_device_range(disk->fd, offset_bytes, length_bytes)
                          : discard_file_range(disk->fd, offset_bytes, length_bytes);
}

const struct disk_kind disk_kind_raw = {
    .name = "raw",
    .open = raw_open,
    .close = raw_close,
    .is_current = raw_is_current,
    .window = raw_window,
    .submit = raw_submit,
    .discard = raw_discard,
};
