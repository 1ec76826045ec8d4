// SPDX-License-Identifier: MIT
/* ops.h: what each operation of proto.h does, as a table. */
#ifndef XENBOX_HV_OPS_H
#define XENBOX_HV_OPS_H

#include "xenbox/hv/box.h"

/* A request while it is carried out. Payloads are aligned for any structure of proto.h. */
struct request {
    const void *in;
    size_t in_size;
    int in_fd; /* -1: none came; closed by the server */
    void *out;
    size_t out_size; /* set by the operation */
    int out_fd[XB_MAX_FDS];
    unsigned out_fds;
    int close_fd; /* to be closed when the answer is out, or -1 */
    bool is_last; /* the connection ends with the answer */
    bool is_answered_later;
};

struct op {
    int (*handle)(struct box *box, struct conn *conn, struct request *request); /* 0 or -errno */
    size_t in_size; /* at least */
    uint32_t kinds; /* OP_FOR() of the connections that may ask */
    bool is_one_way;
};

/* The operation of that number, or NULL. */
const struct op *op_find(uint32_t number);
bool op_is_allowed(const struct op *op, const struct conn *conn);

#endif
