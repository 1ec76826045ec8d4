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
    BUG(A01, "a kernel alias can only be mapped by the thread that first mapped one there")                  \
    BUG(A02, "an unmap of what is not mapped crashes")                                                       \
    BUG(A03, "without an array for kernel aliases there is an operation for each page but the first")        \
    BUG(A04, "a kernel alias that could not be mapped is taken for mapped")                                  \
    BUG(A05, "two temporary kernel aliases of a page share one record, and the first is lost")               \
    BUG(A06, "what a placeholder was before is kept in a field that the hypervisor writes")                  \
    BUG(A07, "a kernel alias is mapped by a batch that is flushed after its unmap")                          \
    BUG(A08, "with a grant to oneself I/O waits for the granter's locked page")                              \
    BUG(A09, "a page of our own stops counting as shared with the first of its mappings")                    \
    BUG(A10, "I/O takes whatever page has the frame, not the one at the address")                            \
    BUG(A11, "a frame number from a grant entry is used unchecked")                                          \
    BUG(A12, "what the m2p says of a foreign frame is believed")                                             \
    BUG(A13, "the p2m still names the placeholder's own page")                                               \
    BUG(A14, "a kernel alias is empty for a moment when it is unmapped")                                     \
    BUG(A15, "an unmap takes its parameters from the arguments of the map")                                  \
    BUG(A16, "a mapping is visible to I/O before its pages are marked as granted")                           \
    BUG(A17, "pages with a user alias have no override")                                                     \
    BUG(A18, "statuses behind the first failure of a batch are not looked at")                               \
    BUG(A19, "a page whose p2m could not be set stays mapped")                                               \
    BUG(A20, "a page that has a frame is used as a placeholder")                                             \
    BUG(A21, "closing a handle forgets its mappings, and the pages stay visible")                            \
    BUG(A22, "a forked child inherits the pages")                                                            \
    BUG(A23, "the kernel alias of a page whose user alias failed is forgotten")                              \
    BUG(A24, "an undo stops at a page that was never mapped")                                                \
    BUG(A25, "pages of a mapping are counted from where its address space begins now")                       \
    BUG(A26, "an unmap with holes misses a page behind each")                                                \
    BUG(A27, "a read-only mapping may ask for a byte to be cleared")                                         \
    BUG(A28, "an unmap is notified before it is done")                                                       \
    BUG(A30, "what a domain may have mapped is counted for each of its handles")                             \
    BUG(A31, "a page that was set aside is used as a placeholder")                                           \
    BUG(A33, "the mappings of a killed process stay")                                                        \
    BUG(A34, "an unmap in another form than the map drops the pin and leaves the alias")                     \
    BUG(A35, "the address of an alias loses its upper half")                                                 \
    BUG(A36, "an unmap counts in pages of 64 KiB")                                                           \
    BUG(A37, "a map call takes its first ref for all")                                                       \
    BUG(A38, "an offset of -1 asks for a byte to be cleared")                                                \
    BUG(A39, "the answer \"try again\" is a failure")                                                        \
    BUG(A40, "a page that is still mapped is used again")                                                    \
    BUG(A41, "a copy may reach past the end of a granted page")                                              \
    BUG(B04, "an operation on grants of a domain that has none yet crashes")                                 \
    BUG(B05, "the in-use bits are cleared by the first of several unmaps")                                   \
    BUG(B08, "an unmap also drops a pin of the other kind")                                                  \
    BUG(B09, "whoever asks for a read-only mapping gets a writable one")                                     \
    BUG(B10, "the pin of a read-only mapping is never dropped")                                              \
    BUG(B11, "an unmap that is refused clears the in-use bits all the same")                                 \
    BUG(B13, "a map record that was taken from the free ones is handed out again")                           \
    BUG(B14, "a grant copy clears the in-use bits of its entry")                                             \
    BUG(B16, "a grant copy lets go of the page before it is done with it")                                   \
    BUG(B20, "the status of a failed copy is 1")                                                             \
    BUG(B21, "a copy that fails ends its batch, and the statuses behind it stay unset")                      \
    BUG(B25, "an unmap that is refused drops a pin")                                                         \
    BUG(B28, "a frame is taken from the shared entry, whatever was granted")                                 \
    BUG(B31, "an entry of any type is mapped")                                                               \
    BUG(B32, "the unmap of a grant to oneself takes the page out of the entry")                              \
    BUG(B33, "a mapping of a page that was mapped already is returned before it can be used")                \
    BUG(B34, "a map that is refused leaves the in-use bits of the grant entry set")                          \
    BUG(B35, "the flags and the domain of an entry are read one after the other")                            \
    BUG(B36, "a grant copy into a read-only grant is carried out")                                           \
    BUG(B38, "a grant copy of no bytes fails if its other fields are wrong")                                 \
    BUG(B39, "the mappings of a page are counted in one of two counters only")                               \
    BUG(B41, "map records that lie free in one handle are missing in another")                               \
    BUG(B42, "the in-use bits are cleared while threads still see the page")                                 \
    BUG(B43, "no more than 32 frames of a grant table can be mapped at once")                                \
    BUG(H01, "an unmap drops pins without a look at who refers to the pages")                                \
    BUG(H03, "an unmap waits until no I/O refers to the pages")                                              \
    BUG(H04, "an unmap under I/O can be begun a second time")                                                \
    BUG(H05, "closing a handle forgets its unmaps that are under way")                                       \
    BUG(H06, "there are no page objects for mapped pages: I/O on them fails")                                \
    BUG(H07, "the kernel alias shows the placeholder: there is no override")                                 \
    BUG(H08, "an unmapped page is let go when the first request on it is over")                              \
    BUG(H09, "the end of a mapping under I/O is said before the I/O is over")                                \
    BUG(H12, "a page of a file is not marked as written to by a grant copy, and forgotten")                  \
    BUG(H14, "neighbouring pages of a request are taken for adjacent ones")                                  \
    BUG(H15, "a request that came back short keeps its pages")

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
