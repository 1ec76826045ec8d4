// SPDX-License-Identifier: MIT
/* box_status.c: the status of a box as a JSON file. */
#include <config.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "xenbox/cmd/box_status.h"

#define STATUS_NAME "box.json"
#define STATUS_NEW "box.json.new"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX 40

static const enum box_state saved_states[] = { BOX_CRASHED, BOX_STARTING, BOX_UP, BOX_BROKEN };

static void read_boot_id(char id[BOOT_ID_MAX])
{
    FILE *file = fopen(BOOT_ID, "re");

    if (!file || !fgets(id, BOOT_ID_MAX, file))
        *id = '\0';
    id[strcspn(id, "\n")] = '\0';
    if (file)
        fclose(file);
}

json_t *box_status_to_json(const struct box *box, const struct box_status *status)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:{s:i, s:i, s:i, s:i}, s:{s:I, s:I}, s:s}", "name", box->name,
                     "directory", box->dir, "state", box_state_name(status->state), "mapping",
                     status->mapping, "pids", "supervisor", (int)status->supervisor, "hv", (int)status->hv,
                     "xenstored", (int)status->xenstored, "xenbus", (int)status->xenbus, "tables", "device",
                     (json_int_t)status->tables_dev, "inode", (json_int_t)status->tables_ino, "failure",
                     status->failure);
}

int box_status_save(const struct box *box, const struct box_status *status)
{
    char path[BOX_PATH_MAX], fresh[BOX_PATH_MAX];
    json_t *json = box_status_to_json(box, status);
    char boot[BOOT_ID_MAX];
    int error = 0;

    if (!json)
        return -ENOMEM;
    read_boot_id(boot);
    json_object_set_new(json, "boot", json_string(boot));
    box_path(box, STATUS_NAME, path);
    box_path(box, STATUS_NEW, fresh);
    if (json_dump_file(json, fresh, JSON_INDENT(2)) < 0)
        error = -EIO;
    else if (rename(fresh, path) < 0)
        error = -errno;
    json_decref(json);
    return error;
}

static void copy_text(char *to, size_t size, const char *from)
{
    if (from)
        snprintf(to, size, "%s", from);
}

void box_status_load(const struct box *box, struct box_status *status)
{
    char path[BOX_PATH_MAX];
    const char *state = NULL, *mapping = NULL, *failure = NULL, *saved_boot = NULL;
    char boot[BOOT_ID_MAX];
    int hv = status->hv, xenstored = status->xenstored, xenbus = status->xenbus;
    json_int_t dev = (json_int_t)status->tables_dev, ino = (json_int_t)status->tables_ino;
    json_t *json;

    box_path(box, STATUS_NAME, path);
    json = json_load_file(path, 0, NULL);
    if (!json)
        return;
    json_unpack(json, "{s?s, s?s, s?s, s?s, s?{s?i, s?i, s?i}, s?{s?I, s?I}}", "state", &state, "mapping",
                &mapping, "failure", &failure, "boot", &saved_boot, "pids", "hv", &hv, "xenstored",
                &xenstored, "xenbus", &xenbus, "tables", "device", &dev, "inode", &ino);
    for (size_t i = 0; state && i < sizeof(saved_states) / sizeof(saved_states[0]); i++)
        if (strcmp(state, box_state_name(saved_states[i])) == 0)
            status->state = saved_states[i];
    copy_text(status->mapping, sizeof(status->mapping), mapping);
    copy_text(status->failure, sizeof(status->failure), failure);
    status->hv = hv;
    status->xenstored = xenstored;
    status->xenbus = xenbus;
    status->tables_dev = (dev_t)dev;
    status->tables_ino = (ino_t)ino;
    read_boot_id(boot);
    status->is_of_this_boot = *boot && saved_boot && strcmp(boot, saved_boot) == 0;
    json_decref(json);
}
