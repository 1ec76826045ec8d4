// SPDX-License-Identifier: MIT
/* remove_tree.c: recursion on directory descriptors, so that no path is resolved twice. */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "xenbox/cmd/remove_tree.h"

static int remove_entries(int parent, const char *name, const char *keep)
{
    const struct dirent *entry;
    int fd, error = 0;
    DIR *dir;

    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir) {
        error = -errno;
        close(fd);
        return error;
    }
    while (!error && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (keep && strcmp(entry->d_name, keep) == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno == EISDIR || errno == EPERM)
            error = remove_entries(fd, entry->d_name, NULL);
        else
            error = -errno;
        if (!error && unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            error = -errno;
    }
    closedir(dir);
    return error;
}

int remove_tree(const char *dir, const char *keep)
{
    return remove_entries(AT_FDCWD, dir, keep);
}
