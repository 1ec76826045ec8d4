// SPDX-License-Identifier: MIT
/*
 * log.h: one line a message, on standard error: "program: level: subject: text", with a priority prefix and
 * without the program's name where journald reads it. Any thread may call it; a line is written with one
 * write(2). Errors are logged at the edge, once, with the device that they belong to.
 *
 * What a guest can cause at will goes through a struct log_limit, so that its log lines cost the guest's device
 * a line now and then, and nobody else anything.
 */
#ifndef XENSPLIT_COMMON_LOG_H
#define XENSPLIT_COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_LINE_MAX 1024 /* bytes of a line; longer ones are cut */

/* program: prefix of each line. Call once, before any thread starts. */
void log_init(const char *program, enum log_level level);
/* Put the local time in front of each line (not under journald, which has its own). Before any thread starts. */
void log_show_time(bool is_shown);
int log_level_parse(const char *text, enum log_level *level); /* 0 or -EINVAL */
const char *log_level_name(enum log_level level);

/* subject: what the line is about ("vbd 3/51712 q0"), or NULL. */
void log_write(enum log_level level, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool log_enabled(enum log_level level);

#define log_error(subject, ...) log_write(LOG_LEVEL_ERROR, subject, __VA_ARGS__)
#define log_warning(subject, ...) log_write(LOG_LEVEL_WARNING, subject, __VA_ARGS__)
#define log_info(subject, ...) log_write(LOG_LEVEL_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...)                                                                              \
    do {                                                                                                     \
        if (log_enabled(LOG_LEVEL_DEBUG))                                                                    \
            log_write(LOG_LEVEL_DEBUG, subject, __VA_ARGS__);                                                \
    } while (0)

/* Ten lines in five seconds; one thread uses it. A zeroed struct is ready. */
struct log_limit {
    uint64_t window_s; /* when the present five seconds began */
    unsigned int count;
};

/* May this line be written? Says itself, once a window, that lines were left out. */
bool log_limit_pass(struct log_limit *limit, const char *subject);

#define log_limited(limit, level, subject, ...)                                                              \
    do {                                                                                                     \
        if (log_limit_pass(limit, subject))                                                                  \
            log_write(level, subject, __VA_ARGS__);                                                          \
    } while (0)

#endif
