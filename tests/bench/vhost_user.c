// SPDX-License-Identifier: MIT
/* vhost_user.c: see vhost_user.h. */
#include <config.h>

#include "tests/bench/vhost_user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum request {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
    GET_CONFIG = 24,
};

#define PROTOCOL_VERSION 1u
#define FEATURE_PROTOCOL_FEATURES (1ull << 30)
#define PROTOCOL_FEATURE_CONFIG (1ull << 9)
#define CONFIG_MAX 256u

struct header {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
};

struct vring_state {
    uint32_t index;
    uint32_t num;
};

struct vring_addresses {
    uint32_t index;
    uint32_t flags;
    uint64_t desc;
    uint64_t used;
    uint64_t avail;
    uint64_t log;
};

struct memory_table {
    uint32_t regions;
    uint32_t padding;
    uint64_t guest_address;
    uint64_t size;
    uint64_t user_address;
    uint64_t offset;
};

struct config {
    uint32_t offset;
    uint32_t size;
    uint32_t flags;
    uint8_t data[CONFIG_MAX];
};

/* fd -1: none comes along. */
static void send_request(struct vhost_user *device, enum request request, const void *payload, uint32_t size, int fd)
{
    struct header header = { .request = request, .flags = PROTOCOL_VERSION, .size = size };
    struct iovec iov[2] = { { &header, sizeof(header) }, { (void *)payload, size } };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(int));
    }
    if (sendmsg(device->socket, &message, MSG_NOSIGNAL) != (ssize_t)(sizeof(header) + size))
        bench_die("vhost-user: send");
}

static void send_u64(struct vhost_user *device, enum request request, uint64_t value, int fd)
{
    send_request(device, request, &value, sizeof(value), fd);
}

static void send_vring_state(struct vhost_user *device, enum request request, uint32_t num)
{
    struct vring_state state = { .index = 0, .num = num };

    send_request(device, request, &state, sizeof(state), -1);
}

static void receive_reply(struct vhost_user *device, enum request request, void *payload, uint32_t size)
{
    struct header header;

    if (recv(device->socket, &header, sizeof(header), MSG_WAITALL) != sizeof(header))
        bench_die("vhost-user: receive");
    if (header.request != request || header.size != size) {
        fprintf(stderr, "bench: vhost-user: answer %u of %u bytes, expected %u of %u\n", header.request, header.size,
                request, size);
        exit(1);
    }
    if (recv(device->socket, payload, size, MSG_WAITALL) != (ssize_t)size)
        bench_die("vhost-user: receive");
}

static uint64_t get_u64(struct vhost_user *device, enum request request)
{
    uint64_t value;

    send_request(device, request, NULL, 0, -1);
    receive_reply(device, request, &value, sizeof(value));
    return value;
}

void vhost_user_connect(struct vhost_user *device, const char *path, uint64_t wanted_features)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    uint64_t offered;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        bench_die(path);
    }
    strcpy(address.sun_path, path);
    device->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (device->socket < 0 || connect(device->socket, (struct sockaddr *)&address, sizeof(address)) != 0)
        bench_die(path);

    offered = get_u64(device, GET_FEATURES);
    if (!(offered & FEATURE_PROTOCOL_FEATURES)) {
        fprintf(stderr, "bench: %s: the backend has no protocol features, CONFIG is needed\n", path);
        exit(1);
    }
    send_u64(device, SET_PROTOCOL_FEATURES, get_u64(device, GET_PROTOCOL_FEATURES) & PROTOCOL_FEATURE_CONFIG, -1);
    send_request(device, SET_OWNER, NULL, 0, -1);
    device->features = offered & (wanted_features | FEATURE_PROTOCOL_FEATURES);
    send_u64(device, SET_FEATURES, device->features, -1);
}

void vhost_user_get_config(struct vhost_user *device, void *data, uint32_t size)
{
    struct config config = { .size = size };
    uint32_t bytes = (uint32_t)offsetof(struct config, data) + size;

    send_request(device, GET_CONFIG, &config, bytes, -1);
    receive_reply(device, GET_CONFIG, &config, bytes);
    memcpy(data, config.data, size);
}

void vhost_user_start(struct vhost_user *device, size_t memory_bytes, unsigned int vring_slots)
{
    int memory = memfd_create("bench", MFD_CLOEXEC);
    struct memory_table table = { .regions = 1, .size = memory_bytes };
    struct vring_addresses addresses = { 0 };

    device->memory_bytes = memory_bytes;
    if (memory < 0 || ftruncate(memory, (off_t)memory_bytes) != 0)
        bench_die("memory");
    device->memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory, 0);
    if (device->memory == MAP_FAILED)
        bench_die("memory");
    table.user_address = (uintptr_t)device->memory;
    send_request(device, SET_MEM_TABLE, &table, sizeof(table), memory);
    close(memory);

    vring_init(&device->vring, vring_slots, device->memory, 4096);
    addresses.desc = (uintptr_t)device->vring.desc;
    addresses.avail = (uintptr_t)device->vring.avail;
    addresses.used = (uintptr_t)device->vring.used;
    device->kick = eventfd(0, EFD_CLOEXEC);
    device->call = eventfd(0, EFD_CLOEXEC);
    send_vring_state(device, SET_VRING_NUM, vring_slots);
    send_vring_state(device, SET_VRING_BASE, 0);
    send_request(device, SET_VRING_ADDR, &addresses, sizeof(addresses), -1);
    send_u64(device, SET_VRING_CALL, 0, device->call);
    send_u64(device, SET_VRING_KICK, 0, device->kick);
    send_vring_state(device, SET_VRING_ENABLE, 1);
}
