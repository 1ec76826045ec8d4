// SPDX-License-Identifier: MIT
/*
 * hv.h: the command's line to the hypervisor process of a box, and its read-only view of the box's tables.
 * All functions return 0 or a negative errno and print nothing.
 */
#ifndef XENBOX_CMD_HV_H
#define XENBOX_CMD_HV_H

#include <stddef.h>
#include <stdint.h>

#include "xenbox/cmd/box.h"
#include "xenbox/hv/layout.h"
#include "xenbox/hv/proto.h"

struct hv {
    int fd;
    int tables_fd, frames_fd;
    const struct xb_tables *tables;
};

#define HV_TIMEOUT_S 5 /* what a command gives it for an answer */

/* timeout_s is for each answer. hv_close is safe on one that failed to open, and twice. */
int hv_open(struct hv *hv, const struct box *box, int timeout_s);
void hv_close(struct hv *hv);

/* One request and its answer, which must have answer_size bytes. */
int hv_call(struct hv *hv, enum xb_op op, const void *request, size_t size, void *answer, size_t answer_size);

/* A request about a domain by its id alone. */
int hv_call_domain(struct hv *hv, enum xb_op op, uint16_t domid);

/* Puts the identity of the tables into status. */
int hv_identify(const struct box *box, struct box_status *status);
/* Ends it. Returns when it has said that it does. */
int hv_stop(const struct box *box);

#endif
