// SPDX-License-Identifier: MIT
/*
 * box.h: where a box lives and whether it is alive. A box is a directory; its supervisor holds a POSIX record
 * lock on the file `lock` in it for as long as the box is up. The kernel knows the holder's pid and drops the
 * lock however the holder ends, so that a crashed box is told from a living one without guessing.
 */
#ifndef XENBOX_CMD_BOX_H
#define XENBOX_CMD_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BOX_NAME_MAX 63
#define BOX_SOCKET_MAX 108 /* sun_path */
#define BOX_DIR_MAX (BOX_SOCKET_MAX - sizeof("/store/socket")) /* the longest name of a socket in a box */
#define BOX_PATH_MAX 192 /* of any file in a box */

#define BOX_LOCK "lock" /* in the box's directory */
#define BOX_LOCK_MARK "xenbox\n" /* what is in it: a directory with this may be cleared */

#define BOX_DEFAULT_NAME "default"
#define BOX_ENV_HOME "XENBOX_HOME"

struct box {
    char name[BOX_NAME_MAX + 1];
    char dir[BOX_SOCKET_MAX]; /* at most BOX_DIR_MAX characters */
};

enum box_state {
    BOX_ABSENT, /* no such directory */
    BOX_FOREIGN, /* a directory that is no box */
    BOX_CRASHED, /* nobody holds the lock */
    BOX_STARTING, /* its supervisor is at work; it is not ready */
    BOX_UP,
    BOX_BROKEN, /* up, but a part of it has died */
};

/* What the supervisor tells the world, in the file box.json. */
struct box_status {
    enum box_state state;
    pid_t supervisor; /* of the lock; 0 when nobody holds it */
    pid_t hv;
    pid_t xenstored;
    pid_t xenbus;
    dev_t tables_dev; /* identity of the shared memory, to find who maps it */
    ino_t tables_ino;
    bool is_of_this_boot; /* otherwise the identity means nothing any more */
    char mapping[16];
    char failure[256]; /* why it is broken or crashed, if that was seen */
};

/*
 * Finds the box that a person means: a name, a directory (has a '/'), or NULL for $XENBOX, else "default".
 * The box need not exist. 0, or negative errno after a message.
 */
int box_find(struct box *box, const char *which);

/* How a person names it on the command line: by its name if that is enough, else by its directory. */
const char *box_reference(const struct box *box);

/* The parent directory of boxes that are given by name. */
int box_home(char *home, size_t size);

/* A path in the box's directory. Cannot be too long for a known name: box_find has checked. */
void box_path(const struct box *box, const char *name, char path[BOX_PATH_MAX]);
/* The socket of domid's connection to the store. */
void box_store_path(const struct box *box, uint16_t domid, char path[BOX_PATH_MAX]);

void box_probe(const struct box *box, struct box_status *status);
const char *box_state_name(enum box_state state);

/*
 * Keeps other commands from doing the same in this box at the same time, until the descriptor is closed. The
 * supervisor's lock is of another sort. A descriptor or negative errno.
 */
int box_take_turn(const struct box *box);

/* The lock file, opened read-write: whether it has our mark, and who holds it (0: nobody). */
bool box_lock_is_marked(int lock);
pid_t box_lock_holder(int lock);

/* Calls fn for each box in the home directory, in the order of names. Returns the sum of what fn returned. */
int box_for_each(int (*fn)(const struct box *box, const struct box_status *status, void *arg), void *arg);

#endif
