// SPDX-License-Identifier: MIT
/*
 * state_storm.c: a frontend that gives a real ring with reads in it and then writes its state at random as fast as
 * the store takes it, as no honest one does (catalogue C09, C14, F01).
 *
 *     state_storm [-c COUNT] [-s SEED] [-r STATES] [-f] DEVICE-DIRECTORY
 *
 * STATES are the digits to choose from (default 123456789; 9 is no state). -f: the same state again and again.
 * It ends with the state Closed.
 */
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "common/barrier.h"
#include <xen/io/blkif.h>

#define RING_BYTES 4096
#define READS_MAX 16 /* in the ring at a time */

static struct xs_handle *xs;
static const char *dir;

static void die(const char *what)
{
    fprintf(stderr, "state_storm: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_key(const char *key, const char *value)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, key);
    if (!xs_write(xs, XBT_NULL, path, value, strlen(value)))
        die(path);
}

static void write_number(const char *key, unsigned int value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    write_key(key, text);
}

/* As many reads of the disk's first page as there is room for; what became of them is not looked at. */
static void push_reads(blkif_front_ring_t *ring, uint32_t ref)
{
    while (ring->req_prod_pvt - ring->sring->rsp_prod < READS_MAX) {
        blkif_request_t *request = RING_GET_REQUEST(ring, ring->req_prod_pvt);
        memset(request, 0, sizeof(*request));
        request->operation = BLKIF_OP_READ;
        request->nr_segments = 1;
        request->id = ring->req_prod_pvt;
        request->seg[0].gref = ref;
        request->seg[0].last_sect = 7;
        ring->req_prod_pvt++;
    }
    RING_PUSH_REQUESTS(ring);
}

int main(int argc, char **argv)
{
    const char *states = "123456789";
    unsigned int count = 2000, seed = 1;
    bool is_flood = false;
    int option;

    while ((option = getopt(argc, argv, "c:s:r:f")) != -1) {
        switch (option) {
        case 'c':
            count = strtoul(optarg, NULL, 10);
            break;
        case 's':
            seed = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            states = optarg;
            break;
        case 'f':
            is_flood = true;
            break;
        default:
            return 2;
        }
    }
    if (optind != argc - 1)
        return 2;
    dir = argv[optind];

    xs = xs_open(0);
    xengntshr_handle *gntshr = xengntshr_open(NULL, 0);
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    if (!xs || !gntshr || !evtchn)
        die("no store, grants or event channels");
    uint32_t refs[2];
    void *pages = xengntshr_share_pages(gntshr, 0, 2, refs, 1);
    int port = xenevtchn_bind_unbound_port(evtchn, 0);
    blkif_front_ring_t ring;
    if (!pages || port < 0)
        die("no page or port to share");
    SHARED_RING_INIT((blkif_sring_t *)pages);
    FRONT_RING_INIT(&ring, (blkif_sring_t *)pages, RING_BYTES);
    write_number("ring-ref", refs[0]);
    write_number("event-channel", port);
    write_key("protocol", "x86_64-abi");

    if (is_flood)
        write_key("state", "4");
    for (unsigned int i = 0; i < count; i++) {
        char state[2] = { is_flood ? '4' : states[rand_r(&seed) % strlen(states)], '\0' };
        push_reads(&ring, refs[1]);
        xenevtchn_notify(evtchn, port);
        write_key("state", state);
    }
    write_key("state", "6");
    xengntshr_unshare(gntshr, pages, 2);
    xenevtchn_close(evtchn);
    xengntshr_close(gntshr);
    xs_close(xs);
    return 0;
}
