// SPDX-License-Identifier: MIT
/*
 * tap.c: a TAP interface in the network namespace of the daemon. It is named vifN.M unless the spec says otherwise, so
 * that Xen's hotplug scripts find it; they or the administrator bring it up and connect it.
 *
 * An interface that we made is persistent while the device is attached: a daemon that was killed leaves it as it is,
 * with its addresses and its bridge, and its successor goes on with it. One that was there before stays when we go; the
 * mark (tap_mark.h) tells them apart.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/port/frame_ring.h"
#include "backend/port/port_kind.h"
#include "backend/port/tap_mark.h"
#include "common/netif_vnet.h"

#define VNET_BYTES ((int)sizeof(struct virtio_net_hdr))
#define READ_BYTES (VNET_BYTES + PORT_ROOM_BYTES)
/* Frames that are read with one system call: as many as there were the last time, and then some. */
#define DEPTH_LEAST 2u
#define DEPTH_MOST 16u
/* Of the memory for one frame. Headers of neighbours are not to meet in the same few sets of a cache. */
#define STRIDE_BYTES (65536u + 640u)

_Static_assert(sizeof(struct virtio_net_hdr) <= PORT_HEADROOM_BYTES, "room for the header");
_Static_assert(PORT_NAME_MAX == IFNAMSIZ, "names of interfaces");
_Static_assert(PORT_HEADROOM_BYTES + PORT_ROOM_BYTES <= STRIDE_BYTES, "room for a frame");
_Static_assert(DEPTH_MOST <= FRAME_RING_DEPTH, "one batch");

struct tap {
    char name[IFNAMSIZ];
    const char *mark_path;
    bool is_ours; /* goes with the device */
    /* While attached. */
    struct frame_ring *ring;
    uint8_t *memory; /* pages of it come with the first frame that needs them */
    unsigned int depth; /* frames to read next */
    unsigned int at, count; /* of those that were read */
    bool is_full; /* there were as many as were to be read */
    bool is_released;
    struct {
        uint8_t *bytes; /* behind the virtio_net_hdr */
        uint32_t length_bytes; /* of both */
    } frame[DEPTH_MOST];
};

static int tap_fail(const struct tap *tap, int error, char *reason, size_t reason_size, const char *what)
{
    snprintf(reason, reason_size, "port tap:%s: %s: %s", tap->name, what, strerror(error));
    return -error;
}

/* What each error of TUNSETIFF means to who asked for the interface. */
static int name_fail(const struct tap *tap, int error, char *reason, size_t reason_size)
{
    const char *what = "cannot be made";

    if (error == EBUSY)
        what = "expected a free name or a TAP interface that nobody uses, found one that is in use";
    else if (error == EINVAL || error == EEXIST)
        what = "expected a free name or a TAP interface with one queue, found another interface of that name";
    else if (error == EPERM || error == EACCES)
        what = "the right to make it is missing (CAP_NET_ADMIN, or an interface made for this user)";
    return tap_fail(tap, error, reason, reason_size, what);
}

static bool name_is_good(const char *name)
{
    const size_t length = strlen(name);

    return length > 0 && length < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           !strpbrk(name, "/: \t\n%");
}

static int set_mtu(const struct tap *tap, struct port *port, uint32_t mtu, char *reason, size_t reason_size)
{
    const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { 0 };
    char what[48];
    int ret = 0;

    if (control < 0)
        return tap_fail(tap, errno, reason, reason_size, "no socket to ask with");
    memcpy(request.ifr_name, tap->name, IFNAMSIZ);
    request.ifr_mtu = (int)mtu;
    if (mtu && ioctl(control, SIOCSIFMTU, &request) < 0) {
        snprintf(what, sizeof(what), "the MTU cannot be %u", mtu);
        ret = tap_fail(tap, errno, reason, reason_size, what);
    } else if (ioctl(control, SIOCGIFMTU, &request) == 0) {
        port->info.mtu = (uint32_t)request.ifr_mtu;
    }
    close(control);
    return ret;
}

/* The address that Linux gives to a vif: as high as a bridge can be kept from taking it for its own. */
static void set_address(const struct tap *tap, int fd)
{
    struct ifreq request = { 0 };

    memcpy(request.ifr_name, tap->name, IFNAMSIZ);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, "\xfe\xff\xff\xff\xff\xff", 6);
    ioctl(fd, SIOCSIFHWADDR, &request); /* without it the port works, too */
}

/* Until here one that was made goes with its descriptor, whatever fails, and nothing that was there is changed. */
static int own_interface(struct port *port, struct tap *tap, const struct port_wish *wish, bool was_there,
                         char *reason, size_t reason_size)
{
    /* What an earlier daemon left, or what has the name that is the device's own, belongs to the device. */
    const bool is_ours =
        !was_there || strcmp(tap->name, wish->name) == 0 || tap_mark_is_of(wish->mark_path, tap->name);
    const int error = is_ours ? tap_mark_write(wish->mark_path, tap->name) : 0;

    if (error)
        return tap_fail(tap, -error, reason, reason_size, "cannot be put on record in the run directory");
    tap->is_ours = is_ours;
    tap->mark_path = wish->mark_path;
    if (is_ours && ioctl(port->fd, TUNSETPERSIST, 1) < 0)
        return tap_fail(tap, errno, reason, reason_size, "cannot be made persistent");
    return 0;
}

static int make_interface(struct port *port, struct tap *tap, const struct port_wish *wish, char *reason,
                          size_t reason_size)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    const bool was_there = if_nametoindex(tap->name) != 0;
    int header_bytes = VNET_BYTES, ret;

    port->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (port->fd < 0)
        return tap_fail(tap, errno, reason, reason_size, "cannot open /dev/net/tun (module tun)");
    memcpy(request.ifr_name, tap->name, IFNAMSIZ);
    if (ioctl(port->fd, TUNSETIFF, &request) < 0)
        return name_fail(tap, errno, reason, reason_size);
    if (ioctl(port->fd, TUNSETVNETHDRSZ, &header_bytes) < 0)
        return tap_fail(tap, errno, reason, reason_size, "cannot set the size of headers");
    if (!was_there)
        set_address(tap, port->fd);
    ret = set_mtu(tap, port, wish->is_adopting ? 0 : wish->mtu, reason, reason_size);
    return ret ? ret : own_interface(port, tap, wish, was_there, reason, reason_size);
}

static void tap_close(struct port *port, bool is_kept)
{
    const struct tap *tap = port->priv;

    if (port->fd >= 0 && tap->is_ours && !is_kept) {
        ioctl(port->fd, TUNSETPERSIST, 0);
        tap_mark_remove(tap->mark_path);
    }
    if (port->fd >= 0)
        close(port->fd);
    port->fd = -1;
    free(port->priv);
    port->priv = NULL;
}

static void tap_set_carrier(struct port *port, bool is_up)
{
    int value = is_up;

    ioctl(port->fd, TUNSETCARRIER, &value); /* Linux 5.0: before, frames are dropped as they come */
}

static int tap_open(struct port *port, const char *argument, const struct port_wish *wish, char *reason,
                    size_t reason_size)
{
    const char *name = argument ? argument : wish->name;
    char marked[IFNAMSIZ];
    struct tap *tap;
    int ret;

    if (!name_is_good(name)) {
        snprintf(reason, reason_size,
                 "port: expected tap:NAME with the name of an interface, found \"tap:%.60s\"", name);
        return -EINVAL;
    }
    /* The device's own interface goes on under the name that a script has given to it. */
    if (!argument && tap_mark_find(wish->mark_path, marked))
        name = marked;
    tap = calloc(1, sizeof(*tap));
    if (!tap) {
        snprintf(reason, reason_size, "port tap:%s: no memory", name);
        return -ENOMEM;
    }
    snprintf(tap->name, sizeof(tap->name), "%s", name);
    port->priv = tap;
    snprintf(port->info.target, sizeof(port->info.target), "tap:%s", tap->name);
    ret = make_interface(port, tap, wish, reason, reason_size);
    if (ret)
        tap_close(port, true);
    else if (!wish->is_adopting)
        tap_set_carrier(port, false);
    return ret;
}

static void tap_detach(struct port *port)
{
    struct tap *tap = port->priv;

    if (tap->ring)
        frame_ring_put();
    tap->ring = NULL;
    if (tap->memory)
        munmap(tap->memory, (size_t)DEPTH_MOST * STRIDE_BYTES);
    tap->memory = NULL;
    tap->at = tap->count = 0; /* what nobody took is lost, as on a cable */
}

static int start_memory(struct tap *tap)
{
    void *memory = mmap(NULL, (size_t)DEPTH_MOST * STRIDE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return -ENOMEM;
    tap->memory = memory;
    tap->depth = DEPTH_LEAST;
    tap->is_full = false;
    tap->is_released = true;
    tap->ring = frame_ring_get();
    return tap->ring ? 0 : -ENOMEM;
}

/* What the kernel may leave to the guest. */
static int tap_attach(struct port *port, struct event_base *base, char *reason, size_t reason_size)
{
    const struct netif_offer *offer = &port->offer;
    unsigned long flags = 0;

    if (offer->can_csum_ipv4 || offer->can_csum_ipv6)
        flags |= TUN_F_CSUM;
    if (offer->can_sg && offer->can_csum_ipv4 && offer->can_gso_tcpv4)
        flags |= TUN_F_TSO4 | TUN_F_TSO_ECN;
    if (offer->can_sg && offer->can_csum_ipv6 && offer->can_gso_tcpv6)
        flags |= TUN_F_TSO6 | TUN_F_TSO_ECN;
    if (ioctl(port->fd, TUNSETOFFLOAD, flags) < 0)
        return tap_fail(port->priv, errno, reason, reason_size, "cannot set offloads");
    if (start_memory(port->priv))
        return tap_fail(port->priv, ENOMEM, reason, reason_size, "no memory for its frames");
    return 0;
}

static void tap_flush(struct port *port)
{
    const struct tap *tap = port->priv;
    const unsigned int count = frame_ring_count(tap->ring);
    const int32_t *result;

    if (count == 0)
        return;
    result = frame_ring_run(tap->ring);
    /* An interface that is down or full takes nothing: frames are lost, as on a cable. */
    for (unsigned int i = 0; i < count; i++)
        port->counters.refused += result[i] < 0;
}

static enum netif_verdict tap_send(struct port *port, const struct netif_packet *packet, uint8_t *bytes)
{
    const struct tap *tap = port->priv;
    struct virtio_net_hdr vnet;
    enum netif_verdict verdict = netif_vnet_give(&vnet, packet, bytes);

    if (verdict != NETIF_VERDICT_OK)
        return verdict;
    memcpy(bytes - VNET_BYTES, &vnet, VNET_BYTES);
    if (frame_ring_count(tap->ring) == FRAME_RING_DEPTH)
        tap_flush(port);
    frame_ring_write(tap->ring, port->fd, bytes - VNET_BYTES, packet->length_bytes + VNET_BYTES);
    return NETIF_VERDICT_OK;
}

/* Twice as many the next time when there were as many as this; half as many when that would have been enough. */
static void adapt(struct tap *tap)
{
    tap->is_full = tap->count == tap->depth;
    if (tap->is_full && tap->depth < DEPTH_MOST)
        tap->depth *= 2;
    else if (tap->count < tap->depth / 2 && tap->depth > DEPTH_LEAST)
        tap->depth /= 2;
}

static void read_ahead(struct port *port)
{
    struct tap *tap = port->priv;
    const int32_t *result;

    tap->at = tap->count = 0;
    tap->is_released = false;
    for (unsigned int i = 0; i < tap->depth; i++)
        frame_ring_read(tap->ring, port->fd,
                        tap->memory + i * STRIDE_BYTES + PORT_HEADROOM_BYTES - VNET_BYTES, READ_BYTES);
    result = frame_ring_run(tap->ring);
    for (unsigned int i = 0; i < tap->depth; i++) {
        if (result[i] >= 0) {
            tap->frame[tap->count].bytes = tap->memory + i * STRIDE_BYTES + PORT_HEADROOM_BYTES;
            tap->frame[tap->count++].length_bytes = (uint32_t)result[i];
        } else if (result[i] != -EAGAIN && result[i] != -EINTR) {
            port->error = result[i]; /* EBADFD: somebody has deleted the interface */
        }
    }
    adapt(tap);
}

static enum port_got tap_receive(struct port *port, struct netif_packet *packet, uint8_t **bytes)
{
    struct tap *tap = port->priv;

    if (tap->at == tap->count && tap->is_released)
        read_ahead(port);
    for (; tap->at < tap->count; tap->at++) {
        uint8_t *const frame = tap->frame[tap->at].bytes;
        const uint32_t length = tap->frame[tap->at].length_bytes;
        struct virtio_net_hdr vnet;

        memcpy(&vnet, frame - VNET_BYTES, VNET_BYTES);
        if (length > VNET_BYTES &&
            netif_vnet_take(packet, &vnet, frame, length - VNET_BYTES, &port->offer) == NETIF_VERDICT_OK) {
            *bytes = frame;
            tap->at++;
            return PORT_GOT_FRAME;
        }
        port->counters.refused++;
    }
    return tap->is_full ? PORT_GOT_ALL : PORT_GOT_NOTHING;
}

/* What was read and not received yet stays where it is. */
static void tap_release(struct port *port)
{
    struct tap *tap = port->priv;

    tap->is_released = tap->at == tap->count;
}

const struct port_kind port_kind_tap = {
    .name = "tap",
    .can_offload = true,
    .open = tap_open,
    .close = tap_close,
    .attach = tap_attach,
    .detach = tap_detach,
    .watch = port_watch_nothing,
    .set_carrier = tap_set_carrier,
    .room = port_room_without_end,
    .send = tap_send,
    .flush = tap_flush,
    .receive = tap_receive,
    .release = tap_release,
};
