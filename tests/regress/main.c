// SPDX-License-Identifier: MIT
/*
 * main.c: runs rows of the catalogue, each in a process of its own, and says which are red.
 *
 *   regress --list [ID...]             id, modes, needs and limit of each row, and what it expects
 *   regress [OPTION]... [ID...]        runs these rows, or all that can run here
 *     --mode NAME        autotranslated (default), pv or pv32: what kind of dom0 this is
 *     --granter DOMID    the domain that grants; on a real Xen our own, which is the default
 *     --create COMMAND   makes a domain that grants, and prints its number, for each row
 *     --destroy COMMAND  takes its number, when the row is over
 *     --after COMMAND    a row is red if this fails after it
 *     --limit LIMIT      the box has this limit: only the rows that want it are run
 *     --hurry            each has the time that it needs on a machine that is idle: for rows that are expected to hang
 *     --real             this is no box: rows that need a fault plan are left out
 *     --guest FOLDER     the granter is a guest, with `xencheck peer FOLDER` of the store in it
 *
 * A line a row: "ok ID expects", "not ok ID expects", "skip ID reason", "no domain ID". Exit status 1 when one is red,
 * or has no domain.
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/regress/regress.h"

#define PATIENCE 6

static const struct row *const tables[] = { rows_mapping,    rows_ends,  rows_calls, rows_views,
                                            rows_hypervisor, rows_entry, rows_pins,  rows_threads,
                                            rows_limits,     rows_io };

static const struct mode {
    const char *name;
    unsigned bit;
} modes[] = { { "autotranslated", IN_AUTO }, { "pv", IN_PV }, { "pv32", IN_PV32 } };

static const struct mode needs[] = {
    { "faults", NEED_FAULTS }, { "guest", NEED_GUEST }, { "aio", NEED_AIO }, { "events", NEED_EVENTS }
};

static struct {
    const char *create, *destroy, *after, *limit;
    bool is_real, has_guest, is_hurried;
} settings;

static int mode_parse(const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, name) == 0) {
            row_mode = modes[i].bit;
            return 0;
        }
    }
    return -EINVAL;
}

static void row_list(const struct row *row)
{
    const char *comma = "";

    printf("%s ", row->id);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (row->modes & modes[i].bit) {
            printf("%s%s", comma, modes[i].name);
            comma = ",";
        }
    }
    comma = row->needs ? " " : " -";
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (row->needs & needs[i].bit) {
            printf("%s%s", comma, needs[i].name);
            comma = ",";
        }
    }
    printf("%s %s %s\n", row->needs ? "" : comma, row->limit ? row->limit : "-", row->expects);
}

/* The first line that a command prints, as a number; -1 when it fails. */
static int command_number(const char *command)
{
    FILE *out = popen(command, "r");
    int number = -1;

    if (!out || fscanf(out, "%d", &number) != 1)
        number = -1;
    return out && pclose(out) == 0 ? number : -1;
}

static int command_run(const char *command)
{
    int status = system(command);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void row_check(const char *when)
{
    CHECK(!settings.after || command_run(settings.after) == 0, "%s", when);
}

/* How often as long as on a machine that is idle a row may take: under an emulator still longer. */
static unsigned patience(void)
{
    const char *text = getenv("XS_TIME_FACTOR");
    unsigned long factor = text ? strtoul(text, NULL, 10) : 1;

    return settings.is_hurried ? 1 : PATIENCE * (factor > 0 && factor < 1000 ? (unsigned)factor : 1);
}

/* The row in a process of its own, with all that it starts in a group that does not outlive it. */
static bool row_passes(const struct row *row)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        setpgid(0, 0);
        alarm((row->seconds ? row->seconds : ROW_SECONDS) * patience());
        row->run();
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return false;
    kill(-child, SIGKILL);
    if (WIFSIGNALED(status))
        printf("  %s\n", WTERMSIG(status) == SIGALRM ? "did not end" : strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const char *row_cannot_run(const struct row *row)
{
    if (!(row->modes & row_mode))
        return "not in this mode";
    if (settings.is_real && (row->needs & NEED_FAULTS))
        return "needs a fault plan";
    if (settings.is_real && row->limit)
        return "needs a box with a limit";
    if (!settings.create && granter == mapper && (row->needs & NEED_GUEST))
        return "needs another domain that grants";
    if (settings.has_guest && (row->needs & NEED_EVENTS))
        return "needs event channels of the granter";
    return NULL;
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool row_run(const struct row *row)
{
    const char *reason = row_cannot_run(row);
    char command[256];
    bool is_good;

    if (!settings.is_real && !is_same(row->limit, settings.limit))
        return true;
    if (reason) {
        printf("skip %s %s\n", row->id, reason);
        return true;
    }
    if (settings.create) {
        int domid = command_number(settings.create);

        if (domid < 0) {
            printf("no domain %s\n", row->id);
            return false;
        }
        granter = domid;
    }
    is_good = row_passes(row);
    if (settings.after)
        is_good &= command_run(settings.after) == 0;
    if (settings.destroy) {
        snprintf(command, sizeof(command), "%s %u", settings.destroy, granter);
        is_good &= command_run(command) == 0;
    }
    printf("%s %s %s\n", is_good ? "ok" : "not ok", row->id, row->expects);
    fflush(stdout);
    return is_good;
}

static bool is_wanted(const struct row *row, char **ids, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcasecmp(ids[i], row->id) == 0)
            return true;
    }
    return count == 0;
}

static bool rows_do(bool (*what)(const struct row *), char **ids, int count)
{
    bool is_good = true;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct row *row = tables[i]; row->id; row++) {
            if (is_wanted(row, ids, count))
                is_good &= what(row);
        }
    }
    return is_good;
}

static bool list(const struct row *row)
{
    row_list(row);
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "list", no_argument, NULL, 'l' },
        { "mode", required_argument, NULL, 'm' },
        { "granter", required_argument, NULL, 'g' },
        { "create", required_argument, NULL, 'c' },
        { "destroy", required_argument, NULL, 'd' },
        { "after", required_argument, NULL, 'a' },
        { "limit", required_argument, NULL, 'L' },
        { "real", no_argument, NULL, 'r' },
        { "guest", required_argument, NULL, 'G' },
        { "hurry", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            rows_do(list, argv + optind, argc - optind);
            return 0;
        case 'm':
            if (mode_parse(optarg) == 0)
                break;
            fprintf(stderr, "regress: there is no mode %s\n", optarg);
            return 2;
        case 'g':
            granter = strtoul(optarg, NULL, 10);
            break;
        case 'c':
            settings.create = optarg;
            break;
        case 'd':
            settings.destroy = optarg;
            break;
        case 'a':
            settings.after = optarg;
            break;
        case 'L':
            settings.limit = optarg;
            break;
        case 'r':
            settings.is_real = true;
            break;
        case 'h':
            settings.is_hurried = true;
            break;
        case 'G':
            settings.has_guest = true;
            granter_is_guest(optarg);
            break;
        default:
            return 2;
        }
    }
    return rows_do(row_run, argv + optind, argc - optind) ? 0 : 1;
}
