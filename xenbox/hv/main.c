// SPDX-License-Identifier: MIT
/*
 * main.c: xenbox-hv, the hypervisor process of a box. `xenbox up` starts it; its options are for that only.
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "xenbox/hv/box.h"
#include "xenbox/hv/bugs.h"
#include "xenbox/hv/domain.h"
#include "xenbox/hv/mode.h"
#include "xenbox/hv/server.h"

#define EXIT_USAGE 2

static const struct option options[] = {
    { "dir", required_argument, NULL, 'd' },
    { "name", required_argument, NULL, 'n' },
    { "limit", required_argument, NULL, 'l' },
    { "mapping", required_argument, NULL, 'm' },
    { "punish", no_argument, NULL, 'p' },
    { "mode", required_argument, NULL, 'M' },
    { "bug", required_argument, NULL, 'b' },
    { "ready-fd", required_argument, NULL, 'r' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

static const char usage[] =
    "usage: xenbox-hv --dir DIR [--name NAME] [--limit NAME=VALUE]... [--mapping=fast|strict] [--punish]\n"
    "                 [--mode=autotranslated|pv|pv32] [--bug ID[,ID...]]... [--ready-fd FD]\n"
    "The hypervisor process of a box in the existing directory DIR. xenbox(1) starts it.\n"
    "limits: grant-frames, maptrack-frames, event-channels, gntalloc-pages, gntdev-pages\n";

struct settings {
    const char *dir;
    const char *name;
    struct xb_limits limits;
    uint32_t flags;
    uint32_t mode;
    uint64_t bugs[XB_BUG_WORDS];
    int ready_fd;
};

/* "NAME=VALUE"; says what is wrong with it. */
static int limit_parse(struct xb_limits *limits, char *text)
{
    char *value = strchr(text, '=');
    int ret;

    if (!value) {
        fprintf(stderr, "xenbox-hv: --limit %s: NAME=VALUE expected\n", text);
        return -EINVAL;
    }
    *value++ = '\0';
    ret = limits_set(limits, text, value);
    if (ret == -ENOENT)
        fprintf(stderr, "xenbox-hv: --limit %s: there is no such limit (see --help)\n", text);
    else if (ret < 0)
        fprintf(stderr, "xenbox-hv: --limit %s=%s: not a number in the range of this limit\n", text, value);
    return ret;
}

static int bugs_option(uint64_t *words, const char *text)
{
    const char *unknown;
    int length;

    if (bugs_parse(text, words, &unknown, &length) == 0)
        return 0;
    fprintf(stderr, "xenbox-hv: --bug %.*s: there is no such switch; `xenbox up --bug list` names them\n",
            length, unknown);
    return -EINVAL;
}

/* Returns -1 to go on, or the exit status. */
static int settings_parse(struct settings *settings, int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'd':
            settings->dir = optarg;
            break;
        case 'n':
            settings->name = optarg;
            break;
        case 'l':
            if (limit_parse(&settings->limits, optarg) < 0)
                return EXIT_USAGE;
            break;
        case 'm':
            if (strcmp(optarg, "strict") != 0 && strcmp(optarg, "fast") != 0) {
                fprintf(stderr, "xenbox-hv: --mapping=%s: fast or strict expected\n", optarg);
                return EXIT_USAGE;
            }
            settings->flags &= ~XB_BOX_STRICT;
            settings->flags |= strcmp(optarg, "strict") == 0 ? XB_BOX_STRICT : 0;
            break;
        case 'p':
            settings->flags |= XB_BOX_PUNISH;
            break;
        case 'M':
            if (mode_parse(optarg, &settings->mode) < 0) {
                fprintf(stderr, "xenbox-hv: --mode=%s: autotranslated, pv or pv32 expected\n", optarg);
                return EXIT_USAGE;
            }
            break;
        case 'b':
            if (bugs_option(settings->bugs, optarg) < 0)
                return EXIT_USAGE;
            break;
        case 'r':
            settings->ready_fd = atoi(optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        case 'V':
            puts(PACKAGE_STRING);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (!settings->dir || optind != argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* A descriptor a handle and a process: as many as the system lets us have. */
static void descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct settings settings = { .name = "default", .ready_fd = -1 };
    struct box box;
    int ret;

    limits_init(&settings.limits);
    ret = settings_parse(&settings, argc, argv);
    if (ret >= 0)
        return ret;
    descriptors_raise();
    ret = box_init(&box, settings.dir, settings.name, &settings.limits, settings.flags);
    if (ret == 0) {
        box.tables->mode = settings.mode;
        memcpy(box.tables->bugs, settings.bugs, sizeof(settings.bugs));
        ret = domain_create_zero(&box);
    }
    if (ret == 0)
        ret = server_listen(&box, settings.dir);
    if (ret == 0 && settings.ready_fd >= 0) {
        if (write(settings.ready_fd, "", 1) < 0)
            fprintf(stderr, "xenbox-hv: --ready-fd %d: %s\n", settings.ready_fd, strerror(errno));
        close(settings.ready_fd);
    }
    if (ret == 0)
        ret = server_run(&box);
    if (ret == -EBUSY)
        fprintf(stderr, "xenbox-hv: %s: a box is running in this directory\n", settings.dir);
    else if (ret < 0)
        fprintf(stderr, "xenbox-hv: %s: %s\n", settings.dir, strerror(-ret));
    box_fini(&box);
    return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
