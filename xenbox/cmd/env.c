// SPDX-License-Identifier: MIT
/* env.c: environment variables of a box's processes. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xenbox/cmd/env.h"
#include "xenbox/hv/proto.h"

const char *env_libdir(void)
{
    const char *set = getenv(ENV_LIBDIR);

    return set && *set ? set : PKGLIBDIR;
}

static int join(const char *dir, const char *name, char *path, size_t size)
{
    return snprintf(path, size, "%s/%s", dir, name) < (int)size ? 0 : -ENAMETOOLONG;
}

int env_library_path(const char *name, char *path, size_t size)
{
    return join(env_libdir(), name, path, size);
}

int env_helper_path(const char *name, char *path, size_t size)
{
    const char *set = getenv(ENV_LIBEXECDIR);

    return join(set && *set ? set : PKGLIBEXECDIR, name, path, size);
}

/* Puts item in front of a list in a variable, once. */
static int prepend(const char *variable, const char *item)
{
    const char *old = getenv(variable);
    size_t length = strlen(item);
    char *list;
    int error;

    if (old && strncmp(old, item, length) == 0 && (!old[length] || old[length] == ':'))
        return 0;
    if (asprintf(&list, "%s%s%s", item, old && *old ? ":" : "", old ? old : "") < 0)
        return -ENOMEM;
    error = setenv(variable, list, 1) < 0 ? -errno : 0;
    free(list);
    return error;
}

int env_preload(const char *path)
{
    return prepend("LD_PRELOAD", path);
}

static int set_domid(uint16_t domid)
{
    char text[8];

    snprintf(text, sizeof(text), "%u", domid);
    return setenv(XB_ENV_DOMID, text, 1) < 0 ? -errno : 0;
}

int env_enter(const struct box *box, uint16_t domid)
{
    char store[BOX_PATH_MAX];
    int error;

    box_store_path(box, domid, store);
    error = setenv(XB_ENV_BOX, box->dir, 1) < 0 || setenv("XENSTORED_PATH", store, 1) < 0 ? -errno : 0;
    if (!error)
        error = set_domid(domid);
    if (!error)
        error = prepend("LD_LIBRARY_PATH", env_libdir());
    return error;
}
