// SPDX-License-Identifier: MIT
/* list.c: `xenbox list`: the boxes of this user. */
#include <config.h>

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

#include "xenbox/cmd/box_status.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/domain_table.h"

enum { OPTION_JSON = 256 };

static int print_row(const struct box *box, const struct box_status *status, void *arg)
{
    char domains[16] = "-";
    int count = domain_count(box, status);

    if (count >= 0)
        snprintf(domains, sizeof(domains), "%d", count);
    printf("%-20s %-9s %8d %8s  %s", box->name, box_state_name(status->state), (int)status->supervisor,
           domains, box->dir);
    printf(*status->failure ? "  (%s)\n" : "\n", status->failure);
    return 1;
}

static int add_json(const struct box *box, const struct box_status *status, void *arg)
{
    json_t *object = box_status_to_json(box, status);
    int count = domain_count(box, status);

    json_object_set_new(object, "domains", count >= 0 ? json_integer(count) : json_null());
    json_array_append_new(arg, object);
    return 1;
}

static int list(int argc, char **argv)
{
    bool is_json = false;

    while (cmd_next_option(&command_list, argc, argv) != -1)
        is_json = true;
    if (optind < argc)
        return cmd_usage(&command_list, "it takes no arguments");
    if (is_json) {
        json_t *array = json_array();

        if (box_for_each(add_json, array) < 0) {
            json_decref(array);
            return CMD_USAGE;
        }
        return cmd_print_json(array);
    }
    printf("%-20s %-9s %8s %8s  %s\n", "NAME", "STATE", "PID", "DOMAINS", "DIRECTORY");
    return box_for_each(print_row, NULL) < 0 ? CMD_USAGE : CMD_OK;
}

static const struct cmd_option options[] = {
    { OPTION_JSON, "json", NULL, "print JSON" },
    { 0 },
};

const struct command command_list = {
    .name = "list",
    .arguments = "[--json]",
    .summary = "lists the boxes: name, state, pid, domains",
    .options = options,
    .run = list,
};
