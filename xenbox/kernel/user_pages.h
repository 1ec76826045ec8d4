// SPDX-License-Identifier: MIT
/*
 * user_pages.h: the granted pages that this process has mapped, and the I/O that refers to them.
 *
 * What a kernel does in get_user_pages(): an address of the program becomes a page with one more reference, and
 * whoever took the reference forgets the address. The registry is the process's: the library that maps grants
 * (libxengnttab) adds to it, those that submit I/O (libaio, liburing) look up in it, so it lives in a library of
 * its own. References are counted in the map records, too, where the hypervisor process finds them when this
 * process dies.
 *
 * All functions may be called from any thread. A forked child has no mapping: its registry is empty.
 */
#ifndef XENBOX_KERNEL_USER_PAGES_H
#define XENBOX_KERNEL_USER_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "xenbox/hv/layout.h"

#define USER_PAGES_EXPORT __attribute__((visibility("default")))

struct user_mapping;

/* What whoever mapped the pages does for it. No lock of the registry is held. */
struct user_mapping_ops {
    /* The last I/O reference is gone, after user_mapping_remove() said that there was one. */
    void (*release)(struct user_mapping *mapping);
    /*
     * A page has been pinned: the address that I/O on it uses; 0: it cannot be reached. Given back at the unpin. NULL:
     * I/O uses the program's own address.
     */
    uintptr_t (*page_address)(struct user_mapping *mapping, uint32_t page);
    void (*page_address_put)(struct user_mapping *mapping, uint32_t page, uintptr_t address);
    /* The program has unmapped these pages without a call of the library. Others of the mapping may stay. */
    void (*pages_gone)(struct user_mapping *mapping, uint32_t first, uint32_t pages);
    /* The program's own address does as well, unless a request may start when the mapping is gone. */
    bool is_alias_enough;
};

/* One map call. It belongs to the caller of user_mapping_add(), and stays where it is until it is released. */
struct user_mapping {
    uintptr_t address;
    uint32_t pages;
    bool is_readonly;
    uint16_t domid; /* the domain of this process */
    bool is_tainted; /* its pages were broken by an earlier unmap under I/O: no direct I/O (--punish) */
    struct xb_tables *tables;
    const uint32_t *map; /* index of the map record of each page */
    const struct user_mapping_ops *ops;
    const uint8_t *is_gone; /* of each page; NULL: all are there */
    /* The rest is the registry's. */
    uint32_t io_refs;
    bool is_leaving;
};

/* From here on I/O finds it. -ENOMEM. */
USER_PAGES_EXPORT int user_mapping_add(struct user_mapping *mapping);

/*
 * From here on no I/O finds it. Never waits. True: nothing refers to it. False: I/O does, and release() is called
 * when that is over, maybe before this function has returned.
 */
USER_PAGES_EXPORT bool user_mapping_remove(struct user_mapping *mapping);

/* For bug H03: waits until no I/O refers to it. */
USER_PAGES_EXPORT void user_mapping_wait(struct user_mapping *mapping);

struct user_pages; /* references to the granted pages of a buffer */

/*
 * Takes a reference to each granted page that the buffers touch; *pins is NULL when there is none, and that is
 * found out quickly. `is_write`: the I/O writes into the memory. `kind`: XB_IO_AIO or XB_IO_URING. -EFAULT: the
 * pages are mapped read-only. -ENOMEM: no memory, or a box that was punished.
 */
USER_PAGES_EXPORT int user_pages_pin(const struct iovec *buffers, unsigned count, bool is_write,
                                     enum xb_io_kind kind, struct user_pages **pins);
USER_PAGES_EXPORT void user_pages_unpin(struct user_pages *pins);

/* Is the switch on in the box that the pages are mapped in? */
USER_PAGES_EXPORT bool user_pages_have_bug(const struct user_pages *pins, unsigned bug);

/* Has this process any granted mapping at all? */
USER_PAGES_EXPORT bool user_pages_any(void);

/*
 * The lowest mapping that overlaps [from, to), with a reference that keeps it; NULL. user_mapping_put() gives it back,
 * and may release it.
 */
USER_PAGES_EXPORT struct user_mapping *user_mapping_get(uintptr_t from, uintptr_t to);
USER_PAGES_EXPORT void user_mapping_put(struct user_mapping *mapping);

/* May any of these bytes be granted memory? Only "no" is certain; this is what ordinary I/O costs. */
USER_PAGES_EXPORT bool user_pages_may_touch(const void *address, size_t bytes);

/* Does any of these bytes lie in a granted mapping? */
USER_PAGES_EXPORT bool user_pages_touch(const void *address, size_t bytes);

/*
 * Who submits I/O and only finds out that it is over when it looks says here how to look. It is asked before a
 * mapping is removed, and again and again by a thread while I/O keeps a mapping that was.
 */
USER_PAGES_EXPORT void user_pages_set_settle(void (*settle)(void));
USER_PAGES_EXPORT void user_pages_settle(void);

/*
 * Where I/O on pinned buffers really goes: the buffers again, cut where pages are not neighbours. Returns their
 * number, or -E2BIG for more than `room`.
 */
USER_PAGES_EXPORT int user_pages_translate(const struct user_pages *pins, const struct iovec *buffers,
                                           unsigned count, struct iovec *pieces, unsigned room);

#endif
