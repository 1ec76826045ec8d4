// SPDX-License-Identifier: MIT
/*
 * options.h: what the xenfront command understands. One table of options, each with the commands that take
 * it, feeds the parser and the help text.
 */
#ifndef XENSPLIT_FRONTEND_TOOLS_OPTIONS_H
#define XENSPLIT_FRONTEND_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes, as xenfront(1) documents them. */
enum tool_exit {
    TOOL_OK = 0,
    TOOL_IO = 1, /* an I/O error, on the device or on a file */
    TOOL_USAGE = 2,
    TOOL_CONNECT = 3, /* no such device, in use, or no connection in time */
    TOOL_DIFFER = 4, /* verify: the disk holds something else than was written */
    TOOL_SIGNAL = 128, /* plus the signal's number */
};

enum tool_command {
    TOOL_INFO = 1 << 0,
    TOOL_READ = 1 << 1,
    TOOL_WRITE = 1 << 2,
    TOOL_COPY = 1 << 3,
    TOOL_VERIFY = 1 << 4,
    TOOL_BENCH = 1 << 5,
    TOOL_DISCARD = 1 << 6,
    TOOL_BLK = (1 << 7) - 1,
    TOOL_NET_INFO = 1 << 7,
    TOOL_NET_TAP = 1 << 8,
    TOOL_NET_PING = 1 << 9,
    TOOL_NET_BENCH = 1 << 10,
    TOOL_NET_DUMP = 1 << 11,
    TOOL_NET = ((1 << 12) - 1) & ~TOOL_BLK,
    TOOL_ALL = TOOL_BLK | TOOL_NET,
};

struct settings {
    enum tool_command command;
    const char *device; /* NULL: the only one */
    const char *in; /* file names */
    const char *out;
    const char *pattern; /* of bench */
    const char *tap; /* name of the TAP device; NULL: "xen" and the device's number */
    const char *from; /* IP addresses of ping */
    const char *to;
    uint64_t offset; /* bytes on the disk */
    uint64_t size; /* bytes; 0: to the end */
    uint64_t block_size; /* bytes a request */
    uint64_t seed;
    uint64_t count; /* requests; 0: as long as `seconds` */
    uint64_t depth;
    uint64_t data_pages;
    uint64_t spin_us;
    uint64_t seconds;
    uint64_t timeout_s;
    uint64_t io_timeout_s;
    uint64_t read_percent;
    uint64_t interval_ms;
    uint64_t mtu; /* 0: the toolstack's */
    bool is_json;
    bool is_quiet;
    bool is_takeover;
    bool no_persistent;
    bool is_polling;
    bool is_direct;
    bool read_only_check;
    bool no_sg;
    bool no_gso;
    bool no_csum;
    bool one_channel;
    bool has_offloads; /* dump: packets as they are, checksums blank and segments uncut */
};

/*
 * Fills settings from the arguments after the command's name, defaults included. 0; or TOOL_USAGE when it has
 * said what is wrong; or -1 when it has printed the help.
 */
int settings_parse(struct settings *settings, enum tool_command command, const char *usage, int argc,
                   char **argv);
void settings_help(FILE *to, enum tool_command command);

/* "4096", "4k", "1MiB", "2G": binary multiples. 0 or -EINVAL, -ERANGE. */
int size_parse(const char *text, uint64_t *bytes);

#endif
