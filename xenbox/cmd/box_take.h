// SPDX-License-Identifier: MIT
/*
 * box_take.h: what most commands start with: the box that the person chose has to be up. These functions
 * return an exit code, and have said what is wrong when it is not CMD_OK.
 */
#ifndef XENBOX_CMD_BOX_TAKE_H
#define XENBOX_CMD_BOX_TAKE_H

#include <stdint.h>

#include "xenbox/cmd/box.h"
#include "xenbox/cmd/hv.h"

/* The box of -b, $XENBOX or the default name, up or broken. */
int box_take(struct box *box);
/* The same, and all its parts live. */
int box_take_whole(struct box *box);
/* The box, and a guest of it by number or name. */
int box_take_guest(struct box *box, const char *domain, uint16_t *domid);
/* The box, and a connection to its hypervisor process, to be closed. */
int box_take_hv(struct box *box, struct hv *hv);

#endif
