// SPDX-License-Identifier: MIT
/*
 * device_kind.h: the kinds of devices, as tables. A new kind is a new row in device_kind.c.
 */
#ifndef XENBOX_CMD_DEVICE_KIND_H
#define XENBOX_CMD_DEVICE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;

struct device_value {
    const char *text; /* what a person writes */
    const char *value; /* what it means in the store */
};

struct device_key {
    const char *name; /* as in xl's configuration */
    const char *alias; /* the store's name for it, which is taken too */
    const struct device_value *values; /* the only ones allowed; NULL: any text */
    const char *fallback; /* when it is not given; NULL: it stays away */
    bool is_required;
    const char *help;
};

/* A node and its value, in which $NAME stands for a setting. Without that setting there is no such node. */
struct device_node {
    const char *name;
    const char *value;
    bool is_readonly; /* in the frontend's directory: the guest may not change it */
};

struct device_kind {
    const char *name; /* on the command line, and the backend's directory */
    const char *frontend; /* the directory below /local/domain/N/device and /libxl/N/device */
    const char *summary;
    const char *server; /* the program that is expected in domain 0, for a hint */
    const struct device_key *keys; /* each table ends with a row without name */
    const struct device_node *backend_nodes;
    const struct device_node *frontend_nodes;
    const char *name_key; /* the setting that names the device within its domain */
    int (*parse_name)(const char *text, uint32_t *devid); /* 0 or negative errno */
    int (*nth_name)(uint32_t n, char *text, size_t size); /* the name to try when none is given */
    void (*derive)(struct device *device); /* settings that follow from others; may be NULL */
    const char *script_add[3]; /* the hotplug script's arguments, with $NAME; NULL ends them */
    const char *script_remove[3];
    const char *script_variable; /* NAME=VALUE for its environment, with $NAME; may be NULL */
    bool has_hotplug_status; /* the backend waits for that node also when there is no script */
};

extern const struct device_kind device_kinds[]; /* ends with a row without name */

const struct device_kind *device_kind_find(const char *name); /* or NULL */

#endif
