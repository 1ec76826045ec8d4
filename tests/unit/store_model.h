// SPDX-License-Identifier: MIT
/*
 * store_model.h: what a list of steps leaves in a store that was empty but for some directories: paths,
 * values and permissions, with xenstored's rule that a new node inherits from its parent. For tests of node
 * lists.
 */
#ifndef TESTS_UNIT_STORE_MODEL_H
#define TESTS_UNIT_STORE_MODEL_H

#include <stddef.h>

#include "xenbox/cmd/node_list.h"

#define STORE_MODEL_MAX 128

struct store_model_node {
    char path[128];
    char value[128];
    char perms[24]; /* as xenstore-ls -p shows them: "n0,r1" */
};

struct store_model {
    size_t count;
    struct store_model_node nodes[STORE_MODEL_MAX];
};

void store_model_put(struct store_model *model, const char *path, const char *value, const char *perms);
void store_model_apply(struct store_model *model, const struct node_list *list);
const struct store_model_node *store_model_find(const struct store_model *model, const char *path);

/* Asserts that the nodes below dir (with it) are exactly these, in the order in which they were made. */
void store_model_assert(const struct store_model *model, const char *dir,
                        const struct store_model_node *expected, size_t count);

#endif
