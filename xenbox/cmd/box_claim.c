// SPDX-License-Identifier: MIT
/*
 * box_claim.c: the lock of a box, from the side of the one who takes it. The lock file is opened once and
 * never closed, since closing any descriptor of it would drop the lock.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xenbox/cmd/box_claim.h"
#include "xenbox/cmd/box_status.h"
#include "xenbox/cmd/members.h"
#include "xenbox/cmd/remove_tree.h"

#define MAX_ATTEMPTS 64 /* against others who create and remove the same box meanwhile */

/*
 * A directory that may be trusted: ours, or for what is above the box, root's. In /tmp others may have been
 * first.
 */
static int check_owner(const char *path, bool may_be_roots)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    return status.st_uid == geteuid() || (may_be_roots && status.st_uid == 0) ? 0 : -EPERM;
}

/* Creates the directory and those above it. */
static int make_directories(const char *dir)
{
    char path[BOX_PATH_MAX], *last = path;
    int error;

    snprintf(path, sizeof(path), "%s", dir);
    for (char *p = path + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
        last = p;
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    error = check_owner(path, false);
    *last = '\0';
    return error || last == path ? error : check_owner(path, true);
}

/* Whether there is anything in the directory but the lock. */
static bool has_others(const char *dir)
{
    const struct dirent *entry;
    bool found = false;
    DIR *d = opendir(dir);

    while (d && !found && (entry = readdir(d)))
        found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                strcmp(entry->d_name, BOX_LOCK) != 0;
    if (d)
        closedir(d);
    return found;
}

/*
 * -EBUSY: the holder has it. -ENOENT, -EAGAIN: the directory or the file went away meanwhile. The file that
 * is locked must be the one that is at path: it may have been removed after it was opened.
 */
static int take_lock(const char *path, int *lock, pid_t *holder)
{
    struct flock request = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct stat opened, present;

    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*lock < 0)
        return -errno;
    if (fcntl(*lock, F_SETLK, &request) < 0) {
        *holder = box_lock_holder(*lock);
        close(*lock);
        return *holder ? -EBUSY : -EAGAIN;
    }
    if (fstat(*lock, &opened) == 0 && lstat(path, &present) == 0 && opened.st_ino == present.st_ino &&
        opened.st_dev == present.st_dev)
        return 0;
    close(*lock);
    return -EAGAIN;
}

static int clear_stale(const struct box *box)
{
    struct box_status stale = { 0 };
    int error;

    box_status_load(box, &stale);
    error = members_kill(&stale);
    return error ? error : remove_tree(box->dir, BOX_LOCK);
}

int box_claim(const struct box *box, char *why, size_t size)
{
    char path[BOX_PATH_MAX];
    pid_t holder = 0;
    int lock = -1, error, attempts = 0;

    box_path(box, BOX_LOCK, path);
    do {
        error = make_directories(box->dir);
        if (error && error != -ENOENT) {
            snprintf(why, size, "cannot create %s: %s", box->dir, strerror(-error));
            return error;
        }
        if (!error && access(path, F_OK) < 0 && has_others(box->dir) && access(path, F_OK) < 0)
            goto foreign;
        if (!error)
            error = take_lock(path, &lock, &holder);
    } while ((error == -ENOENT || error == -EAGAIN) && ++attempts < MAX_ATTEMPTS);
    if (error == -EBUSY) {
        snprintf(why, size, "box '%s' is up already (pid %d, %s)", box->name, (int)holder, box->dir);
        return error;
    }
    if (error) {
        snprintf(why, size, "cannot lock %s: %s", path, strerror(-error));
        return error;
    }
    if (box_lock_is_marked(lock)) {
        error = clear_stale(box);
    } else if (has_others(box->dir)) {
        close(lock);
        goto foreign;
    } else if (pwrite(lock, BOX_LOCK_MARK, sizeof(BOX_LOCK_MARK) - 1, 0) != sizeof(BOX_LOCK_MARK) - 1) {
        error = -EIO;
    }
    if (!error)
        error = box_status_save(box, &(struct box_status){ .state = BOX_STARTING });
    if (error)
        snprintf(why, size, "cannot clear %s: %s", box->dir, strerror(-error));
    return error;
foreign:
    snprintf(why, size, "%s exists and is not a box: remove it, or choose another name", box->dir);
    return -EEXIST;
}

int box_release(const struct box *box)
{
    char path[BOX_PATH_MAX];
    int error;

    error = remove_tree(box->dir, BOX_LOCK);
    if (error)
        return error;
    box_path(box, BOX_LOCK, path);
    if (unlink(path) < 0)
        return -errno;
    return rmdir(box->dir) < 0 && errno != ENOTEMPTY && errno != ENOENT ? -errno : 0;
}
