// SPDX-License-Identifier: MIT
/* client_box.c: see client_box.h. */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xenbox/lib/client.h"
#include "xenbox/lib/client_box.h"

#define FRAMES_BYTES ((size_t)XB_MAX_FRAMES * XB_FRAME_SIZE)

struct client_box {
    LIST_ENTRY(client_box) link;
    unsigned users;
    ino_t inode; /* of the tables: unique as long as we have it mapped */
    struct xb_tables *tables;
    _Atomic(uint8_t *) frames; /* NULL until somebody copies */
    _Atomic(uint8_t *)
        base[2]; /* all frames read-only and writable, to make mappings from; NULL until needed */
    int frames_fd;
};

static LIST_HEAD(, client_box) boxes = LIST_HEAD_INITIALIZER(boxes);
static pthread_mutex_t boxes_lock = PTHREAD_MUTEX_INITIALIZER;

/* A large shared mapping; it is not to make core dumps large. */
static void *memory_map(int fd, size_t bytes, int prot)
{
    void *memory = mmap(NULL, bytes, prot, MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, bytes, MADV_DONTDUMP);
    return memory;
}

static int box_create(int tables_fd, ino_t inode, struct client_box **result)
{
    struct client_box *box = calloc(1, sizeof(*box));

    if (!box)
        return -ENOMEM;
    box->tables = memory_map(tables_fd, sizeof(struct xb_tables), PROT_READ | PROT_WRITE);
    if (!box->tables) {
        free(box);
        return -ENOMEM;
    }
    if (box->tables->magic != XB_MAGIC || box->tables->abi != XB_ABI) {
        munmap(box->tables, sizeof(struct xb_tables));
        free(box);
        return -EPROTO;
    }
    box->inode = inode;
    *result = box;
    return 0;
}

int client_box_get(int tables_fd, int frames_fd, struct client_box **result)
{
    struct client_box *box = NULL;
    struct stat stat;
    int ret = 0;

    pthread_mutex_lock(&boxes_lock);
    if (fstat(tables_fd, &stat) < 0)
        ret = -errno;
    else if ((size_t)stat.st_size < sizeof(struct xb_tables))
        ret = -EPROTO;
    if (ret == 0) {
        LIST_FOREACH (box, &boxes, link) {
            if (box->inode == stat.st_ino)
                break;
        }
        if (!box) {
            ret = box_create(tables_fd, stat.st_ino, &box);
            if (ret == 0) {
                box->frames_fd = frames_fd;
                frames_fd = -1;
                LIST_INSERT_HEAD(&boxes, box, link);
            }
        }
    }
    if (ret == 0) {
        box->users++;
        *result = box;
    }
    pthread_mutex_unlock(&boxes_lock);
    close(tables_fd);
    if (frames_fd >= 0)
        close(frames_fd);
    return ret;
}

void client_box_put(struct client_box *box)
{
    pthread_mutex_lock(&boxes_lock);
    if (--box->users == 0) {
        LIST_REMOVE(box, link);
        munmap(box->tables, sizeof(struct xb_tables));
        if (box->frames)
            munmap(box->frames, FRAMES_BYTES);
        for (int i = 0; i < 2; i++) {
            if (box->base[i])
                munmap(box->base[i], FRAMES_BYTES);
        }
        close(box->frames_fd);
        free(box);
    }
    pthread_mutex_unlock(&boxes_lock);
}

void client_box_fork_prepare(void)
{
    pthread_mutex_lock(&boxes_lock);
}

void client_box_fork_done(void)
{
    pthread_mutex_unlock(&boxes_lock);
}

void client_box_fork_child(void)
{
    struct client_box *box;

    /* They are not there in a child. */
    LIST_FOREACH (box, &boxes, link) {
        box->base[0] = NULL;
        box->base[1] = NULL;
    }
    pthread_mutex_unlock(&boxes_lock);
}

struct xb_tables *client_box_tables(const struct client_box *box)
{
    return box->tables;
}

int client_box_frames_fd(const struct client_box *box)
{
    return box->frames_fd;
}

uint8_t *client_box_frames(struct client_box *box)
{
    uint8_t *frames = atomic_load_explicit(&box->frames, memory_order_acquire);

    if (frames)
        return frames;
    pthread_mutex_lock(&boxes_lock);
    if (!box->frames)
        box->frames = memory_map(box->frames_fd, FRAMES_BYTES, PROT_READ | PROT_WRITE);
    frames = box->frames;
    pthread_mutex_unlock(&boxes_lock);
    return frames;
}

/*
 * All frames, read-only or writable, in a mapping that nobody reads or writes: it is what mappings of single frames
 * are duplicated from. They inherit that a child which is forked does not get them, so that it cannot keep a page past
 * its unmapping here.
 */
static uint8_t *box_base(struct client_box *box, bool is_writable)
{
    uint8_t *base = atomic_load_explicit(&box->base[is_writable], memory_order_acquire);

    if (base)
        return base;
    pthread_mutex_lock(&boxes_lock);
    if (!box->base[is_writable]) {
        base = memory_map(box->frames_fd, FRAMES_BYTES, is_writable ? PROT_READ | PROT_WRITE : PROT_READ);
        if (base && madvise(base, FRAMES_BYTES, MADV_DONTFORK) < 0) {
            munmap(base, FRAMES_BYTES);
            base = NULL;
        }
        box->base[is_writable] = base;
    }
    base = box->base[is_writable];
    pthread_mutex_unlock(&boxes_lock);
    return base;
}

/* A second mapping of what lies at `from`: with an old size of 0, mremap(2) copies a shared mapping. */
static uint8_t *mapping_copy(uint8_t *from, size_t bytes, uint8_t *to)
{
    return to ? mremap(from, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to)
              : mremap(from, 0, bytes, MREMAP_MAYMOVE);
}

static size_t run_length(const uint32_t *frames, size_t count)
{
    size_t run = 1;

    while (run < count && frames[run] == frames[0] + run)
        run++;
    return run;
}

int client_box_map(struct client_box *box, const uint32_t *frames, size_t count, int prot, void **address)
{
    uint8_t *base = box_base(box, prot & PROT_WRITE), *region;
    size_t run;
    int error;

    if (!base)
        return -ENOMEM;
    /* The whole region at once, so that nothing of the program's can be in the way of the other parts. */
    region = mapping_copy(base + (size_t)frames[0] * XB_FRAME_SIZE, count * XB_FRAME_SIZE, NULL);
    if (region == MAP_FAILED)
        return -errno;
    for (size_t i = run_length(frames, count); i < count; i += run) {
        run = run_length(frames + i, count - i);
        if (mapping_copy(base + (size_t)frames[i] * XB_FRAME_SIZE, run * XB_FRAME_SIZE,
                         region + i * XB_FRAME_SIZE) == MAP_FAILED) {
            error = errno;
            munmap(region, count * XB_FRAME_SIZE);
            return -error;
        }
    }
    *address = region;
    return 0;
}

int client_box_map_at(struct client_box *box, uint32_t frame, int prot, void *address)
{
    uint8_t *base = box_base(box, prot & PROT_WRITE);

    if (!base)
        return -ENOMEM;
    return mapping_copy(base + (size_t)frame * XB_FRAME_SIZE, XB_FRAME_SIZE, address) == MAP_FAILED ? -errno
                                                                                                    : 0;
}

void client_unmap_frames(void *address, size_t count)
{
    munmap(address, count * XB_FRAME_SIZE);
}
