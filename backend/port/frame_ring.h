// SPDX-License-Identifier: MIT
/*
 * frame_ring.h: many reads or writes of frames with one system call. Where a system call costs more than a frame
 * does, that is most of what a port costs.
 *
 * A batch is collected, then run; when it has been run nothing is in flight and its buffers are the caller's again.
 * It runs in its order, without waiting: what would have to wait is -EAGAIN, as with plain calls, which do the work
 * where this kernel has no io_uring or will not use it on such a file. One a worker, shared by its ports. Owner's
 * thread only.
 */
#ifndef XENSPLIT_BACKEND_PORT_FRAME_RING_H
#define XENSPLIT_BACKEND_PORT_FRAME_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_RING_DEPTH 128u /* of a batch */

struct frame_ring;

/* The calling worker's; NULL: no memory. Each one is put once. */
struct frame_ring *frame_ring_get(void);
void frame_ring_put(void);

/*
 * One more of the batch, on a descriptor that does not block. The memory stays the caller's and as it is until the run.
 * Not when the batch has FRAME_RING_DEPTH already.
 */
void frame_ring_read(struct frame_ring *ring, int fd, void *bytes, uint32_t length_bytes);
void frame_ring_write(struct frame_ring *ring, int fd, void *bytes, uint32_t length_bytes);
unsigned int frame_ring_count(const struct frame_ring *ring);
/*
 * What read or write returned for each, or its negative errno, in their order; valid until the next one is
 * collected.
 */
const int32_t *frame_ring_run(struct frame_ring *ring);

/* For the tests: plain calls only, as if there were no io_uring. */
void frame_ring_use_plain_calls(struct frame_ring *ring);

#endif
