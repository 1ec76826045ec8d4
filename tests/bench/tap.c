// SPDX-License-Identifier: MIT
/*
 * tap.c: the limit for a TAP port: one thread that does nothing but write frames to a TAP interface, or read them; and
 * what fills an interface with frames, so that there is something to read.
 *
 *     bench-tap write|read INTERFACE BYTES SECONDS   prints frames a second, and CPU ns a frame
 *     bench-tap load INTERFACE BYTES                 until it is killed
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define FRAME_MAX 65536
#define LOAD_BATCH 64
#define LOAD_PAUSE_NS 50000 /* while an interface of 1,000 frames that was full is read */

static unsigned char frame[sizeof(struct virtio_net_hdr) + FRAME_MAX];

/* As the daemon opens it: with the header that says what is to be done to a frame. */
static int open_tap(const char *name)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
        bench_die(name);
    return fd;
}

/* A broadcast of no protocol: the kernel drops it as soon as it can, as it drops those of xenfront's bench. */
static void make_frame(unsigned char *at)
{
    memset(at, 0xff, 6);
    memcpy(at + 6, "\x02\0\0\0\0\x01\x88\xb5", 8);
}

static void run_tap(bool is_write, const char *name, size_t bytes, double seconds)
{
    const int fd = open_tap(name);
    const uint64_t start = bench_now_ns(), end = start + (uint64_t)(seconds * 1e9);
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    const uint64_t cpu = bench_cpu_ns();
    uint64_t now = start, count = 0;

    make_frame(frame + sizeof(struct virtio_net_hdr));
    for (; now < end; now = bench_now_ns()) {
        for (unsigned int i = 0; i < 64; i++) {
            const ssize_t done = is_write ? write(fd, frame, sizeof(struct virtio_net_hdr) + bytes)
                                          : read(fd, frame, sizeof(frame));

            if (done > 0)
                count++;
            else if (!is_write && errno == EAGAIN)
                poll(&poll_fd, 1, 10);
            else
                bench_die(name);
        }
    }
    printf("%.0f %.0f\n", (double)count * 1e9 / (double)(now - start),
           (double)(bench_cpu_ns() - cpu) / (double)(count ? count : 1));
    close(fd);
}

static void run_load(const char *name, size_t bytes)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name) };
    const int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
    struct iovec iov = { .iov_base = frame, .iov_len = bytes };
    struct mmsghdr messages[LOAD_BATCH] = { 0 };

    make_frame(frame);
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        bench_die(name);
    for (unsigned int i = 0; i < LOAD_BATCH; i++) {
        messages[i].msg_hdr.msg_iov = &iov;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (;;) /* always full, and no more than that: the processor is a frontend's, too */
        if (sendmmsg(fd, messages, LOAD_BATCH, 0) < LOAD_BATCH)
            nanosleep(&(struct timespec){ .tv_nsec = LOAD_PAUSE_NS }, NULL);
}

int main(int argc, char **argv)
{
    const size_t bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

    if (bytes < 14 || bytes > FRAME_MAX) {
        fputs("usage: bench-tap write|read INTERFACE BYTES SECONDS | load INTERFACE BYTES\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "load") == 0)
        run_load(argv[2], bytes);
    run_tap(strcmp(argv[1], "write") == 0, argv[2], bytes, argc > 4 ? atof(argv[4]) : 1);
    return 0;
}
