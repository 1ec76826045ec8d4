// SPDX-License-Identifier: MIT
/* box.c: finding boxes by name, and telling their state by who holds the lock. */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xenbox/cmd/box.h"
#include "xenbox/cmd/box_status.h"
#include "xenbox/cmd/cmd.h"
#include "xenbox/hv/proto.h"

static const char *const state_names[] = {
    [BOX_ABSENT] = "absent",   [BOX_FOREIGN] = "not a box",
    [BOX_CRASHED] = "crashed", [BOX_STARTING] = "starting",
    [BOX_UP] = "up",           [BOX_BROKEN] = "broken",
};

const char *box_state_name(enum box_state state)
{
    return state_names[state];
}

int box_home(char *home, size_t size)
{
    const char *set = getenv(BOX_ENV_HOME), *runtime = getenv("XDG_RUNTIME_DIR");
    int length;

    if (set && *set)
        length = *set == '/' ? snprintf(home, size, "%s", set) : -1;
    else if (geteuid() == 0)
        length = snprintf(home, size, "/run/xenbox");
    else if (runtime && *runtime == '/')
        length = snprintf(home, size, "%s/xenbox", runtime);
    else
        length = snprintf(home, size, "/tmp/xenbox-%u", geteuid());
    if (length < 0) {
        cmd_fail("$%s is '%s': it must be an absolute path", BOX_ENV_HOME, set);
        return -EINVAL;
    }
    if ((size_t)length >= size) {
        cmd_fail("$%s is too long: %s", BOX_ENV_HOME, set);
        return -ENAMETOOLONG;
    }
    return 0;
}

static int check_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (!*name || *name == '.' || *name == '-' || name[strspn(name, allowed)]) {
        cmd_fail("'%s' is no name for a box: letters, digits, '.', '_' and '-' are, not in front", name);
        return -EINVAL;
    }
    if (strlen(name) > BOX_NAME_MAX) {
        cmd_fail("the name of the box has %zu characters, at most %d can be", strlen(name), BOX_NAME_MAX);
        return -ENAMETOOLONG;
    }
    return 0;
}

int box_take_turn(const struct box *box)
{
    char path[BOX_PATH_MAX];
    int fd, error;

    box_path(box, BOX_LOCK, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* False when either is too long. */
static bool box_set(struct box *box, const char *home, const char *name)
{
    size_t home_length = strlen(home), name_length = strlen(name);

    if (name_length > BOX_NAME_MAX || home_length + 1 + name_length > BOX_DIR_MAX)
        return false;
    memcpy(box->name, name, name_length + 1);
    memcpy(box->dir, home, home_length);
    box->dir[home_length] = '/';
    memcpy(box->dir + home_length + 1, name, name_length + 1);
    return true;
}

/* Splits a directory's name into the box's and what is above it. */
static int split_dir(const char *which, char home[PATH_MAX], const char **name)
{
    size_t length = 0;
    char *slash;

    if (*which != '/') {
        if (!getcwd(home, PATH_MAX))
            return -errno;
        length = strlen(home);
        home[length++] = '/';
    }
    if (length + strlen(which) >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(home + length, which, strlen(which) + 1);
    for (length = strlen(home); length > 1 && home[length - 1] == '/'; length--)
        home[length - 1] = '\0';
    slash = strrchr(home, '/');
    *slash = '\0';
    *name = slash + 1;
    return 0;
}

int box_find(struct box *box, const char *which)
{
    const char *env = getenv(XB_ENV_BOX), *name;
    char home[PATH_MAX];
    int error;

    if (!which)
        which = env && *env ? env : BOX_DEFAULT_NAME;
    name = which;
    error = strchr(which, '/') ? split_dir(which, home, &name) : box_home(home, sizeof(home));
    if (!error)
        error = check_name(name);
    if (error || box_set(box, home, name))
        return error;
    cmd_fail("the box directory %s/%s has %zu characters; sockets are made in it, so it may have at most "
             "%zu: choose "
             "a shorter $%s",
             home, name, strlen(home) + 1 + strlen(name), BOX_DIR_MAX, BOX_ENV_HOME);
    return -ENAMETOOLONG;
}

const char *box_reference(const struct box *box)
{
    size_t above = strlen(box->dir) - strlen(box->name) - 1;
    char home[PATH_MAX];

    if (box_home(home, sizeof(home)) < 0 || strlen(home) != above || strncmp(box->dir, home, above) != 0)
        return box->dir;
    return box->name;
}

void box_path(const struct box *box, const char *name, char path[BOX_PATH_MAX])
{
    snprintf(path, BOX_PATH_MAX, "%s/%s", box->dir, name);
}

void box_store_path(const struct box *box, uint16_t domid, char path[BOX_PATH_MAX])
{
    char name[16];

    snprintf(name, sizeof(name), "store/%u", domid);
    box_path(box, domid ? name : "store/socket", path);
}

bool box_lock_is_marked(int lock)
{
    char mark[sizeof(BOX_LOCK_MARK)] = "";

    return pread(lock, mark, sizeof(mark) - 1, 0) == sizeof(mark) - 1 && strcmp(mark, BOX_LOCK_MARK) == 0;
}

pid_t box_lock_holder(int lock)
{
    struct flock query = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(lock, F_GETLK, &query) == 0 && query.l_type != F_UNLCK ? query.l_pid : 0;
}

void box_probe(const struct box *box, struct box_status *status)
{
    char path[BOX_PATH_MAX];
    bool is_box;
    int lock;

    *status = (struct box_status){ .state = BOX_ABSENT };
    box_path(box, BOX_LOCK, path);
    lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0) {
        if (access(box->dir, F_OK) == 0)
            status->state = BOX_FOREIGN;
        return;
    }
    is_box = box_lock_is_marked(lock);
    status->supervisor = box_lock_holder(lock);
    close(lock);
    if (!is_box && !status->supervisor)
        status->state = BOX_FOREIGN;
    else
        box_status_load(box, status);
    if (status->state != BOX_FOREIGN && !status->supervisor)
        status->state = BOX_CRASHED;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int box_for_each(int (*fn)(const struct box *box, const struct box_status *status, void *arg), void *arg)
{
    struct dirent **entries;
    char home[PATH_MAX];
    int count, sum = 0;

    if (box_home(home, sizeof(home)) < 0)
        return -EINVAL;
    count = scandir(home, &entries, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        struct box_status status;
        struct box box;

        if (box_set(&box, home, entries[i]->d_name)) {
            box_probe(&box, &status);
            if (status.state > BOX_FOREIGN)
                sum += fn(&box, &status, arg);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return sum;
}
