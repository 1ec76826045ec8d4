// SPDX-License-Identifier: MIT
/*
 * procxen.c: a preload library that shows xenstored what it finds in a dom0. First the two files of /proc/xen
 * that the kernel makes for it:
 *
 *   /proc/xen/xsd_port  the event channel of domain 0's own store ring, as text
 *   /proc/xen/xsd_kva   the page of that ring, for mmap(2)
 *
 * Programs of domain 0 talk to xenstored through its socket, so nobody ever uses the other end of the ring.
 * Then, for oxenstored, which has no option for it, the directory of its socket: /var/run/xenstored is that of
 * the variable XENSTORED_RUNDIR, which the C xenstored knows by itself. And oxenstored may not raise its limit of
 * descriptors to that of the system, as only root may, and gives up: it gets what is allowed.
 *
 * Everything else is as always. xenstored reads the port after it has begun to listen: if the
 * environment names a descriptor in XENBOX_READY_FD, one byte is written to it at that moment and it is
 * closed.
 */
#include <config.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "xenbox/lib/client.h"

#define ENV_READY_FD "XENBOX_READY_FD"
#define ENV_RUN_DIR "XENSTORED_RUNDIR"
#define RUN_DIR "/var/run/xenstored"
#define PATH_ROOM 4096

typedef int (*open_fn)(const char *path, int flags, ...);
typedef int (*bind_fn)(int fd, const struct sockaddr *address, socklen_t length);
typedef int (*mkdir_fn)(const char *path, mode_t mode);
typedef int (*unlink_fn)(const char *path);
typedef int (*setrlimit_fn)(__rlimit_resource_t resource, const struct rlimit *limit);

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);

static void ready_tell(void)
{
    const char *text = getenv(ENV_READY_FD);
    int fd = text ? atoi(text) : -1;

    if (fd < 0)
        return;
    unsetenv(ENV_READY_FD);
    if (write(fd, "", 1) == 1)
        close(fd);
}

static int file_fill(int fd, const char *text, size_t size)
{
    size_t length = strlen(text);

    if (size > 0 ? ftruncate(fd, (off_t)size) < 0 : write(fd, text, length) != (ssize_t)length)
        return -1;
    return lseek(fd, 0, SEEK_SET) < 0 ? -1 : 0;
}

/* A file in memory with this text, or with `size` zeroes. */
static int file_open(const char *name, const char *text, size_t size, int flags)
{
    int fd = memfd_create(name, flags & O_CLOEXEC ? MFD_CLOEXEC : 0);

    if (fd >= 0 && file_fill(fd, text, size) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int kva_open(const char *path, int flags)
{
    return file_open("xsd_kva", "", XB_FRAME_SIZE, flags);
}

static int port_open(const char *path, int flags)
{
    struct client client;
    char text[16];
    int rc;

    rc = client_open(&client, "procxen", NULL, XB_CONN_TOOL, 0, -1, NULL);
    if (rc < 0) {
        errno = -rc;
        return -1;
    }
    snprintf(text, sizeof(text), "%u", client.tables->domain[0].store_port);
    client_close(&client);
    ready_tell();
    return file_open("xsd_port", text, 0, flags);
}

static const struct special {
    const char *path;
    int (*open)(const char *path, int flags);
} specials[] = {
    { "/proc/xen/xsd_kva", kva_open },
    { "/proc/xen/xsd_port", port_open },
};

static const struct special *special_find(const char *path)
{
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
        if (strcmp(path, specials[i].path) == 0)
            return &specials[i];
    }
    return NULL;
}

static int open_any(const char *symbol, const char *path, int flags, mode_t mode)
{
    const struct special *special = special_find(path);
    open_fn next;

    if (special)
        return special->open(path, flags);
    next = (open_fn)dlsym(RTLD_NEXT, symbol);
    return next(path, flags, mode);
}

static mode_t open_mode(int flags, va_list args)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = open_mode(flags, args);
    va_end(args);
    return open_any("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = open_mode(flags, args);
    va_end(args);
    return open_any("open64", path, flags, mode);
}

/* The path that stands for one in the directory of the socket; the path itself when it is another. */
static const char *path_of_box(const char *path, char room[PATH_ROOM])
{
    const char *dir = getenv(ENV_RUN_DIR), *rest = path + strlen(RUN_DIR);

    if (!dir || strncmp(path, RUN_DIR, strlen(RUN_DIR)) != 0 || (*rest && *rest != '/'))
        return path;
    return snprintf(room, PATH_ROOM, "%s%s", dir, rest) < PATH_ROOM ? room : path;
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    bind_fn next = (bind_fn)dlsym(RTLD_NEXT, "bind");
    struct sockaddr_un moved = { .sun_family = AF_UNIX };
    char path[sizeof(moved.sun_path) + 1] = "", room[PATH_ROOM];
    const char *target;

    if (address->sa_family != AF_UNIX || length <= offsetof(struct sockaddr_un, sun_path))
        return next(fd, address, length);
    memcpy(path, ((const struct sockaddr_un *)address)->sun_path,
           (length < sizeof(moved) ? length : sizeof(moved)) - offsetof(struct sockaddr_un, sun_path));
    target = path_of_box(path, room);
    if (target == path)
        return next(fd, address, length);
    if (strlen(target) >= sizeof(moved.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(moved.sun_path, target);
    return next(fd, (const struct sockaddr *)&moved, sizeof(moved));
}

int mkdir(const char *path, mode_t mode)
{
    char room[PATH_ROOM];

    return ((mkdir_fn)dlsym(RTLD_NEXT, "mkdir"))(path_of_box(path, room), mode);
}

int unlink(const char *path)
{
    char room[PATH_ROOM];

    return ((unlink_fn)dlsym(RTLD_NEXT, "unlink"))(path_of_box(path, room));
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    setrlimit_fn next = (setrlimit_fn)dlsym(RTLD_NEXT, "setrlimit");
    struct rlimit allowed;

    if (next(resource, limit) == 0)
        return 0;
    if (errno != EPERM || resource != RLIMIT_NOFILE || getrlimit(resource, &allowed) < 0)
        return -1;
    allowed.rlim_cur = allowed.rlim_max;
    return next(resource, &allowed);
}
