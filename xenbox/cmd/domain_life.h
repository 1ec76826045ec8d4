// SPDX-License-Identifier: MIT
/*
 * domain_life.h: creating and destroying a domain as a toolstack does. The hypervisor process makes and ends
 * it; the notes in the store, and telling xenstored, are done here. All functions print what went wrong and
 * return an exit code.
 */
#ifndef XENBOX_CMD_DOMAIN_LIFE_H
#define XENBOX_CMD_DOMAIN_LIFE_H

#include <stdint.h>

#include "xenbox/cmd/box.h"

#define DOMAIN_LIFE_ANY UINT32_MAX /* domid: the next free one */

struct domain_wish {
    const char *name; /* NULL: "Domain-N" */
    uint32_t domid;
    uint32_t memory_mib; /* the most that it may have; 0: no limit */
};

/* Returns when programs of the domain can reach the store. */
int domain_life_create(const struct box *box, const struct domain_wish *wish, uint16_t *domid);
int domain_life_destroy(const struct box *box, uint16_t domid);

#endif
