// SPDX-License-Identifier: MIT
/*
 * spin.h: looking again for a moment before going to sleep. A sleep and a wake across CPUs cost more than all
 * the work on a batch of requests, so a peer that answers soon is worth waiting for awake; one that does not is
 * found out quickly: the time that may be spent is halved with each failure and comes back with a success.
 * Owner's thread only; a zeroed struct is ready.
 */
#ifndef XENSPLIT_BACKEND_SPIN_H
#define XENSPLIT_BACKEND_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
    uint32_t limit_ns; /* that the next try may take */
    uint32_t passed; /* occasions let pass since the limit fell to nothing */
};

typedef bool spin_fn(void *arg);

/* Calls is_ready until it is true, at most most_ns long. False: it was not, or this is no time to spin. */
bool spin_until(struct spin *spin, uint32_t most_ns, spin_fn *is_ready, void *arg);

#endif
