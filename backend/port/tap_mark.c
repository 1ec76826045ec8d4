// SPDX-License-Identifier: MIT
/*
 * tap_mark.c: see tap_mark.h.
 */
#include <config.h>

#include "backend/port/tap_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/run_dir.h"

#define MARK_BYTES_MAX 64

struct mark {
    char name[IFNAMSIZ];
    unsigned int index;
    uint64_t network_namespace;
};

/* 0 where nobody can tell: then all are taken for one. */
static uint64_t own_namespace(void)
{
    struct stat status;

    return stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
}

int tap_mark_write(const char *path, const char *name)
{
    char text[MARK_BYTES_MAX];
    const int length =
        snprintf(text, sizeof(text), "%s %u %" PRIu64 "\n", name, if_nametoindex(name), own_namespace());
    int fd, ret = 0;

    run_dir_make_parent(path);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (write(fd, text, (size_t)length) != length)
        ret = errno ? -errno : -EIO;
    close(fd);
    if (ret)
        unlink(path);
    return ret;
}

/* What is not a mark as a whole says nothing: -EINVAL. */
static int mark_read(struct mark *mark, const char *path)
{
    char text[MARK_BYTES_MAX];
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length;

    if (fd < 0)
        return -errno;
    length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length < 0)
        return -errno;
    text[length] = '\0';
    if (sscanf(text, "%15s %u %" SCNu64, mark->name, &mark->index, &mark->network_namespace) != 3)
        return -EINVAL;
    return 0;
}

/* The interface is there; its name is what it is called now. */
static bool is_there(struct mark *mark)
{
    return mark->index && mark->network_namespace == own_namespace() &&
           if_indextoname(mark->index, mark->name);
}

bool tap_mark_find(const char *path, char *name)
{
    struct mark mark;

    if (mark_read(&mark, path) || !is_there(&mark))
        return false;
    memcpy(name, mark.name, sizeof(mark.name));
    return true;
}

bool tap_mark_is_of(const char *path, const char *name)
{
    char marked[IFNAMSIZ];

    return tap_mark_find(path, marked) && strcmp(marked, name) == 0;
}

void tap_mark_remove(const char *path)
{
    unlink(path);
}

static int interface_remove(struct mark *mark)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int ret = 0;

    if (fd < 0)
        return -errno;
    memcpy(request.ifr_name, mark->name, IFNAMSIZ);
    if (ioctl(fd, TUNSETIFF, &request) < 0 || (is_there(mark) && ioctl(fd, TUNSETPERSIST, 0) < 0))
        ret = -errno;
    close(fd);
    return ret;
}

int tap_mark_sweep(const char *path, char *name, size_t size)
{
    struct mark mark = { 0 };
    int ret = mark_read(&mark, path);

    if (ret == -ENOENT)
        return 0;
    if (ret == 0 && is_there(&mark)) {
        snprintf(name, size, "%s", mark.name);
        ret = interface_remove(&mark);
        if (ret == 0)
            ret = 1;
    } else {
        ret = 0;
    }
    if (ret >= 0 || ret == -EBUSY)
        unlink(path);
    return ret;
}
