// SPDX-License-Identifier: MIT
/*
 * net_dump.c: `xenfront net dump`: the packets that arrive, as lines on standard output, or as a file in pcap format.
 * Unless told otherwise it takes neither blank checksums nor uncut segments, so that what it writes is what would be
 * on a wire.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/describe.h"

#define BATCH 32

struct dump {
    struct net_session *session;
    struct xenfront_net_packet *packets; /* BATCH */
    uint8_t *whole; /* XENFRONT_NET_MAX_BYTES */
    FILE *out; /* NULL: text */
    uint64_t count;
};

static uint64_t time_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000;
}

static void packet_print(const struct xenfront_net_packet *packet, uint64_t now_us)
{
    time_t seconds = (time_t)(now_us / 1000000);
    char clock[16], text[256];
    struct tm tm;

    strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&seconds, &tm));
    describe(text, sizeof(text), packet->header, (uint32_t)packet->iov[0].iov_len, packet->length);
    printf("%s.%06u %s%s", clock, (unsigned int)(now_us % 1000000), text,
           packet->offload.flags & XENFRONT_NET_NEEDS_CSUM ? ", checksum blank" : "");
    if (packet->offload.gso_type)
        printf(", segments of %u", packet->offload.gso_bytes);
    putchar('\n');
}

/* 0 or a negative errno of the file. */
static int packet_write(struct dump *dump, const struct xenfront_net_packet *packet, uint64_t now_us)
{
    uint8_t record[PCAP_RECORD_BYTES];
    int length = xenfront_net_packet_copy(packet, dump->whole, XENFRONT_NET_MAX_BYTES);

    if (length < 0)
        return length;
    pcap_record(record, now_us, (uint32_t)length);
    if (fwrite(record, sizeof(record), 1, dump->out) == 1 &&
        fwrite(dump->whole, (size_t)length, 1, dump->out) == 1)
        return 0;
    return -errno;
}

static int packets_take(struct dump *dump, uint64_t limit)
{
    int count = xenfront_net_receive(dump->session->net, dump->packets, BATCH), err = 0;

    for (int i = 0; i < count && err == 0 && dump->count < limit; i++, dump->count++) {
        if (dump->out)
            err = packet_write(dump, &dump->packets[i], time_us());
        else
            packet_print(&dump->packets[i], time_us());
    }
    fflush(dump->out ? dump->out : stdout);
    return err < 0 ? err : count;
}

static int run(struct dump *dump)
{
    const struct settings *settings = dump->session->settings;
    uint64_t limit = settings->count ? settings->count : UINT64_MAX;
    double start = seconds_now();
    int err = 0;

    /* A batch a look, so that a flood does not outlast the limits, nor a signal. */
    while (err >= 0 && dump->count < limit && !net_session_is_over(start, settings->seconds)) {
        err = xenfront_net_wait(dump->session->net, PROCESS_WAIT_MS);
        if (err > 0)
            err = packets_take(dump, limit);
    }
    return err < 0 ? err : 0;
}

static int dump_open(struct dump *dump)
{
    const char *file = dump->session->settings->out;
    uint8_t start[PCAP_START_BYTES];

    dump->packets = calloc(BATCH, sizeof(*dump->packets));
    dump->whole = malloc(XENFRONT_NET_MAX_BYTES);
    if (!dump->packets || !dump->whole)
        return -ENOMEM;
    if (!file)
        return 0;
    dump->out = strcmp(file, "-") ? fopen(file, "we") : stdout;
    pcap_start(start);
    if (dump->out && fwrite(start, sizeof(start), 1, dump->out) == 1 && fflush(dump->out) == 0)
        return 0;
    fprintf(stderr, "xenfront: %s: %s\n", file, strerror(errno));
    return -errno;
}

int command_net_dump(struct net_session *session)
{
    struct dump dump = { .session = session };
    int err = dump_open(&dump), result = TOOL_OK;

    if (err == 0 && !session->settings->is_quiet)
        fprintf(stderr, "xenfront: %s: listening\n", xenfront_net_name(session->net));
    if (err == 0)
        err = run(&dump);
    if (dump.out && dump.out != stdout && fclose(dump.out) != 0 && err >= 0)
        err = -errno;
    if (err < 0)
        result = net_session_fail(session, err, "dump");
    else if (!session->settings->is_quiet)
        fprintf(stderr, "xenfront: %s: %" PRIu64 " packets\n", xenfront_net_name(session->net), dump.count);
    free(dump.packets);
    free(dump.whole);
    return !result && process_signal() ? TOOL_SIGNAL + process_signal() : result;
}
