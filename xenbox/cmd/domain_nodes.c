// SPDX-License-Identifier: MIT
/* domain_nodes.c: a domain's nodes as tables. */
#include <config.h>

#include <stdio.h>

#include "xenbox/cmd/domain_nodes.h"

#define UUID_DIR_MAX 64

struct domain_node {
    const char *name; /* below /local/domain/N */
    enum node_access access;
};

/* Directories, and empty nodes that the guest's kernel fills in. */
static const struct domain_node skeleton[] = {
    { "cpu", NODE_DOM0 },
    { "memory", NODE_DOM0 },
    { "device", NODE_DOM0 },
    { "device/suspend/event-channel", NODE_GUEST_ONLY },
    { "control", NODE_DOM0 },
    { "control/shutdown", NODE_GUEST_ONLY },
    { "control/feature-poweroff", NODE_GUEST_ONLY },
    { "control/feature-reboot", NODE_GUEST_ONLY },
    { "control/feature-suspend", NODE_GUEST_ONLY },
    { "control/sysrq", NODE_GUEST_ONLY },
    { "data", NODE_GUEST_ONLY },
    { "drivers", NODE_GUEST_ONLY },
    { "feature", NODE_GUEST_ONLY },
    { "attr", NODE_GUEST_ONLY },
    { "error", NODE_GUEST_ONLY },
    { 0 },
};

void domain_create_nodes(const struct domain_facts *facts, struct node_list *list)
{
    char dom[UUID_DIR_MAX], vm[UUID_DIR_MAX], libxl[UUID_DIR_MAX];

    snprintf(dom, sizeof(dom), "/local/domain/%u", facts->domid);
    snprintf(vm, sizeof(vm), "/vm/%s", facts->uuid);
    snprintf(libxl, sizeof(libxl), "/libxl/%u", facts->domid);

    node_list_remove(list, dom);
    node_list_write(list, dom, NULL, NODE_DOM0, "%s", "");
    node_list_remove(list, vm);
    node_list_write(list, vm, NULL, NODE_DOM0, "%s", "");
    node_list_remove(list, libxl);
    node_list_write(list, libxl, NULL, NODE_DOM0_ONLY, "%s", "");
    node_list_write(list, libxl, "device", NODE_DOM0_ONLY, "%s", "");

    node_list_write(list, dom, "vm", NODE_INHERIT, "%s", vm);
    node_list_write(list, dom, "name", NODE_INHERIT, "%s", facts->name);
    node_list_write(list, vm, "name", NODE_INHERIT, "%s", facts->name);
    for (const struct domain_node *node = skeleton; node->name; node++)
        node_list_write(list, dom, node->name, node->access, "%s", "");
    node_list_write(list, vm, "uuid", NODE_INHERIT, "%s", facts->uuid);
    node_list_write(list, dom, "control/platform-feature-multiprocessor-suspend", NODE_INHERIT, "1");
    node_list_write(list, dom, "control/platform-feature-xs_reset_watches", NODE_INHERIT, "1");
    node_list_write(list, libxl, "type", NODE_INHERIT, "pvh");

    node_list_write(list, dom, "memory/static-max", NODE_INHERIT, "%llu",
                    (unsigned long long)facts->memory_kib);
    node_list_write(list, dom, "memory/target", NODE_INHERIT, "%llu", (unsigned long long)facts->memory_kib);
    node_list_write(list, dom, "memory/videoram", NODE_INHERIT, "0");
    node_list_write(list, dom, "domid", NODE_INHERIT, "%u", facts->domid);
    node_list_write(list, dom, "store/port", NODE_INHERIT, "%u", facts->store_port);
    node_list_write(list, dom, "store/ring-ref", NODE_INHERIT, "%llu",
                    (unsigned long long)facts->store_frame);
    node_list_write(list, dom, "cpu/0/availability", NODE_INHERIT, "online");
    node_list_write(list, vm, "start_time", NODE_INHERIT, "%.2f", facts->start_time);
}

void domain_destroy_nodes(uint16_t domid, const char *uuid, struct node_list *list)
{
    char dir[UUID_DIR_MAX];

    snprintf(dir, sizeof(dir), "/vm/%s", uuid);
    node_list_remove(list, dir);
    snprintf(dir, sizeof(dir), "/local/domain/%u", domid);
    node_list_remove(list, dir);
    snprintf(dir, sizeof(dir), "/libxl/%u", domid);
    node_list_remove(list, dir);
}

void domain_zero_nodes(struct node_list *list)
{
    node_list_write(list, "/local/domain/0", "domid", NODE_INHERIT, "0");
    node_list_write(list, "/local/domain/0", "name", NODE_INHERIT, "Domain-0");
    node_list_write(list, "/local/pool/0", "name", NODE_INHERIT, "Pool-0");
}
