// SPDX-License-Identifier: MIT
/*
 * log.h: one line a message, to standard error or syslog-style for journald. Any thread may call it; a line is
 * written with one write(2). Errors are logged at the edge, once, with the device they belong to.
 */
#ifndef XENSPLIT_COMMON_LOG_H
#define XENSPLIT_COMMON_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* program: prefix of each line. Call once, before any thread starts. */
void log_init(const char *program, enum log_level level);
int log_level_parse(const char *text, enum log_level *level); /* 0 or -EINVAL */

/* subject: what the line is about ("vbd 3/51712 q0"), or NULL. */
void log_write(enum log_level level, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int log_enabled(enum log_level level);

#define log_error(subject, ...) log_write(LOG_LEVEL_ERROR, subject, __VA_ARGS__)
#define log_warning(subject, ...) log_write(LOG_LEVEL_WARNING, subject, __VA_ARGS__)
#define log_info(subject, ...) log_write(LOG_LEVEL_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...)                                                                              \
    do {                                                                                                     \
        if (log_enabled(LOG_LEVEL_DEBUG))                                                                    \
            log_write(LOG_LEVEL_DEBUG, subject, __VA_ARGS__);                                                \
    } while (0)

#endif
