// SPDX-License-Identifier: MIT
/*
 * vif.h: the family of network devices, for toolstack.c.
 */
#ifndef XENSPLIT_BACKEND_NET_VIF_H
#define XENSPLIT_BACKEND_NET_VIF_H

#include "backend/device.h"

extern const struct device_family_ops vif_family_ops;

#endif
