// SPDX-License-Identifier: MIT
/* foreignmemory.h: a handle and its mappings, for the files of libxenforeignmemory. */
#ifndef XENBOX_LIB_FOREIGNMEMORY_H
#define XENBOX_LIB_FOREIGNMEMORY_H

#include <pthread.h>
#include <sys/queue.h>

#include <xenforeignmemory.h>

#include "xenbox/lib/client.h"
#include "xenbox/lib/toolcore.h"

/* A mapping, for the frames that are to be let go with it. */
struct mapping {
    LIST_ENTRY(mapping) link;
    uint8_t *address;
    size_t pages;
    uint32_t frame[]; /* XB_NO_FRAME: could not be mapped */
};

struct xenforeignmemory_handle {
    Xentoolcore__Active_Handle active;
    struct client client;
    pthread_mutex_t lock; /* of the list */
    LIST_HEAD(, mapping) mappings;
    uint16_t restricted; /* only this domain's memory; XB_DOMID_NONE: any */
};

#endif
