// SPDX-License-Identifier: MIT
/* mode.h: the modes of a box (enum xb_mode) by their names. */
#ifndef XENBOX_HV_MODE_H
#define XENBOX_HV_MODE_H

#include "xenbox/hv/layout.h"

/* -ENOENT: there is no such mode. */
int mode_parse(const char *name, uint32_t *mode);

/* "?" for a mode that there is not. */
const char *mode_name(uint32_t mode);

#endif
