// SPDX-License-Identifier: MIT
/*
 * atoms.h: the steps on the shared tables that the libraries and the hypervisor process both make.
 *
 * Each is one atomic transition of layout.h's words or a piece of arithmetic on them; nothing here blocks,
 * sends or allocates. Callers have checked domid, ref and port against the limits.
 */
#ifndef XENBOX_HV_ATOMS_H
#define XENBOX_HV_ATOMS_H

#include <stdbool.h>

#include "xenbox/hv/layout.h"

/* Flags and domid of a version 1 entry as the one 32-bit word that is read, checked and exchanged. */
typedef uint32_t __attribute__((may_alias)) xb_grant_word;

#define XB_GRANT(flags, domid) ((uint32_t)(uint16_t)(flags) | (uint32_t)(domid) << 16)
#define XB_GRANT_DOMID(word) ((uint16_t)((word) >> 16))
#define XB_GRANT_IN_USE ((uint32_t)(GTF_reading | GTF_writing))

static inline uint32_t xb_grant_load(const grant_entry_v1_t *entry)
{
    return __atomic_load_n((const xb_grant_word *)entry, __ATOMIC_ACQUIRE);
}

static inline void xb_grant_store(grant_entry_v1_t *entry, uint32_t word)
{
    __atomic_store_n((xb_grant_word *)entry, word, __ATOMIC_RELEASE);
}

static inline bool xb_grant_exchange(grant_entry_v1_t *entry, uint32_t *expected, uint32_t word)
{
    return __atomic_compare_exchange_n((xb_grant_word *)entry, expected, word, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* May `mapper` use the entry this way? The word is one snapshot. */
static inline bool xb_grant_permits(uint32_t word, uint16_t mapper, bool is_readonly)
{
    if ((word & GTF_type_mask) != GTF_permit_access || (word & GTF_sub_page) ||
        XB_GRANT_DOMID(word) != mapper)
        return false;
    return is_readonly || !(word & GTF_readonly);
}

/* The in-use bits that these pin counts stand for. */
static inline uint32_t xb_pins_in_use(uint32_t pins_ro, uint32_t pins_rw)
{
    return (pins_ro || pins_rw ? (uint32_t)GTF_reading : 0) | (pins_rw ? (uint32_t)GTF_writing : 0);
}

#define XB_GRANT_TRIES                                                                                       \
    1000 /* to change a word whose owner changes it at the same time, before it is just written */

/* Makes the in-use bits of the entry what the pins say. The caller holds the entry's lock. */
static inline void xb_grant_show_pins(grant_entry_v1_t *entry, const struct xb_active *active)
{
    uint32_t in_use = xb_pins_in_use(active->pins_ro, active->pins_rw);
    uint32_t word = xb_grant_load(entry);

    for (int i = 0; (word & XB_GRANT_IN_USE) != in_use; i++) {
        if (xb_grant_exchange(entry, &word, (word & ~XB_GRANT_IN_USE) | in_use))
            return;
        if (i == XB_GRANT_TRIES)
            xb_grant_store(entry, word = (word & ~XB_GRANT_IN_USE) | in_use);
    }
}

/* Bug B34: the bits are set before it is known whether the map may be done, and stay when it may not. */
static inline void xb_grant_mark_early(grant_entry_v1_t *entry)
{
    uint32_t word = xb_grant_load(entry);

    while ((word & GTF_type_mask) == GTF_permit_access &&
           !xb_grant_exchange(entry, &word, word | XB_GRANT_IN_USE)) {
    }
}

static inline bool xb_active_trylock(struct xb_active *active, uint32_t conn)
{
    uint32_t expected = 0;

    return atomic_compare_exchange_strong(&active->lock, &expected, conn);
}

/*
 * An event for a port: returns the sink to write the port number to, or 0 when nothing is to be written
 * (nobody listens, or the listener has it masked; then it is pending). The caller must have `sink_wanted` at
 * hand, the listener that it read before; another listener by now: returns that one with *is_stale set, to be
 * tried again.
 */
static inline uint32_t xb_port_raise(struct xb_port *port, uint32_t sink_wanted, bool *is_stale)
{
    uint64_t word = atomic_load(&port->word);

    *is_stale = false;
    for (;;) {
        uint32_t sink = XB_WORD_CONN(word);

        if (!sink || (word & XB_PORT_MASKED)) {
            if (atomic_compare_exchange_weak(&port->word, &word, word | XB_PORT_PENDING))
                return 0;
        } else if (sink != sink_wanted) {
            *is_stale = true;
            return sink;
        } else if (atomic_compare_exchange_weak(&port->word, &word,
                                                (word & ~XB_PORT_PENDING) | XB_PORT_MASKED)) {
            return sink;
        }
    }
}

/* The listener is ready for the next event: true when one is pending, and must be written to it again. */
static inline bool xb_port_unmask(struct xb_port *port, uint32_t sink)
{
    uint64_t word = atomic_load(&port->word);

    for (;;) {
        if (XB_WORD_CONN(word) != sink || !(word & (XB_PORT_MASKED | XB_PORT_PENDING)))
            return false;
        if (word & XB_PORT_PENDING) {
            if (atomic_compare_exchange_weak(&port->word, &word, (word & ~XB_PORT_PENDING) | XB_PORT_MASKED))
                return true;
        } else if (atomic_compare_exchange_weak(&port->word, &word, word & ~XB_PORT_MASKED)) {
            return false;
        }
    }
}

#endif
