// SPDX-License-Identifier: MIT
/*
 * xenfront.h: Xen split-driver frontends in user space.
 *
 * A program in a guest domain drives its own paravirtual block devices (vbd) with these calls, over grant
 * references, one event channel and xenstore: the backend is in another domain and is not trusted. Everything
 * it writes is copied once and checked.
 *
 * Threads: a handle belongs to one thread at a time; different handles are independent. Nothing here starts a
 * thread, except that libxenstore keeps one for watches.
 * Event loops: poll xenfront_blk_fd() for reading, with xenfront_blk_timeout_ms() as the time-out, then call
 * xenfront_blk_pump(). Callbacks run inside xenfront_blk_pump(), _poll(), _wait(), _connect() and _close()
 * only. Errors: functions return 0 or a count, or a negative errno; xenfront_blk_error() has the sentence
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
    bool has_discard; /* offered by the backend; this library does not use it */
    bool is_persistent; /* both ends offer persistent grants */
    uint32_t max_indirect_segments; /* offered by the backend; 0: none */
    uint32_t max_ring_page_order;
    uint32_t max_queues;
    char backend_path[256]; /* in xenstore */
};

/* Counters since xenfront_blk_new(). */
struct xenfront_blk_stats {
    uint64_t reads, writes, flushes; /* requests of the program that were completed */
    uint64_t bytes_read, bytes_written;
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
 * between requests in flight; a flush covers the writes whose callbacks have run.
 *
 * Nothing is sent before xenfront_blk_submit() or the next pump: prepare several, then submit once.
 * fn is called exactly once for each call that returned 0.
 * -EAGAIN: `depth` requests are in flight: pump. -EINVAL: range or alignment; -EROFS: the disk is read-only;
 * -EOPNOTSUPP: flush, and the backend has none; -ENOTCONN, -ESHUTDOWN: not connected (any more).
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
/* Sends what was prepared; at most one notification. Returns the number of ring requests sent. */
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

#ifdef __cplusplus
}
#endif

#endif
