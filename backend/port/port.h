// SPDX-License-Identifier: MIT
/*
 * port.h: where frames go. One checkpoint through which every frame to and from any kind of port passes: it asserts
 * what callers promise (lengths, capabilities), completes checksums for ports that cannot be told of blank ones,
 * shows the frame to a capture, and calls the kind's function.
 *
 * A port is opened by the offload pool or the main thread, then attached to the worker of the queue that it serves;
 * from then on until it is detached only that worker's thread uses it. Lengths are in bytes, of whole Ethernet frames.
 */
#ifndef XENSPLIT_BACKEND_PORT_PORT_H
#define XENSPLIT_BACKEND_PORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/netif_packet.h"

struct port;
struct capture;
struct event_base;

#define PORT_NAME_MAX 16 /* of a network interface, with the terminating zero (IFNAMSIZ) */
#define PORT_TARGET_MAX 128
/* Before each frame there is room for what a kind puts there: a virtio_net_hdr, a length. */
#define PORT_HEADROOM_BYTES 16u
/* Room that port_receive wants behind the headroom. */
#define PORT_ROOM_BYTES (NETIF_PACKET_BYTES_MAX + 1u)

#define PORT_MTU_MIN 68u /* RFC 791 */
#define PORT_MTU_MAX 65521u /* with an Ethernet header a packet of 65535 bytes */
#define PORT_MTU_DEFAULT 1500u

/* What the port is opened for. */
struct port_wish {
    const char *label; /* "vif 3/0": for names and reasons */
    char name[PORT_NAME_MAX]; /* of the interface, where the spec names none */
    uint32_t mtu; /* 0: the port's own */
    const char *mark_path; /* where an interface that is made is on record (tap_mark.h); outlives the port */
    bool is_adopting; /* an earlier daemon had it open */
};

struct port_info {
    const char *kind;
    char target[PORT_TARGET_MAX]; /* "tap:vif3.0" */
    uint32_t mtu;
    bool can_offload; /* takes and gives blank checksums and packets to be segmented */
};

struct port_counters {
    uint64_t refused; /* the other side did not take it, or there was no room */
};

/*
 * Opens what the spec names: "tap", "tap:NAME", "null", "generator", "generator:BYTES" or "socket:PATH". On failure
 * returns negative errno and a reason that names the port, what was expected and what was found. May block.
 */
int port_open(struct port **port, const char *spec, const struct port_wish *wish, char *reason,
              size_t reason_size);
/* Pure: is it a spec at all? */
bool port_spec_is_good(const char *spec);
/*
 * Not attached. Safe on NULL. is_kept: what outlives the daemon stays as it is for its successor (an interface with
 * its addresses and bridge).
 */
void port_close(struct port *port, bool is_kept);
const struct port_info *port_info(const struct port *port);

/* What the attached port says to its queue, on the worker's thread. */
struct port_events {
    void *owner;
    void (*on_frames)(void *owner); /* there may be frames, as long as port_watch says that they are wanted */
    void (*on_room)(void *owner); /* look at port_room again */
    /*
     * There is nobody at the far end any more, or somebody again; `why` is for the log. Unlike the others it also comes
     * from within calls on the port: its receiver must not call the port.
     */
    void (*on_link)(void *owner, bool has_link, const char *why);
};

/* The guest's offer says what it can be given. 0 or negative errno and a reason. */
int port_attach(struct port *port, struct event_base *base, const struct netif_offer *offer,
                const struct port_events *events, char *reason, size_t reason_size);
/* Safe when it is not attached. */
void port_detach(struct port *port);
/* The guest takes frames (again), or does not: what would come is dropped where that is cheapest. */
void port_set_carrier(struct port *port, bool is_up);
/* May on_frames come? */
void port_watch(struct port *port, bool is_wanted);

/*
 * Bytes that can be sent now, each packet counted with PORT_HEADROOM_BYTES; when that is less than a packet of any
 * length wants (PORT_ROOM_BYTES and headroom), on_room follows.
 */
size_t port_room(struct port *port);
/*
 * Sends one packet whose bytes are contiguous, ours, and preceded by PORT_HEADROOM_BYTES that are, too; they may be
 * changed. OK; or why the packet is not one. What the outside does not take is lost, as networks do.
 */
enum netif_verdict port_send(struct port *port, struct netif_packet *packet, uint8_t *bytes);
/* After a batch of sends. */
void port_flush(struct port *port);

enum port_got {
    PORT_GOT_NOTHING, /* there is none now */
    PORT_GOT_FRAME,
    PORT_GOT_ALL, /* of a batch: there may be more after port_release */
};

/*
 * The next frame, and what is known about it. *bytes points to PORT_ROOM_BYTES that are preceded by
 * PORT_HEADROOM_BYTES, and afterwards to the frame: there, or in the port's own memory, where it stays until
 * port_release.
 */
enum port_got port_receive(struct port *port, struct netif_packet *packet, uint8_t **bytes);
/* What was received is not used any more. */
void port_release(struct port *port);

/* Is there somebody at the far end? Where not, what is sent is lost, nothing comes, and on_link will say when. */
bool port_has_link(const struct port *port);
/* Why there is nothing behind the port any more, as a negative errno; 0: there is. */
int port_error(const struct port *port);
/*
 * Everything that passes is shown to it from now on, NULL: to none; the one before is returned. By whoever may use the
 * port just now. A port that is closed closes its capture.
 */
struct capture *port_set_capture(struct port *port, struct capture *capture);
const struct port_counters *port_counters(const struct port *port);

#endif
