// SPDX-License-Identifier: MIT
/*
 * device.c: settings of a device and the nodes made of them, by the tables of its kind.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/cmd/device.h"

void device_init(struct device *device, const struct device_kind *kind, uint16_t domid)
{
    *device = (struct device){ .kind = kind, .domid = domid };
}

void device_fini(struct device *device)
{
    for (size_t i = 0; i < device->count; i++)
        free(device->settings[i].value);
    device->count = 0;
}

int device_complain(struct device *device, int error, const char *fmt, ...)
{
    char text[DEVICE_WHY_MAX]; /* the arguments may point into the last complaint */
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    memcpy(device->why, text, sizeof(text));
    return error;
}

const char *device_setting(const struct device *device, const char *name)
{
    for (size_t i = 0; i < device->count; i++)
        if (strcmp(device->settings[i].name, name) == 0)
            return device->settings[i].value;
    return NULL;
}

/* name lives as long as the device: it comes from a table. */
int device_set(struct device *device, const char *name, const char *value)
{
    char *copy = strdup(value);
    size_t i;

    if (!copy)
        return device_complain(device, -ENOMEM, "out of memory");
    for (i = 0; i < device->count && strcmp(device->settings[i].name, name) != 0; i++)
        ;
    if (i == DEVICE_MAX_SETTINGS) {
        free(copy);
        return device_complain(device, -E2BIG, "too many settings");
    }
    if (i < device->count)
        free(device->settings[i].value);
    else
        device->count++;
    device->settings[i] = (struct device_setting){ name, copy };
    return 0;
}

static int check_value(struct device *device, const struct device_key *key, const char **value)
{
    char allowed[96] = "";
    size_t length = 0;

    if (!key->values)
        return **value ? 0 : device_complain(device, -EINVAL, "%s is empty", key->name);
    for (const struct device_value *row = key->values; row->text; row++) {
        if (strcmp(row->text, *value) == 0) {
            *value = row->value;
            return 0;
        }
        if (length < sizeof(allowed))
            length += (size_t)snprintf(allowed + length, sizeof(allowed) - length, "%s%s", length ? ", " : "",
                                       row->text);
    }
    return device_complain(device, -EINVAL, "%s=%s: not one of %s", key->name, *value, allowed);
}

static bool is_named(const char *name, const char *text, size_t length)
{
    return name && strlen(name) == length && strncmp(name, text, length) == 0;
}

int device_assign(struct device *device, const char *assignment)
{
    size_t length = strcspn(assignment, "=");
    const char *value = assignment[length] ? assignment + length + 1 : "1";
    const struct device_key *key;
    int error;

    for (key = device->kind->keys; key->name; key++)
        if (is_named(key->name, assignment, length) || is_named(key->alias, assignment, length))
            break;
    if (!key->name)
        return device_complain(device, -EINVAL, "a %s has no setting '%.*s'", device->kind->name, (int)length,
                               assignment);
    if (device_setting(device, key->name))
        return device_complain(device, -EINVAL, "%s is given twice", key->name);
    if (!key->values && !assignment[length])
        return device_complain(device, -EINVAL, "%s needs a value: %s=...", key->name, key->name);
    error = check_value(device, key, &value);
    return error ? error : device_set(device, key->name, value);
}

int device_name(struct device *device, const char *text)
{
    const struct device_kind *kind = device->kind;
    int error;

    error = kind->parse_name(text, &device->devid);
    if (error == -ERANGE)
        return device_complain(device, error, "%s=%s: out of range", kind->name_key, text);
    if (error)
        return device_complain(device, error, "%s=%s: not a name of a %s", kind->name_key, text, kind->name);
    snprintf(device->backend, sizeof(device->backend), "/local/domain/0/backend/%s/%u/%u", kind->name,
             device->domid, device->devid);
    snprintf(device->frontend, sizeof(device->frontend), "/local/domain/%u/device/%s/%u", device->domid,
             kind->frontend, device->devid);
    snprintf(device->libxl, sizeof(device->libxl), "/libxl/%u/device/%s/%u", device->domid, kind->frontend,
             device->devid);
    return device_set(device, kind->name_key, text);
}

int device_complete(struct device *device)
{
    int error = 0;

    for (const struct device_key *key = device->kind->keys; key->name && !error; key++) {
        if (device_setting(device, key->name))
            continue;
        if (key->is_required)
            return device_complain(device, -EINVAL, "%s is missing: %s=%s", key->name, key->name, key->help);
        if (key->fallback)
            error = device_set(device, key->name, key->fallback);
    }
    if (!error && device->kind->derive)
        device->kind->derive(device);
    return error;
}

/* What $name stands for: the paths and numbers of the device, or a setting. number: room for digits. */
static const char *look_up(const struct device *device, const char *name, size_t length, char number[16])
{
    const struct {
        const char *name;
        const char *text;
        uint32_t number;
    } own[] = {
        { "frontend", device->frontend, 0 },
        { "backend", device->backend, 0 },
        { "domid", NULL, device->domid },
        { "devid", NULL, device->devid },
    };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (!is_named(own[i].name, name, length))
            continue;
        if (own[i].text)
            return own[i].text;
        snprintf(number, 16, "%u", own[i].number);
        return number;
    }
    for (size_t i = 0; i < device->count; i++)
        if (is_named(device->settings[i].name, name, length))
            return device->settings[i].value;
    return NULL;
}

int device_expand(const struct device *device, const char *template, char **text)
{
    char number[16];
    size_t size;
    FILE *out;

    *text = NULL;
    out = open_memstream(text, &size);
    if (!out)
        return -ENOMEM;
    while (*template) {
        size_t length = strcspn(template, "$");
        const char *value;

        fwrite(template, 1, length, out);
        template += length;
        if (!*template)
            break;
        template ++;
        length = strspn(template, "abcdefghijklmnopqrstuvwxyz-");
        value = look_up(device, template, length, number);
        if (!value) {
            fclose(out);
            free(*text);
            *text = NULL;
            return -ENOENT;
        }
        fputs(value, out);
        template += length;
    }
    if (fclose(out) == 0)
        return 0;
    free(*text);
    *text = NULL;
    return -ENOMEM;
}

static void write_nodes(const struct device *device, struct node_list *list, const char *dir,
                        const struct device_node *nodes, enum node_access access)
{
    for (const struct device_node *node = nodes; node->name; node++) {
        char *value;
        int error = device_expand(device, node->value, &value);

        if (!error)
            node_list_write(list, dir, node->name, node->is_readonly ? NODE_DOM0 : access, "%s", value);
        else if (error != -ENOENT)
            list->error = error;
        free(value);
    }
}

void device_create_nodes(const struct device *device, struct node_list *list)
{
    const struct device_kind *kind = device->kind;

    node_list_expect_none(list, device->libxl);
    node_list_remove(list, device->libxl);
    node_list_write(list, device->libxl, "frontend", NODE_INHERIT, "%s", device->frontend);
    node_list_write(list, device->libxl, "backend", NODE_INHERIT, "%s", device->backend);

    node_list_remove(list, device->frontend);
    node_list_make(list, device->frontend, NODE_GUEST);
    write_nodes(device, list, device->frontend, kind->frontend_nodes, NODE_GUEST);

    node_list_remove(list, device->backend);
    node_list_make(list, device->backend, NODE_DOM0);
    write_nodes(device, list, device->backend, kind->backend_nodes, NODE_INHERIT);

    /* The first of the backend's nodes is `frontend`, which the notes have already. */
    write_nodes(device, list, device->libxl, kind->backend_nodes + 1, NODE_INHERIT);
}
