// SPDX-License-Identifier: MIT
/* store_daemon.c: see store_daemon.h. */
#include <config.h>

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "xenbox/cmd/store_daemon.h"

#define OXENSTORED_CONFIG "oxenstored.conf"

/* What the installed configuration switches on, with all its files in the box and not in the system's /var. */
static int oxenstored_prepare(const struct box *box)
{
    char path[BOX_PATH_MAX];
    FILE *file;

    box_path(box, OXENSTORED_CONFIG, path);
    file = fopen(path, "we");
    if (!file)
        return -errno;
    fprintf(file,
            "pid-file = %s/oxenstored.pid\n"
            "persistent = false\n"
            "xenstored-kva = /proc/xen/xsd_kva\n"
            "xenstored-port = /proc/xen/xsd_port\n"
            "merge-activate = true\n"
            "perms-activate = true\n"
            "perms-watch-activate = true\n"
            "quota-activate = true\n"
            "xenstored-log-file = %s/oxenstored.log\n"
            "access-log-file = %s/oxenstored-access.log\n",
            box->dir, box->dir, box->dir);
    return fclose(file) == 0 ? 0 : -errno;
}

/* What is in the PATH may be a wrapper that refuses to run without a hypervisor. */
static const struct store_daemon daemons[] = {
    {
        .name = "xenstored",
        .package = "xen-utils-4.17",
        .patterns = { "/usr/lib/xen-*/bin/xenstored", "/usr/libexec/xen/bin/xenstored" },
        .args = { "-N", "-I" },
    },
    {
        .name = "oxenstored",
        .package = "xen-utils-4.17",
        .patterns = { "/usr/lib/xen-*/bin/oxenstored", "/usr/libexec/xen/bin/oxenstored" },
        .prepare = oxenstored_prepare,
        .args = { "--no-fork", "--config-file" },
        .config = OXENSTORED_CONFIG,
    },
};

const struct store_daemon *store_daemon_find(const char *name)
{
    for (size_t i = 0; i < sizeof(daemons) / sizeof(daemons[0]); i++)
        if (strcmp(daemons[i].name, name) == 0)
            return &daemons[i];
    return NULL;
}

void store_daemon_path(const struct store_daemon *daemon, char path[PATH_MAX])
{
    *path = '\0';
    for (size_t i = 0; !*path && i < sizeof(daemon->patterns) / sizeof(daemon->patterns[0]); i++) {
        glob_t found = { 0 };

        if (glob(daemon->patterns[i], 0, NULL, &found) == 0)
            snprintf(path, PATH_MAX, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
    }
}

int store_daemon_argv(const struct store_daemon *daemon, const struct box *box, const char *program,
                      char config[BOX_PATH_MAX], char *argv[STORE_DAEMON_MAX_ARGS + 3])
{
    size_t n = 0;

    argv[n++] = (char *)program;
    for (size_t i = 0; i < STORE_DAEMON_MAX_ARGS && daemon->args[i]; i++)
        argv[n++] = (char *)daemon->args[i];
    if (daemon->config) {
        box_path(box, daemon->config, config);
        argv[n++] = config;
    }
    argv[n] = NULL;
    return daemon->prepare ? daemon->prepare(box) : 0;
}
