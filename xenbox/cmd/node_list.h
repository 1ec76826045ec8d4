// SPDX-License-Identifier: MIT
/*
 * node_list.h: what a toolstack does to the store for one domain or device, as a list of steps in the order
 * in which they are taken. Building a list is pure; store.h carries one out.
 */
#ifndef XENBOX_CMD_NODE_LIST_H
#define XENBOX_CMD_NODE_LIST_H

#include <stddef.h>
#include <stdint.h>

enum node_step {
    NODE_EXPECT_NONE, /* the path must not exist: -EEXIST */
    NODE_REMOVE, /* path and all below it, if there is any */
    NODE_MAKE, /* an empty directory */
    NODE_WRITE,
};

/* Who owns a node and who else may read it; NODE_INHERIT: what its parent has. */
enum node_access {
    NODE_INHERIT,
    NODE_DOM0_ONLY, /* n0 */
    NODE_DOM0, /* n0,rN */
    NODE_GUEST, /* nN,r0 */
    NODE_GUEST_ONLY, /* nN */
};

struct node {
    enum node_step step;
    enum node_access access;
    char *path;
    char *value; /* NODE_WRITE only */
};

struct node_list {
    uint16_t domid; /* the guest that `access` speaks of */
    int error; /* the first -ENOMEM; nothing is added after it */
    size_t count;
    size_t room;
    struct node *nodes;
};

void node_list_init(struct node_list *list, uint16_t domid);
void node_list_fini(struct node_list *list);

/* Each of these remembers a failure in list->error, so that a caller may look once, at the end. */
void node_list_expect_none(struct node_list *list, const char *path);
void node_list_remove(struct node_list *list, const char *dir);
void node_list_make(struct node_list *list, const char *dir, enum node_access access);
/* The node is dir/name, or dir itself when name is NULL. */
void node_list_write(struct node_list *list, const char *dir, const char *name, enum node_access access,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
