// SPDX-License-Identifier: MIT
/*
 * override.h: from a frame of somebody else to the placeholder page that stands for it here.
 *
 * The machine's m2p names one pfn a frame, the owner's; what this kernel put in its place when it mapped a grant is
 * in this hash. A frame may be mapped several times, so it has as many overrides. The hash is the process's, as its
 * kernel aliases are. Any thread may call.
 */
#ifndef XENBOX_KERNEL_OVERRIDE_H
#define XENBOX_KERNEL_OVERRIDE_H

#include <stdbool.h>
#include <stdint.h>

/* It lives with the mapping of the page. */
struct override {
    struct override *next;
    const void *tables; /* of which box */
    uint32_t frame;
    uint32_t page; /* index of the placeholder's page struct */
    uintptr_t address; /* of the user alias */
};

void override_add(struct override *override);
void override_remove(struct override *override);

/* The placeholder of the alias at `address`, or with address 0 any of that frame. False: there is none. */
bool override_find(const void *tables, uint32_t frame, uintptr_t address, uint32_t *page);

#endif
