// SPDX-License-Identifier: MIT
/*
 * faults.h: a plan of what goes wrong in the grant operations of a handle: $XENBOX_FAULTS.
 *
 *     plan     item[;item]...
 *     item     STEP:WHICH=ACTION[/VALUE]  |  seed=N  |  reader
 *     STEP     map-user, map-kernel: a map operation for that alias
 *              unmap-user, unmap-kernel: an unmap operation for it
 *              p2m: a change of the p2m        pool: a placeholder is taken from the pool
 *              entry: a grant entry is read    notify: between unmapping and notifying
 *              show: between mapping pages and marking them as granted
 *              args: the arguments of a map operation, after it was done
 *              memory: a map call needs memory of its own
 *     WHICH    N, N-M: by number from 1, a step of each kind counts for itself; *: all; P%: so many, by the seed
 *     ACTION   status/S   the operation answers S (a GNTST_*, or a negative errno of the p2m) and does nothing
 *              again      short for status/-12, "try again"
 *              delay/US   it starts so much later; delays and answers may be combined for one step
 *              late/US    (map-*, unmap-*, p2m) it is done, and says so only so much later
 *              scribble   all its output fields hold rubbish afterwards
 *              offline, owned   (pool) the placeholder is marked offline, or still has a frame of its own
 *              form       (unmap-*) the address is given in the other form than at the map
 *              frame/F    (entry) the entry names frame F
 *
 * The same plan and seed give the same faults. "reader" starts a thread that reads all kernel aliases of the handle
 * for as long as it is open, as a kernel that walks its memory does. Used under the handle's lock.
 */
#ifndef XENBOX_KERNEL_FAULTS_H
#define XENBOX_KERNEL_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#define XB_ENV_FAULTS "XENBOX_FAULTS"

enum fault_step {
    FAULT_MAP_USER,
    FAULT_MAP_KERNEL,
    FAULT_UNMAP_USER,
    FAULT_UNMAP_KERNEL,
    FAULT_P2M,
    FAULT_POOL,
    FAULT_ENTRY,
    FAULT_NOTIFY,
    FAULT_ARGS,
    FAULT_SHOW,
    FAULT_MEMORY,
    FAULT_STEPS
};

/* What is to happen at a step. */
struct fault {
    bool has_status, scribble, is_offline, is_owned, other_form, has_frame;
    int64_t status;
    uint32_t frame;
    uint32_t late_us;
};

#define FAULT_ITEMS 16

struct faults {
    struct fault_item {
        enum fault_step step;
        uint32_t first, last; /* numbers; 0, 0: by chance */
        uint32_t percent;
        uint32_t delay_us;
        struct fault fault;
    } item[FAULT_ITEMS];
    unsigned items;
    uint32_t done[FAULT_STEPS];
    uint64_t seed;
    bool has_seed, has_reader;
};

/* An empty plan for NULL. -EINVAL: *bad is the item that is not understood. */
int faults_parse(struct faults *faults, const char *text, const char **bad);

/* The next step of that kind: sleeps as the plan says, and tells what else is to go wrong. */
struct fault faults_next(struct faults *faults, enum fault_step step);

/* The step is done: sleeps as the plan says. */
void fault_end(const struct fault *fault);

#endif
