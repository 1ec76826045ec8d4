// SPDX-License-Identifier: MIT
/* box_take.c: a box that is up, or why there is none. */
#include <config.h>

#include <errno.h>

#include "xenbox/cmd/box_take.h"
#include "xenbox/cmd/cmd.h"
#include "xenbox/cmd/domain_table.h"

/* The exit code for a state, after a message where it is no good one. */
static int judge(const struct box *box, const struct box_status *status)
{
    switch (status->state) {
    case BOX_CRASHED:
        return cmd_fail("box '%s' has crashed%s%s; 'xenbox down %s' clears it away", box->name,
                        *status->failure ? ": " : "", status->failure, box_reference(box));
    case BOX_STARTING:
        return cmd_fail("box '%s' is still starting (pid %d)", box->name, (int)status->supervisor);
    case BOX_FOREIGN:
        return cmd_fail("%s is not a box", box->dir);
    case BOX_ABSENT:
        return cmd_fail("there is no box '%s' (no %s); 'xenbox up %s' starts it", box->name, box->dir,
                        box_reference(box));
    case BOX_UP:
    case BOX_BROKEN:
        break;
    }
    return CMD_OK;
}

static int take(struct box *box, struct box_status *status)
{
    if (box_find(box, cmd_box()) < 0)
        return CMD_USAGE;
    box_probe(box, status);
    return judge(box, status);
}

int box_take(struct box *box)
{
    struct box_status status;

    return take(box, &status);
}

int box_take_whole(struct box *box)
{
    struct box_status status;
    int code = take(box, &status);

    if (code == CMD_OK && status.state == BOX_BROKEN)
        code = cmd_fail("box '%s' is broken: %s", box->name, status.failure);
    return code;
}

int box_take_guest(struct box *box, const char *domain, uint16_t *domid)
{
    int code = box_take(box);

    if (code == CMD_OK && domain_find_guest(box, domain, domid) < 0)
        code = CMD_FAILED;
    return code;
}

int box_take_hv(struct box *box, struct hv *hv)
{
    int code = box_take(box);

    if (code == CMD_OK && domain_table_open(hv, box) < 0)
        code = CMD_FAILED;
    return code;
}
