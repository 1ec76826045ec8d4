// SPDX-License-Identifier: MIT
/*
 * vbd.h: the family of block devices.
 */
#ifndef XENSPLIT_BACKEND_BLK_VBD_H
#define XENSPLIT_BACKEND_BLK_VBD_H

#include "backend/device.h"

extern const struct device_family_ops vbd_family_ops;

#endif
