// SPDX-License-Identifier: MIT
/*
 * run_dir.c: see run_dir.h.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "backend/run_dir.h"

static int lock_fd = -1;

/* What lies there decides over guests' memory and disks: nobody else may put anything into it. */
static int check_directory(const char *path)
{
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        int error = -errno;
        log_error(NULL, "cannot make the run directory %s: %s", path, strerror(-error));
        return error;
    }
    if (lstat(path, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022)) {
        log_error(NULL,
                  "run directory %s: expected a directory of user %u that nobody else may write to, found "
                  "owner %u, "
                  "mode %o",
                  path, geteuid(), st.st_uid, st.st_mode);
        return -EPERM;
    }
    return 0;
}

int run_dir_lock(const char *path)
{
    char pid[16] = "";
    int error = check_directory(path);
    int dir_fd;

    if (error < 0)
        return error;
    dir_fd = open(path, O_DIRECTORY | O_PATH | O_CLOEXEC);
    if (dir_fd >= 0) {
        lock_fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        error = lock_fd < 0 ? -errno : 0;
        close(dir_fd);
    } else {
        error = -errno;
    }
    if (error < 0) {
        log_error(NULL, "cannot open %s/lock: %s", path, strerror(-error));
        return error;
    }
    if (flock(lock_fd, LOCK_EX | LOCK_NB) < 0) {
        error = -errno;
        if (error == -EWOULDBLOCK && read(lock_fd, pid, sizeof(pid) - 1) > 0)
            log_error(
                NULL,
                "another xensplitd (process %.*s) serves %s: stop it, or give this one its own --run-dir",
                (int)strcspn(pid, "\n"), pid, path);
        else
            log_error(NULL, "cannot lock %s/lock: %s", path, strerror(-error));
        run_dir_unlock();
        return error;
    }
    snprintf(pid, sizeof(pid), "%d\n", getpid());
    if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, pid, strlen(pid), 0) < 0) {
        error = -errno;
        log_error(NULL, "cannot write %s/lock: %s", path, strerror(-error));
        run_dir_unlock();
        return error;
    }
    return 0;
}

void run_dir_unlock(void)
{
    if (lock_fd >= 0)
        close(lock_fd);
    lock_fd = -1;
}

void run_dir_make_parent(const char *path)
{
    static _Thread_local struct log_limit limit;
    char *directory = strdup(path);
    char *slash = directory ? strrchr(directory, '/') : NULL;

    if (slash) {
        *slash = '\0';
        if (mkdir(directory, 0700) < 0 && errno != EEXIST)
            log_limited(&limit, LOG_LEVEL_WARNING, "run directory", "cannot make %s: %s", directory, strerror(errno));
    }
    free(directory);
}
