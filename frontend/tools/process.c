// SPDX-License-Identifier: MIT
/*
 * process.c: see process.h.
 */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "frontend/tools/options.h"
#include "frontend/tools/process.h"

#define STORE_GRACE_S 5 /* beyond the time-outs of the protocol, xenstored may take so long */

static volatile sig_atomic_t stop_signal;

static void on_stop(int number)
{
    stop_signal = number;
}

/* A store that has stalled blocks the calls into libxenstore for ever: this is the way out. */
static void on_alarm(int number)
{
    static const char text[] = "xenfront: xenstore does not answer: is xenstored running?\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)number;
    (void)ignored;
    _exit(TOOL_CONNECT);
}

void process_signals(void)
{
    struct sigaction stop = { .sa_handler = on_stop };
    struct sigaction alarm = { .sa_handler = on_alarm };

    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    sigaction(SIGALRM, &alarm, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int process_signal(void)
{
    return stop_signal;
}

void process_alarm(uint64_t seconds)
{
    alarm(seconds ? (unsigned int)seconds + STORE_GRACE_S : 0);
}

double seconds_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void print_json(json_t *result)
{
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
}
