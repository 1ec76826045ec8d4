// SPDX-License-Identifier: MIT
/*
 * sweep.h: what a daemon that was killed has left of devices that are gone: records of what was in flight, and
 * interfaces. Its successor adopts what is there still; the rest is nobody's. Only files in the run directory, which is
 * locked, say what is to go, so nothing of another daemon's, or of anybody else's, is touched. Main thread.
 */
#ifndef XENSPLIT_BACKEND_SWEEP_H
#define XENSPLIT_BACKEND_SWEEP_H

struct device;

/* At the start, with a store: whatever belongs to a device that the store does not know. Logs what it takes away. */
void sweep_all(void);
/* The same of a device that goes now and that this process has never set up. */
void sweep_device(const struct device *device);

#endif
