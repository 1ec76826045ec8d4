// SPDX-License-Identifier: MIT
/*
 * slot.h: what a family keeps of a device while nobody is connected to it. Release is not destruction: when a
 * device is closed, reset or detached, its memory goes back to its slot as it stands, and the next connect of the
 * same device of the same guest finds it there. It is freed when the guest is gone, and not before: nothing that a
 * guest does, however often, makes the daemon allocate or free. Main thread.
 */
#ifndef XENSPLIT_BACKEND_SLOT_H
#define XENSPLIT_BACKEND_SLOT_H

#include <stddef.h>

struct device;

/* Frees what the memory refers to; the memory itself is slot.c's. */
typedef void slot_destroy_fn(void *memory);

/*
 * The device's slot: bytes of memory, zeroed when it is new, else as it was released. NULL: no memory. A device has
 * one at a time.
 */
void *slot_take(const struct device *device, size_t bytes, slot_destroy_fn *destroy);
/* Nothing uses the memory any more, on any thread. It is destroyed at once when its guest is gone. NULL is fine. */
void slot_release(void *memory);
/* Some domain has ended: destroys the slots that were its own and are not taken. */
void slots_check(void);
/* All; none may be taken. Safe twice. */
void slots_stop(void);
/* How many there are, taken or not. */
size_t slots_count(void);

#endif
