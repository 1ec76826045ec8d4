// SPDX-License-Identifier: MIT
/*
 * user_address.h: the one place where a pinned page becomes the address that I/O on it uses. Any thread.
 */
#ifndef XENBOX_KERNEL_USER_ADDRESS_H
#define XENBOX_KERNEL_USER_ADDRESS_H

#include "xenbox/kernel/user_pages.h"

/* The address is good until the mapping has been released, also when the program has unmapped it meanwhile. */
uintptr_t user_page_address(const struct user_mapping *mapping, uint32_t page);

#endif
