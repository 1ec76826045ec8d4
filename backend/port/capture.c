// SPDX-License-Identifier: MIT
/*
 * capture.c: a ring of bytes between the worker and the thread that writes.
 */
#include <config.h>

#include "backend/port/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/netif_vnet.h"

#define RING_BYTES (4u * 1024u * 1024u) /* a power of two */
#define PCAP_MAGIC_NS 0xa1b23c4du
#define PCAP_ETHERNET 1u

struct pcap_file {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, length_max, link;
};

struct pcap_record {
    uint32_t seconds, nanoseconds, captured, length;
};

struct capture {
    int fd;
    char path[256]; /* for the log */
    pthread_t thread;
    sem_t more;
    atomic_bool is_ending;
    _Atomic uint64_t head; /* bytes put in, by the worker */
    _Atomic uint64_t tail; /* bytes written, by the thread */
    int error; /* the thread's: then it only throws away */
    uint64_t frames, lost; /* the worker's */
    uint8_t frame[NETIF_PACKET_BYTES_MAX];
    uint8_t ring[RING_BYTES];
};

static int write_whole(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t written = write(fd, bytes, length);

        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

/* What lies in the ring, up to its end in memory. False: nothing. */
static bool write_some(struct capture *capture)
{
    const uint64_t tail = atomic_load_explicit(&capture->tail, memory_order_relaxed);
    const uint64_t head = atomic_load_explicit(&capture->head, memory_order_acquire);
    const size_t at = tail % RING_BYTES, left = RING_BYTES - at;
    const size_t bytes = head - tail < left ? (size_t)(head - tail) : left;

    if (bytes == 0)
        return false;
    if (!capture->error) {
        capture->error = write_whole(capture->fd, capture->ring + at, bytes);
        if (capture->error)
            log_warning(NULL, "capture to %s: %s: nothing more is written", capture->path,
                        strerror(-capture->error));
    }
    atomic_store_explicit(&capture->tail, tail + bytes, memory_order_release);
    return true;
}

static void *run(void *arg)
{
    struct capture *capture = arg;

    while (!atomic_load(&capture->is_ending)) {
        while (sem_wait(&capture->more) < 0)
            ;
        while (write_some(capture))
            ;
    }
    while (write_some(capture))
        ;
    return NULL;
}

static int start_thread(struct capture *capture)
{
    sigset_t all, saved;
    int error;

    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    error = pthread_create(&capture->thread, NULL, run, capture);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return -error;
}

/* A fifo would be waited for, and a device could do anything. */
static int open_file(const char *path, char *reason, size_t reason_size)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
    const char *expected = NULL;
    struct stat status;
    int ret = fd < 0 || fstat(fd, &status) < 0 ? -errno : 0;

    if (ret == -ENXIO || (ret == 0 && !S_ISREG(status.st_mode)))
        expected = "expected a regular file, or a name that is free";
    else if (ret == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        expected = "expected a file that no other capture is written to";
    else if (ret == 0 && ftruncate(fd, 0) < 0)
        ret = -errno;
    if (ret == 0 && !expected)
        return fd;
    if (expected)
        snprintf(reason, reason_size, "capture: %s, found %s", expected, path);
    else
        snprintf(reason, reason_size, "cannot write a capture to %s: %s", path, strerror(-ret));
    if (fd >= 0)
        close(fd);
    return expected ? -EINVAL : ret;
}

int capture_open(struct capture **result, const char *path, char *reason, size_t reason_size)
{
    const struct pcap_file header = { .magic = PCAP_MAGIC_NS,
                                      .major = 2,
                                      .minor = 4,
                                      .length_max = NETIF_PACKET_BYTES_MAX,
                                      .link = PCAP_ETHERNET };
    struct capture *capture = calloc(1, sizeof(*capture));
    int ret;

    if (!capture) {
        snprintf(reason, reason_size, "capture: no memory");
        return -ENOMEM;
    }
    snprintf(capture->path, sizeof(capture->path), "%s", path);
    ret = capture->fd = open_file(path, reason, reason_size);
    if (ret < 0)
        goto fail;
    ret = write_whole(capture->fd, (const uint8_t *)&header, sizeof(header));
    if (ret == 0) {
        sem_init(&capture->more, 0, 0);
        ret = start_thread(capture);
        if (ret == 0) {
            *result = capture;
            return 0;
        }
        sem_destroy(&capture->more);
    }
    snprintf(reason, reason_size, "cannot write a capture to %s: %s", path, strerror(-ret));
    close(capture->fd);
fail:
    free(capture);
    return ret;
}

int capture_close(struct capture *capture, uint64_t *frames, uint64_t *lost)
{
    int error;

    if (!capture)
        return 0;
    atomic_store(&capture->is_ending, true);
    sem_post(&capture->more);
    pthread_join(capture->thread, NULL);
    sem_destroy(&capture->more);
    error = capture->error;
    if (close(capture->fd) < 0 && !error)
        error = -errno;
    *frames = capture->frames;
    *lost = capture->lost;
    free(capture);
    return error;
}

static void put(struct capture *capture, uint64_t at, const void *bytes, size_t length)
{
    const size_t begin = at % RING_BYTES, left = RING_BYTES - begin;
    const size_t first = length < left ? length : left;

    memcpy(capture->ring + begin, bytes, first);
    memcpy(capture->ring, (const uint8_t *)bytes + first, length - first);
}

void capture_frame(struct capture *capture, const struct netif_packet *packet, const uint8_t *bytes)
{
    const uint64_t head = atomic_load_explicit(&capture->head, memory_order_relaxed);
    const uint64_t tail = atomic_load_explicit(&capture->tail, memory_order_acquire);
    const uint32_t length = packet->length_bytes;
    struct netif_packet copy;
    struct pcap_record record;
    struct timespec now;

    if (RING_BYTES - (head - tail) < sizeof(record) + length) {
        capture->lost++;
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    record = (struct pcap_record){ (uint32_t)now.tv_sec, (uint32_t)now.tv_nsec, length, length };
    memcpy(&copy, packet, offsetof(struct netif_packet, part));
    memcpy(capture->frame, bytes, length);
    copy.is_csum_blank |= copy.gso_type != XEN_NETIF_GSO_TYPE_NONE;
    netif_vnet_settle(&copy, capture->frame); /* what cannot be completed is there as it is */
    put(capture, head, &record, sizeof(record));
    put(capture, head + sizeof(record), capture->frame, length);
    atomic_store_explicit(&capture->head, head + sizeof(record) + length, memory_order_release);
    capture->frames++;
    sem_post(&capture->more);
}
