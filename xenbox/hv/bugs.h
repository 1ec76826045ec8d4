// SPDX-License-Identifier: MIT
/*
 * bugs.h: historic faults that `xenbox up --bug ID` brings back, one by one.
 *
 * A switch changes how the model behaves and nothing else: a test sees it by what a call returns, by what a page
 * holds, and by `xenbox check`. Each is named after its row of the catalogue, and tests/regress/ has a test of
 * that name which must turn red by it (`make prove-regress`).
 *
 * To add one: a line here, and bug_is_on(tables, BUG_X) where the right thing is done.
 */
#ifndef XENBOX_HV_BUGS_H
#define XENBOX_HV_BUGS_H

#include <stdbool.h>
#include <stddef.h>

#include "xenbox/hv/layout.h"

/* BUG(id, what comes back), sorted by id. */
#define XB_BUGS(BUG)                                                                                         \
    BUG(B34, "a map that is refused leaves the in-use bits of the grant entry set")                          \
    BUG(B36, "a grant copy into a read-only grant is carried out")                                           \
    BUG(B38, "a grant copy of no bytes fails if its other fields are wrong")

#define XB_BUG_ENUM(id, text) BUG_##id,
enum bug { XB_BUGS(XB_BUG_ENUM) BUG_COUNT };
#undef XB_BUG_ENUM

_Static_assert(BUG_COUNT <= XB_BUG_WORDS * 64, "room in the tables");

static inline bool bug_is_on(const struct xb_tables *tables, enum bug bug)
{
    return tables->bugs[bug / 64] >> (bug % 64) & 1;
}

/* The id and the sentence of a bug; NULL past the last one. */
const char *bug_id(size_t bug);
const char *bug_text(size_t bug);

/*
 * Sets the bits of "ID[,ID...]" in words[XB_BUG_WORDS]. -ENOENT: there is no such bug, *unknown says where it
 * starts and unknown_length how long it is.
 */
int bugs_parse(const char *text, uint64_t *words, const char **unknown, int *unknown_length);

#endif
