// SPDX-License-Identifier: MIT
/*
 * net_tap.c: `xenfront net tap`: joins the device to a TAP device of the caller's network namespace, which makes that
 * namespace the guest: what its kernel sends goes to the backend, and the other way round, offloads included.
 *
 * Packets are not copied here but for their headers: the kernel writes them into the granted pages and reads them
 * from there. While the ring is full the TAP device is not read, so that its queue, which is bounded, fills up.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/tap.h"

#define BATCH 64 /* packets in one direction, before the other one's turn */
#define EARLY_BYTES 16384u /* of one packet: the backend is to work on it while the next one is read */
#define TURNS_PER_PUMP 64 /* under load: looks at the rings between two looks at the store and the clock */
#define ETHERNET_BYTES 18u /* header, and a VLAN tag that the MTU does not count */

struct joint {
    struct net_session *session;
    struct xenfront_net *net;
    struct tap tap;
    bool is_link_up;
    bool is_full; /* the ring has no room */
    uint32_t max_bytes; /* of a packet from the TAP device */
    uint64_t lost; /* packets that the kernel or the device did not want */
    struct xenfront_net_packet *packets; /* BATCH */
};

static int joint_init(struct joint *joint, struct net_session *session)
{
    const struct settings *settings = session->settings;
    const struct xenfront_net_info *info = &session->info;
    const struct tap_offloads offloads = {
        .has_csum = info->can_csum_ipv4 || info->can_csum_ipv6,
        .has_tso4 = info->can_gso_tcpv4,
        .has_tso6 = info->can_gso_tcpv6,
    };
    uint32_t mtu = settings->mtu ? (uint32_t)settings->mtu : info->mtu;
    uint32_t max_bytes = xenfront_net_max_bytes(session->net);
    char name[32];

    *joint = (struct joint){ .session = session, .net = session->net, .tap.fd = -1, .max_bytes = max_bytes };
    if (mtu + ETHERNET_BYTES > max_bytes) {
        fprintf(stderr, "xenfront: %s: an MTU of at most %u expected, found %u: the backend takes %u bytes\n",
                xenfront_net_name(session->net), max_bytes - ETHERNET_BYTES, mtu, max_bytes);
        return -EINVAL;
    }
    joint->packets = calloc(BATCH, sizeof(*joint->packets));
    if (!joint->packets)
        return -ENOMEM;
    snprintf(name, sizeof(name), "xen%" PRIu32, info->devid);
    if (tap_open(&joint->tap, settings->tap ? settings->tap : name, &offloads) < 0 ||
        tap_configure(&joint->tap, info->has_mac ? info->mac : NULL, mtu) < 0)
        return -EINVAL;
    joint->is_link_up = true;
    return 0;
}

static void joint_fini(struct joint *joint)
{
    tap_close(&joint->tap);
    free(joint->packets);
}

static void link_follow(struct joint *joint)
{
    struct xenfront_net_info info;

    if (xenfront_net_info(joint->net, &info) < 0 || info.is_link_up == joint->is_link_up)
        return;
    joint->is_link_up = info.is_link_up;
    tap_set_link(&joint->tap, info.is_link_up);
}

/* From the device to the kernel. The number of packets, or a negative errno. */
static int inward(struct joint *joint)
{
    int count = xenfront_net_receive(joint->net, joint->packets, BATCH);

    for (int i = 0; i < count; i++) {
        struct xenfront_net_packet *packet = &joint->packets[i];
        struct iovec iov[XENFRONT_NET_PARTS + 1] = { { &packet->offload, sizeof(packet->offload) } };

        memcpy(iov + 1, packet->iov, sizeof(iov[0]) * (size_t)packet->count);
        if (writev(joint->tap.fd, iov, packet->count + 1) < 0)
            joint->lost++; /* down, or its headers make no sense to the kernel */
    }
    return count;
}

/* From the kernel to the device: 1 a packet, 0 nothing to read or no room, or a negative errno. */
static int outward_one(struct joint *joint)
{
    struct iovec iov[XENFRONT_NET_PARTS + 1];
    struct xenfront_net_offload offload;
    int count = xenfront_net_send_begin(joint->net, iov + 1, joint->max_bytes), err;
    ssize_t length;

    joint->is_full = count == -EAGAIN;
    if (count < 0)
        return count == -EAGAIN ? 0 : count;
    iov[0] = (struct iovec){ &offload, sizeof(offload) };
    length = readv(joint->tap.fd, iov, count + 1);
    if (length < (ssize_t)sizeof(offload))
        return 0;
    err = xenfront_net_send_end(joint->net, (uint32_t)length - (uint32_t)sizeof(offload), &offload);
    if (err < 0)
        joint->lost++;
    if (length < (ssize_t)EARLY_BYTES)
        return 1;
    err = xenfront_net_submit(joint->net);
    return err < 0 ? err : 1;
}

static int outward(struct joint *joint)
{
    int done = 0, more = 1, err;

    while (done < BATCH && (more = outward_one(joint)) > 0)
        done++;
    if (more < 0)
        return more;
    err = xenfront_net_submit(joint->net);
    return err < 0 ? err : done;
}

/* One look in both directions, without sleeping. The number of packets, or a negative errno. */
static int turn(struct joint *joint)
{
    int in, out, err = xenfront_net_poll(joint->net);

    if (err < 0)
        return err;
    in = inward(joint);
    if (in < 0)
        return in;
    out = outward(joint);
    return out < 0 ? out : in + out;
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int nap(struct joint *joint)
{
    struct pollfd pollfds[] = {
        { .fd = xenfront_net_fd(joint->net), .events = POLLIN },
        { .fd = joint->is_full ? -1 : joint->tap.fd, .events = POLLIN },
    };
    int timeout_ms = xenfront_net_timeout_ms(joint->net);

    if (timeout_ms < 0 || timeout_ms > PROCESS_WAIT_MS)
        timeout_ms = PROCESS_WAIT_MS;
    if (poll(pollfds, 2, timeout_ms) > 0 && !pollfds[0].revents)
        return 0;
    return xenfront_net_pump(joint->net);
}

static int run(struct joint *joint)
{
    uint64_t spin_ns = joint->session->settings->spin_us * 1000, last = now_ns();
    unsigned int turns = 0;
    int done = 0;

    while (done >= 0 && !process_signal()) {
        done = turn(joint);
        if (done > 0 && spin_ns)
            last = now_ns();
        if (done < 0)
            break;
        if (done > 0 || joint->session->settings->is_polling || (spin_ns && now_ns() - last < spin_ns)) {
            if (++turns % TURNS_PER_PUMP)
                continue;
            done = xenfront_net_pump(joint->net);
        } else {
            done = nap(joint);
        }
        link_follow(joint);
    }
    return done < 0 ? done : 0;
}

static void report(const struct joint *joint)
{
    const struct settings *settings = joint->session->settings;
    struct xenfront_net_stats stats;

    xenfront_net_stats(joint->net, &stats);
    if (settings->is_json)
        print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "command", "tap", "tx_packets",
                             (json_int_t)stats.tx_packets, "tx_bytes", (json_int_t)stats.tx_bytes,
                             "rx_packets", (json_int_t)stats.rx_packets, "rx_bytes",
                             (json_int_t)stats.rx_bytes, "errors",
                             (json_int_t)(stats.tx_errors + stats.rx_errors), "lost", (json_int_t)joint->lost,
                             "kicks", (json_int_t)stats.kicks, "interrupts", (json_int_t)stats.interrupts));
    else if (!settings->is_quiet)
        printf("%s: %" PRIu64 " packets sent, %" PRIu64 " received, %" PRIu64 " errors, %" PRIu64 " lost\n",
               xenfront_net_name(joint->net), stats.tx_packets, stats.rx_packets,
               stats.tx_errors + stats.rx_errors, joint->lost);
}

int command_net_tap(struct net_session *session)
{
    struct joint joint;
    int err, result = TOOL_USAGE;

    err = joint_init(&joint, session);
    if (err == 0) {
        link_follow(&joint);
        if (!session->settings->is_quiet && !session->settings->is_json) {
            printf("%s: joined to %s\n", xenfront_net_name(session->net), joint.tap.name);
            fflush(stdout);
        }
        err = run(&joint);
        result = err < 0 ? net_session_fail(session, err, "tap") : TOOL_OK;
        report(&joint);
    }
    joint_fini(&joint);
    return result;
}
