// SPDX-License-Identifier: MIT
/*
 * tap.h: a TAP device of the kernel, in the network namespace of the caller, with a virtio_net_hdr in front of each
 * packet. It goes when its descriptor is closed.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_TAP_H
#define XENSPLIT_FRONTEND_TOOLS_TAP_H

#include <stdbool.h>
#include <stdint.h>
#include <net/if.h>

struct tap {
    int fd; /* not blocking */
    char name[IFNAMSIZ];
};

/* What the kernel may leave to us. */
struct tap_offloads {
    bool has_csum;
    bool has_tso4, has_tso6;
};

/* name may hold a "%d". 0 or a negative errno, with a message on standard error. */
int tap_open(struct tap *tap, const char *name, const struct tap_offloads *offloads);
/* Address (NULL: the kernel's choice), MTU, and up. As above. */
int tap_configure(const struct tap *tap, const uint8_t *mac, uint32_t mtu);
void tap_set_link(const struct tap *tap, bool is_up);
void tap_close(struct tap *tap);

#endif
