// SPDX-License-Identifier: MIT
/*
 * net_bench.c: `xenfront net bench`: sends packets of one size as fast as the ring takes them, or counts what comes,
 * or both. The CPU time is this process's.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "frontend/tools/commands.h"

#define BATCH 64
#define TURNS_PER_PUMP 1024
#define MIN_BYTES 14u

struct bench {
    struct net_session *session;
    bool is_sending; /* and counting what comes, too */
    uint8_t *frame;
    struct xenfront_net_packet *packets; /* BATCH */
    uint64_t left; /* packets to send, or to receive */
};

struct snapshot {
    double seconds, cpu;
    struct xenfront_net_stats stats;
};

static const char *const patterns[] = { "send", "receive", "both" };

int check_net_bench(const struct settings *settings)
{
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        if (!strcmp(settings->pattern, patterns[i]) && settings->size >= MIN_BYTES)
            return TOOL_OK;
    }
    fprintf(
        stderr,
        "xenfront: bench: a pattern (send, receive, both) and a size from %u expected, found %s and %" PRIu64
        "\n",
        MIN_BYTES, settings->pattern, settings->size);
    return TOOL_USAGE;
}

/* An Ethernet frame of no known protocol, to nobody in particular. */
static void frame_fill(struct bench *bench)
{
    static const uint8_t start[14] = { 2, 0, 0, 0, 0, 1, [12] = 0x88, [13] = 0xb5 };

    for (uint64_t i = 0; i < bench->session->settings->size; i++)
        bench->frame[i] = (uint8_t)i;
    memcpy(bench->frame, start, sizeof(start));
    memcpy(bench->frame + 6, bench->session->info.mac, 6);
}

/* The number of packets, or a negative errno. */
static int burst(struct bench *bench)
{
    struct iovec iov = { bench->frame, bench->session->settings->size };
    int done = 0, err = 0;

    while (done < BATCH && bench->left && err == 0) {
        err = xenfront_net_send(bench->session->net, &iov, 1, NULL);
        done += err == 0;
        bench->left -= err == 0;
    }
    if (err < 0 && err != -EAGAIN)
        return err;
    err = xenfront_net_submit(bench->session->net);
    return err < 0 ? err : done;
}

static int turn(struct bench *bench)
{
    int err = xenfront_net_poll(bench->session->net), done = 0;

    if (err < 0)
        return err;
    done = xenfront_net_receive(bench->session->net, bench->packets, BATCH);
    if (done >= 0 && !bench->is_sending)
        bench->left -= (uint64_t)done < bench->left ? (uint64_t)done : bench->left;
    if (done >= 0 && bench->is_sending) {
        err = burst(bench);
        done = err < 0 ? err : done + err;
    }
    return done;
}

static int run(struct bench *bench)
{
    const struct settings *settings = bench->session->settings;
    double start = seconds_now();
    unsigned int turns = 0;
    int done = 0;

    while (done >= 0 && bench->left && !net_session_is_over(start, settings->count ? 0 : settings->seconds)) {
        done = turn(bench);
        if (done > 0 || settings->is_polling)
            done = done >= 0 && ++turns % TURNS_PER_PUMP == 0 ? xenfront_net_pump(bench->session->net) : done;
        else if (done == 0)
            done = xenfront_net_wait(bench->session->net, PROCESS_WAIT_MS);
    }
    return done < 0 ? done : 0;
}

static double timeval_seconds(const struct timeval *tv)
{
    return (double)tv->tv_sec + (double)tv->tv_usec / 1e6;
}

static struct snapshot snapshot_take(const struct bench *bench)
{
    struct snapshot shot = { .seconds = seconds_now() };
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    shot.cpu = timeval_seconds(&usage.ru_utime) + timeval_seconds(&usage.ru_stime);
    xenfront_net_stats(bench->session->net, &shot.stats);
    return shot;
}

static void report(const struct bench *bench, const struct snapshot *a, const struct snapshot *b)
{
    const struct settings *settings = bench->session->settings;
    double seconds = b->seconds - a->seconds, cpu = b->cpu - a->cpu;
    uint64_t sent = b->stats.tx_packets - a->stats.tx_packets;
    uint64_t received = b->stats.rx_packets - a->stats.rx_packets;
    uint64_t bytes = b->stats.tx_bytes - a->stats.tx_bytes + b->stats.rx_bytes - a->stats.rx_bytes;
    uint64_t errors = b->stats.tx_errors + b->stats.tx_dropped + b->stats.rx_errors;
    uint64_t kicks = b->stats.kicks - a->stats.kicks, interrupts = b->stats.interrupts - a->stats.interrupts;
    double gbit = (double)bytes * 8 / seconds / 1e9;
    double cpu_us = sent + received ? cpu * 1e6 / (double)(sent + received) : 0;

    if (!settings->is_json) {
        printf("%s: %s, %" PRIu64 " bytes%s: %" PRIu64 " packets sent, %" PRIu64 " received in %.2f s\n",
               xenfront_net_name(bench->session->net), settings->pattern, settings->size,
               settings->is_polling ? ", polling" : "", sent, received, seconds);
        printf("  %.0f packets/s sent, %.0f received, %.3f Gb/s, %" PRIu64 " errors\n",
               (double)sent / seconds, (double)received / seconds, gbit, errors);
        printf("  CPU: %.2f s, %.3f us a packet; notifications: %" PRIu64 " sent, %" PRIu64 " received\n",
               cpu, cpu_us, kicks, interrupts);
        return;
    }
    print_json(json_pack("{s:s, s:s, s:I, s:b, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:I}", "command",
                         "bench", "pattern", settings->pattern, "size", (json_int_t)settings->size, "poll",
                         settings->is_polling, "sent", (json_int_t)sent, "received", (json_int_t)received,
                         "errors", (json_int_t)errors, "seconds", seconds, "sent_per_s",
                         (double)sent / seconds, "received_per_s", (double)received / seconds, "gbit_per_s",
                         gbit, "cpu_us_per_packet", cpu_us, "kicks", (json_int_t)kicks, "interrupts",
                         (json_int_t)interrupts));
}

int command_net_bench(struct net_session *session)
{
    const struct settings *settings = session->settings;
    struct bench bench = {
        .session = session,
        .is_sending = strcmp(settings->pattern, "receive") != 0,
        .frame = malloc(settings->size),
        .packets = calloc(BATCH, sizeof(*bench.packets)),
        .left = settings->count ? settings->count : UINT64_MAX,
    };
    struct snapshot before, after;
    int err = -ENOMEM, result = TOOL_OK;

    if (bench.frame && bench.packets) {
        frame_fill(&bench);
        before = snapshot_take(&bench);
        err = run(&bench);
        after = snapshot_take(&bench);
    }
    if (err < 0)
        result = net_session_fail(session, err, "bench");
    else
        report(&bench, &before, &after);
    free(bench.frame);
    free(bench.packets);
    return !result && process_signal() ? TOOL_SIGNAL + process_signal() : result;
}
