// SPDX-License-Identifier: MIT
/*
 * net_scratch.c: one a worker, counted.
 */
#include <config.h>

#include "backend/net/net_scratch.h"

#include <stdlib.h>

static _Thread_local struct net_scratch *scratch;
static _Thread_local unsigned int users;

struct net_scratch *net_scratch_get(void)
{
    if (!scratch)
        scratch = aligned_alloc(64, (sizeof(*scratch) + 63) / 64 * 64);
    users += scratch != NULL;
    return scratch;
}

void net_scratch_put(void)
{
    if (--users > 0)
        return;
    free(scratch);
    scratch = NULL;
}
