// SPDX-License-Identifier: MIT
/*
 * device.h: a device that the toolstack makes: its settings, as a person gives them, and the steps on the
 * store that create it. What a kind of device consists of is in the tables of device_kind.h. Nodes,
 * permissions and order are those of xl, recorded on a Xen 4.17 machine. Pure: text in, list of steps out;
 * attach.c carries it out.
 */
#ifndef XENBOX_CMD_DEVICE_H
#define XENBOX_CMD_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "xenbox/cmd/device_kind.h"
#include "xenbox/cmd/node_list.h"

#define DEVICE_MAX_SETTINGS 24
#define DEVICE_PATH_MAX 128
#define DEVICE_WHY_MAX 256

struct device_setting {
    const char *name; /* the kind's table's */
    char *value;
};

struct device {
    const struct device_kind *kind;
    uint16_t domid; /* of the frontend; the backend is domain 0 */
    uint32_t devid;
    char backend[DEVICE_PATH_MAX]; /* /local/domain/0/backend/KIND/DOMID/DEVID */
    char frontend[DEVICE_PATH_MAX];
    char libxl[DEVICE_PATH_MAX]; /* the toolstack's own notes */
    size_t count;
    struct device_setting settings[DEVICE_MAX_SETTINGS];
    char why[DEVICE_WHY_MAX]; /* a sentence about the last error */
};

void device_init(struct device *device, const struct device_kind *kind, uint16_t domid);
void device_fini(struct device *device);

/* "key=value", or a key alone, which means 1. 0, or negative errno and device->why. */
int device_assign(struct device *device, const char *assignment);

/* A setting by its own name; NULL when it is not there. */
const char *device_setting(const struct device *device, const char *name);
int device_set(struct device *device, const char *name, const char *value);

/* Names the device by the text that a person uses for it ("xvda", "0"). Sets devid and paths. */
int device_name(struct device *device, const char *text);

/* After device_name: takes the defaults, and complains about what is missing. */
int device_complete(struct device *device);

/* A template of the kind's tables with its $NAMEs filled in, to be freed. -ENOENT: one of them is not set. */
int device_expand(const struct device *device, const char *template, char **text);

/* The steps that create the device. list was initialised with the same domid. */
void device_create_nodes(const struct device *device, struct node_list *list);

/* Puts a sentence into device->why. Returns error. */
int device_complain(struct device *device, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "vbd 3/51712": how messages name it. */
#define DEVICE_FMT "%s %u/%u"
#define DEVICE_ARGS(device) (device)->kind->name, (device)->domid, (device)->devid

#endif
