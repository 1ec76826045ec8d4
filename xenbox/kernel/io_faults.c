// SPDX-License-Identifier: MIT
/* io_faults.c: see io_faults.h. */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenbox/kernel/io_faults.h"

#define VARIABLE "XENBOX_IO"
#define EXTRA_REF_US 20000
#define TIME_MAX_US 3600000000ull

static const struct {
    const char *name;
    int error;
} errors[] = {
    { "EIO", EIO },       { "EAGAIN", EAGAIN },       { "EINTR", EINTR },
    { "ENOSPC", ENOSPC }, { "ETIMEDOUT", ETIMEDOUT },
};

/* A number from 1 to max, and where it ends. */
static bool number_parse(const char *text, unsigned long long max, unsigned long long *number, char **end)
{
    errno = 0;
    *number = *text >= '0' && *text <= '9' ? strtoull(text, end, 10) : 0;
    return !errno && *number >= 1 && *number <= max;
}

static bool time_parse(const char *text, uint64_t *us)
{
    static const struct {
        const char *unit;
        unsigned us;
    } units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 } };
    unsigned long long number;
    char *end;

    if (!number_parse(text, TIME_MAX_US, &number, &end))
        return false;
    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0 && number * units[i].us <= TIME_MAX_US) {
            *us = number * units[i].us;
            return true;
        }
    }
    return false;
}

static bool every_parse(const char *text, unsigned *every)
{
    unsigned long long number;
    char *end;

    if (!number_parse(text, 1000000, &number, &end) || *end)
        return false;
    *every = number;
    return true;
}

static bool error_parse(char *text, struct io_faults *faults)
{
    char *every = strchr(text, '/');

    faults->error_every = 1;
    if (every)
        *every++ = '\0';
    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strcmp(text, errors[i].name) == 0)
            faults->error = errors[i].error;
    }
    return faults->error && (!every || every_parse(every, &faults->error_every));
}

static bool fault_parse(char *text, struct io_faults *faults)
{
    char *value = strchr(text, '=');

    if (value)
        *value++ = '\0';
    if (strcmp(text, "delay") == 0)
        return value && time_parse(value, &faults->delay_us);
    if (strcmp(text, "error") == 0)
        return value && error_parse(value, faults);
    if (strcmp(text, "short") == 0) {
        faults->short_every = 1;
        return !value || every_parse(value, &faults->short_every);
    }
    if (strcmp(text, "extra-ref") == 0) {
        faults->extra_ref_us = EXTRA_REF_US;
        return !value || time_parse(value, &faults->extra_ref_us);
    }
    /* How a domain 0 of mode pv moves data: what maps the pages reads that. */
    return strcmp(text, "cpu") == 0 || strcmp(text, "dma") == 0;
}

bool io_faults_parse(struct io_faults *faults, const char *text)
{
    char copy[256], *rest = copy, *item;

    *faults = (struct io_faults){ 0 };
    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
        return false;
    while ((item = strsep(&rest, ","))) {
        if (!fault_parse(item, faults)) {
            *faults = (struct io_faults){ 0 };
            return false;
        }
    }
    return true;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct io_faults own;
static _Atomic bool is_read;
static bool has_own, is_watched;

static void own_read(void)
{
    const char *text = getenv(VARIABLE);

    has_own = false;
    if (!text || !*text)
        return;
    if (io_faults_parse(&own, text))
        has_own = own.delay_us || own.extra_ref_us || own.short_every || own.error_every;
    else
        fprintf(stderr,
                "xenbox: $" VARIABLE " is \"%s\": expected are delay=TIME, short[=N], error=NAME[/N], "
                "extra-ref[=TIME], cpu or dma, separated by commas; there will be none of them\n",
                text);
}

static void fork_prepare(void)
{
    pthread_mutex_lock(&lock);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/* A child is a process of its own, and may have another environment. */
static void fork_child(void)
{
    atomic_store(&is_read, false);
    pthread_mutex_unlock(&lock);
}

const struct io_faults *io_faults_get(void)
{
    if (!atomic_load_explicit(&is_read, memory_order_acquire)) {
        pthread_mutex_lock(&lock);
        if (!is_watched)
            is_watched = pthread_atfork(fork_prepare, fork_parent, fork_child) == 0;
        if (!atomic_load(&is_read))
            own_read();
        atomic_store(&is_read, true);
        pthread_mutex_unlock(&lock);
    }
    return has_own ? &own : NULL;
}
