// SPDX-License-Identifier: MIT
/*
 * domain.h: the domains of a box, from creation to the last trace.
 *
 * Functions return 0 or a domid, or a negative errno as Xen would: -ESRCH no such domain, -EEXIST domid in
 * use, -EINVAL the domid cannot be had or the state does not allow it, -ENOMEM.
 */
#ifndef XENBOX_HV_DOMAIN_H
#define XENBOX_HV_DOMAIN_H

#include "xenbox/hv/box.h"

/* Makes domain 0. Called once, on a new box. */
int domain_create_zero(struct box *box);

/*
 * Makes a guest with its store ring (grant ref 1), its console ring (ref 2) and a port for each, granted to
 * and waiting for domain 0.
 */
int domain_create(struct box *box, const struct xb_domain_create *create);

int domain_pause(struct box *box, uint16_t domid);
int domain_unpause(struct box *box, uint16_t domid);

/* The domain stopped by itself, or crashed: SHUTDOWN_*. Its tables and its processes stay. */
int domain_shutdown(struct box *box, uint16_t domid, uint32_t reason);

/*
 * Kills its processes and closes its ports. It stays a zombie (XB_DOMAIN_DYING) until they are gone and
 * nobody maps its frames any more; VIRQ_DOM_EXC is raised now and then.
 */
int domain_destroy(struct box *box, uint16_t domid);

/* A domain that is there and not dying, or NULL. Any number may be asked. */
struct domain *domain_find(struct box *box, uint32_t domid);

/* Something of a dying domain went away: was it the last thing? Of any other domain: nothing happens. */
void domain_settle(struct box *box, uint16_t domid);

#endif
