// SPDX-License-Identifier: MIT
/*
 * grant_budget.h: how many pages of guests may be kept mapped, and whose. Pages that are mapped stay so as long as
 * their device is connected, so what one guest takes no other one will get: a guest has at most its share, and the
 * last quarter of the budget is for guests that have less than GRANT_BUDGET_FLOOR pages.
 *
 * Any thread; without locks.
 */
#ifndef XENSPLIT_BACKEND_GRANT_BUDGET_H
#define XENSPLIT_BACKEND_GRANT_BUDGET_H

#include <stdint.h>

/* Of all rings together, unless told otherwise: each page may take a mapping of its own, of about 65,500. */
#define GRANT_BUDGET_PAGES 32768u
/* What one ring without indirect segments needs: 32 requests of 11 pages. */
#define GRANT_BUDGET_FLOOR 352u

enum grant_limit { GRANT_LIMIT_NONE, GRANT_LIMIT_GUEST, GRANT_LIMIT_ALL };

/* share: of one guest; 0: a quarter of all, or the floor where that is more. Before anything is taken. */
void grant_budget_set(uint32_t pages, uint32_t share);
uint32_t grant_budget_share(void);
uint32_t grant_budget_pages(void);

/* As many of count pages as the domain may have; *limit: what it was that it may not have more. */
uint32_t grant_budget_take(uint16_t domid, uint32_t count, enum grant_limit *limit);
void grant_budget_give(uint16_t domid, uint32_t count);

#endif
