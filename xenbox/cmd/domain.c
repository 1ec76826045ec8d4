// SPDX-License-Identifier: MIT
/* domain.c: `xenbox domain`: the part of xl that has to do with domains. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <xen/sched.h>

#include "xenbox/cmd/box_take.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/domain_life.h"
#include "xenbox/cmd/domain_table.h"
#include "xenbox/cmd/number.h"

#define MAX_MEMORY_MIB 16384 /* of a whole box */

enum { OPTION_DOMID = 256, OPTION_MEMORY, OPTION_JSON, OPTION_REASON };

enum { CREATE, DESTROY, LIST, PAUSE, UNPAUSE, SHUTDOWN, DOMAIN_COMMANDS };

static const struct command domain_commands[];

static const struct {
    const char *name;
    uint32_t reason;
} shutdown_reasons[] = {
    { "poweroff", SHUTDOWN_poweroff },
    { "reboot", SHUTDOWN_reboot },
    { "suspend", SHUTDOWN_suspend },
    { "crash", SHUTDOWN_crash },
};

static int create(int argc, char **argv)
{
    const struct command *command = &domain_commands[CREATE];
    struct domain_wish wish = { .domid = DOMAIN_LIFE_ANY };
    unsigned long number;
    uint16_t domid;
    struct box box;
    int key, status;

    while ((key = cmd_next_option(command, argc, argv)) != -1) {
        unsigned long max = key == OPTION_DOMID ? XB_MAX_DOMAINS - 1 : MAX_MEMORY_MIB;

        if (number_parse(optarg, max, &number) < 0 || number == 0)
            return cmd_usage(command, "'%s' is no number from 1 to %lu", optarg, max);
        *(key == OPTION_DOMID ? &wish.domid : &wish.memory_mib) = (uint32_t)number;
    }
    if (argc - optind > 1)
        return cmd_usage(command, "one domain at a time");
    wish.name = argv[optind];
    status = box_take_whole(&box);
    if (status == CMD_OK)
        status = domain_life_create(&box, &wish, &domid);
    if (status == CMD_OK)
        printf("%u\n", domid);
    return status;
}

/* Options, box and the one DOMAIN that most sub-commands take. An exit code, CMD_OK to go on. */
static int take_domain(const struct command *command, int argc, char **argv, struct box *box, uint16_t *domid)
{
    while (cmd_next_option(command, argc, argv) != -1)
        ;
    if (argc - optind != 1)
        return cmd_usage(command, "which domain?");
    return box_take_guest(box, argv[optind], domid);
}

static int destroy(int argc, char **argv)
{
    uint16_t domid;
    struct box box;
    int status = take_domain(&domain_commands[DESTROY], argc, argv, &box, &domid);

    return status == CMD_OK ? domain_life_destroy(&box, domid) : status;
}

static int call(const struct box *box, enum xb_op op, uint16_t domid, const void *request, size_t size)
{
    struct hv hv;
    int error;

    if (domain_table_open(&hv, box) < 0)
        return CMD_FAILED;
    error = hv_call(&hv, op, request, size, NULL, 0);
    hv_close(&hv);
    return error ? cmd_fail("domain %u: %s", domid, strerror(-error)) : CMD_OK;
}

static int call_simple(int which, enum xb_op op, int argc, char **argv)
{
    struct xb_u32 request;
    uint16_t domid;
    struct box box;
    int status = take_domain(&domain_commands[which], argc, argv, &box, &domid);

    if (status != CMD_OK)
        return status;
    request.value = domid;
    return call(&box, op, domid, &request, sizeof(request));
}

static int pause_domain(int argc, char **argv)
{
    return call_simple(PAUSE, XB_OP_DOMAIN_PAUSE, argc, argv);
}

static int unpause(int argc, char **argv)
{
    return call_simple(UNPAUSE, XB_OP_DOMAIN_UNPAUSE, argc, argv);
}

static int shutdown_domain(int argc, char **argv)
{
    const struct command *command = &domain_commands[SHUTDOWN];
    struct xb_domain_shutdown request = { .reason = SHUTDOWN_poweroff };
    uint16_t domid;
    struct box box;
    int status;
    size_t i;

    while (cmd_next_option(command, argc, argv) != -1) {
        for (i = 0; i < sizeof(shutdown_reasons) / sizeof(shutdown_reasons[0]); i++)
            if (strcmp(shutdown_reasons[i].name, optarg) == 0)
                break;
        if (i == sizeof(shutdown_reasons) / sizeof(shutdown_reasons[0]))
            return cmd_usage(command, "--reason=%s: not poweroff, reboot, suspend or crash", optarg);
        request.reason = shutdown_reasons[i].reason;
    }
    if (argc - optind != 1)
        return cmd_usage(command, "which domain?");
    status = box_take_guest(&box, argv[optind], &domid);
    if (status != CMD_OK)
        return status;
    request.domid = domid;
    return call(&box, XB_OP_DOMAIN_SHUTDOWN, domid, &request, sizeof(request));
}

static json_t *domain_to_json(const struct xb_tables *tables, uint16_t domid)
{
    const struct xb_domain *domain = &tables->domain[domid];
    char name[64];

    domain_name(tables, domid, name);
    return json_pack("{s:i, s:s, s:s, s:i, s:i, s:i, s:i}", "domid", (int)domid, "name", name, "state",
                     domain_state_name(domain->state), "generation", (int)domain->generation, "pages",
                     (int)domain->tot_pages, "max_pages", (int)domain->max_pages, "shutdown_reason",
                     domain->state == XB_DOMAIN_SHUTDOWN ? (int)domain->shutdown_reason : -1);
}

static void print_domain(const struct xb_tables *tables, uint16_t domid)
{
    const struct xb_domain *domain = &tables->domain[domid];
    char name[64];

    domain_name(tables, domid, name);
    printf("%-32s %5u %-9s %8u\n", name, domid, domain_state_name(domain->state),
           (unsigned int)domain->tot_pages);
}

static int list(int argc, char **argv)
{
    const struct command *command = &domain_commands[LIST];
    json_t *array = NULL;
    struct box box;
    struct hv hv;
    int status;

    while (cmd_next_option(command, argc, argv) != -1)
        array = array ? array : json_array();
    if (optind < argc) {
        json_decref(array);
        return cmd_usage(command, "it takes no arguments");
    }
    status = box_take_hv(&box, &hv);
    if (status != CMD_OK) {
        json_decref(array);
        return status;
    }
    if (!array)
        printf("%-32s %5s %-9s %8s\n", "NAME", "ID", "STATE", "PAGES");
    for (uint16_t i = 0; i < XB_MAX_DOMAINS; i++) {
        if (hv.tables->domain[i].state == XB_DOMAIN_FREE)
            continue;
        if (array)
            json_array_append_new(array, domain_to_json(hv.tables, i));
        else
            print_domain(hv.tables, i);
    }
    hv_close(&hv);
    return array ? cmd_print_json(array) : CMD_OK;
}

static const struct cmd_option create_options[] = {
    { OPTION_DOMID, "domid", "N", "the domain's number (default: the next free one)" },
    { OPTION_MEMORY, "memory", "MIB", "the most memory it may have (default: no limit)" },
    { 0 },
};

static const struct cmd_option list_options[] = {
    { OPTION_JSON, "json", NULL, "print JSON" },
    { 0 },
};

static const struct cmd_option shutdown_options[] = {
    { OPTION_REASON, "reason", "REASON", "poweroff (default), reboot, suspend or crash" },
    { 0 },
};

static const struct command domain_commands[] = {
    [CREATE] = {
        .name = "create",
        .arguments = "[NAME] [OPTION]...",
        .summary = "creates a domain and prints its number",
        .options = create_options,
        .run = create,
    },
    [DESTROY] = {
        .name = "destroy",
        .arguments = "DOMAIN",
        .summary = "destroys a domain, with its devices and processes",
        .run = destroy,
    },
    [LIST] = {
        .name = "list",
        .arguments = "[--json]",
        .summary = "lists the domains",
        .options = list_options,
        .run = list,
    },
    [PAUSE] = {
        .name = "pause",
        .arguments = "DOMAIN",
        .summary = "marks a domain as paused",
        .run = pause_domain,
    },
    [UNPAUSE] = {
        .name = "unpause",
        .arguments = "DOMAIN",
        .summary = "marks it as running again",
        .run = unpause,
    },
    [SHUTDOWN] = {
        .name = "shutdown",
        .arguments = "DOMAIN [--reason=REASON]",
        .summary = "makes a domain end, as if by itself",
        .options = shutdown_options,
        .run = shutdown_domain,
    },
    [DOMAIN_COMMANDS] = { 0 },
};

const struct command command_domain = {
    .name = "domain",
    .arguments = "create|destroy|list|pause|unpause|shutdown ...",
    .summary = "creates, ends and lists domains",
    .family = domain_commands,
};
