// SPDX-License-Identifier: MIT
/*
 * procxen.c: a preload library that shows xenstored the two files of /proc/xen that a dom0 kernel makes for
 * it.
 *
 *   /proc/xen/xsd_port  the event channel of domain 0's own store ring, as text
 *   /proc/xen/xsd_kva   the page of that ring, for mmap(2)
 *
 * Programs of domain 0 talk to xenstored through its socket, so nobody ever uses the other end of the ring.
 * Everything else is opened as always. xenstored reads the port after it has begun to listen: if the
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
#include <unistd.h>

#include "xenbox/lib/client.h"

#define ENV_READY_FD "XENBOX_READY_FD"

typedef int (*open_fn)(const char *path, int flags, ...);

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
