// SPDX-License-Identifier: MIT
/*
 * grant_op.h: the grant-table operations of a gnttab handle: map and unmap of one alias, each with a status and a
 * record (what Xen calls a handle) of its own.
 *
 * Callers hold the handle's lock. What the fault plan says of a step happens here.
 */
#ifndef XENBOX_LIB_GRANT_OP_H
#define XENBOX_LIB_GRANT_OP_H

#include "xenbox/lib/gnttab.h"

#define NO_RECORD UINT32_MAX /* GNTTAB's invalid handle */

struct grant_map {
    uint16_t domid;
    bool is_readonly;
    uint32_t ref;
    uint32_t alias; /* XB_ALIAS() */
    uint64_t host_address; /* of the alias */
    uint32_t record; /* one that was taken */
    /* out */
    int status; /* GNTST_*, ENTRY_LOST */
    uint32_t frame;
    uint64_t dev_bus_addr;
};

static inline struct xb_map *map_at(struct client *client, uint32_t record)
{
    return &client->tables->map[record / XB_CHUNK_MAPS][record % XB_CHUNK_MAPS];
}

/* A free record, from a new chunk if need be; and back. -errno at a limit. */
int record_take(struct xengntdev_handle *handle, uint32_t *record);
void record_give_back(struct xengntdev_handle *handle, uint32_t record);

/*
 * Pins the entry for the alias. An answer "try again" is tried again some times. The record is live when the status
 * is GNTST_okay, and still only taken otherwise.
 */
void grant_op_map(struct xengntdev_handle *handle, struct grant_map *op);

/*
 * Drops the pin of a live record and gives the record back, after it has taken the alias at `address` out of sight with
 * `hide` (NULL: it is so already). False: the operation was refused, nothing changed.
 */
bool grant_op_unmap(struct xengntdev_handle *handle, uint32_t record,
                    void (*hide)(struct xengntdev_handle *handle, void *address), void *address);

#endif
