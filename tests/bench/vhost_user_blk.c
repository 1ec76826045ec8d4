// SPDX-License-Identifier: MIT
/*
 * vhost_user_blk.c: the client for qemu-storage-daemon's vhost-user-blk export: the same loop as `xenfront blk
 * bench` has over a blkif ring. A request is a chain of three descriptors (header, data, status).
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_blk.h>

#include "tests/bench/bench.h"
#include "tests/bench/vhost_user.h"

#define CHAIN 3u
#define VIRTIO_F_VERSION_1_BIT 32
#define HEADERS_OFFSET (256u << 10) /* in the shared memory, behind the virtqueue */
#define DATA_OFFSET (1u << 20)

struct request { /* in shared memory, one cache line */
    struct virtio_blk_outhdr header;
    uint8_t status;
    uint8_t padding[64 - sizeof(struct virtio_blk_outhdr) - 1];
};

struct client {
    struct vhost_user device;
    const struct bench_options *options;
    struct bench_result *result;
    struct request *request;
    uint64_t started_ns[BENCH_DEPTH_MAX];
    uint64_t blocks;
    uint64_t seed;
    uint16_t avail; /* next to fill */
    uint16_t used; /* next to see */
    bool has_event_idx;
};

static uint16_t load_u16(const uint16_t *field)
{
    return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

static void store_u16(uint16_t *field, uint16_t value)
{
    __atomic_store_n(field, value, __ATOMIC_RELEASE);
}

static void client_start(struct client *client)
{
    uint32_t depth = client->options->depth, bytes = client->options->block_bytes, type = VIRTIO_BLK_T_IN;
    size_t memory = DATA_OFFSET + (size_t)depth * bytes;
    struct virtio_blk_config config;

    vhost_user_connect(&client->device, client->options->target,
                       1ull << VIRTIO_F_VERSION_1_BIT | 1ull << VIRTIO_RING_F_EVENT_IDX);
    client->has_event_idx = (client->device.features & 1ull << VIRTIO_RING_F_EVENT_IDX) != 0;
    vhost_user_get_config(&client->device, &config, 60);
    client->blocks = config.capacity * 512 / bytes;
    if (client->blocks == 0) {
        fprintf(stderr, "bench: the disk is smaller than a block\n");
        exit(1);
    }
    vhost_user_start(&client->device, (memory + 4095) & ~(size_t)4095, 1024);
    client->request = (struct request *)(client->device.memory + HEADERS_OFFSET);
    client->seed = 88172645463325252u;
    if (client->options->is_write)
        type = VIRTIO_BLK_T_OUT;
    for (uint32_t i = 0; i < depth; i++) {
        struct vring_desc *desc = &client->device.vring.desc[i * CHAIN];
        uint64_t header = HEADERS_OFFSET + i * sizeof(struct request);
        uint16_t data_flags = client->options->is_write ? 0 : VRING_DESC_F_WRITE, next = (uint16_t)(i * CHAIN);

        client->request[i].header.type = type;
        desc[0] = (struct vring_desc){ header, sizeof(struct virtio_blk_outhdr), VRING_DESC_F_NEXT, next + 1 };
        desc[1] = (struct vring_desc){ DATA_OFFSET + (uint64_t)i * bytes, bytes, VRING_DESC_F_NEXT | data_flags,
                                       next + 2 };
        desc[2] = (struct vring_desc){ header + offsetof(struct request, status), 1, VRING_DESC_F_WRITE, 0 };
    }
}

static void client_queue(struct client *client, uint32_t slot, uint64_t now)
{
    struct vring *vring = &client->device.vring;
    struct request *request = &client->request[slot];

    request->header.sector = bench_random(&client->seed) % client->blocks * (client->options->block_bytes / 512);
    request->status = 0xff;
    client->started_ns[slot] = now;
    vring->avail->ring[client->avail++ % vring->num] = (uint16_t)(slot * CHAIN);
}

/* Publishes what was queued since `old`, and kicks when the backend wants to know. */
static void client_submit(struct client *client, uint16_t old)
{
    struct vring *vring = &client->device.vring;
    bool is_wanted;
    uint64_t one = 1;

    if (old == client->avail)
        return;
    store_u16(&vring->avail->idx, client->avail);
    atomic_thread_fence(memory_order_seq_cst);
    if (client->has_event_idx)
        is_wanted = vring_need_event(load_u16(&vring_avail_event(vring)), client->avail, old);
    else
        is_wanted = !(load_u16(&vring->used->flags) & VRING_USED_F_NO_NOTIFY);
    if (is_wanted) {
        if (write(client->device.kick, &one, sizeof(one)) != sizeof(one))
            bench_die("kick");
        client->result->kicks++;
    }
}

/* Until a request is done. The backend may have made the eventfd non-blocking, so sleep in poll. */
static void client_wait(struct client *client)
{
    struct vring *vring = &client->device.vring;
    struct pollfd call = { .fd = client->device.call, .events = POLLIN };
    uint64_t count;

    while (load_u16(&vring->used->idx) == client->used) {
        if (client->options->is_polled) {
            __builtin_ia32_pause();
            continue;
        }
        store_u16(&vring_used_event(vring), client->used);
        atomic_thread_fence(memory_order_seq_cst);
        if (load_u16(&vring->used->idx) != client->used)
            break;
        if (poll(&call, 1, 10000) != 1) {
            fprintf(stderr, "bench: no interrupt for 10 seconds\n");
            exit(1);
        }
        if (read(client->device.call, &count, sizeof(count)) == sizeof(count))
            client->result->interrupts++;
    }
    if (client->options->is_polled && client->has_event_idx)
        store_u16(&vring_used_event(vring), (uint16_t)(client->used - 1)); /* far ahead: no interrupts */
}

static void client_run(struct client *client)
{
    const struct bench_options *options = client->options;
    struct bench_result *result = client->result;
    struct vring *vring = &client->device.vring;
    uint64_t start = bench_now_ns(), cpu = bench_cpu_ns(), now = start;
    uint64_t end = start + (uint64_t)(options->seconds * 1e9);
    uint32_t in_flight = options->depth;
    uint16_t old = client->avail;

    for (uint32_t slot = 0; slot < options->depth; slot++)
        client_queue(client, slot, now);
    client_submit(client, old);
    while (in_flight > 0) {
        client_wait(client);
        now = bench_now_ns();
        old = client->avail;
        while (client->used != load_u16(&vring->used->idx)) {
            uint32_t slot = vring->used->ring[client->used++ % vring->num].id / CHAIN;

            if (slot >= options->depth || client->request[slot].status != VIRTIO_BLK_S_OK) {
                fprintf(stderr, "bench: request %u failed\n", slot);
                exit(1);
            }
            bench_histogram_add(&result->latency, now - client->started_ns[slot]);
            result->ios++;
            if (now < end)
                client_queue(client, slot, now);
            else
                in_flight--;
        }
        client_submit(client, old);
    }
    result->elapsed_ns = now - start;
    result->cpu_ns = bench_cpu_ns() - cpu;
}

int main(int argc, char **argv)
{
    static struct bench_options options;
    static struct bench_result result;
    static struct client client = { .options = &options, .result = &result };

    bench_parse(argc, argv, &options);
    if (options.target == NULL) {
        fprintf(stderr, "usage: bench-vhost-user-blk -t SOCKET [-d DEPTH] [-b BYTES] [-s SECONDS] [-p] [-w]\n");
        return 2;
    }
    client_start(&client);
    client_run(&client);
    bench_print("vhost-user-blk", &options, &result);
    return 0;
}
