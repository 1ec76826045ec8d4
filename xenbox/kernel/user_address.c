// SPDX-License-Identifier: MIT
/*
 * user_address.c: see user_address.h. In an autotranslated domain a page has one view: what the program sees is
 * what its kernel and its devices see. A request that
 * starts late goes through the mapping of all frames, as through a kernel's own.
 */
#include <config.h>

#include "xenbox/kernel/user_address.h"

uintptr_t user_page_address(const struct user_mapping *mapping, uint32_t page)
{
    uint32_t index = mapping->map[page];

    if (mapping->frames)
        return (uintptr_t)mapping->frames +
               (uintptr_t)mapping->tables->map[index / XB_CHUNK_MAPS][index % XB_CHUNK_MAPS].frame *
                   XB_FRAME_SIZE;
    return mapping->address + (uintptr_t)page * XB_FRAME_SIZE;
}
