// SPDX-License-Identifier: MIT
/* domain_life.c: the steps of creation, and the same backwards. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "xenbox/cmd/await.h"
#include "xenbox/cmd/clock.h"
#include "xenbox/cmd/cmd.h"
#include "xenbox/cmd/domain_life.h"
#include "xenbox/cmd/domain_nodes.h"
#include "xenbox/cmd/domain_table.h"
#include "xenbox/cmd/plug.h"
#include "xenbox/cmd/store.h"

#define UUID_TEXT_MAX 37
#define DEFAULT_MEMORY_MIB 256u /* what the store says of a domain without a limit */
#define PAGES_PER_MIB 256u
#define PROXY_TIMEOUT_MS 10000
#define ZOMBIE_TIMEOUT_MS 2000
#define ZOMBIE_PAUSE_NS 2000000

static void print_uuid(const uint8_t uuid[16], char text[UUID_TEXT_MAX])
{
    char *p = text;

    for (int i = 0; i < 16; i++)
        p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

/* A number would be taken for an id; a slash and what is not printed would only cause trouble. */
static int check_name(struct hv *hv, const char *name)
{
    char other[64];

    if (!*name || strlen(name) >= sizeof(other))
        return cmd_fail("the name of a domain has 1 to %zu characters", sizeof(other) - 1);
    if (strspn(name, "0123456789") == strlen(name))
        return cmd_fail("'%s' is no name for a domain: it would be taken for its number", name);
    for (const char *p = name; *p; p++)
        if (*p == '/' || *p <= ' ' || *p == '\177')
            return cmd_fail("'%s' is no name for a domain: it has a slash, a blank or a control character",
                            name);
    for (uint16_t i = 0; i < XB_MAX_DOMAINS; i++) {
        domain_name(hv->tables, i, other);
        if (hv->tables->domain[i].state != XB_DOMAIN_FREE && strcmp(other, name) == 0)
            return cmd_fail("domain %u has the name '%s' already", i, name);
    }
    return CMD_OK;
}

static int make_domain(struct hv *hv, const struct domain_wish *wish, uint16_t *domid)
{
    struct xb_domain_create create = {
        .domid = wish->domid == DOMAIN_LIFE_ANY ? XB_DOMID_NONE : wish->domid,
        .max_pages = wish->memory_mib * PAGES_PER_MIB,
    };
    struct xb_u32 answer;
    int error;

    if (wish->name)
        snprintf(create.name, sizeof(create.name), "%s", wish->name);
    error = hv_call(hv, XB_OP_DOMAIN_CREATE, &create, sizeof(create), &answer, sizeof(answer));
    if (error == -EEXIST)
        return cmd_fail("there is a domain %u already", wish->domid);
    if (error)
        return cmd_fail("cannot create the domain: %s", strerror(-error));
    *domid = (uint16_t)answer.value;
    return CMD_OK;
}

static int write_nodes(struct hv *hv, struct store *store, const struct domain_wish *wish, uint16_t domid)
{
    const struct xb_domain *domain = &hv->tables->domain[domid];
    char name[64], uuid[UUID_TEXT_MAX];
    struct timespec now;
    struct domain_facts facts = {
        .domid = domid,
        .name = name,
        .uuid = uuid,
        .memory_kib = 1024u * (uint64_t)(wish->memory_mib ? wish->memory_mib : DEFAULT_MEMORY_MIB),
        .store_frame = domain->store_frame,
        .store_port = domain->store_port,
    };
    struct node_list list;
    int error;

    domain_name(hv->tables, domid, name);
    print_uuid(domain->uuid, uuid);
    clock_gettime(CLOCK_REALTIME, &now);
    facts.start_time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    node_list_init(&list, domid);
    domain_create_nodes(&facts, &list);
    error = store_apply(store, &list);
    node_list_fini(&list);
    if (error)
        return cmd_fail("cannot write the nodes of domain %u: %s", domid, strerror(-error));
    if (!xs_introduce_domain(store->xs, domid, facts.store_frame, facts.store_port))
        return cmd_fail("xenstored does not accept domain %u: %s", domid, strerror(errno));
    return CMD_OK;
}

static int wait_for_proxy(const struct box *box, uint16_t domid)
{
    char dir[BOX_PATH_MAX], name[8];
    int error;

    box_path(box, "store", dir);
    snprintf(name, sizeof(name), "%u", domid);
    error = await_entry(dir, name, PROXY_TIMEOUT_MS);
    if (error)
        return cmd_fail("no store connection for domain %u: %s (see %s/xenbox-xenbus.log)", domid,
                        strerror(-error), box->dir);
    return CMD_OK;
}

static void remove_nodes(struct store *store, uint16_t domid, const uint8_t uuid[16])
{
    char text[UUID_TEXT_MAX];
    struct node_list list;
    int error;

    print_uuid(uuid, text);
    node_list_init(&list, domid);
    domain_destroy_nodes(domid, text, &list);
    error = store_apply(store, &list);
    node_list_fini(&list);
    if (error)
        cmd_fail("cannot remove the nodes of domain %u: %s", domid, strerror(-error));
}

/* Nobody tells us when the last mapping of its pages is gone; most often that is at once. */
static bool wait_for_end(const struct xb_domain *domain, const uint8_t uuid[16])
{
    const struct timespec pause = { .tv_nsec = ZOMBIE_PAUSE_NS };
    int64_t deadline = clock_now_ms() + ZOMBIE_TIMEOUT_MS;

    while (domain->state == XB_DOMAIN_DYING && memcmp(domain->uuid, uuid, 16) == 0) {
        if (clock_now_ms() >= deadline)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* xenstored learns of the end by an event, most often before this. */
static int end_domain(struct hv *hv, struct store *store, uint16_t domid)
{
    uint8_t uuid[16];
    int error;

    memcpy(uuid, hv->tables->domain[domid].uuid, sizeof(uuid));
    error = hv_call_domain(hv, XB_OP_DOMAIN_DESTROY, domid);
    if (error)
        return cmd_fail("cannot destroy domain %u: %s", domid, strerror(-error));
    remove_nodes(store, domid, uuid);
    if (xs_is_domain_introduced(store->xs, domid))
        xs_release_domain(store->xs, domid);
    if (!wait_for_end(&hv->tables->domain[domid], uuid))
        fprintf(
            stderr,
            "xenbox: domain %u stays as a zombie: its pages are still mapped ('xenbox dump' shows by whom)\n",
            domid);
    return CMD_OK;
}

int domain_life_create(const struct box *box, const struct domain_wish *wish, uint16_t *domid)
{
    struct store store = { 0 };
    struct hv hv;
    int status, turn;

    if (domain_table_open(&hv, box) < 0)
        return CMD_FAILED;
    status = store_connect(&store, box) < 0 ? CMD_FAILED : CMD_OK;
    turn = box_take_turn(box); /* two domains must not have one name */
    if (status == CMD_OK && wish->name)
        status = check_name(&hv, wish->name);
    if (status == CMD_OK)
        status = make_domain(&hv, wish, domid);
    if (turn >= 0)
        close(turn);
    if (status == CMD_OK) {
        status = write_nodes(&hv, &store, wish, *domid);
        if (status == CMD_OK)
            status = wait_for_proxy(box, *domid);
        if (status != CMD_OK)
            end_domain(&hv, &store, *domid);
    }
    store_close(&store);
    hv_close(&hv);
    return status;
}

int domain_life_destroy(const struct box *box, uint16_t domid)
{
    struct store store = { 0 };
    const struct plug plug = { box, &store, PLUG_TIMEOUT_MS, true };
    struct hv hv;
    int status;

    if (domain_table_open(&hv, box) < 0)
        return CMD_FAILED;
    status = store_connect(&store, box) < 0 ? CMD_FAILED : CMD_OK;
    if (status == CMD_OK) {
        hv_call_domain(&hv, XB_OP_DOMAIN_PAUSE, domid);
        plug_out_all(&plug, domid);
        status = end_domain(&hv, &store, domid);
    }
    store_close(&store);
    hv_close(&hv);
    return status;
}
