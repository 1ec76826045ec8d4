// SPDX-License-Identifier: MIT
/*
 * check_io.c: the kernel's other ways to and from mapped grants: sockets, pipes, network interfaces. As in check_aio.c
 * all I/O is over before a page is unmapped. None of them needs a file.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/xen/src/xencheck.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 8
#define SOON_MS 20000

/* Two lots of the peer's pages: what is sent comes from one and arrives in the other. */
struct stage {
    struct share from_share, to_share;
    uint8_t *from, *to;
};

static void stage_init(struct check_env *env, struct stage *stage)
{
    stage->from_share = peer_share(env, PAGES, true);
    stage->to_share = peer_share(env, PAGES, true);
    stage->from =
        xengnttab_map_domain_grant_refs(env->gnttab, PAGES, env->domid, stage->from_share.refs, PROT_READ);
    stage->to = xengnttab_map_domain_grant_refs(env->gnttab, PAGES, env->domid, stage->to_share.refs, RW);
    EXPECT(env, stage->from && stage->to, "map: %s", errno_name(errno));
    for (int i = 0; i < PAGES; i++)
        peer_ask(env, "fill %u %d 7", stage->from_share.id, i);
}

/* Both sides see the bytes of `from` in `to`. */
static void stage_check(struct check_env *env, struct stage *stage)
{
    for (int i = 0; i < PAGES; i++) {
        EXPECT(env, pattern_matches(stage->to + i * PAGE, 7, i), "our view of page %d", i);
        EXPECT(env, !strcmp(peer_ask(env, "test %u %d 7", stage->to_share.id, i), "1"),
               "the peer's view of page %d", i);
    }
    EXPECT(env, !xengnttab_unmap(env->gnttab, stage->from, PAGES), "unmap: %s", errno_name(errno));
    EXPECT(env, !xengnttab_unmap(env->gnttab, stage->to, PAGES), "unmap: %s", errno_name(errno));
}

/* A TCP connection over the loopback interface: both ends, or a failure. */
static int tcp_pair(int ends[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret = 0;

    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &length) ||
        connect(ends[0], (struct sockaddr *)&address, length) || (ends[1] = accept(listener, NULL, NULL)) < 0)
        ret = -errno;
    close(listener);
    return ret;
}

static ssize_t receive_all(int fd, uint8_t *to, size_t length)
{
    return recv(fd, to, length, MSG_WAITALL);
}

static void tcp_send_and_receive(struct check_env *env)
{
    struct stage stage;
    int ends[2], ret;

    stage_init(env, &stage);
    ret = env->failure[0] ? 0 : tcp_pair(ends);
    EXPECT(env, !ret, "no TCP connection: %s", errno_name(-ret));
    EXPECT(env, send(ends[0], stage.from, PAGES * PAGE, 0) == PAGES * PAGE, "send: %s", errno_name(errno));
    EXPECT(env, receive_all(ends[1], stage.to, PAGES * PAGE) == PAGES * PAGE, "receive: %s",
           errno_name(errno));
    close(ends[0]);
    close(ends[1]);
    stage_check(env, &stage);
}

/* The kernel says when it no longer needs the pages that were sent without a copy; not before that may they go. */
static int zerocopy_is_over(int fd)
{
    struct pollfd pfd = { .fd = fd };
    char control[128];
    struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };

    if (poll(&pfd, 1, SOON_MS) != 1)
        return -ETIMEDOUT;
    return recvmsg(fd, &message, MSG_ERRQUEUE) < 0 ? -errno : 0;
}

static void tcp_send_without_copy(struct check_env *env)
{
    struct stage stage;
    int ends[2], ret, on = 1;

    stage_init(env, &stage);
    ret = env->failure[0] ? 0 : tcp_pair(ends);
    EXPECT(env, !ret, "no TCP connection: %s", errno_name(-ret));
    EXPECT(env, !setsockopt(ends[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), "SO_ZEROCOPY: %s",
           errno_name(errno));
    EXPECT(env, send(ends[0], stage.from, PAGES * PAGE, MSG_ZEROCOPY) == PAGES * PAGE, "send: %s",
           errno_name(errno));
    EXPECT(env, receive_all(ends[1], stage.to, PAGES * PAGE) == PAGES * PAGE, "receive: %s",
           errno_name(errno));
    ret = zerocopy_is_over(ends[0]);
    EXPECT(env, !ret, "nobody says that the pages are free: %s", errno_name(-ret));
    close(ends[0]);
    close(ends[1]);
    stage_check(env, &stage);
}

/* The pages themselves go through a pipe, which holds them until they are read. */
static void vmsplice_and_splice(struct check_env *env)
{
    struct stage stage;
    int in[2], out[2];

    stage_init(env, &stage);
    EXPECT(env, !pipe(in) && !pipe(out), "pipe: %s", errno_name(errno));
    for (int i = 0; i < PAGES; i++) {
        struct iovec page = { stage.from + i * PAGE, PAGE };

        EXPECT(env, vmsplice(in[1], &page, 1, 0) == PAGE, "vmsplice: %s", errno_name(errno));
        EXPECT(env, splice(in[0], NULL, out[1], NULL, PAGE, 0) == PAGE, "splice: %s", errno_name(errno));
        EXPECT(env, read(out[0], stage.to + i * PAGE, PAGE) == PAGE, "read: %s", errno_name(errno));
    }
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
    stage_check(env, &stage);
}

/* A TAP interface that is up, and a socket at its other side. Negative errno; -ENODEV: cannot be had here. */
static int tap_open(int *tap, int *wire)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

    *tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    *wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (*tap < 0 || *wire < 0 || ioctl(*tap, TUNSETIFF, &request))
        return -ENODEV;
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(*wire, SIOCSIFFLAGS, &request) || ioctl(*wire, SIOCGIFINDEX, &request))
        return -errno;
    address.sll_ifindex = request.ifr_ifindex;
    return bind(*wire, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

/* The frame of ours among those that the kernel sends by itself. */
static bool frame_arrives(int fd, uint8_t *to, size_t length, const uint8_t *expected)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };

    while (poll(&pfd, 1, SOON_MS) == 1)
        if (read(fd, to, PAGE) == (ssize_t)length && !memcmp(to, expected, length))
            return true;
    return false;
}

static void tap_write_and_read(struct check_env *env)
{
    const size_t length = 1514;
    struct stage stage;
    uint8_t bytes[PAGE];
    int tap, wire, ret = tap_open(&tap, &wire);

    if (ret == -ENODEV) {
        check_note("no TAP interface can be made here: left out");
        return;
    }
    EXPECT(env, !ret, "TAP: %s", errno_name(-ret));
    stage_init(env, &stage);
    EXPECT(env, write(tap, stage.from, length) == (ssize_t)length, "write: %s", errno_name(errno));
    EXPECT(env, frame_arrives(wire, bytes, length, stage.from),
           "the frame does not come out of the interface");
    EXPECT(env, send(wire, stage.from, length, 0) == (ssize_t)length, "send: %s", errno_name(errno));
    EXPECT(env, frame_arrives(tap, stage.to, length, stage.from), "the frame does not go into the page");
    EXPECT(env, atoi(peer_ask(env, "peek %u 0 1000", stage.to_share.id)) == pattern_byte(7, 0, 1000),
           "the peer's view");
    close(tap);
    close(wire);
    EXPECT(env, !xengnttab_unmap(env->gnttab, stage.from, PAGES), "unmap: %s", errno_name(errno));
    EXPECT(env, !xengnttab_unmap(env->gnttab, stage.to, PAGES), "unmap: %s", errno_name(errno));
}

const struct check check_io_list[] = {
    { "io-tcp-send-and-receive", tcp_send_and_receive },
    { "io-tcp-send-without-copy", tcp_send_without_copy },
    { "io-vmsplice-and-splice", vmsplice_and_splice },
    { "io-tap-write-and-read", tap_write_and_read },
    { NULL, NULL },
};
