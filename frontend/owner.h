// SPDX-License-Identifier: MIT
/*
 * owner.h: who uses a device, in a form that stands in the store and can be checked by another process of the
 * same domain: process id, its start time and the kernel's boot id, so that a number that was given out again
 * is not taken for the old process.
 */
#ifndef XENSPLIT_FRONTEND_OWNER_H
#define XENSPLIT_FRONTEND_OWNER_H

#include <stdbool.h>
#include <stddef.h>

int owner_print(char *buf, size_t size); /* of the calling process; 0 or a negative errno */
bool owner_is_alive(const char *text); /* false for anything that owner_print() did not write */
int owner_pid(const char *text);

#endif
