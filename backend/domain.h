// SPDX-License-Identifier: MIT
/*
 * domain.h: what libxenctrl says about a guest: whether it lives, and which one it is. A domid is used again
 * after a guest has died; its handle is not (catalogue F06). Main thread.
 */
#ifndef XENSPLIT_BACKEND_DOMAIN_H
#define XENSPLIT_BACKEND_DOMAIN_H

#include <stdint.h>

#define DOMAIN_HANDLE_BYTES 16

int domains_open(void); /* 0 or -errno */
void domains_close(void); /* safe twice */

/*
 * 0: it lives, and handle is its own. -ESRCH: there is no such domain, or it is dying. Another -errno: this
 * domain may not ask (a driver domain without that privilege), which is logged once.
 */
int domain_query(uint16_t domid, uint8_t handle[DOMAIN_HANDLE_BYTES]);

#endif
