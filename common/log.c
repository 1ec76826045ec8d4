// SPDX-License-Identifier: MIT
/*
 * log.c: formats a line on the caller's stack and writes it at once. No lock, no allocation, no stdio.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

#define LIMIT_WINDOW_S 5
#define LIMIT_LINES 10

static const struct {
    const char *name;
    int priority; /* of syslog, for journald */
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", 3 },
    [LOG_LEVEL_WARNING] = { "warning", 4 },
    [LOG_LEVEL_INFO] = { "info", 6 },
    [LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static struct {
    const char *program;
    enum log_level level;
    bool is_journal;
    bool has_time;
} settings = { .program = "xensplit", .level = LOG_LEVEL_INFO };

/* systemd says in JOURNAL_STREAM which device and inode its pipe has; standard error may be redirected since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *program, enum log_level level)
{
    settings.program = program;
    settings.level = level;
    settings.is_journal = stderr_is_journal();
}

void log_show_time(bool is_shown)
{
    settings.has_time = is_shown;
}

int log_level_parse(const char *text, enum log_level *level)
{
    for (unsigned int i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcasecmp(text, levels[i].name) == 0) {
            *level = i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

bool log_enabled(enum log_level level)
{
    return level <= settings.level;
}

/* Returns the length of what was put at the front of the line. */
static size_t format_prefix(char *line, size_t size, enum log_level level)
{
    struct timespec now;
    struct tm tm;
    size_t used = 0;

    if (settings.is_journal)
        return snprintf(line, size, "<%d>", levels[level].priority);
    if (settings.has_time && clock_gettime(CLOCK_REALTIME, &now) == 0 && localtime_r(&now.tv_sec, &tm)) {
        used = strftime(line, size, "%F %T", &tm);
        used += snprintf(line + used, size - used, ".%03ld ", now.tv_nsec / 1000000);
    }
    used += snprintf(line + used, size - used, "%.32s: ", settings.program);
    if (level != LOG_LEVEL_INFO)
        used += snprintf(line + used, size - used, "%s: ", levels[level].name);
    return used;
}

void log_write(enum log_level level, const char *subject, const char *fmt, ...)
{
    int saved_errno = errno;
    char line[LOG_LINE_MAX];
    const size_t room = sizeof(line) - 1; /* for the newline */
    size_t used;
    va_list ap;

    if (!log_enabled(level))
        return;
    used = format_prefix(line, room, level);
    if (subject)
        used += snprintf(line + used, room - used, "%.200s: ", subject);
    errno = saved_errno; /* for %m */
    va_start(ap, fmt);
    int wanted = vsnprintf(line + used, room - used, fmt, ap);
    va_end(ap);
    if (wanted > 0)
        used += (size_t)wanted < room - used ? (size_t)wanted : room - used - 1;

    /* Text may come from a guest: nothing in it ends the line or drives a terminal. */
    for (size_t i = 0; i < used; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    }
    line[used++] = '\n';
    while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR)
        ;
    errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, const char *subject)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    uint64_t now_s = (uint64_t)now.tv_sec + 1; /* never the 0 of a fresh struct */
    if (limit->window_s == 0 || now_s - limit->window_s >= LIMIT_WINDOW_S) {
        if (limit->count > LIMIT_LINES)
            log_warning(subject, "%u more lines like these were left out", limit->count - LIMIT_LINES);
        limit->window_s = now_s;
        limit->count = 0;
    }
    return limit->count++ < LIMIT_LINES;
}
