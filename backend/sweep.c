// SPDX-License-Identifier: MIT
/*
 * sweep.c: see sweep.h. A file is named KIND-DOMID-DEVID-WHAT: its name says whose it is.
 */
#include <config.h>

#include "backend/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

#include "backend/config.h"
#include "backend/daemon.h"
#include "backend/device.h"
#include "backend/port/port.h"
#include "backend/port/tap_mark.h"
#include "common/log.h"

struct record {
    char kind[8];
    unsigned int domid, devid;
    char what[16]; /* "q0", "tap" */
};

static bool record_parse(struct record *record, const char *name)
{
    char again[64];

    if (sscanf(name, "%7[a-z]-%u-%u-%15[a-z0-9]", record->kind, &record->domid, &record->devid,
               record->what) != 4)
        return false;
    snprintf(again, sizeof(again), "%s-%u-%u-%s", record->kind, record->domid, record->devid, record->what);
    return strcmp(again, name) == 0;
}

/* Where the store does not answer nothing is gone. */
static bool is_gone(const struct record *record)
{
    char path[XENBUS_PATH_MAX];
    unsigned int count;
    char **nodes;

    snprintf(path, sizeof(path), "backend/%s/%u/%u", record->kind, record->domid, record->devid);
    nodes = xs_directory(daemon_xs(), XBT_NULL, path, &count);
    if (nodes) {
        free(nodes);
        return false;
    }
    return errno == ENOENT;
}

static void take_away(const struct record *record, const char *path)
{
    char label[48], name[PORT_NAME_MAX] = "";
    int ret;

    snprintf(label, sizeof(label), "%s %u/%u", record->kind, record->domid, record->devid);
    if (strcmp(record->what, "tap") != 0) {
        if (unlink(path) == 0)
            log_info(label, "gone: %s removed", path);
        return;
    }
    ret = tap_mark_sweep(path, name, sizeof(name));
    if (ret > 0)
        log_info(label, "gone: interface %s removed", name);
    else if (ret < 0)
        log_warning(label, "gone, but its interface %s stays: %s", name, strerror(-ret));
}

/* device NULL: of all that are gone. */
static void sweep(const struct device *device)
{
    char directory[CONFIG_PATH_MAX + 16],
        path[CONFIG_PATH_MAX + 16 + sizeof(((struct dirent *)NULL)->d_name)];
    struct record record;
    struct dirent *entry;
    DIR *dir;

    snprintf(directory, sizeof(directory), "%s/inflight", config_get()->run_dir);
    dir = opendir(directory);
    while (dir && (entry = readdir(dir))) {
        if (!record_parse(&record, entry->d_name))
            continue;
        if (device ? strcmp(record.kind, device->family->name) != 0 || record.domid != device->domid ||
                         record.devid != device->devid
                   : !is_gone(&record))
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        take_away(&record, path);
    }
    if (dir)
        closedir(dir);
}

void sweep_all(void)
{
    sweep(NULL);
}

void sweep_device(const struct device *device)
{
    sweep(device);
}
