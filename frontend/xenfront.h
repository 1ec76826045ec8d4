// SPDX-License-Identifier: MIT
/*
 * xenfront.h: Xen split-driver frontends in user space.
 *
 * A program in a guest domain drives its own paravirtual block devices (vbd) and network devices (vif) with these
 * calls, over grant references, event channels and xenstore: the backend is in another domain and is not
 * trusted. Everything it writes is copied once and checked.
 *
 * Threads: a handle belongs to one thread at a time; different handles are independent. Nothing here starts a
 * thread, except that libxenstore keeps one for watches.
 * Event loops: poll xenfront_blk_fd() or xenfront_net_fd() for reading, with the handle's timeout_ms() as the
 * time-out, then call its pump. Callbacks run inside xenfront_blk_pump(), _poll(), _wait(), _connect() and
 * _close() only. Errors: functions return 0 or a count, or a negative errno; the handle's error() has the sentence
 * that goes with it (device, what was expected, what was found). Units: lengths and offsets are bytes, unless
 * a name says otherwise; a sector is 512 bytes, as in <xen/io/blkif.h>.
 */
#ifndef XENFRONT_H
#define XENFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XENFRONT_SECTOR_SIZE 512u

/* The version of the library, "1.2.3". */
const char *xenfront_version(void);

/*
 * The number of a virtual device: "xvda", "xvdb3", "hda", "sda1", "d0", "d0p1" or the decimal number itself.
 * 0, or -EINVAL. Source: xen-vbd-interface(7).
 */
int xenfront_vdev_parse(const char *text, uint32_t *devid);
/* The name of a number in buf ("xvda"; the decimal number when it has no name). Returns buf. */
const char *xenfront_vdev_name(uint32_t devid, char *buf, size_t size);

struct xenfront_blk; /* one vbd */

enum xenfront_state {
    XENFRONT_IDLE, /* new, opened, or closed by the program: may connect */
    XENFRONT_CONNECTING,
    XENFRONT_CONNECTED, /* takes requests */
    XENFRONT_CLOSING, /* finishes what is in flight, then shakes hands with the backend */
    XENFRONT_BROKEN, /* latched: backend gone, closed or caught lying; close it, then it may connect again */
};

struct xenfront_blk_options {
    size_t size; /* sizeof(struct xenfront_blk_options): the version of this structure */
    uint32_t depth; /* requests that the program may have in flight, 1 to 65536; 0: 128 */
    uint32_t data_pages; /* granted pages for data, from 11; 0: 11 for each slot of the ring (352) */
    uint32_t spin_us; /* xenfront_blk_wait() looks at the ring for so long before it sleeps; 0: never */
    uint32_t
        io_timeout_ms; /* no response for so long with requests in flight is an error; 0: wait for ever */
    uint32_t flags; /* XENFRONT_BLK_* */
};

#define XENFRONT_BLK_TAKEOVER 1u /* connect although another driver seems to use the device */
#define XENFRONT_BLK_NO_PERSISTENT 2u /* do not offer that the backend keeps our pages mapped */

/* What the backend says about the disk, checked. Valid while connected. */
struct xenfront_blk_info {
    uint64_t size_bytes;
    uint64_t sectors; /* of 512 bytes */
    uint32_t sector_size; /* logical: offsets and lengths are multiples of it */
    uint32_t physical_sector_size;
    uint32_t devid;
    uint32_t backend_domid;
    uint32_t ring_slots;
    uint32_t data_pages;
    bool is_readonly;
    bool is_cdrom;
    bool is_removable;
    bool has_flush;
    bool has_barrier; /* offered by the backend; this library uses flush */
    bool has_discard;
    uint32_t discard_granularity; /* bytes that go together, from the first discard_alignment bytes on */
    uint32_t discard_alignment;
    bool is_persistent; /* both ends offer persistent grants */
    uint32_t max_indirect_segments; /* offered by the backend; 0: none */
    uint32_t max_ring_page_order;
    uint32_t max_queues;
    char backend_path[256]; /* in xenstore */
};

/* Counters since xenfront_blk_new(). */
struct xenfront_blk_stats {
    uint64_t reads, writes, flushes, discards; /* requests of the program that were completed */
    uint64_t bytes_read, bytes_written, bytes_discarded;
    uint64_t errors; /* requests that were completed with an error */
    uint64_t ring_requests, ring_responses; /* what went over the ring for them */
    uint64_t kicks; /* event channel notifications sent */
    uint64_t interrupts; /* event channel notifications received */
    uint64_t spurious; /* of these, without any response behind them */
    uint64_t quarantined_pages; /* pages that could not be taken back from the backend */
};

/*
 * The end of a request. status: 0, or -EIO (the backend reported an error), -EOPNOTSUPP (it does not know the
 * operation), -EPROTO (it broke the protocol), -ETIMEDOUT (no response in io_timeout_ms), -ENODEV (it is
 * gone), -ESHUTDOWN (the device was closed before the request was done). After an error the contents of the
 * buffer of a read, and of the disk's range for a write, are undefined. A callback may start requests and
 * submit them; it may not pump, wait, connect, close or free.
 */
typedef void (*xenfront_blk_fn)(void *cookie, int status);

/*
 * A handle, without any connection yet. options may be NULL, or filled partly: zero means the default.
 * NULL with errno ENOMEM, or EINVAL for an option that is out of bounds.
 */
struct xenfront_blk *xenfront_blk_new(const struct xenfront_blk_options *options);
/* Closes without waiting when it is not closed yet, and frees. NULL is fine. */
void xenfront_blk_free(struct xenfront_blk *blk);

/*
 * Finds the device in the own domain's part of xenstore. device: as xenfront_vdev_parse(); NULL: the only
 * one. Writes nothing. -ENODEV: no such device; -EINVAL: bad name, or NULL with several devices; -EACCES and
 * others from xenstore; -EPROTO: nodes that make no sense.
 */
int xenfront_blk_open(struct xenfront_blk *blk, const char *device);

/*
 * Starts to connect; xenfront_blk_pump() carries it on, and xenfront_blk_state() tells. An earlier connection
 * that a dead program left is closed first. -EBUSY: another driver uses the device (a program that lives, or
 * one that is not of this library, as a kernel's driver). -ETIMEDOUT is reported by the pump after timeout_ms
 * (0: no limit).
 */
int xenfront_blk_start(struct xenfront_blk *blk, uint32_t timeout_ms);
/* The same, and pumps until connected or failed. May sleep. */
int xenfront_blk_connect(struct xenfront_blk *blk, uint32_t timeout_ms);

enum xenfront_state xenfront_blk_state(const struct xenfront_blk *blk);
/* "vbd 51712 (xvda)". Valid as long as the handle. */
const char *xenfront_blk_name(const struct xenfront_blk *blk);
/* Why the last call on this handle failed, or why it is broken; "" when nothing failed. */
const char *xenfront_blk_error(const struct xenfront_blk *blk);
/* -ENOTCONN before the first connection. */
int xenfront_blk_info(const struct xenfront_blk *blk, struct xenfront_blk_info *info);
void xenfront_blk_stats(const struct xenfront_blk *blk, struct xenfront_blk_stats *stats);

/*
 * Requests. offset and the length are multiples of the sector size, the range lies on the disk, and the
 * length is not 0. The data is copied to and from granted pages: for a write when the request reaches the
 * ring, for a read before the callback, so buffers (and an iovec array) stay untouched until the callback.
 * Lengths have no limit: a long request is split into ring requests of up to 11 pages. There is no order
 * between requests in flight; a flush covers the writes whose callbacks have run. A discard says that nobody needs
 * what is in the range: it reads as anything afterwards, until it is written again.
 *
 * Prepare several, then submit once: they are sent by xenfront_blk_submit(), by the next pump, and by themselves
 * whenever eight have gathered, so that the backend works on them while more are prepared.
 * fn is called exactly once for each call that returned 0.
 * -EAGAIN: `depth` requests are in flight: pump. -EINVAL: range or alignment; -EROFS: the disk is read-only;
 * -EOPNOTSUPP: flush or discard, and the backend has none; -ENOTCONN, -ESHUTDOWN: not connected (any more).
 */
int xenfront_blk_read(struct xenfront_blk *blk, void *data, size_t length, uint64_t offset,
                      xenfront_blk_fn fn, void *cookie);
int xenfront_blk_write(struct xenfront_blk *blk, const void *data, size_t length, uint64_t offset,
                       xenfront_blk_fn fn, void *cookie);
int xenfront_blk_readv(struct xenfront_blk *blk, const struct iovec *iov, int count, uint64_t offset,
                       xenfront_blk_fn fn, void *cookie);
int xenfront_blk_writev(struct xenfront_blk *blk, const struct iovec *iov, int count, uint64_t offset,
                        xenfront_blk_fn fn, void *cookie);
int xenfront_blk_flush(struct xenfront_blk *blk, xenfront_blk_fn fn, void *cookie);
int xenfront_blk_discard(struct xenfront_blk *blk, uint64_t length, uint64_t offset, xenfront_blk_fn fn,
                         void *cookie);
/* Sends what was prepared and not sent yet; at most one notification. Returns the number of ring requests sent. */
int xenfront_blk_submit(struct xenfront_blk *blk);
/* Requests whose callbacks have not run yet. */
unsigned int xenfront_blk_in_flight(const struct xenfront_blk *blk);

/*
 * Without a copy: data in pages that are granted to the backend for as long as the buffer exists. The backend
 * can read and change them at any time until then, so check and use a private copy of anything that matters.
 * A buffer belongs to one connection: allocate anew after the next connect, and free it before the handle.
 * NULL with errno: ENOSPC when the domain has no grant references left (gntalloc's limit), ENOTCONN.
 */
struct xenfront_buffer;
struct xenfront_buffer *xenfront_buffer_new(struct xenfront_blk *blk, size_t length);
void *xenfront_buffer_data(const struct xenfront_buffer *buffer);
size_t xenfront_buffer_length(const struct xenfront_buffer *buffer);
/* -EBUSY while a request uses it. NULL is fine. */
int xenfront_buffer_free(struct xenfront_buffer *buffer);
/* As read and write; `at` is the place in the buffer, a multiple of the sector size too. */
int xenfront_blk_read_buffer(struct xenfront_blk *blk, struct xenfront_buffer *buffer, size_t at,
                             size_t length, uint64_t offset, xenfront_blk_fn fn, void *cookie);
int xenfront_blk_write_buffer(struct xenfront_blk *blk, struct xenfront_buffer *buffer, size_t at,
                              size_t length, uint64_t offset, xenfront_blk_fn fn, void *cookie);

/* Readable when the pump has work. One descriptor for the life of the handle; do not read it. */
int xenfront_blk_fd(const struct xenfront_blk *blk);
/* The pump must be called after so many milliseconds even if the descriptor is silent; 0: now; -1: never. */
int xenfront_blk_timeout_ms(const struct xenfront_blk *blk);
/*
 * Does what there is to do, never sleeps: store watches, events, responses and their callbacks, prepared and
 * waiting requests, time-outs. Returns how many callbacks it ran, or a negative errno from the moment that
 * the device is broken (requests in flight have got their callbacks by then). -EBUSY from inside a callback.
 */
int xenfront_blk_pump(struct xenfront_blk *blk);
/*
 * Looks at the ring only: no system call unless the backend asks for a notification; does not ask the backend
 * for events. For a program that spins. Call the pump now and then as well: it sees the store and time-outs.
 */
int xenfront_blk_poll(struct xenfront_blk *blk);
/*
 * Submits, spins for spin_us, sleeps up to timeout_ms (-1: no limit), pumps. As the pump; 0 after a time-out or a
 * signal. Does not sleep on an idle or broken handle.
 */
int xenfront_blk_wait(struct xenfront_blk *blk, int timeout_ms);

/*
 * Takes no requests any more, finishes those in flight, takes the states to Closed together with the backend,
 * and takes the granted pages back. The pump carries it on; after timeout_ms (0: at once) it is done by
 * force: requests in flight get -ESHUTDOWN, and -ETIMEDOUT is reported. May be called again, and in every
 * state.
 */
int xenfront_blk_shutdown(struct xenfront_blk *blk, uint32_t timeout_ms);
/* The same, and pumps until closed. May sleep. 0 also when the backend is gone. */
int xenfront_blk_close(struct xenfront_blk *blk, uint32_t timeout_ms);

/*
 * Network devices (vif). Life, descriptor, pump and errors are those of a vbd, under other names.
 */
struct xenfront_net; /* one vif, with one queue */

struct xenfront_net_options {
    size_t size; /* sizeof(struct xenfront_net_options): the version of this structure */
    uint32_t tx_pages; /* granted pages for packets on their way out, 20 to 256; 0: 256 */
    uint32_t spin_us; /* xenfront_net_wait() looks at the rings for so long before it sleeps; 0: never */
    uint32_t io_timeout_ms; /* no response for so long with packets on their way out is an error; 0: none */
    uint32_t flags; /* XENFRONT_NET_* */
};

#define XENFRONT_NET_TAKEOVER 1u /* connect although another driver seems to use the device */
#define XENFRONT_NET_NO_SG 2u /* neither send nor take packets of more than a page; implies NO_GSO */
#define XENFRONT_NET_NO_GSO 4u /* neither send nor take packets that are still to be cut into segments */
#define XENFRONT_NET_NO_CSUM 8u /* neither send nor take packets with a blank checksum; implies NO_GSO */
#define XENFRONT_NET_ONE_CHANNEL 16u /* one event channel, also where the backend offers two */

/* What the store says about the device, checked. */
struct xenfront_net_info {
    uint32_t devid;
    uint32_t backend_domid;
    uint8_t mac[6]; /* ours */
    bool has_mac; /* the toolstack gave one */
    bool is_link_up; /* live: the backend's `carrier` */
    bool is_split; /* an event channel for each direction */
    /* What the backend takes, and this handle sends. */
    bool can_sg; /* packets of more than a page */
    bool can_csum_ipv4, can_csum_ipv6; /* with a blank checksum */
    bool can_gso_tcpv4, can_gso_tcpv6;
    uint32_t mtu; /* that the toolstack wishes; 1500 unless it says something */
    uint32_t max_queues; /* offered by the backend; this library uses one */
    uint32_t ring_slots; /* of each of the two rings */
    uint32_t tx_pages, rx_pages; /* granted */
    char backend_path[256]; /* in xenstore */
};

/* Counters since xenfront_net_new(). */
struct xenfront_net_stats {
    uint64_t tx_packets, tx_bytes; /* put on the ring */
    uint64_t tx_errors, tx_dropped; /* answered so by the backend, counted in slots */
    uint64_t rx_packets, rx_bytes; /* given to the program */
    uint64_t rx_errors; /* packets of the backend that were malformed, or that it marked as failed */
    uint64_t ring_requests, ring_responses;
    uint64_t kicks; /* event channel notifications sent */
    uint64_t interrupts; /* event channel notifications received */
    uint64_t spurious; /* of these, without any response behind them */
    uint64_t quarantined_pages; /* pages that could not be taken back from the backend */
};

/*
 * What is left to be done with a packet, and what was done: layout and values are those of Linux' struct
 * virtio_net_hdr (10 bytes, as a TAP device has it in front of a packet), so that either can be read as the other.
 */
struct xenfront_net_offload {
    uint8_t flags; /* XENFRONT_NET_NEEDS_CSUM, _DATA_VALID */
    uint8_t gso_type; /* XENFRONT_NET_GSO_* */
    uint16_t header_bytes; /* up to the payload; a hint */
    uint16_t gso_bytes; /* payload of a segment */
    uint16_t csum_start; /* NEEDS_CSUM: sum from here to the end, ... */
    uint16_t
        csum_offset; /* ... the result goes so far behind csum_start, where the pseudo header's sum stands */
};

#define XENFRONT_NET_NEEDS_CSUM 1u
#define XENFRONT_NET_DATA_VALID 2u
#define XENFRONT_NET_GSO_NONE 0u
#define XENFRONT_NET_GSO_TCPV4 1u
#define XENFRONT_NET_GSO_TCPV6 4u
#define XENFRONT_NET_GSO_ECN 0x80u /* besides one of the two */

#define XENFRONT_NET_MAX_BYTES 65535u /* of a packet, with its Ethernet header */
#define XENFRONT_NET_HEADER_BYTES 512u
#define XENFRONT_NET_PARTS 21 /* iovec entries that a packet needs at most */

/* As xenfront_blk_new() and so on. device: a number as in "0", or NULL for the only one. */
struct xenfront_net *xenfront_net_new(const struct xenfront_net_options *options);
void xenfront_net_free(struct xenfront_net *net);
int xenfront_net_open(struct xenfront_net *net, const char *device);
int xenfront_net_start(struct xenfront_net *net, uint32_t timeout_ms);
int xenfront_net_connect(struct xenfront_net *net, uint32_t timeout_ms);
enum xenfront_state xenfront_net_state(const struct xenfront_net *net);
const char *xenfront_net_name(const struct xenfront_net *net); /* "vif 0" */
const char *xenfront_net_error(const struct xenfront_net *net);
int xenfront_net_info(const struct xenfront_net *net, struct xenfront_net_info *info);
void xenfront_net_stats(const struct xenfront_net *net, struct xenfront_net_stats *stats);
int xenfront_net_shutdown(struct xenfront_net *net, uint32_t timeout_ms);
int xenfront_net_close(struct xenfront_net *net, uint32_t timeout_ms);

/*
 * Sends a packet: an Ethernet frame without its checksum, 14 to 65535 bytes, and what is left to be done with it
 * (NULL: nothing). It is copied into granted pages before this returns, and goes out with the next submit, pump or
 * wait. A checksum that the backend does not take blank is completed here.
 * -EAGAIN: no room: pump (room comes with the backend's responses). -EMSGSIZE: too short or too long for this
 * backend. -EOPNOTSUPP: segmentation that the backend does not offer, or that the packet's headers do not fit.
 * -ENOTCONN, -ESHUTDOWN: not connected (any more).
 */
int xenfront_net_send(struct xenfront_net *net, const struct iovec *iov, int count,
                      const struct xenfront_net_offload *offload);
/*
 * The same without a copy: _begin gives places to write a packet of up to `length` bytes to, in order (the first is
 * private memory of XENFRONT_NET_HEADER_BYTES, the others are granted pages); fill them one behind the other, then
 * _end with the length that it became, or 0 to let it be. iov has XENFRONT_NET_PARTS entries; _begin returns how
 * many are used, or as xenfront_net_send(). Nothing else may be called on the handle in between. _end gives -EMSGSIZE,
 * and sends nothing, also for more than was begun.
 */
int xenfront_net_send_begin(struct xenfront_net *net, struct iovec *iov, uint32_t length);
int xenfront_net_send_end(struct xenfront_net *net, uint32_t length,
                          const struct xenfront_net_offload *offload);
/* The longest packet that the connected backend takes. */
uint32_t xenfront_net_max_bytes(const struct xenfront_net *net);
/* Hands out what was sent; at most one notification. Returns the number of ring slots. */
int xenfront_net_submit(struct xenfront_net *net);
/* Ring slots whose responses have not come yet. */
unsigned int xenfront_net_in_flight(const struct xenfront_net *net);

/*
 * A received packet. Its first min(length, XENFRONT_NET_HEADER_BYTES) bytes are iov[0], a private copy in `header`.
 * The others are granted pages that the backend can still change: pass them on as they are, or copy them first
 * and then look. All of it is valid until the next receive, pump, poll, wait, shutdown or close.
 */
struct xenfront_net_packet {
    uint32_t length;
    int count; /* of iov */
    struct xenfront_net_offload offload;
    struct iovec iov[XENFRONT_NET_PARTS];
    uint8_t header[XENFRONT_NET_HEADER_BYTES];
};

/*
 * Gives the pages of the packets before back to the backend, then fetches up to `count` packets. The number, 0 when
 * there are none, or a negative errno. Bad packets are left out (stats.rx_errors); a backend whose accounting is
 * broken breaks the device (-EPROTO).
 */
int xenfront_net_receive(struct xenfront_net *net, struct xenfront_net_packet *packets, int count);
/* All of it to buffer, of size bytes. The length, or -EMSGSIZE. */
int xenfront_net_packet_copy(const struct xenfront_net_packet *packet, void *buffer, size_t size);

/*
 * As for a vbd. _pump, _poll and _wait return 1 when xenfront_net_receive() has something, else 0, or a negative
 * errno from the moment that the device is broken.
 */
int xenfront_net_fd(const struct xenfront_net *net);
int xenfront_net_timeout_ms(const struct xenfront_net *net);
int xenfront_net_pump(struct xenfront_net *net);
int xenfront_net_poll(struct xenfront_net *net);
int xenfront_net_wait(struct xenfront_net *net, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
