// SPDX-License-Identifier: MIT
/*
 * workers.c: `workers`: the threads that own queues, with their engines and buffers.
 */
#include <config.h>

#include "backend/ctl/commands.h"
#include "backend/ctl/survey.h"

json_t *command_workers(const struct survey *survey)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < survey->worker_count; i++) {
        const struct worker_report *w = &survey->workers[i];
        json_t *object =
            json_pack("{s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I}", "worker", (json_int_t)w->index, "queues",
                      (json_int_t)w->queues, "engine", w->engine, "engine_in_flight",
                      (json_int_t)w->engine_in_flight, "buffers_in_use", (json_int_t)w->buffers_in_use,
                      "buffers_touched", (json_int_t)w->buffers_touched, "buffers_total",
                      (json_int_t)w->buffers_total, "buffer_bytes", (json_int_t)w->buffer_bytes);

        if (json_array_append_new(array, object) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}
