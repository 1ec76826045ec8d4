// SPDX-License-Identifier: MIT
/*
 * quiet.h: a logger for Xen's libraries that says nothing. By default they print to standard error when a call
 * fails, which is not for a library to do: the caller gets the errno and a sentence of ours.
 */
#ifndef XENSPLIT_FRONTEND_QUIET_H
#define XENSPLIT_FRONTEND_QUIET_H

#include <xentoollog.h>

extern struct xentoollog_logger quiet_logger;

#endif
