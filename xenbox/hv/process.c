// SPDX-License-Identifier: MIT
/* process.c: see process.h. */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xenbox/hv/conn.h"
#include "xenbox/hv/process.h"

static struct conn *conn_next_of(struct box *box, const struct process *process)
{
    struct conn *conn;

    LIST_FOREACH (conn, &box->conns, link) {
        if (conn->process == process)
            return conn;
    }
    return NULL;
}

static void process_ready(struct box *box, struct source *source, uint32_t events)
{
    struct process *process = (struct process *)source;
    struct conn *conn;

    /* The last conn_reap() buries the process; nothing is freed before this round of events is over. */
    while ((conn = conn_next_of(box, process)))
        conn_reap(box, conn);
}

int process_get(struct box *box, pid_t pid, struct process **result)
{
    struct process *process;
    int ret;

    *result = NULL;
    if (pid <= 0)
        return 0;
    LIST_FOREACH (process, &box->processes, link) {
        if (process->pid == pid) {
            process->conns++;
            *result = process;
            return 0;
        }
    }
    process = calloc(1, sizeof(*process));
    if (!process)
        return -ENOMEM;
    process->source.ready = process_ready;
    process->pid = pid;
    process->conns = 1;
    process->pidfd = pidfd_open(pid, 0);
    if (process->pidfd < 0) {
        ret = -errno;
        goto fail;
    }
    ret = box_watch(box, process->pidfd, EPOLLIN, &process->source);
    if (ret < 0)
        goto fail;
    LIST_INSERT_HEAD(&box->processes, process, link);
    *result = process;
    return 0;

fail:
    if (process->pidfd >= 0)
        close(process->pidfd);
    free(process);
    return ret;
}

void process_put(struct box *box, struct process *process)
{
    if (!process || --process->conns)
        return;
    LIST_REMOVE(process, link);
    box_unwatch(box, process->pidfd);
    box_bury(box, &process->source);
}

static bool process_is_tool(struct box *box, const struct process *process)
{
    struct conn *conn;

    LIST_FOREACH (conn, &box->conns, link) {
        /* One that has not said hello yet may be about to ask for the end. */
        if (conn->process == process && (conn->kind == XB_CONN_TOOL || !conn->id))
            return true;
    }
    return false;
}

void process_kill_domain(struct box *box, uint16_t domid)
{
    struct conn *conn;

    LIST_FOREACH (conn, &box->conns, link) {
        if (!conn->id || conn->domid != domid)
            continue;
        /* The kernel's side sees the end of the stream, lets go of the domain's pages and closes. */
        if (conn->is_kernel)
            shutdown(conn->fd, SHUT_WR);
        else if (conn->process && !process_is_tool(box, conn->process))
            pidfd_send_signal(conn->process->pidfd, SIGKILL, NULL, 0);
    }
}

void process_kill_all(struct box *box)
{
    struct process *process;

    LIST_FOREACH (process, &box->processes, link) {
        if (!process_is_tool(box, process))
            pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
    }
}

bool process_is_any_left(struct box *box)
{
    struct process *process;

    LIST_FOREACH (process, &box->processes, link) {
        if (!process_is_tool(box, process))
            return true;
    }
    return false;
}
