// SPDX-License-Identifier: MIT
/* box.c: the memory of a box (two sparse memfds and the private tables beside them) and its limits. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xenbox/hv/box.h"
#include "xenbox/hv/poison.h"

#define MAPS_OF_CONN (XB_CONN_CHUNKS * XB_CHUNK_MAPS)

static const struct limit {
    const char *name;
    size_t offset;
    uint32_t initial, min, max;
} limits_table[] = {
    { "grant-frames", offsetof(struct xb_limits, grant_frames), XB_MAX_REFS / 512, 1, XB_MAX_REFS / 512 },
    { "maptrack-frames", offsetof(struct xb_limits, maptrack_frames), 0, 0, XB_MAX_CHUNKS },
    { "event-channels", offsetof(struct xb_limits, event_channels), XB_MAX_PORTS, 8, XB_MAX_PORTS },
    { "gntalloc-pages", offsetof(struct xb_limits, gntalloc_pages), 1024, 1, XB_MAX_REFS },
    { "gntdev-pages", offsetof(struct xb_limits, gntdev_pages), 65536, 1, MAPS_OF_CONN },
};

#define LIMITS (sizeof(limits_table) / sizeof(limits_table[0]))

static uint32_t *limit_field(struct xb_limits *limits, const struct limit *limit)
{
    return (uint32_t *)((char *)limits + limit->offset);
}

void limits_init(struct xb_limits *limits)
{
    for (size_t i = 0; i < LIMITS; i++)
        *limit_field(limits, &limits_table[i]) = limits_table[i].initial;
}

int limits_set(struct xb_limits *limits, const char *name, const char *value)
{
    for (size_t i = 0; i < LIMITS; i++) {
        const struct limit *limit = &limits_table[i];
        unsigned long number;
        char *end;

        if (strcmp(limit->name, name) != 0)
            continue;
        errno = 0;
        number = strtoul(value, &end, 10);
        if (errno || end == value || *end || *value == '-' || number < limit->min || number > limit->max)
            return -ERANGE;
        *limit_field(limits, limit) = number;
        return 0;
    }
    return -ENOENT;
}

/* A sparse memfd that can neither shrink nor grow, so that no mapping of it can ever raise SIGBUS. */
static int memory_create(const char *what, size_t bytes)
{
    int fd = memfd_create(what, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, bytes) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

static int tables_create(struct box *box, const char *name, const struct xb_limits *limits, uint32_t flags)
{
    void *memory;

    box->tables_fd = memory_create("xenbox-tables", sizeof(struct xb_tables));
    if (box->tables_fd < 0)
        return box->tables_fd;
    memory = mmap(NULL, sizeof(struct xb_tables), PROT_READ | PROT_WRITE, MAP_SHARED, box->tables_fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    madvise(memory, sizeof(struct xb_tables), MADV_DONTDUMP);
    box->tables = memory;
    box->tables->magic = XB_MAGIC;
    box->tables->abi = XB_ABI;
    box->tables->flags = flags;
    box->tables->limits = *limits;
    strncpy(box->tables->name, name, sizeof(box->tables->name) - 1);
    box->tables->hv_pid = getpid();
    return 0;
}

int box_init(struct box *box, const char *dir, const char *name, const struct xb_limits *limits,
             uint32_t flags)
{
    int ret;

    memset(box, 0, sizeof(*box));
    box->tables_fd = box->frames_fd = box->dir_fd = box->listen_fd = box->epoll_fd = box->spare_fd = -1;
    STAILQ_INIT(&box->graveyard);
    LIST_INIT(&box->processes);
    LIST_INIT(&box->conns);
    LIST_INIT(&box->dying);
    LIST_INIT(&box->sinks);

    box->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (box->dir_fd < 0)
        return -errno;
    if (flock(box->dir_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    box->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (box->epoll_fd < 0)
        return -errno;

    ret = tables_create(box, name, limits, flags);
    if (ret < 0)
        return ret;
    box->frames_fd = memory_create("xenbox-frames", (size_t)XB_MAX_FRAMES * XB_FRAME_SIZE);
    if (box->frames_fd < 0)
        return box->frames_fd;
    box->frame_is_used = calloc(XB_MAX_FRAMES / 64, sizeof(uint64_t));
    box->frame_holds = calloc(XB_MAX_FRAMES, sizeof(uint32_t));
    if (!box->frame_is_used || !box->frame_holds)
        return -ENOMEM;
    return 0;
}

static void fd_fini(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void box_fini(struct box *box)
{
    box_empty_graveyard(box);
    for (uint32_t domid = 0; domid < XB_MAX_DOMAINS; domid++) {
        free(box->domain[domid]);
        box->domain[domid] = NULL;
    }
    poison_fini(box);
    free(box->frame_is_used);
    free(box->frame_holds);
    box->frame_is_used = NULL;
    box->frame_holds = NULL;
    if (box->tables) {
        atomic_store(&box->tables->hv_pid, 0);
        munmap(box->tables, sizeof(*box->tables));
        box->tables = NULL;
    }
    fd_fini(&box->epoll_fd);
    fd_fini(&box->listen_fd);
    fd_fini(&box->spare_fd);
    fd_fini(&box->frames_fd);
    fd_fini(&box->tables_fd);
    fd_fini(&box->dir_fd);
}

int box_watch(struct box *box, int fd, uint32_t events, struct source *source)
{
    struct epoll_event event = { .events = events, .data.ptr = source };

    return epoll_ctl(box->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void box_unwatch(struct box *box, int fd)
{
    epoll_ctl(box->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

void box_bury(struct box *box, struct source *source)
{
    source->ready = NULL;
    STAILQ_INSERT_TAIL(&box->graveyard, source, grave);
}

void box_empty_graveyard(struct box *box)
{
    struct source *source;

    while ((source = STAILQ_FIRST(&box->graveyard))) {
        STAILQ_REMOVE_HEAD(&box->graveyard, grave);
        free(source);
    }
}
