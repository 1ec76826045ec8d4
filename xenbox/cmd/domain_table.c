// SPDX-License-Identifier: MIT
/* domain_table.c: domains by number and by name. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "xenbox/cmd/cmd.h"
#include "xenbox/cmd/domain_table.h"
#include "xenbox/cmd/number.h"

#define COUNT_TIMEOUT_S 1 /* a list of boxes is not to wait long for one that hangs */

static const char *const state_names[] = {
    [XB_DOMAIN_FREE] = "free",         [XB_DOMAIN_RUNNING] = "running", [XB_DOMAIN_PAUSED] = "paused",
    [XB_DOMAIN_SHUTDOWN] = "shutdown", [XB_DOMAIN_DYING] = "dying",
};

const char *domain_state_name(uint32_t state)
{
    return state < sizeof(state_names) / sizeof(state_names[0]) ? state_names[state] : "?";
}

void domain_name(const struct xb_tables *tables, uint16_t domid, char name[64])
{
    memcpy(name, tables->domain[domid].name, 64);
    name[63] = '\0';
}

int domain_table_open(struct hv *hv, const struct box *box)
{
    int error = hv_open(hv, box, HV_TIMEOUT_S);

    if (error)
        cmd_fail("the hypervisor process of box '%s' does not answer: %s", box->name, strerror(-error));
    return error;
}

static bool is_there(const struct xb_tables *tables, uint16_t domid)
{
    return tables->domain[domid].state != XB_DOMAIN_FREE;
}

int domain_find(struct hv *hv, const char *text, uint16_t *domid)
{
    unsigned long number;
    char name[64];

    if (number_parse(text, UINT16_MAX, &number) == 0) {
        if (number < XB_MAX_DOMAINS && is_there(hv->tables, (uint16_t)number)) {
            *domid = (uint16_t)number;
            return 0;
        }
        cmd_fail("there is no domain %s", text);
        return -ESRCH;
    }
    for (uint16_t i = 0; i < XB_MAX_DOMAINS; i++) {
        domain_name(hv->tables, i, name);
        if (is_there(hv->tables, i) && strcmp(name, text) == 0) {
            *domid = i;
            return 0;
        }
    }
    cmd_fail("there is no domain '%s'", text);
    return -ESRCH;
}

int domain_find_in_box(const struct box *box, const char *text, uint16_t *domid)
{
    struct hv hv;
    int error;

    *domid = 0;
    if (strcmp(text, "0") == 0)
        return 0;
    error = domain_table_open(&hv, box);
    if (!error)
        error = domain_find(&hv, text, domid);
    hv_close(&hv);
    return error;
}

int domain_find_guest(const struct box *box, const char *text, uint16_t *domid)
{
    struct hv hv;
    int error = domain_table_open(&hv, box);

    if (!error)
        error = domain_find(&hv, text, domid);
    if (!error && *domid == 0) {
        cmd_fail("domain 0 is no guest");
        error = -EINVAL;
    } else if (!error && hv.tables->domain[*domid].state == XB_DOMAIN_DYING) {
        cmd_fail("domain %u is being destroyed", *domid);
        error = -EINVAL;
    }
    hv_close(&hv);
    return error;
}

int domain_count(const struct box *box, const struct box_status *status)
{
    int count = 0;
    struct hv hv;

    if ((status->state != BOX_UP && status->state != BOX_BROKEN) || hv_open(&hv, box, COUNT_TIMEOUT_S) < 0)
        return -1;
    for (uint16_t i = 0; i < XB_MAX_DOMAINS; i++)
        count += is_there(hv.tables, i);
    hv_close(&hv);
    return count;
}
