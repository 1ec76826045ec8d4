// SPDX-License-Identifier: MIT
/* check.c: `xenbox check`: do the tables of a box agree with themselves? */
#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "xenbox/cmd/clock.h"
#include "xenbox/cmd/box_take.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/hv/audit.h"
#include "xenbox/hv/audit_pages.h"

#define SETTLE_MS 2000 /* what is still wrong then was not just somebody in the middle of an operation */
#define PAUSE_NS 5000000
#define WHY_MAX 256

static int audit(const struct hv *hv, char why[WHY_MAX])
{
    int error = audit_tables(hv->tables, why, WHY_MAX);

    return error ? error : audit_views(hv->tables, hv->frames_fd, why, WHY_MAX);
}

/* A program that is at work, or one that has just died, looks like a contradiction for a moment. */
static int audit_until_settled(const struct hv *hv, char why[WHY_MAX])
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    int64_t deadline = clock_now_ms() + SETTLE_MS;
    int error;

    while ((error = audit(hv, why)) < 0 && clock_now_ms() < deadline)
        nanosleep(&pause, NULL);
    return error;
}

static int check(int argc, char **argv)
{
    struct audit_counts counts;
    char why[WHY_MAX] = "";
    struct box box;
    struct hv hv;
    uint32_t damage;
    int error, status;

    while (cmd_next_option(&command_check, argc, argv) != -1)
        ;
    if (optind < argc)
        return cmd_usage(&command_check, "it takes no arguments");
    status = box_take_hv(&box, &hv);
    if (status != CMD_OK)
        return status;
    error = hv_call(&hv, XB_OP_POISON_CHECK, NULL, 0, NULL, 0);
    if (error) {
        hv_close(&hv);
        return cmd_fail("the hypervisor process of box '%s' does not answer: %s", box.name, strerror(-error));
    }
    error = audit_until_settled(&hv, why);
    audit_count(hv.tables, &counts);
    damage = audit_damage(hv.tables);
    hv_close(&hv);
    if (error)
        return cmd_fail("box '%s' is not in balance: %s", box.name, why);
    if (damage)
        return cmd_fail(
            "box '%s' is damaged: %u pages were unmapped with I/O in flight and stay pinned, and direct "
            "I/O on granted pages fails until `xenbox down`; xenbox-hv.log says who did it",
            box.name, damage);
    printf("in balance: %u domains, %u frames, %u grants, %u maps, %u event channels, %u connections\n",
           counts.domains, counts.frames, counts.grants, counts.maps, counts.ports, counts.conns);
    return CMD_OK;
}

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "says whether the tables of the box are in balance, or what the first contradiction is",
    .run = check,
};
