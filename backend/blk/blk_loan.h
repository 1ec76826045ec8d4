// SPDX-License-Identifier: MIT
/*
 * blk_loan.h: requests whose I/O goes straight to and from the guest's pages, where they are mapped, and without a
 * buffer of ours between. The guest may change its pages meanwhile: what is written then is its own affair.
 *
 * A loan ends when the disk is through with the request, and before its response: no mapping goes away while the
 * kernel's I/O refers to its pages. Only libaio, whose requests a dying process waits for, may have them (mapped_io.h).
 * Worker's thread.
 */
#ifndef XENSPLIT_BACKEND_BLK_BLK_LOAN_H
#define XENSPLIT_BACKEND_BLK_BLK_LOAN_H

#include <stdbool.h>
#include <sys/uio.h>

#include "common/blkif_request.h"

struct blk_request;

struct blk_loan {
    void *base; /* mapped for this request alone; NULL: the pages are kept mapped anyway */
    unsigned int count;
    struct iovec iov[BLKIF_SEGMENTS_MAX];
};

/* A read or write that was checked. False, and nothing has changed: it needs a buffer. */
bool blk_loan_take(struct blk_request *request);
/* Safe on a request that has none. */
void blk_loan_give(struct blk_request *request);

#endif
