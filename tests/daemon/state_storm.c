// SPDX-License-Identifier: MIT
/*
 * state_storm.c: a frontend that gives a real ring and then writes its state at random as fast as the store takes
 * it, as no honest one does (catalogue C09, F01).
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
    uint32_t ref;
    void *ring = xengntshr_share_pages(gntshr, 0, 1, &ref, 1);
    int port = xenevtchn_bind_unbound_port(evtchn, 0);
    if (!ring || port < 0)
        die("no page or port to share");
    /* An empty ring, whatever the layout: producers 0, event indexes 1. */
    ((uint32_t *)ring)[1] = ((uint32_t *)ring)[3] = 1;
    write_number("ring-ref", ref);
    write_number("event-channel", port);
    write_key("protocol", "x86_64-abi");

    if (is_flood)
        write_key("state", "4");
    for (unsigned int i = 0; i < count; i++) {
        char state[2] = { is_flood ? '4' : states[rand_r(&seed) % strlen(states)], '\0' };
        write_key("state", state);
    }
    write_key("state", "6");
    xengntshr_unshare(gntshr, ring, 1);
    xenevtchn_close(evtchn);
    xengntshr_close(gntshr);
    xs_close(xs);
    return 0;
}
