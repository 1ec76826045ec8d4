// SPDX-License-Identifier: MIT
/*
 * node_list.c: a growing list of steps on the store, with one place where running out of memory is noticed.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/cmd/node_list.h"

void node_list_init(struct node_list *list, uint16_t domid)
{
    *list = (struct node_list){ .domid = domid };
}

void node_list_fini(struct node_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->nodes[i].path);
        free(list->nodes[i].value);
    }
    free(list->nodes);
    node_list_init(list, list->domid);
}

/* Takes over path and value; either may be NULL for "no memory" when the step needs it. */
static void add(struct node_list *list, enum node_step step, enum node_access access, char *path, char *value)
{
    if (!list->error && list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 32;
        struct node *nodes = reallocarray(list->nodes, room, sizeof(*nodes));

        if (nodes) {
            list->nodes = nodes;
            list->room = room;
        } else {
            list->error = -ENOMEM;
        }
    }
    if (!path || (step == NODE_WRITE && !value))
        list->error = -ENOMEM;
    if (list->error) {
        free(path);
        free(value);
        return;
    }
    list->nodes[list->count++] = (struct node){ step, access, path, value };
}

void node_list_expect_none(struct node_list *list, const char *path)
{
    add(list, NODE_EXPECT_NONE, NODE_INHERIT, strdup(path), NULL);
}

void node_list_remove(struct node_list *list, const char *dir)
{
    add(list, NODE_REMOVE, NODE_INHERIT, strdup(dir), NULL);
}

void node_list_make(struct node_list *list, const char *dir, enum node_access access)
{
    add(list, NODE_MAKE, access, strdup(dir), NULL);
}

void node_list_write(struct node_list *list, const char *dir, const char *name, enum node_access access,
                     const char *fmt, ...)
{
    char *path, *value;
    va_list args;

    if (asprintf(&path, "%s%s%s", dir, name ? "/" : "", name ? name : "") < 0)
        path = NULL;
    va_start(args, fmt);
    if (vasprintf(&value, fmt, args) < 0)
        value = NULL;
    va_end(args);
    add(list, NODE_WRITE, access, path, value);
}
