// SPDX-License-Identifier: MIT
/*
 * net_ping.c: `xenfront net ping`: asks another address for echoes, over ARP and ICMP (or their like in IPv6) made
 * here: the kernel's network has no part in it. While it runs, it answers those who look for its address.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/echo.h"

#define BATCH 16
#define LINGER_S 2.0 /* how long the last reply may take */
#define MAX_FRAME 65535u

struct ping {
    struct net_session *session;
    struct echo_end us, them;
    uint16_t id;
    uint8_t *frame; /* MAX_FRAME */
    struct xenfront_net_packet *packets; /* BATCH */
    bool is_found;
    uint64_t asked; /* questions for their address; then: echoes sent */
    uint64_t sent, received;
    double *sent_at; /* by sequence number, 65536; 0: answered */
    double min, max, sum; /* ms */
};

int check_net_ping(const struct settings *settings)
{
    struct echo_end us, them;

    if (settings->from && settings->to && !echo_parse(settings->from, &us) &&
        !echo_parse(settings->to, &them) && us.is_ipv6 == them.is_ipv6) {
        if (settings->size + ECHO_OVERHEAD <= MAX_FRAME)
            return TOOL_OK;
        fprintf(stderr, "xenfront: --size: at most %u bytes expected, found %" PRIu64 "\n",
                MAX_FRAME - ECHO_OVERHEAD, settings->size);
        return TOOL_USAGE;
    }
    fprintf(stderr,
            "xenfront: --from and --to: two IP addresses of one kind expected, like 192.0.2.2 and 192.0.2.1, "
            "found "
            "%s and %s\n",
            settings->from ? settings->from : "none", settings->to ? settings->to : "none");
    return TOOL_USAGE;
}

static int frame_send(struct ping *ping, size_t length)
{
    struct iovec iov = { ping->frame, length };
    int err = xenfront_net_send(ping->session->net, &iov, 1, NULL);

    if (err == -EAGAIN)
        return 0; /* as lost on the way */
    return err < 0 ? err : xenfront_net_submit(ping->session->net);
}

static void reply_account(struct ping *ping, uint16_t sequence, size_t data_bytes)
{
    double ms = (seconds_now() - ping->sent_at[sequence]) * 1e3;

    if (ping->sent_at[sequence] == 0 || data_bytes != ping->session->settings->size)
        return;
    ping->sent_at[sequence] = 0;
    ping->min = !ping->received || ms < ping->min ? ms : ping->min;
    ping->max = ms > ping->max ? ms : ping->max;
    ping->sum += ms;
    ping->received++;
    if (!ping->session->settings->is_quiet && !ping->session->settings->is_json)
        printf("%zu bytes from %s: sequence %u, %.3f ms\n", data_bytes, ping->session->settings->to,
               sequence + 1u, ms);
}

static int packet_take(struct ping *ping, const struct xenfront_net_packet *packet)
{
    int length = xenfront_net_packet_copy(packet, ping->frame, MAX_FRAME);
    uint16_t sequence = 0;
    size_t data_bytes = 0;

    switch (
        echo_read(ping->frame, (size_t)length, &ping->us, &ping->them, ping->id, &sequence, &data_bytes)) {
    case ECHO_ASKED:
        return frame_send(ping, echo_answer(ping->frame, &ping->us));
    case ECHO_FOUND:
        ping->is_found = true;
        return 0;
    case ECHO_REPLY:
        reply_account(ping, sequence, data_bytes);
        return 0;
    default:
        return 0;
    }
}

/* A batch: in a flood the caller looks at the clock and for signals in between. */
static int packets_take(struct ping *ping)
{
    int count = xenfront_net_receive(ping->session->net, ping->packets, BATCH), err = 0;

    for (int i = 0; i < count && err >= 0; i++)
        err = packet_take(ping, &ping->packets[i]);
    return count < 0 ? count : err;
}

/* Waits until `end` or, with a goal, until it is reached. */
static int wait_until(struct ping *ping, double end, uint64_t goal)
{
    int err = 0;

    while (err >= 0 && !process_signal() && ping->received < goal) {
        double left = end - seconds_now();
        int ms = left > PROCESS_WAIT_MS / 1e3 ? PROCESS_WAIT_MS : (int)(left * 1e3) + 1;

        if (left <= 0)
            break;
        err = xenfront_net_wait(ping->session->net, ms);
        if (err > 0)
            err = packets_take(ping);
        if (goal == 1 && !ping->sent && ping->is_found)
            break;
    }
    return err < 0 ? err : 0;
}

/* Asks for their link-layer address once a second. */
static int find(struct ping *ping)
{
    double end = seconds_now() + (double)ping->session->settings->timeout_s;
    int err = 0;

    while (err >= 0 && !ping->is_found && !process_signal() && seconds_now() < end) {
        double next = seconds_now() + 1;

        err = frame_send(ping, echo_ask(ping->frame, &ping->us, &ping->them));
        if (err >= 0)
            err = wait_until(ping, next < end ? next : end, 1);
    }
    return err < 0 ? err : 0;
}

static int run(struct ping *ping)
{
    const struct settings *settings = ping->session->settings;
    int err = find(ping);

    for (uint64_t i = 0; err >= 0 && ping->is_found && i < settings->count && !process_signal(); i++) {
        double next = seconds_now() + (double)settings->interval_ms / 1e3;
        uint16_t sequence = (uint16_t)i;

        ping->sent_at[sequence] = seconds_now();
        ping->sent++;
        err = frame_send(
            ping, echo_request(ping->frame, &ping->us, &ping->them, ping->id, sequence, settings->size));
        if (err >= 0)
            err = wait_until(ping, i + 1 < settings->count ? next : seconds_now() + LINGER_S,
                             i + 1 < settings->count ? UINT64_MAX : ping->sent);
    }
    return err;
}

static void report(const struct ping *ping)
{
    double mean = ping->received ? ping->sum / (double)ping->received : 0;

    if (ping->session->settings->is_json)
        print_json(json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f}", "command", "ping", "to",
                             ping->session->settings->to, "sent", (json_int_t)ping->sent, "received",
                             (json_int_t)ping->received, "min_ms", ping->min, "mean_ms", mean, "max_ms",
                             ping->max));
    else
        printf("%s: %" PRIu64 " sent, %" PRIu64 " received, ms: min %.3f, mean %.3f, max %.3f\n",
               ping->session->settings->to, ping->sent, ping->received, ping->min, mean, ping->max);
}

int command_net_ping(struct net_session *session)
{
    struct ping ping = { .session = session, .id = (uint16_t)getpid() };
    int err = -ENOMEM, result = TOOL_OK;

    ping.frame = malloc(MAX_FRAME);
    ping.packets = calloc(BATCH, sizeof(*ping.packets));
    ping.sent_at = calloc(UINT16_MAX + 1, sizeof(*ping.sent_at));
    echo_parse(session->settings->from, &ping.us);
    echo_parse(session->settings->to, &ping.them);
    memcpy(ping.us.mac, session->info.mac, sizeof(ping.us.mac));
    if (ping.frame && ping.packets && ping.sent_at)
        err = run(&ping);
    if (err < 0) {
        result = net_session_fail(session, err, "ping");
    } else if (process_signal()) {
        report(&ping);
        result = TOOL_SIGNAL + process_signal();
    } else if (!ping.is_found) {
        fprintf(stderr, "xenfront: %s: nobody says that he is %s\n", xenfront_net_name(session->net),
                session->settings->to);
        result = TOOL_IO;
    } else {
        report(&ping);
        result = ping.received ? TOOL_OK : TOOL_IO;
    }
    free(ping.frame);
    free(ping.packets);
    free(ping.sent_at);
    return result;
}
