// SPDX-License-Identifier: MIT
/*
 * tap_mark.h: which interfaces are ours, on record in the run directory. One that was made outlives a daemon that is
 * killed, so that the next one goes on with it; when the guest has died meanwhile nobody else would take it away.
 *
 * A mark is a file, named after the device, that holds the interface's index, its network namespace and, for readers,
 * the name that it had: a hotplug script may give it another (vifname= of a vif line), and an interface of the old name
 * which somebody else made is another one. Any thread, one at a time for a mark. Never logs.
 */
#ifndef XENSPLIT_BACKEND_PORT_TAP_MARK_H
#define XENSPLIT_BACKEND_PORT_TAP_MARK_H

#include <stdbool.h>
#include <stddef.h>

/* The interface is there, and goes when this process ends unless that is changed. 0 or negative errno. */
int tap_mark_write(const char *path, const char *name);
/* Is the mark there, and of this interface as it is now? */
bool tap_mark_is_of(const char *path, const char *name);
/* The name that the marked interface has now, in name[0..IFNAMSIZ); false: there is no mark, or no such interface. */
bool tap_mark_find(const char *path, char *name);
void tap_mark_remove(const char *path);
/*
 * Takes the marked interface away, if it is there and nobody uses it, and the mark. 1: it went, and its name is in
 * name[0..size); 0: there was none; negative errno: it stays, and so does the mark, but for -EBUSY: somebody uses it,
 * so that it is not ours any more.
 */
int tap_mark_sweep(const char *path, char *name, size_t size);

#endif
