// SPDX-License-Identifier: MIT
/*
 * client_box.h: the memory of a box in the address space of a client: mapped once for all handles of a
 * library, unmapped with the last of them. Any thread.
 */
#ifndef XENBOX_LIB_CLIENT_BOX_H
#define XENBOX_LIB_CLIENT_BOX_H

#include <stddef.h>

#include "xenbox/hv/layout.h"

struct client_box;

/*
 * The box with that tables memfd. Takes both descriptors, also in failure. -EPROTO: not tables that we know.
 */
int client_box_get(int tables_fd, int frames_fd, struct client_box **result);
void client_box_put(struct client_box *box);

/* Around fork(): the child must not inherit a lock that another thread holds. */
void client_box_fork_prepare(void);
void client_box_fork_done(void);
void client_box_fork_child(void); /* the same in the child */

struct xb_tables *client_box_tables(const struct client_box *box);
int client_box_frames_fd(const struct client_box *box);
uint8_t *client_box_frames(struct client_box *box);

/* See client_map_frames() and client_map_frame_at(). */
int client_box_map_at(struct client_box *box, uint32_t frame, int prot, void *address);
int client_box_map(struct client_box *box, const uint32_t *frames, size_t count, int prot, void **address);

#endif
