// SPDX-License-Identifier: MIT
/*
 * mapped_io.c: see mapped_io.h.
 */
#include <config.h>

#include "backend/mapped_io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/magic.h>
#include <event2/event.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "backend/config.h"
#include "backend/disk/engine.h"
#include "backend/run_dir.h"
#include "common/log.h"

#define PAGES 4u
#define PAGE_BYTES 4096u
#define BYTES (PAGES * PAGE_BYTES)
#define TIMEOUT_S 5
#define CHILD_TIMEOUT_S 8
#define CHILD_END_S 2 /* after it has said what is wrong */

static const char only_libaio[] =
    "the I/O engine is not libaio: a process that dies with other I/O on granted pages "
    "may break the kernel";

static struct {
    bool is_right;
    char reason[200];
} found = { .reason = "it was not tried at the start, since engine = libaio is not set" };

/* Which of the owner's pages is mapped where: neighbours in the mapping are none in the machine. */
static const uint32_t order[PAGES] = { 2, 0, 3, 1 };

struct probe {
    xengntshr_handle *gntshr;
    xengnttab_handle *gnttab;
    unsigned char *own; /* the pages as their owner sees them */
    unsigned char *mapped; /* as a backend does */
    uint32_t refs[PAGES];
    unsigned char *file_bytes; /* what is in the file */
    int fd;
    struct event_base *base;
    struct engine *engine;
    bool is_done;
    int error;
};

struct probe_io {
    struct disk_io io;
    struct probe *probe;
};

static int fail(int error, char *reason, unsigned int size, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(int error, char *reason, unsigned int size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(reason, size, fmt, args);
    va_end(args);
    return error ? error : -EIO;
}

static void on_done(struct disk_io *io, int error)
{
    struct probe *probe = ((struct probe_io *)((char *)io - offsetof(struct probe_io, io)))->probe;

    probe->error = error;
    probe->is_done = true;
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    event_base_loopbreak(arg);
}

/* 0, the error of the I/O, or -ETIMEDOUT: then the kernel may still be at it. */
static int transfer(struct probe *probe, enum disk_op op)
{
    static const struct timeval timeout = { .tv_sec = TIMEOUT_S };
    /* Two pieces, as a request has them, and one of them of several pages. */
    struct iovec iov[] = { { probe->mapped, BYTES - PAGE_BYTES },
                           { probe->mapped + BYTES - PAGE_BYTES, PAGE_BYTES } };
    struct probe_io request = {
        .io = { .op = op, .length_bytes = BYTES, .iov = iov, .iov_count = 2, .done = on_done }, .probe = probe
    };

    request.io.fd = probe->fd;
    request.io.is_direct = true; /* never through the offload pool: the engine itself is tried */
    probe->is_done = false;
    engine_submit(probe->engine, &request.io);
    engine_start(probe->engine);
    event_base_once(probe->base, -1, EV_TIMEOUT, on_timeout, probe->base, &timeout);
    while (!probe->is_done)
        if (event_base_loop(probe->base, EVLOOP_ONCE) || event_base_got_break(probe->base))
            return probe->is_done ? probe->error : -ETIMEDOUT;
    return probe->error;
}

static void fill(unsigned char *bytes, unsigned int seed)
{
    for (unsigned int i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 256 * 31 + seed);
}

/* Has the owner in its pages what is in the file? */
static bool is_as_in_file(const struct probe *probe)
{
    for (unsigned int i = 0; i < PAGES; i++)
        if (memcmp(probe->own + order[i] * PAGE_BYTES, probe->file_bytes + i * PAGE_BYTES, PAGE_BYTES) != 0)
            return false;
    return true;
}

static int try_write(struct probe *probe, char *reason, unsigned int size)
{
    int error;

    fill(probe->own, 1);
    error = transfer(probe, DISK_WRITE);
    if (error)
        return fail(error, reason, size, "writing a file from mapped pages failed: %s", strerror(-error));
    if (pread(probe->fd, probe->file_bytes, BYTES, 0) != (ssize_t)BYTES)
        return fail(-errno, reason, size, "the file cannot be read back: %s", strerror(errno));
    if (!is_as_in_file(probe))
        return fail(-EBADMSG, reason, size, "writing a file from mapped pages wrote other data than theirs");
    return 0;
}

static int try_read(struct probe *probe, char *reason, unsigned int size)
{
    int error;

    fill(probe->file_bytes, 101);
    if (pwrite(probe->fd, probe->file_bytes, BYTES, 0) != (ssize_t)BYTES)
        return fail(-errno, reason, size, "the file cannot be written: %s", strerror(errno));
    error = transfer(probe, DISK_READ);
    if (error)
        return fail(error, reason, size, "reading a file into mapped pages failed: %s", strerror(-error));
    if (!is_as_in_file(probe))
        return fail(-EBADMSG, reason, size, "reading a file into mapped pages left other data in them");
    if (memcmp(probe->mapped, probe->file_bytes, BYTES) != 0)
        return fail(-EBADMSG, reason, size, "what was read into mapped pages cannot be seen in the mapping");
    return 0;
}

/*
 * A file past the page cache, since there the kernel's own view of a page is what counts. One that lies in memory
 * takes O_DIRECT, too, but never looks at a page that way.
 */
static bool open_file_in(struct probe *probe, const char *dir)
{
    char path[CONFIG_PATH_MAX + 32];
    struct statfs fs;

    snprintf(path, sizeof(path), "%s/xensplit-probe.XXXXXX", dir);
    probe->fd = mkostemp(path, O_CLOEXEC);
    if (probe->fd < 0)
        return false;
    unlink(path);
    if (fstatfs(probe->fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC &&
        ftruncate(probe->fd, BYTES) == 0 && fcntl(probe->fd, F_SETFL, O_DIRECT) == 0 &&
        pread(probe->fd, probe->file_bytes, BYTES, 0) == (ssize_t)BYTES)
        return true;
    close(probe->fd);
    probe->fd = -1;
    return false;
}

static int open_file(struct probe *probe, const char *dir, char *reason, unsigned int size)
{
    probe->file_bytes = aligned_alloc(PAGE_BYTES, BYTES);
    if (!probe->file_bytes)
        return fail(-ENOMEM, reason, size, "no memory to try it with");
    if (open_file_in(probe, dir) || open_file_in(probe, "/var/tmp"))
        return 0;
    return fail(-EOPNOTSUPP, reason, size,
                "neither %s nor /var/tmp takes a file with O_DIRECT, to try it with", dir);
}

/*
 * Maps the pages, for the second time: what a kernel puts in their place the first time may be neighbours by chance,
 * and what a daemon that has been at work for a while maps is not.
 */
static int map_pages(struct probe *probe, uint16_t domid)
{
    uint32_t refs[PAGES];

    for (unsigned int i = 0; i < PAGES; i++)
        refs[i] = probe->refs[order[i]];
    for (unsigned int time = 0; time < 2; time++) {
        if (probe->mapped && xengnttab_unmap(probe->gnttab, probe->mapped, PAGES))
            return -errno;
        probe->mapped =
            xengnttab_map_domain_grant_refs(probe->gnttab, PAGES, domid, refs, PROT_READ | PROT_WRITE);
        if (!probe->mapped)
            return -errno;
    }
    return 0;
}

static int open_all(struct probe *probe, uint16_t domid, const char *dir, char *reason, unsigned int size)
{
    int error = open_file(probe, dir, reason, size);

    if (error)
        return error;
    probe->gntshr = xengntshr_open(NULL, 0);
    if (!probe->gntshr)
        return fail(-errno, reason, size, "no grant to ourselves to try it with (/dev/xen/gntalloc): %s",
                    strerror(errno));
    probe->own = xengntshr_share_pages(probe->gntshr, domid, PAGES, probe->refs, 1);
    if (!probe->own)
        return fail(-errno, reason, size, "no grant to ourselves to try it with: %s", strerror(errno));
    probe->gnttab = xengnttab_open(NULL, 0);
    error = probe->gnttab ? map_pages(probe, domid) : -errno;
    if (error)
        return fail(error, reason, size, "a grant to ourselves cannot be mapped: %s", strerror(-error));
    probe->base = event_base_new();
    error = probe->base ? engine_create(&probe->engine, probe->base, ENGINE_LIBAIO) : -ENOMEM;
    return error ? fail(error, reason, size, "libaio cannot be used: %s", strerror(-error)) : 0;
}

static void close_all(struct probe *probe)
{
    engine_destroy(probe->engine);
    if (probe->base)
        event_base_free(probe->base);
    if (probe->mapped)
        xengnttab_unmap(probe->gnttab, probe->mapped, PAGES);
    if (probe->gnttab)
        xengnttab_close(probe->gnttab);
    if (probe->own)
        xengntshr_unshare(probe->gntshr, probe->own, PAGES);
    if (probe->gntshr)
        xengntshr_close(probe->gntshr);
    if (probe->fd >= 0)
        close(probe->fd);
    free(probe->file_bytes);
}

int mapped_io_try(uint16_t domid, const char *dir, char *reason, unsigned int reason_size)
{
    struct probe probe = { .fd = -1 };
    int error = open_all(&probe, domid, dir, reason, reason_size);

    if (error == 0)
        error = try_write(&probe, reason, reason_size);
    if (error == 0)
        error = try_read(&probe, reason, reason_size);
    if (error != -ETIMEDOUT) /* else nothing may be unmapped: the kernel still has it */
        close_all(&probe);
    return error;
}

/* Our own number, or 0 where the store does not know it. */
static uint16_t own_domid(void)
{
    struct xs_handle *xs = xs_open(0);
    char *text = xs ? xs_read(xs, XBT_NULL, "domid", NULL) : NULL;
    uint16_t domid = text ? (uint16_t)strtoul(text, NULL, 10) : 0;

    free(text);
    if (xs)
        xs_close(xs);
    return domid;
}

/* In the child: the reason goes to the pipe, nothing when there is none. */
static void child_run(int pipe, const char *dir) __attribute__((noreturn));

static void child_run(int pipe, const char *dir)
{
    char reason[sizeof(found.reason)];
    ssize_t length;
    int error;

    run_dir_unlock(); /* its share of the lock: one that never ends must not keep the next daemon out */
    error = mapped_io_try(own_domid(), dir, reason, sizeof(reason));
    length = error ? (ssize_t)strlen(reason) : 0;

    _exit(write(pipe, reason, (size_t)length) == length && error == 0 ? 0 : 1);
}

/* Whatever signals come meanwhile. */
static bool is_readable_in(int fd, int seconds)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    int ret;

    do
        ret = poll(&readable, 1, seconds * 1000);
    while (ret < 0 && errno == EINTR);
    return ret > 0;
}

int mapped_io_child_wait(pid_t child, int pipe, char *reason, unsigned int size)
{
    ssize_t length;
    int status = 0;

    if (!is_readable_in(pipe, CHILD_TIMEOUT_S)) {
        kill(child, SIGKILL);
        waitpid(child, NULL, WNOHANG);
        return fail(-ETIMEDOUT, reason, size, "I/O on a mapped grant to ourselves did not end within %d s",
                    CHILD_TIMEOUT_S);
    }
    length = read(pipe, reason, size - 1);
    reason[length > 0 ? length : 0] = '\0';
    /* A process ends when its I/O does: one that waited for that in vain never does. Its pipe closes at the end. */
    if (length > 0 && !is_readable_in(pipe, CHILD_END_S)) {
        kill(child, SIGKILL);
        waitpid(child, NULL, WNOHANG);
        return -EIO;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        return fail(-EIO, reason, size, "trying it ended with signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) && length <= 0)
        return fail(-EIO, reason, size, "trying it ended with status %d", WEXITSTATUS(status));
    return WEXITSTATUS(status) ? -EIO : 0;
}

void mapped_io_probe(const char *dir)
{
    int pipes[2], error;
    pid_t child;

    if (config_get()->mapped_io != MAPPED_IO_AUTO || config_get()->data_method == DATA_METHOD_COPY ||
        config_get()->engine != ENGINE_LIBAIO)
        return;
    if (pipe2(pipes, O_CLOEXEC)) {
        log_warning(NULL, "I/O on mapped grants cannot be tried, data is copied: %s", strerror(errno));
        return;
    }
    child = fork();
    if (child == 0)
        child_run(pipes[1], dir);
    close(pipes[1]);
    error = child < 0 ? fail(-errno, found.reason, sizeof(found.reason), "no process to try it in: %s",
                             strerror(errno))
                      : mapped_io_child_wait(child, pipes[0], found.reason, sizeof(found.reason));
    close(pipes[0]);
    found.is_right = error == 0;
    if (error)
        log_warning(NULL, "I/O on mapped grants is not used here, data is copied: %s", found.reason);
    else
        log_info(NULL, "I/O on mapped grants was tried and is right here, in both directions");
}

bool mapped_io_choose(const char *engine, enum grant_io_method method, bool is_file, const char **reason)
{
    const enum mapped_io_setting setting = config_get()->mapped_io;

    if (setting == MAPPED_IO_OFF)
        *reason = "mapped-io = off";
    else if (method == GRANT_IO_COPY)
        *reason = "the data method is copy: no page is mapped";
    else if (strcmp(engine, "libaio") != 0)
        *reason = only_libaio;
    else if (!is_file)
        *reason = "memory needs no I/O";
    else if (setting == MAPPED_IO_ON)
        *reason = "mapped-io = on, and nothing was tried";
    else if (!found.is_right)
        *reason = found.reason;
    else
        *reason = "it was tried at the start and is right here";
    return setting != MAPPED_IO_OFF && method != GRANT_IO_COPY && strcmp(engine, "libaio") == 0 && is_file &&
           (setting == MAPPED_IO_ON || found.is_right);
}
