// SPDX-License-Identifier: MIT
/*
 * fake_hyper.h: libxengnttab's sharing half and libxenevtchn within this process, for unit tests of a frontend: the
 * test is the other domain. A page is found by its reference, an event by a counter.
 */
#ifndef XENSPLIT_TESTS_FAKE_HYPER_H
#define XENSPLIT_TESTS_FAKE_HYPER_H

#include <stdbool.h>
#include <stdint.h>

void fake_hyper_reset(void); /* nothing is shared, no port is bound, no limit */
void fake_hyper_limit(uint32_t pages); /* more cannot be shared: ENOSPC */

void *fake_page(uint32_t ref); /* NULL: not shared (any more) */
uint32_t fake_pages(void); /* shared now */
void fake_event(void); /* the other end notifies the bound port */
unsigned int fake_kicks(void); /* notifications that came out, since the reset */
unsigned int fake_deliveries(void); /* events that were taken */
bool fake_port_is_bound(void);
bool fake_port_is_masked(void);

#endif
