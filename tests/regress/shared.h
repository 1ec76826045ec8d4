// SPDX-License-Identifier: MIT
/* shared.h: pages that the granter shares, each filled with its own pattern, for rows about mapping them. */
#ifndef TESTS_REGRESS_SHARED_H
#define TESTS_REGRESS_SHARED_H

#include "tests/regress/regress.h"

#define REFS_MAX 1024u

struct shared {
    xengntshr_handle *shr;
    uint8_t *pages;
    uint32_t count;
    uint32_t ref[REFS_MAX];
};

struct shared share(uint32_t count);

/* All of them in one call; NULL as it returns it. */
uint8_t *map_all(xengnttab_handle *tab, struct shared *shared, int prot);

/* Each mapped page is the granter's. */
void check_pages(const uint8_t *mapped, uint32_t first, uint32_t count);

/* Maps and unmaps once more: what failed before has left nothing that is in the way. */
void check_usable(xengnttab_handle *tab, struct shared *shared);

#endif
