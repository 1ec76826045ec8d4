// SPDX-License-Identifier: MIT
/*
 * store_ping.h: does the store answer at all? libxenstore waits for ever for a xenstored that is stopped or
 * hangs, so this is asked first, on a connection of its own.
 */
#ifndef XENBOX_CMD_STORE_PING_H
#define XENBOX_CMD_STORE_PING_H

#include "xenbox/cmd/box.h"

/* 0; -ETIMEDOUT; or another negative errno. */
int store_ping(const struct box *box, int timeout_ms);

#endif
