// SPDX-License-Identifier: MIT
/*
 * options.c: see options.h.
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/tools/options.h"

enum option_kind { OPTION_FLAG, OPTION_NUMBER, OPTION_SIZE, OPTION_TEXT };

#define AT(field) offsetof(struct settings, field)

#define DISK_COMMANDS (TOOL_READ | TOOL_WRITE | TOOL_COPY | TOOL_VERIFY | TOOL_BENCH) /* that do I/O */
#define RANGE_COMMANDS ((DISK_COMMANDS & ~TOOL_COPY) | TOOL_DISCARD)

/* clang-format off */
static const struct option_row {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    size_t offset; /* in struct settings */
    unsigned int commands; /* that take it */
    uint64_t min, max; /* of a number or size */
    const char *argument;
    const char *help;
} option_rows[] = {
    { "in", 'i', OPTION_TEXT, AT(in), TOOL_WRITE | TOOL_COPY, 0, 0, "FILE",
      "read the data from FILE (-: standard input)" },
    { "out", 'o', OPTION_TEXT, AT(out), TOOL_READ | TOOL_COPY | TOOL_NET_DUMP, 0, 0, "FILE",
      "write the data to FILE (-: standard output; of dump: in pcap format)" },
    { "offset", 0, OPTION_SIZE, AT(offset), RANGE_COMMANDS, 0, UINT64_MAX, "SIZE",
      "where on the disk to start (default 0)" },
    { "tap", 'n', OPTION_TEXT, AT(tap), TOOL_NET_TAP, 0, 0, "NAME",
      "of the TAP device (default: xen and the device's number)" },
    { "mtu", 0, OPTION_NUMBER, AT(mtu), TOOL_NET_TAP, 68, 65521, "N",
      "of the TAP device (default: what the toolstack set, or 1500)" },
    { "from", 0, OPTION_TEXT, AT(from), TOOL_NET_PING, 0, 0, "ADDRESS",
      "our IP address: nobody else may use it" },
    { "to", 0, OPTION_TEXT, AT(to), TOOL_NET_PING, 0, 0, "ADDRESS",
      "whom to ask, in the same network" },
    { "interval", 0, OPTION_NUMBER, AT(interval_ms), TOOL_NET_PING, 1, 3600000, "MS",
      "milliseconds from one request to the next (default 1000)" },
    { "size", 's', OPTION_SIZE, AT(size), TOOL_NET_PING | TOOL_NET_BENCH, 0, 65535, "SIZE",
      "bytes of data (ping: 56) or of a packet (bench: 64)" },
    { "size", 's', OPTION_SIZE, AT(size), RANGE_COMMANDS, 512, UINT64_MAX, "SIZE",
      "how much of the disk (default: to its end; verify: 64M)" },
    { "block-size", 'b', OPTION_SIZE, AT(block_size), DISK_COMMANDS, 512, 64 << 20, "SIZE",
      "of a request (default 256K; bench: 4K; verify: at most this, 256K)" },
    { "depth", 'd', OPTION_NUMBER, AT(depth), DISK_COMMANDS, 1, 4096, "N",
      "requests in flight (default 8; bench: 1; verify: at most this, 32)" },
    { "seed", 0, OPTION_NUMBER, AT(seed), TOOL_VERIFY | TOOL_BENCH, 0, UINT64_MAX, "N",
      "of the random numbers (default 1): the same seed does the same" },
    { "read-only-check", 'r', OPTION_FLAG, AT(read_only_check), TOOL_VERIFY, 0, 0, NULL,
      "only read, and check what an earlier verify with this seed left" },
    { "pattern", 'p', OPTION_TEXT, AT(pattern), TOOL_BENCH, 0, 0, "NAME",
      "read, write, randread, randwrite, rw, randrw or flush (default randread)" },
    { "pattern", 'p', OPTION_TEXT, AT(pattern), TOOL_NET_BENCH, 0, 0, "NAME",
      "send, receive or both (default send)" },
    { "read-percent", 0, OPTION_NUMBER, AT(read_percent), TOOL_BENCH, 0, 100, "N",
      "how much of rw and randrw reads (default 70)" },
    { "seconds", 't', OPTION_NUMBER, AT(seconds), TOOL_BENCH | TOOL_NET_BENCH | TOOL_NET_DUMP, 0, 86400, "N",
      "how long to run (default 5; dump: no limit)" },
    { "count", 'c', OPTION_NUMBER, AT(count), TOOL_BENCH | TOOL_NET_PING | TOOL_NET_BENCH | TOOL_NET_DUMP, 1,
      UINT64_MAX, "N", "stop after N requests or packets (ping: 4)" },
    { "poll", 0, OPTION_FLAG, AT(is_polling), TOOL_BENCH | TOOL_NET_TAP | TOOL_NET_BENCH, 0, 0, NULL,
      "never sleep: look at the ring all the time" },
    { "direct", 0, OPTION_FLAG, AT(is_direct), TOOL_BENCH, 0, 0, NULL,
      "keep the data in granted pages: no copy in the frontend" },
    { "spin", 0, OPTION_NUMBER, AT(spin_us), DISK_COMMANDS | TOOL_NET_TAP | TOOL_NET_PING | TOOL_NET_BENCH,
      0, 1000000, "US",
      "microseconds to look at the ring before sleeping (default 0)" },
    { "data-pages", 0, OPTION_NUMBER, AT(data_pages), TOOL_BLK, 11, 65536, "N",
      "granted pages for data, at least 11 (default 352)" },
    { "no-persistent", 0, OPTION_FLAG, AT(no_persistent), TOOL_BLK, 0, 0, NULL,
      "do not offer persistent grants to the backend" },
    { "no-sg", 0, OPTION_FLAG, AT(no_sg), TOOL_NET, 0, 0, NULL,
      "no packets of more than a page, either way; implies --no-gso" },
    { "no-gso", 0, OPTION_FLAG, AT(no_gso), TOOL_NET, 0, 0, NULL,
      "no packets that are still to be cut into segments, either way" },
    { "no-csum", 0, OPTION_FLAG, AT(no_csum), TOOL_NET, 0, 0, NULL,
      "no packets with a blank checksum, either way; implies --no-gso" },
    { "one-channel", 0, OPTION_FLAG, AT(one_channel), TOOL_NET, 0, 0, NULL,
      "one event channel, also where the backend offers two" },
    { "offloads", 0, OPTION_FLAG, AT(has_offloads), TOOL_NET_DUMP, 0, 0, NULL,
      "take packets with blank checksums and uncut segments, too" },
    { "takeover", 0, OPTION_FLAG, AT(is_takeover), TOOL_ALL, 0, 0, NULL,
      "connect although another driver seems to use the device" },
    { "timeout", 0, OPTION_NUMBER, AT(timeout_s), TOOL_ALL, 1, 86400, "S",
      "seconds to wait for the backend to connect and to close (default 20)" },
    { "io-timeout", 0, OPTION_NUMBER, AT(io_timeout_s), TOOL_ALL, 0, 86400, "S",
      "seconds without any response that count as an error; 0: none (default: disks 60,\n"
      "                             networks none)" },
    { "json", 'j', OPTION_FLAG, AT(is_json), TOOL_ALL, 0, 0, NULL,
      "print the result as JSON" },
    { "quiet", 'q', OPTION_FLAG, AT(is_quiet),
      DISK_COMMANDS | TOOL_DISCARD | TOOL_NET_TAP | TOOL_NET_PING | TOOL_NET_DUMP, 0, 0, NULL,
      "no progress and no report" },
};
/* clang-format on */

#define OPTION_ROWS (sizeof(option_rows) / sizeof(option_rows[0]))
#define LONG_BASE 256 /* getopt's values for options; help has one more */

static const struct settings_default {
    unsigned int commands;
    struct settings settings;
} defaults[] = {
    { TOOL_INFO | TOOL_READ | TOOL_WRITE | TOOL_COPY | TOOL_DISCARD, { .block_size = 256 << 10, .depth = 8 } },
    { TOOL_VERIFY, { .block_size = 256 << 10, .depth = 32, .seed = 1, .size = 64 << 20 } },
    { TOOL_BENCH,
      { .block_size = 4096,
        .depth = 1,
        .seed = 1,
        .seconds = 5,
        .read_percent = 70,
        .pattern = "randread" } },
    { TOOL_NET_INFO | TOOL_NET_TAP | TOOL_NET_DUMP, { 0 } },
    { TOOL_NET_PING, { .size = 56, .count = 4, .interval_ms = 1000 } },
    { TOOL_NET_BENCH, { .size = 64, .seconds = 5, .pattern = "send" } },
};

int size_parse(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGTP";
    const char *unit;
    unsigned int shift = 0;
    uint64_t number;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno)
        return -ERANGE;
    if (*end) {
        unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);
        if (!unit)
            return -EINVAL;
        shift = 10 * (unsigned int)(unit - units + 1);
        end++;
        if (*end && strcmp(end, "B") && strcmp(end, "iB"))
            return -EINVAL;
    }
    if (number > UINT64_MAX >> shift)
        return -ERANGE;
    *bytes = number << shift;
    return 0;
}

static int value_parse(const struct option_row *row, const char *text, struct settings *settings)
{
    char *field = (char *)settings + row->offset;
    uint64_t number;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)field = text;
        return 0;
    default:
        if (size_parse(text, &number) < 0 || number < row->min || number > row->max)
            return -EINVAL;
        *(uint64_t *)field = number;
        return 0;
    }
}

/* getopt's two descriptions of the rows that a command takes. */
static void getopt_fill(unsigned int command, struct option *longs, char *shorts)
{
    *shorts++ = '-'; /* operands may stand anywhere, and come as the value 1 */
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];
        bool has_value = row->kind != OPTION_FLAG;

        if (!(row->commands & command))
            continue;
        *longs++ = (struct option){ row->name, has_value, NULL, LONG_BASE + (int)i };
        if (!row->letter)
            continue;
        *shorts++ = row->letter;
        if (has_value)
            *shorts++ = ':';
    }
    *shorts++ = 'h';
    *shorts = '\0';
    *longs++ = (struct option){ "help", 0, NULL, 'h' };
    *longs = (struct option){ NULL, 0, NULL, 0 };
}

static const struct option_row *row_find(int value, unsigned int command)
{
    if (value >= LONG_BASE)
        return &option_rows[value - LONG_BASE];
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];

        if (row->letter && row->letter == value && row->commands & command)
            return row;
    }
    return NULL;
}

void settings_help(FILE *to, enum tool_command command)
{
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];
        char name[48];

        if (!(row->commands & command))
            continue;
        snprintf(name, sizeof(name), "--%s%s%s", row->name, row->argument ? "=" : "",
                 row->argument ? row->argument : "");
        if (row->letter)
            fprintf(to, "  -%c, %-22s %s\n", row->letter, name, row->help);
        else
            fprintf(to, "      %-22s %s\n", name, row->help);
    }
    fprintf(to, "  -h, %-22s show this help\n", "--help");
}

static int device_set(struct settings *settings, const char *device)
{
    if (settings->device) {
        fprintf(stderr, "xenfront: one device expected, found %s and %s\n", settings->device, device);
        return TOOL_USAGE;
    }
    settings->device = device;
    return TOOL_OK;
}

int settings_parse(struct settings *settings, enum tool_command command, const char *usage, int argc,
                   char **argv)
{
    struct option longs[OPTION_ROWS + 2];
    char shorts[2 * OPTION_ROWS + 3];
    int value;

    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (defaults[i].commands & command)
            *settings = defaults[i].settings;
    }
    settings->command = command;
    settings->timeout_s = 20;
    settings->io_timeout_s = command & TOOL_BLK ? 60 : 0;
    getopt_fill(command, longs, shorts);
    while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        const struct option_row *row;

        if (value == 1) {
            if (device_set(settings, optarg))
                return TOOL_USAGE;
            continue;
        }
        if (value == 'h') {
            printf("usage: xenfront %s\n\n", usage);
            settings_help(stdout, command);
            return -1;
        }
        row = row_find(value, command);
        if (!row) {
            fprintf(stderr, "usage: xenfront %s\nTry --help.\n", usage);
            return TOOL_USAGE;
        }
        if (value_parse(row, optarg, settings) < 0) {
            fprintf(stderr, "xenfront: --%s: a %s from %" PRIu64 " to %" PRIu64 " expected, found %s\n",
                    row->name, row->kind == OPTION_SIZE ? "size like 4096, 4K or 1G" : "number", row->min,
                    row->max, optarg);
            return TOOL_USAGE;
        }
    }
    for (; optind < argc; optind++) { /* what follows -- */
        if (device_set(settings, argv[optind]))
            return TOOL_USAGE;
    }
    return TOOL_OK;
}
