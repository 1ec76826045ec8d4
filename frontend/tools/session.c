// SPDX-License-Identifier: MIT
/*
 * session.c: see session.h.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frontend/tools/session.h"

/* The range that the settings name has to lie on the disk, and on sectors. */
static int range_resolve(struct session *session)
{
    const struct settings *settings = session->settings;
    const struct xenfront_blk_info *info = &session->info;
    uint64_t left;

    if (settings->offset > info->size_bytes) {
        fprintf(stderr, "xenfront: %s: --offset on a disk of %" PRIu64 " bytes expected, found %" PRIu64 "\n",
                xenfront_blk_name(session->blk), info->size_bytes, settings->offset);
        return TOOL_USAGE;
    }
    left = info->size_bytes - settings->offset;
    session->start = settings->offset;
    session->length = settings->size && settings->size < left ? settings->size : left;
    if (session->start % info->sector_size || session->length % info->sector_size ||
        settings->block_size % info->sector_size || !settings->block_size) {
        fprintf(stderr,
                "xenfront: %s: offset, size and block size in sectors of %" PRIu32 " bytes expected\n",
                xenfront_blk_name(session->blk), info->sector_size);
        return TOOL_USAGE;
    }
    return TOOL_OK;
}

int session_open(struct session *session, const struct settings *settings)
{
    struct xenfront_blk_options options = {
        .size = sizeof(options),
        .depth = (uint32_t)settings->depth,
        .data_pages = (uint32_t)settings->data_pages,
        .spin_us = (uint32_t)settings->spin_us,
        .io_timeout_ms = (uint32_t)settings->io_timeout_s * 1000,
        .flags = (settings->is_takeover ? XENFRONT_BLK_TAKEOVER : 0) |
                 (settings->no_persistent ? XENFRONT_BLK_NO_PERSISTENT : 0),
    };
    double before = seconds_now();
    uint32_t devid;
    int err;

    *session = (struct session){ .settings = settings };
    if (settings->device && xenfront_vdev_parse(settings->device, &devid) < 0) {
        fprintf(stderr, "xenfront: device: a name like xvda or a number like 51712 expected, found '%s'\n",
                settings->device);
        return TOOL_USAGE;
    }
    process_signals();
    session->blk = xenfront_blk_new(&options);
    if (!session->blk) {
        fprintf(stderr, "xenfront: options: %s\n", strerror(errno));
        return TOOL_USAGE;
    }
    process_alarm(settings->timeout_s);
    err = xenfront_blk_open(session->blk, settings->device);
    if (err == 0)
        err = xenfront_blk_start(session->blk, (uint32_t)settings->timeout_s * 1000);
    while (err >= 0 && xenfront_blk_state(session->blk) == XENFRONT_CONNECTING) {
        err = xenfront_blk_wait(session->blk, PROCESS_WAIT_MS);
        if (process_signal())
            return session_close(session, TOOL_SIGNAL + process_signal());
    }
    process_alarm(0);
    if (err < 0) {
        fprintf(stderr, "xenfront: %s\n", xenfront_blk_error(session->blk));
        return session_close(session, TOOL_CONNECT);
    }
    session->connect_s = seconds_now() - before;
    xenfront_blk_info(session->blk, &session->info);
    err = range_resolve(session);
    return err ? session_close(session, err) : TOOL_OK;
}

int session_close(struct session *session, int result)
{
    int err;

    if (!session->blk)
        return result;
    process_alarm(session->settings->timeout_s);
    err = xenfront_blk_close(session->blk, (uint32_t)session->settings->timeout_s * 1000);
    if (err < 0 && result == TOOL_OK) {
        fprintf(stderr, "xenfront: %s\n", xenfront_blk_error(session->blk));
        result = TOOL_CONNECT;
    }
    xenfront_blk_free(session->blk);
    session->blk = NULL;
    process_alarm(0);
    return result;
}

int session_wait(struct session *session)
{
    int done = xenfront_blk_wait(session->blk, PROCESS_WAIT_MS);

    return done >= 0 && process_signal() ? -EINTR : done;
}

int session_fail(struct session *session, int err, const char *what)
{
    const char *text = xenfront_blk_error(session->blk);

    if (err == -EINTR && process_signal()) {
        fprintf(stderr, "xenfront: %s: stopped by %s\n", xenfront_blk_name(session->blk),
                strsignal(process_signal()));
        return TOOL_SIGNAL + process_signal();
    }
    if (xenfront_blk_state(session->blk) == XENFRONT_CONNECTED || !text[0])
        fprintf(stderr, "xenfront: %s: %s: %s\n", xenfront_blk_name(session->blk), what, strerror(-err));
    else
        fprintf(stderr, "xenfront: %s\n", text);
    return TOOL_IO;
}

void session_drain(struct session *session)
{
    while (xenfront_blk_in_flight(session->blk))
        xenfront_blk_wait(session->blk, -1);
}

static void on_flush(void *cookie, int status)
{
    int *result = cookie;

    *result = status;
}

int session_flush(struct session *session)
{
    int result = 1;
    int err;

    if (!session->info.has_flush)
        return 0;
    err = xenfront_blk_flush(session->blk, on_flush, &result);
    while (err >= 0 && result == 1)
        err = xenfront_blk_wait(session->blk, -1);
    return result == 1 ? err : result;
}
