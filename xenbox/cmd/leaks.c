// SPDX-License-Identifier: MIT
/*
 * leaks.c: see leaks.h. Everything is counted by connection first, then connections by process. Nothing that
 * is read is trusted: indexes are checked before they are used.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "xenbox/cmd/clock.h"
#include "xenbox/cmd/domain_table.h"
#include "xenbox/cmd/leaks.h"

#define SETTLE_MS 1000 /* what a dead process had is gone by then */
#define PAUSE_NS 2000000
#define COMMAND_MAX 16
#define DOMAIN_NAME_MAX 64

/* What a connection holds, or all that a process has. */
struct holding {
    unsigned handles, maps, pages, ports;
    unsigned leaving; /* of the maps: unmapped, and I/O refers to them */
    unsigned stuck; /* pinned for good, not in maps */
};

struct leaks {
    const struct xb_tables *tables;
    const struct box_status *status;
    struct holding *of_slot; /* by slot of the connection */
    unsigned lines;
};

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return value < limit ? value : limit;
}

static struct holding *holding_of(struct leaks *leaks, uint32_t id)
{
    uint32_t slot = XB_CONN_SLOT(id);

    return id && slot < XB_MAX_CONNS && leaks->tables->conn[slot].id == id ? &leaks->of_slot[slot] : NULL;
}

/* A port of the domain's own kernel: of its store or its console ring. */
static bool port_is_kernels(const struct xb_tables *tables, uint32_t domid, uint32_t port)
{
    return domid < XB_MAX_DOMAINS && port &&
           (port == tables->domain[domid].store_port || port == tables->domain[domid].console_port);
}

/* Or the other end of one. */
static bool port_is_of_box(const struct xb_tables *tables, uint32_t domid, uint32_t port)
{
    uint64_t link = tables->domain[domid].port[port].link;

    return port_is_kernels(tables, domid, port) ||
           (XB_LINK_TYPE(link) == XB_PORT_INTERDOMAIN &&
            port_is_kernels(tables, XB_LINK_DOMID(link), XB_LINK_PORT(link)));
}

static void count_maps(struct leaks *leaks, uint32_t slot)
{
    const struct xb_conn *conn = &leaks->tables->conn[slot];
    uint32_t chunks = at_most(conn->chunks, XB_CONN_CHUNKS);

    for (uint32_t i = 0; i < chunks; i++) {
        for (uint32_t m = 0; conn->chunk[i] < XB_MAX_CHUNKS && m < XB_CHUNK_MAPS; m++) {
            uint32_t state = leaks->tables->map[conn->chunk[i]][m].state;

            leaks->of_slot[slot].maps += state == XB_MAP_LIVE || state == XB_MAP_LEAVING;
            leaks->of_slot[slot].leaving += state == XB_MAP_LEAVING;
            leaks->of_slot[slot].stuck += state == XB_MAP_STUCK;
        }
    }
}

static void count_domain(struct leaks *leaks, uint32_t domid, struct holding *nobodys)
{
    const struct xb_domain *domain = &leaks->tables->domain[domid];
    struct holding *holding;

    for (uint32_t ref = XB_RESERVED_REFS; ref < at_most(domain->ref_top, XB_MAX_REFS); ref++) {
        holding = holding_of(leaks, domain->active[ref].sharer);
        if (holding)
            holding->pages++;
        else if (__atomic_load_n(&domain->grant[ref].flags, __ATOMIC_RELAXED))
            nobodys->pages++;
    }
    for (uint32_t port = 0; port < at_most(domain->port_top, XB_MAX_PORTS); port++) {
        if (XB_LINK_TYPE(domain->port[port].link) == XB_PORT_FREE ||
            port_is_of_box(leaks->tables, domid, port))
            continue;
        holding = holding_of(leaks, XB_WORD_CONN(domain->port[port].word));
        ++*(holding ? &holding->ports : &nobodys->ports);
    }
}

static void print_count(FILE *out, const char **separator, unsigned count, const char *one, const char *many)
{
    if (count)
        fprintf(out, "%s%u %s", *separator, count, count == 1 ? one : many);
    if (count)
        *separator = ", ";
}

static void print_holding(FILE *out, const struct holding *holding)
{
    const char *separator = ": ";

    print_count(out, &separator, holding->maps, "mapping", "mappings");
    if (holding->leaving)
        fprintf(out, " (%u unmapped with I/O in flight)", holding->leaving);
    print_count(out, &separator, holding->pages, "shared page", "shared pages");
    print_count(out, &separator, holding->ports, "event channel", "event channels");
    print_count(out, &separator, holding->handles, "open handle", "open handles");
    fputc('\n', out);
}

static void report_domain(struct leaks *leaks, uint32_t domid, FILE *out)
{
    const struct xb_domain *domain = &leaks->tables->domain[domid];
    bool is_zombie = domain->state == XB_DOMAIN_DYING;
    struct holding nobodys = { 0 };
    char name[DOMAIN_NAME_MAX];

    count_domain(leaks, domid, &nobodys);
    domain_name(leaks->tables, (uint16_t)domid, name);
    if (domain->damage) {
        fprintf(out, "  domain %u %s, damaged: %u pages were unmapped with I/O in flight\n", domid, name,
                domain->damage);
        leaks->lines++;
    }
    if (!is_zombie && !nobodys.pages && !nobodys.ports)
        return;
    fprintf(out, "  domain %u %s, %s", domid, name,
            is_zombie ? "a zombie whose pages are still in use" : "held by no program any more");
    print_holding(out, &nobodys);
    leaks->lines++;
}

static bool is_own_process(const struct leaks *leaks, pid_t pid)
{
    const struct box_status *status = leaks->status;

    return pid == status->hv || pid == status->xenstored || pid == status->xenbus || pid == getpid();
}

/* A process that is dead and not reaped yet counts as gone. */
static bool is_gone(pid_t pid)
{
    struct pollfd wait = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    bool gone;

    if (wait.fd < 0)
        return errno == ESRCH;
    gone = poll(&wait, 1, 0) == 1;
    close(wait.fd);
    return gone;
}

static void print_process(FILE *out, pid_t pid, uint16_t domid)
{
    char path[32], name[COMMAND_MAX + 1] = "";
    FILE *comm;

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    comm = fopen(path, "re");
    if (comm && fgets(name, sizeof(name), comm))
        name[strcspn(name, "\n")] = '\0';
    if (comm)
        fclose(comm);
    fprintf(out, "  process %d %s of domain %u", (int)pid, name, domid);
}

/* All handles of the process of a slot that is the first of them. False: it is on its way out. */
static bool report_process(struct leaks *leaks, uint32_t first, FILE *out)
{
    const struct xb_conn *conn = leaks->tables->conn;
    pid_t pid = conn[first].pid;
    struct holding all = { 0 };

    for (uint32_t slot = 1; slot < at_most(leaks->tables->conn_top, XB_MAX_CONNS); slot++) {
        if (!conn[slot].id || conn[slot].pid != pid || conn[slot].domid != conn[first].domid)
            continue;
        if (slot < first)
            return true; /* has been reported */
        all.handles++;
        all.maps += leaks->of_slot[slot].maps;
        all.leaving += leaks->of_slot[slot].leaving;
        all.pages += leaks->of_slot[slot].pages;
        all.ports += leaks->of_slot[slot].ports;
    }
    if (is_gone(pid))
        return false;
    print_process(out, pid, conn[first].domid);
    print_holding(out, &all);
    leaks->lines++;
    return true;
}

/* An evtchn handle whose opener has ended, and that another process keeps open. */
static void report_orphan(struct leaks *leaks, uint32_t slot, FILE *out)
{
    const struct holding *holding = &leaks->of_slot[slot];

    if (!holding->ports)
        return;
    fprintf(out, "  a handle of domain %u that outlived its process", leaks->tables->conn[slot].domid);
    print_holding(out, holding);
    leaks->lines++;
}

/* Somebody has kept a page for longer than it was his. */
static void report_stale(struct leaks *leaks, FILE *out)
{
    const struct xb_stale *stale = &leaks->tables->stale;
    uint32_t writes = stale->writes;

    if (!writes)
        return;
    fprintf(out, "  frame %u, which was domain %u's, written at byte %u after it was freed", stale->frame,
            stale->domid, stale->offset);
    if (writes > 1)
        fprintf(out, ", and %u such %s more", writes - 1, writes == 2 ? "write" : "writes");
    fputc('\n', out);
    leaks->lines++;
}

/* One look at the tables. False: something is on its way out. */
static bool report_once(struct leaks *leaks, FILE *out)
{
    const struct xb_tables *tables = leaks->tables;
    bool is_settled = true;

    memset(leaks->of_slot, 0, XB_MAX_CONNS * sizeof(*leaks->of_slot));
    leaks->lines = 0;
    report_stale(leaks, out);
    for (uint32_t domid = 0; domid < XB_MAX_DOMAINS; domid++)
        if (tables->domain[domid].state != XB_DOMAIN_FREE)
            report_domain(leaks, domid, out);
    for (uint32_t slot = 1; slot < at_most(tables->conn_top, XB_MAX_CONNS); slot++)
        if (tables->conn[slot].id)
            count_maps(leaks, slot);
    for (uint32_t slot = 1; slot < at_most(tables->conn_top, XB_MAX_CONNS); slot++) {
        const struct xb_conn *conn = &tables->conn[slot];

        if (!conn->id || is_own_process(leaks, conn->pid))
            continue;
        /* What is left of a process that was punished is the damage of its domain. */
        if (leaks->of_slot[slot].stuck && !leaks->of_slot[slot].maps && is_gone(conn->pid))
            continue;
        if (conn->pid)
            is_settled &= report_process(leaks, slot, out);
        else
            report_orphan(leaks, slot, out);
    }
    return is_settled;
}

unsigned leaks_report(const struct xb_tables *tables, const struct box_status *status, FILE *out)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    struct leaks leaks = { .tables = tables, .status = status };
    int64_t deadline = clock_now_ms() + SETTLE_MS;
    bool is_settled = false;
    char *text = NULL;
    size_t size = 0;
    FILE *lines;

    leaks.of_slot = calloc(XB_MAX_CONNS, sizeof(*leaks.of_slot));
    while (leaks.of_slot && !is_settled && (lines = open_memstream(&text, &size))) {
        is_settled = report_once(&leaks, lines) || clock_now_ms() >= deadline;
        fclose(lines);
        if (is_settled)
            fwrite(text, 1, size, out);
        else
            nanosleep(&pause, NULL);
        free(text);
    }
    free(leaks.of_slot);
    return leaks.lines;
}
