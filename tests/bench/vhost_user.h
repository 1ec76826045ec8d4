// SPDX-License-Identifier: MIT
/*
 * vhost_user.h: the frontend's side of the vhost-user protocol, as much of it as a benchmark of one queue needs:
 * one memory region, one split virtqueue, EVENT_IDX. The specification is QEMU's docs/interop/vhost-user.
 */
#ifndef XENSPLIT_TESTS_BENCH_VHOST_USER_H
#define XENSPLIT_TESTS_BENCH_VHOST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

struct vhost_user {
    int socket;
    uint64_t features; /* agreed */
    char *memory; /* shared with the backend; guest physical address 0 */
    size_t memory_bytes;
    struct vring vring; /* at the start of memory */
    int kick; /* eventfd: frontend to backend */
    int call; /* eventfd: backend to frontend */
};

/* Ends the program with a message when anything goes wrong. vring_slots: a power of two. */
void vhost_user_connect(struct vhost_user *device, const char *path, uint64_t wanted_features);
void vhost_user_get_config(struct vhost_user *device, void *config, uint32_t size);
void vhost_user_start(struct vhost_user *device, size_t memory_bytes, unsigned int vring_slots);

#endif
