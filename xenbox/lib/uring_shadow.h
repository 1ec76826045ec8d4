// SPDX-License-Identifier: MIT
/*
 * uring_shadow.h: what the replacement of liburing knows about a ring of the program: which files are registered
 * with it, and how many of its requests the box's kernel runs. Any thread.
 */
#ifndef XENBOX_LIB_URING_SHADOW_H
#define XENBOX_LIB_URING_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

struct uring_shadow;

/* That of a ring, made if there is none; NULL without memory. To be put. */
struct uring_shadow *shadow_get(int ring_fd);
void shadow_put(struct uring_shadow *shadow);

/* The program closes the ring: no completion goes there any more, and its files are let go. */
void shadow_forget(int ring_fd);

/* Files were registered at [offset, offset + count): -1 empties a place, -2 leaves it as it is. */
void shadow_set_files(int ring_fd, unsigned offset, const int *files, unsigned count);
void shadow_clear_files(int ring_fd);

/* A descriptor of a registered file, good until it is unregistered; -1: not known. */
int shadow_file(struct uring_shadow *shadow, unsigned index);

/* A request of the ring starts, or is over and has that completion for the program if it wants one. */
void shadow_begin(struct uring_shadow *shadow);
void shadow_complete(struct uring_shadow *shadow, uint64_t user_data, int result, uint32_t flags,
                     bool is_wanted, bool is_last);

/* Waits until no request of the ring is run by us. */
void shadow_drain(int ring_fd);

/* Is any request of any ring run by us? */
bool shadow_is_busy(void);

#endif
