// SPDX-License-Identifier: MIT
/*
 * domain_nodes.h: what the toolstack writes for a domain of its own accord: nodes, permissions and order as
 * xl writes them for a guest (recorded on a Xen 4.17 machine). Pure.
 */
#ifndef XENBOX_CMD_DOMAIN_NODES_H
#define XENBOX_CMD_DOMAIN_NODES_H

#include "xenbox/cmd/node_list.h"

struct domain_facts {
    uint16_t domid;
    const char *name;
    const char *uuid; /* 36 characters */
    uint64_t memory_kib;
    uint64_t store_frame;
    uint32_t store_port;
    double start_time; /* seconds since the epoch */
};

/* Before the store is told of the domain. */
void domain_create_nodes(const struct domain_facts *facts, struct node_list *list);
/* When it is gone. */
void domain_destroy_nodes(uint16_t domid, const char *uuid, struct node_list *list);
/* For domain 0, once, when the store has started. */
void domain_zero_nodes(struct node_list *list);

#endif
