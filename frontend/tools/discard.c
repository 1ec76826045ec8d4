// SPDX-License-Identifier: MIT
/*
 * discard.c: `xenfront blk discard`: lets a range of the disk go.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "frontend/tools/commands.h"
#include "frontend/tools/progress.h"

#define PIECE_BYTES ((uint64_t)1 << 30) /* of a request: one that is longer could outlast the time-out */
#define PENDING 1

static void on_done(void *cookie, int status)
{
    int *result = cookie;

    *result = status;
}

/* 0 or negative errno. */
static int discard_piece(struct session *session, uint64_t length, uint64_t offset)
{
    int result = PENDING;
    int err = xenfront_blk_discard(session->blk, length, offset, on_done, &result);

    while (err >= 0 && result == PENDING)
        err = xenfront_blk_wait(session->blk, -1);
    return result == PENDING ? err : result;
}

static void report(const struct session *session, double seconds)
{
    if (session->settings->is_json)
        print_json(json_pack("{s:s, s:I, s:f}", "command", "discard", "bytes", (json_int_t)session->length, "seconds",
                             seconds));
    else if (!session->settings->is_quiet)
        fprintf(stderr, "%s: discarded %" PRIu64 " bytes in %.2f s\n", xenfront_blk_name(session->blk),
                session->length, seconds);
}

int command_discard(struct session *session)
{
    struct progress progress;
    uint64_t done = 0;
    int err = 0;

    if (!session->info.has_discard) {
        fprintf(stderr, "xenfront: %s: discard: a backend that offers it expected, found one that does not\n",
                xenfront_blk_name(session->blk));
        return TOOL_IO;
    }
    progress_start(&progress, "discard", session->length, session->settings->is_quiet);
    while (err == 0 && done < session->length) {
        const uint64_t left = session->length - done;
        const uint64_t length = left < PIECE_BYTES ? left : PIECE_BYTES;

        err = process_signal() ? -EINTR : discard_piece(session, length, session->start + done);
        done += length;
        progress_show(&progress, done);
    }
    progress_end(&progress);
    if (err < 0)
        return session_fail(session, err, "discard");
    report(session, seconds_now() - progress.start);
    return TOOL_OK;
}
