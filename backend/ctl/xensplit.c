// SPDX-License-Identifier: MIT
/*
 * xensplit.c: the operator's command: asks the daemon, or has it do something, and prints the answer, for people, as
 * JSON or for Prometheus.
 */
#include <config.h>

#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/ctl/client.h"
#include "backend/ctl/prometheus.h"
#include "backend/ctl/table.h"

#define RUN_DIR "/run/xensplit" /* the daemon's default */

enum status { STATUS_OK, STATUS_REFUSED, STATUS_USAGE, STATUS_NO_DAEMON };
enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_PROMETHEUS };

#define CHANNEL_COLUMNS                                                                                      \
    {                                                                                                        \
        { "port", "PORT" }, { "worker", "WORKER" }, { "device", "DEVICE" },                                  \
            { "frontend_port", "FRONTEND'S PORT" }, { "kicks_received", "KICKS IN" },                        \
            { "kicks_sent", "KICKS OUT" }, { "notification", "BY" }, { "queue_state", "QUEUE" },             \
    }

#define CAPTURE_COLUMNS { { "device", "DEVICE" }, { "state", "STATE" }, { "mtu", "MTU" }, { "target", "PORT" } }

static const struct view {
    const char *command;
    bool needs_device;
    const char *help;
    struct table_column columns[22]; /* none: the result is one object */
} views[] = {
    { "list",
      false,
      "The devices: both ends' states, disk or port, worker, engine",
      { { "device", "DEVICE" },
        { "state", "STATE" },
        { "frontend_state", "FRONTEND" },
        { "worker", "WORKER" },
        { "engine", "ENGINE" },
        { "data_method", "METHOD" },
        { "in_flight", "IN FLIGHT" },
        { "size_bytes", "SIZE", true },
        { "mtu", "MTU", true },
        { "target", "DISK OR PORT" } } },
    { "show", true, "Everything about a device", { { NULL, NULL } } },
    { "why", true, "How a device's data moves and why, and its last error", { { NULL, NULL } } },
    { "stats",
      false,
      "What the devices have done since they connected",
      { { "device", "DEVICE" },
        { "reads", "READS", true },
        { "writes", "WRITES", true },
        { "flushes", "FLUSHES", true },
        { "discards", "DISCARDS", true },
        { "bytes_read", "READ", true },
        { "bytes_written", "WRITTEN", true },
        { "bytes_discarded", "DISCARDED", true },
        { "errors", "ERRORS", true },
        { "tx_packets", "SENT", true },
        { "tx_bytes", "SENT BYTES", true },
        { "tx_errors", "BAD", true },
        { "rx_packets", "RECEIVED", true },
        { "rx_bytes", "RECEIVED BYTES", true },
        { "rx_errors", "UNWRITABLE", true },
        { "rx_dropped", "DROPPED", true },
        { "rx_stalls", "STALLS", true },
        { "port_refused", "REFUSED", true },
        { "kicks_received", "KICKS IN" },
        { "kicks_sent", "KICKS OUT" },
        { "in_flight", "IN FLIGHT" } } },
    { "workers",
      false,
      "The threads that serve queues",
      { { "worker", "WORKER" },
        { "queues", "QUEUES" },
        { "engine", "ENGINE" },
        { "engine_in_flight", "I/O IN FLIGHT" },
        { "buffers_in_use", "BUFFERS IN USE" },
        { "buffers_touched", "TOUCHED" },
        { "buffers_total", "OF" } } },
    { "channels", false, "The event channels and who owns them", CHANNEL_COLUMNS },
    { "move", true, "Gives a queue to another worker, under load or not", CHANNEL_COLUMNS },
    { "suspend", true, "Lets go of a device's event channel: its requests wait", CHANNEL_COLUMNS },
    { "resume", true, "Binds it again, and goes on", CHANNEL_COLUMNS },
    { "poll", true, "Looks at its ring all the time, so that no notification is needed", CHANNEL_COLUMNS },
    { "events", true, "Sleeps until its guest notifies, as it is without poll", CHANNEL_COLUMNS },
    { "capture", true, "Writes what passes an interface to a file, too, as tcpdump does", CAPTURE_COLUMNS },
    { "uncapture", true, "Ends that", CAPTURE_COLUMNS },
};

#define VIEW_COUNT (sizeof(views) / sizeof(views[0]))

static const struct view *find_view(const char *command)
{
    for (size_t i = 0; i < VIEW_COUNT; i++)
        if (strcmp(views[i].command, command) == 0)
            return &views[i];
    return NULL;
}

static bool is_move(const struct view *view)
{
    return strcmp(view->command, "move") == 0;
}

static bool is_capture(const struct view *view)
{
    return strcmp(view->command, "capture") == 0;
}

/* The daemon has another working directory. */
static bool take_file(const char *word, char *path, size_t size)
{
    char directory[PATH_MAX];

    if (word[0] == '/')
        return (size_t)snprintf(path, size, "%s", word) < size;
    return getcwd(directory, sizeof(directory)) &&
           (size_t)snprintf(path, size, "%s/%s", directory, word) < size;
}

static void print_help(void)
{
    printf("Usage: xensplit [OPTION]... COMMAND [DEVICE [[QUEUE] WORKER | FILE]]\n"
           "Ask the running xensplitd, or tell it what to do.\n\n");
    for (size_t i = 0; i < VIEW_COUNT; i++)
        printf("  %-10s%-24s %s\n", views[i].command,
               !views[i].needs_device ? ""
               : is_move(&views[i])    ? "DEVICE [QUEUE] WORKER"
               : is_capture(&views[i]) ? "DEVICE FILE"
                                       : "DEVICE",
               views[i].help);
    printf("\nDEVICE is DOMID/DEVID, as in 3/51712 or vbd 3/51712; QUEUE is 0 unless said.\n\n"
           "  -j, --json            Print JSON\n"
           "  -p, --prometheus      Print the text format of Prometheus (stats)\n"
           "  -r, --run-dir=PATH    The daemon's run directory instead of " RUN_DIR "\n"
           "  -h, --help            Show this text\n"
           "  -V, --version         Show the version\n\n"
           "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon there.\n");
}

static int usage(const char *expected, const char *found)
{
    fprintf(stderr, "xensplit: expected %s, found %s%s%s (see xensplit --help)\n", expected,
            found ? "\"" : "", found ? found : "nothing", found ? "\"" : "");
    return STATUS_USAGE;
}

static void print_result(const struct view *view, enum format format, const json_t *result)
{
    if (format == FORMAT_JSON) {
        json_dumpf(result, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (format == FORMAT_PROMETHEUS) {
        prometheus_print(stdout, result);
    } else if (view->columns[0].name) {
        table_print(stdout, result, view->columns);
    } else {
        table_print_object(stdout, result);
    }
}

static int run_command(const char *run_dir, const struct view *view, enum format format,
                       const struct client_question *question)
{
    char reason[1024];
    json_t *result = NULL;
    const enum client_verdict verdict = client_ask(run_dir, question, &result, reason, sizeof(reason));

    if (verdict != CLIENT_ANSWERED) {
        fprintf(stderr, "xensplit: %s\n", reason);
        return verdict == CLIENT_NO_DAEMON ? STATUS_NO_DAEMON : STATUS_REFUSED;
    }
    print_result(view, format, result);
    json_decref(result);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_OK;
    perror("xensplit: standard output");
    return STATUS_REFUSED;
}

/* "3/51712", or "vbd" "3/51712", or "vbd 3/51712": how many words it took; 0: none of these. */
static int take_device(char **words, int count, char *text, size_t size)
{
    if (count > 0 && strchr(words[0], '/'))
        return (size_t)snprintf(text, size, "%s", words[0]) < size ? 1 : 0;
    if (count > 1 && strchr(words[1], '/'))
        return (size_t)snprintf(text, size, "%s %s", words[0], words[1]) < size ? 2 : 0;
    return 0;
}

static bool take_number(const char *word, int *number)
{
    char *end;
    const long value = strtol(word, &end, 10);

    *number = (int)value;
    return end != word && !*end && value >= 0 && value <= 65535;
}

/* What follows the command. */
static int take_words(const struct view *view, char **words, int count, char *text, size_t size,
                      struct client_question *question)
{
    static char path[256];
    int taken;

    if (!view->needs_device)
        return count > 0 ? usage("no more words", words[0]) : STATUS_OK;
    taken = take_device(words, count, text, size);
    if (!taken)
        return usage("one device (DOMID/DEVID)", count > 0 ? words[0] : NULL);
    question->device = text;
    words += taken;
    count -= taken;
    if (is_move(view)) {
        if (count == 2 && !take_number(*words, &question->queue))
            return usage("the number of a queue", *words);
        if (count < 1 || !take_number(words[count - 1], &question->worker))
            return usage("the number of a worker", count > 0 ? words[count - 1] : NULL);
        words += count > 1 ? 2 : 1;
        count -= count > 1 ? 2 : 1;
    }
    if (is_capture(view)) {
        if (count < 1 || !take_file(*words, path, sizeof(path)))
            return usage("a file", count > 0 ? *words : NULL);
        question->file = path;
        words++;
        count--;
    }
    return count > 0 ? usage("no more words", *words) : STATUS_OK;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },          { "prometheus", no_argument, NULL, 'p' },
        { "run-dir", required_argument, NULL, 'r' }, { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },       { NULL, 0, NULL, 0 },
    };
    struct client_question question = { .queue = -1, .worker = -1 };
    const char *run_dir = RUN_DIR;
    enum format format = FORMAT_TABLE;
    const struct view *view;
    char text[128];
    int option, status;

    while ((option = getopt_long(argc, argv, "jpr:hV", options, NULL)) != -1) {
        switch (option) {
        case 'j':
            format = FORMAT_JSON;
            break;
        case 'p':
            format = FORMAT_PROMETHEUS;
            break;
        case 'r':
            run_dir = optarg;
            break;
        case 'h':
            print_help();
            return STATUS_OK;
        case 'V':
            puts("xensplit " PACKAGE_VERSION);
            return STATUS_OK;
        default:
            return STATUS_USAGE;
        }
    }
    argc -= optind;
    argv += optind;
    if (argc == 0)
        return usage("a command", NULL);
    view = find_view(argv[0]);
    if (!view)
        return usage("list, show, why, stats, workers, channels, move, suspend, resume, poll, events, capture or "
                     "uncapture",
                     argv[0]);
    if (format == FORMAT_PROMETHEUS && strcmp(view->command, "stats") != 0)
        return usage("--prometheus with stats", argv[0]);
    question.command = view->command;
    status = take_words(view, argv + 1, argc - 1, text, sizeof(text), &question);
    if (status != STATUS_OK)
        return status;
    return run_command(run_dir, view, format, &question);
}
