// SPDX-License-Identifier: MIT
/*
 * net_session.c: see net_session.h.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "frontend/tools/net_session.h"

int net_session_open(struct net_session *session, const struct settings *settings)
{
    struct xenfront_net_options options = {
        .size = sizeof(options),
        .spin_us = (uint32_t)settings->spin_us,
        .io_timeout_ms = (uint32_t)settings->io_timeout_s * 1000,
        .flags = (settings->is_takeover ? XENFRONT_NET_TAKEOVER : 0) |
                 (settings->no_sg ? XENFRONT_NET_NO_SG : 0) | (settings->no_gso ? XENFRONT_NET_NO_GSO : 0) |
                 (settings->no_csum ? XENFRONT_NET_NO_CSUM : 0) |
                 (settings->one_channel ? XENFRONT_NET_ONE_CHANNEL : 0),
    };
    double before = seconds_now();
    int err;

    if (settings->command == TOOL_NET_DUMP && !settings->has_offloads) /* as it would be on a wire */
        options.flags |= XENFRONT_NET_NO_GSO | XENFRONT_NET_NO_CSUM;
    *session = (struct net_session){ .settings = settings };
    process_signals();
    session->net = xenfront_net_new(&options);
    if (!session->net) {
        fprintf(stderr, "xenfront: options: %s\n", strerror(errno));
        return TOOL_USAGE;
    }
    process_alarm(settings->timeout_s);
    err = xenfront_net_open(session->net, settings->device);
    if (err == 0)
        err = xenfront_net_start(session->net, (uint32_t)settings->timeout_s * 1000);
    while (err >= 0 && xenfront_net_state(session->net) == XENFRONT_CONNECTING) {
        err = xenfront_net_wait(session->net, PROCESS_WAIT_MS);
        if (process_signal())
            return net_session_close(session, TOOL_SIGNAL + process_signal());
    }
    process_alarm(0);
    if (err < 0) {
        fprintf(stderr, "xenfront: %s\n", xenfront_net_error(session->net));
        return net_session_close(session, TOOL_CONNECT);
    }
    session->connect_s = seconds_now() - before;
    xenfront_net_info(session->net, &session->info);
    return TOOL_OK;
}

int net_session_close(struct net_session *session, int result)
{
    int err;

    if (!session->net)
        return result;
    process_alarm(session->settings->timeout_s);
    err = xenfront_net_close(session->net, (uint32_t)session->settings->timeout_s * 1000);
    if (err < 0 && result == TOOL_OK) {
        fprintf(stderr, "xenfront: %s\n", xenfront_net_error(session->net));
        result = TOOL_CONNECT;
    }
    xenfront_net_free(session->net);
    session->net = NULL;
    process_alarm(0);
    return result;
}

int net_session_fail(struct net_session *session, int err, const char *what)
{
    const char *text = xenfront_net_error(session->net);

    if (xenfront_net_state(session->net) == XENFRONT_CONNECTED || !text[0])
        fprintf(stderr, "xenfront: %s: %s: %s\n", xenfront_net_name(session->net), what, strerror(-err));
    else
        fprintf(stderr, "xenfront: %s\n", text);
    return TOOL_IO;
}

bool net_session_is_over(double start, uint64_t seconds)
{
    return process_signal() || (seconds && seconds_now() - start >= (double)seconds);
}
