// SPDX-License-Identifier: MIT
/* user_munmap.c: see user_munmap.h. */
#include <config.h>

#include <sys/syscall.h>
#include <unistd.h>

#include "xenbox/kernel/user_munmap.h"

int user_munmap(void *address, size_t bytes)
{
    uintptr_t from = (uintptr_t)address, to = from + bytes, start, end, next;
    struct user_mapping *mapping;

    to = (to + XB_FRAME_SIZE - 1) / XB_FRAME_SIZE * XB_FRAME_SIZE;
    for (; from % XB_FRAME_SIZE == 0 && from < to && user_pages_may_touch((void *)from, to - from);
         from = next) {
        mapping = user_mapping_get(from, to);
        if (!mapping)
            break;
        start = mapping->address > from ? mapping->address : from;
        end = mapping->address + (uintptr_t)mapping->pages * XB_FRAME_SIZE;
        next = end < to ? end : to;
        if (start > from)
            syscall(SYS_munmap, from, start - from);
        mapping->ops->pages_gone(mapping, (uint32_t)((start - mapping->address) / XB_FRAME_SIZE),
                                 (uint32_t)((next - start) / XB_FRAME_SIZE));
        user_mapping_put(mapping);
        if (next == to)
            return 0;
    }
    return (int)syscall(SYS_munmap, from, to - from);
}
