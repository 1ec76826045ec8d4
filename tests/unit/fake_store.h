// SPDX-License-Identifier: MIT
/*
 * fake_store.h: libxenstore's functions and the two of libxenctrl that the daemon's device life uses, over a table
 * in this process. For unit tests of what happens in which order; permissions and quotas are the real store's.
 */
#ifndef XENSPLIT_TESTS_FAKE_STORE_H
#define XENSPLIT_TESTS_FAKE_STORE_H

#include <stdbool.h>
#include <stdint.h>

void fake_store_reset(void); /* empty, reachable, no domain but 0 */

/* What the others do. Paths are absolute. */
void fake_store_write(const char *path, const char *value);
void fake_store_remove(const char *path); /* with all below */
const char *fake_store_read(const char *path); /* NULL: no such node */

void fake_store_collide(unsigned int count); /* that many of the next commits fail with EAGAIN */
void fake_store_forget_names(bool is_on); /* xs_directory counts, and has no memory for the names */
void fake_store_cut(bool is_cut); /* the connection is lost, and cannot be made again until it is not cut */
unsigned int fake_store_reads(void); /* xs_read calls since the reset */
unsigned int fake_store_watches(void);
int fake_store_transactions(void); /* begun and not ended */

void fake_domain_set(uint16_t domid, uint8_t handle); /* 0: it is gone. Fires @releaseDomain then. */

#endif
