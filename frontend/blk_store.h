// SPDX-License-Identifier: MIT
/*
 * blk_store.h: the keys of a vbd. What the backend publishes is read in one transaction with its state, so
 * that the keys belong to that state (E13), parsed strictly and bounded; what we publish appears at once,
 * together with our state (E20).
 */
#ifndef XENSPLIT_FRONTEND_BLK_STORE_H
#define XENSPLIT_FRONTEND_BLK_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/attach.h"
#include "frontend/xenfront.h"

struct blk_transport {
    uint32_t ring_ref;
    uint32_t event_channel;
    bool is_persistent; /* offered */
};

/*
 * Writes our keys and state Initialised. -EAGAIN when the backend is not in InitWait or Initialised any more,
 * and nothing was written.
 */
int blk_store_publish(struct attach *attach, const struct blk_transport *transport);
/* Reads features and geometry, sets state Connected. -EAGAIN when the backend is not Connected any more. */
int blk_store_connect(struct attach *attach, struct xenfront_blk_info *info);
/* Reads features and geometry again. After an error *info holds nothing. */
int blk_store_refresh(struct attach *attach, struct xenfront_blk_info *info);

#endif
