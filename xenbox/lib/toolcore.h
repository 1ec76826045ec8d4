// SPDX-License-Identifier: MIT
/*
 * toolcore.h: the part of libxentoolcore's ABI that the Xen libraries use among themselves. Debian does not
 * ship its header. A registered handle is restricted, with all others, by xentoolcore_restrict_all().
 */
#ifndef XENBOX_LIB_TOOLCORE_H
#define XENBOX_LIB_TOOLCORE_H

#include <xentoolcore.h>

typedef struct Xentoolcore__Active_Handle Xentoolcore__Active_Handle;

struct Xentoolcore__Active_Handle {
    int (*restrict_callback)(Xentoolcore__Active_Handle *handle, domid_t domid);
    struct {
        Xentoolcore__Active_Handle *next, **prev;
    } entry; /* libxentoolcore's */
};

void xentoolcore__register_active_handle(Xentoolcore__Active_Handle *handle);
void xentoolcore__deregister_active_handle(Xentoolcore__Active_Handle *handle);

#endif
