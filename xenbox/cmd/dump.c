// SPDX-License-Identifier: MIT
/*
 * dump.c: `xenbox dump`: what is granted, mapped, bound and connected in a box. The human form is made of the
 * JSON.
 */
#include <config.h>

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "xenbox/cmd/box_take.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/dump_tables.h"

#define COMMAND_MAX 16
#define USE_MAX 32

enum { OPTION_JSON = 256 };

static int get_int(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static const char *get_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool get_bool(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* A process's name, as ps shows it; "" when it is gone. */
static void command_of(int pid, char name[COMMAND_MAX])
{
    char path[32];
    FILE *comm;

    *name = '\0';
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    comm = fopen(path, "re");
    if (!comm)
        return;
    if (fgets(name, COMMAND_MAX, comm))
        name[strcspn(name, "\n")] = '\0';
    fclose(comm);
}

/* "123 xensplitd", or "-" for a domain's own kernel. */
static void print_process(const json_t *pid)
{
    char name[COMMAND_MAX];

    if (!json_is_integer(pid) || json_integer_value(pid) == 0) {
        printf("-");
        return;
    }
    command_of((int)json_integer_value(pid), name);
    printf("%d %s", (int)json_integer_value(pid), name);
}

/* "used/limit", or "used/-" for a limit that is switched off. */
static void format_use(const json_t *limits, const char *key, char text[USE_MAX])
{
    const json_t *use = json_object_get(limits, key);

    if (json_is_integer(json_object_get(use, "limit")))
        snprintf(text, USE_MAX, "%d/%d", get_int(use, "used"), get_int(use, "limit"));
    else
        snprintf(text, USE_MAX, "%d/-", get_int(use, "used"));
}

static void print_use(const json_t *limits, const char *key, int width)
{
    char text[USE_MAX];

    format_use(limits, key, text);
    printf(" %*s", width, text);
}

static void print_box(const struct box *box, const json_t *dump)
{
    static const struct {
        const char *key, *title;
    } rows[] = {
        { "domains", "domains" },
        { "frames", "frames" },
        { "maptrack_frames", "maptrack frames" },
        { "connections", "connections" },
    };
    const json_t *limits = json_object_get(dump, "limits");
    char text[USE_MAX];

    printf("box '%s', mode %s, mapping %s%s; in use of the limit:", box->name, get_text(dump, "mode"),
           get_text(dump, "mapping"), get_bool(dump, "punish") ? ", punishing" : "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        format_use(limits, rows[i].key, text);
        printf(" %s %s,", rows[i].title, text);
    }
    printf(" pages in a map call at most %d\n\n", get_int(limits, "pages_per_map_call"));
}

static void print_domains(const json_t *domains)
{
    const json_t *domain;
    size_t i;

    printf("DOMAIN NAME             STATE       PAGES      GRANTS G-FRAMES  MAPTRACK     PORTS    SHARED\n");
    json_array_foreach(domains, i, domain)
    {
        const json_t *limits = json_object_get(domain, "limits");

        printf("%6d %-16.16s %-8s %8d", get_int(domain, "domid"), get_text(domain, "name"),
               get_text(domain, "state"), get_int(domain, "pages"));
        print_use(limits, "grants", 11);
        print_use(limits, "grant_frames", 8);
        print_use(limits, "maptrack_frames", 9);
        print_use(limits, "event_channels", 9);
        print_use(limits, "gntalloc_pages", 9);
        if (get_int(domain, "damaged_pages"))
            printf(" (%d pages damaged)", get_int(domain, "damaged_pages"));
        printf("\n");
    }
}

static void print_grants(const json_t *domains)
{
    const json_t *domain, *grant;
    size_t i, k;

    printf("\nDOMAIN    REF     TO    FRAME ACCESS IN USE  PINS RO/RW  SHARED BY\n");
    json_array_foreach(domains, i, domain)
    {
        json_array_foreach(json_object_get(domain, "grants"), k, grant)
        {
            printf("%6d %6d %6d %8d %-6s %-7s %5d/%-5d  ", get_int(domain, "domid"), get_int(grant, "ref"),
                   get_int(grant, "to"), get_int(grant, "frame"), get_bool(grant, "readonly") ? "ro" : "rw",
                   get_bool(grant, "writing")   ? "write"
                   : get_bool(grant, "reading") ? "read"
                                                : "no",
                   get_int(grant, "pins_ro"), get_int(grant, "pins_rw"));
            print_process(json_object_get(grant, "sharer_pid"));
            printf(get_int(grant, "lock") ? " (locked)\n" : "\n");
        }
    }
}

static void print_ports(const json_t *domains)
{
    const json_t *domain, *port;
    size_t i, k;

    printf("\nDOMAIN   PORT TYPE        REMOTE          STATE           LISTENER\n");
    json_array_foreach(domains, i, domain)
    {
        json_array_foreach(json_object_get(domain, "ports"), k, port)
        {
            const char *type = get_text(port, "type");
            char remote[32];

            if (strcmp(type, "interdomain") == 0)
                snprintf(remote, sizeof(remote), "%d:%d", get_int(port, "remote_domid"),
                         get_int(port, "remote_port"));
            else if (strcmp(type, "virq") == 0)
                snprintf(remote, sizeof(remote), "virq %d", get_int(port, "virq"));
            else
                snprintf(remote, sizeof(remote), "%d", get_int(port, "remote_domid"));
            printf("%6d %6d %-11s %-15s %-7s %-7s ", get_int(domain, "domid"), get_int(port, "port"), type,
                   remote, get_bool(port, "pending") ? "pending" : "",
                   get_bool(port, "masked") ? "masked" : "");
            print_process(json_object_get(port, "pid"));
            printf("\n");
        }
    }
}

static void print_conns(const json_t *conns)
{
    const json_t *conn, *map;
    size_t i, k;

    printf("\nCONNECTION KIND    DOMAIN        MAPS PROCESS\n");
    json_array_foreach(conns, i, conn)
    {
        printf("%10d %-7s %6d", get_int(conn, "id"), get_text(conn, "kind"), get_int(conn, "domid"));
        print_use(json_object_get(conn, "limits"), "maps", 11);
        printf(" ");
        print_process(json_object_get(conn, "pid"));
        printf("\n");
    }
    printf("\nMAPS: DOMAIN    REF    FRAME ACCESS STATE    AIO/URING ADDRESS            PROCESS\n");
    json_array_foreach(conns, i, conn)
    {
        json_array_foreach(json_object_get(conn, "maps"), k, map)
        {
            printf("      %6d %6d %8d %-6s %-8s %3d/%-5d %-18s ", get_int(map, "domid"), get_int(map, "ref"),
                   get_int(map, "frame"), get_bool(map, "readonly") ? "ro" : "rw", get_text(map, "state"),
                   get_int(map, "aio"), get_int(map, "io_uring"), get_text(map, "address"));
            print_process(json_object_get(conn, "pid"));
            printf("\n");
        }
    }
}

static int print_human(const struct box *box, json_t *dump)
{
    const json_t *domains = json_object_get(dump, "domains");

    if (!dump)
        return cmd_fail("out of memory");
    print_box(box, dump);
    print_domains(domains);
    print_grants(domains);
    print_ports(domains);
    print_conns(json_object_get(dump, "connections"));
    json_decref(dump);
    return CMD_OK;
}

static int dump(int argc, char **argv)
{
    bool is_json = false;
    struct box box;
    json_t *json;
    struct hv hv;
    int status;

    while (cmd_next_option(&command_dump, argc, argv) != -1)
        is_json = true;
    if (optind < argc)
        return cmd_usage(&command_dump, "it takes no arguments");
    status = box_take_hv(&box, &hv);
    if (status != CMD_OK)
        return status;
    json = dump_tables(hv.tables);
    hv_close(&hv);
    return is_json ? cmd_print_json(json) : print_human(&box, json);
}

static const struct cmd_option options[] = {
    { OPTION_JSON, "json", NULL, "print JSON" },
    { 0 },
};

const struct command command_dump = {
    .name = "dump",
    .arguments = "[--json]",
    .summary = "prints grants, maps, event channels and connections",
    .options = options,
    .run = dump,
};
