// SPDX-License-Identifier: MIT
/*
 * user_address.c: see user_address.h. In an autotranslated domain a page has one view: what the program sees is
 * what its kernel and its devices see.
 */
#include <config.h>

#include "xenbox/kernel/user_address.h"

uintptr_t user_page_address(const struct user_mapping *mapping, uint32_t page)
{
    return mapping->address + (uintptr_t)page * XB_FRAME_SIZE;
}
