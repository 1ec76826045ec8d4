// SPDX-License-Identifier: MIT
/* domain_table.h: the domains of a box, looked up in its tables. */
#ifndef XENBOX_CMD_DOMAIN_TABLE_H
#define XENBOX_CMD_DOMAIN_TABLE_H

#include <stdint.h>

#include "xenbox/cmd/hv.h"

/* Connects to the hypervisor process, or says why it cannot. 0 or negative errno. */
int domain_table_open(struct hv *hv, const struct box *box);

/*
 * Finds a domain by its number or name. 0, or -ESRCH after a message. In `in_box`, domain 0 is there without
 * asking.
 */
int domain_find(struct hv *hv, const char *text, uint16_t *domid);
int domain_find_in_box(const struct box *box, const char *text, uint16_t *domid);
/* As above, and it must be a guest that is not being destroyed. */
int domain_find_guest(const struct box *box, const char *text, uint16_t *domid);

/* A domain's name, which a program of the box may be changing. */
void domain_name(const struct xb_tables *tables, uint16_t domid, char name[64]);

/* "running"; what is no state is "?". */
const char *domain_state_name(uint32_t state);

/* How many domains there are; -1 when the box does not answer. */
int domain_count(const struct box *box, const struct box_status *status);

#endif
