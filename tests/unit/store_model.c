// SPDX-License-Identifier: MIT
/* store_model.c: the model of store_model.h: an array in the order of creation. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store_model.h"

static bool is_below(const char *path, const char *dir)
{
    size_t length = strlen(dir);

    return strncmp(path, dir, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

const struct store_model_node *store_model_find(const struct store_model *model, const char *path)
{
    for (size_t i = 0; i < model->count; i++)
        if (strcmp(model->nodes[i].path, path) == 0)
            return &model->nodes[i];
    return NULL;
}

void store_model_put(struct store_model *model, const char *path, const char *value, const char *perms)
{
    const struct store_model_node *old = store_model_find(model, path), *parent;
    struct store_model_node *node = (struct store_model_node *)old;
    char dir[128], inherited[24] = "n0";

    if (!node) {
        snprintf(dir, sizeof(dir), "%s", path);
        *strrchr(dir, '/') = '\0';
        if (*dir) {
            if (!store_model_find(model, dir))
                store_model_put(model, dir, "", NULL);
            parent = store_model_find(model, dir);
            snprintf(inherited, sizeof(inherited), "%s", parent->perms);
        }
        assert_true(model->count < STORE_MODEL_MAX);
        node = &model->nodes[model->count++];
        snprintf(node->path, sizeof(node->path), "%s", path);
        snprintf(node->perms, sizeof(node->perms), "%s", inherited);
    }
    snprintf(node->value, sizeof(node->value), "%s", value);
    if (perms)
        snprintf(node->perms, sizeof(node->perms), "%s", perms);
}

static void remove_below(struct store_model *model, const char *dir)
{
    size_t kept = 0;

    for (size_t i = 0; i < model->count; i++)
        if (!is_below(model->nodes[i].path, dir))
            model->nodes[kept++] = model->nodes[i];
    model->count = kept;
}

void store_model_apply(struct store_model *model, const struct node_list *list)
{
    assert_int_equal(list->error, 0);
    for (size_t i = 0; i < list->count; i++) {
        const struct node *node = &list->nodes[i];
        char perms[24] = "";

        switch (node->access) {
        case NODE_INHERIT:
            break;
        case NODE_DOM0_ONLY:
            snprintf(perms, sizeof(perms), "n0");
            break;
        case NODE_DOM0:
            snprintf(perms, sizeof(perms), "n0,r%u", list->domid);
            break;
        case NODE_GUEST:
            snprintf(perms, sizeof(perms), "n%u,r0", list->domid);
            break;
        case NODE_GUEST_ONLY:
            snprintf(perms, sizeof(perms), "n%u", list->domid);
            break;
        }
        if (node->step == NODE_EXPECT_NONE)
            assert_null(store_model_find(model, node->path));
        else if (node->step == NODE_REMOVE)
            remove_below(model, node->path);
        else
            store_model_put(model, node->path, node->value ? node->value : "", *perms ? perms : NULL);
    }
}

void store_model_assert(const struct store_model *model, const char *dir,
                        const struct store_model_node *expected, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < model->count; i++) {
        const struct store_model_node *node = &model->nodes[i];

        if (!is_below(node->path, dir))
            continue;
        if (found == count)
            fail_msg("%s: not expected", node->path);
        assert_string_equal(node->path, expected[found].path);
        assert_string_equal(node->value, expected[found].value);
        assert_string_equal(node->perms, expected[found].perms);
        found++;
    }
    assert_int_equal(found, count);
}
