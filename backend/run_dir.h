// SPDX-License-Identifier: MIT
/*
 * run_dir.h: the daemon's directory. Whoever holds its lock is the one daemon of this domain; a daemon that was
 * killed leaves no lock behind, only the records of what was in flight. Main thread, but where it says otherwise.
 */
#ifndef XENSPLIT_BACKEND_RUN_DIR_H
#define XENSPLIT_BACKEND_RUN_DIR_H

/* Makes the directory if need be (mode 0700; its parent exists) and locks it. Logs errors. 0 or -errno. */
int run_dir_lock(const char *path);
void run_dir_unlock(void); /* safe twice */
/* Makes the directory that the file of this path lies in, on demand: a run directory may be swept. Any thread. */
void run_dir_make_parent(const char *path);

#endif
