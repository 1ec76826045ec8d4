// SPDX-License-Identifier: MIT
/*
 * claim.c: see claim.h.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/xenbus.h"
#include "backend/claim.h"

/* Relative to the own domain's directory. */
#define CLAIM_DIR "xensplit"
#define CLAIM_KEY "daemon"

struct identity {
    int pid;
    unsigned long long start;
};

unsigned long long claim_parse_stat(const char *text)
{
    /* The second field is the program's name in brackets, and may hold anything. */
    const char *at = strrchr(text, ')');
    unsigned long long start;

    /* A process that was killed and that nobody has waited for yet is gone all the same: it holds nothing. */
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
        return 0;
    /* The third field is the first behind the bracket, the start time is the 22nd. */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, " %llu", &start) == 1 ? start : 0;
}

/* When the process started, in ticks since the machine did; 0: there is none. */
static unsigned long long process_start(int pid)
{
    char path[32], text[1024];
    size_t len;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    return claim_parse_stat(text);
}

static int read_claim(struct xs_handle *xs, xs_transaction_t t, struct identity *holder)
{
    char text[64];
    int error = xenbus_read_string(xs, t, CLAIM_DIR, CLAIM_KEY, text, sizeof(text));

    if (error < 0)
        return error;
    return sscanf(text, "%d %llu", &holder->pid, &holder->start) == 2 ? 0 : -EINVAL;
}

static int take(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    const pid_t self = getpid();
    struct identity holder;
    int error = read_claim(xs, t, &holder);

    if (error == 0 && holder.pid != self && holder.start && process_start(holder.pid) == holder.start) {
        *(pid_t *)arg = holder.pid;
        return -EBUSY;
    }
    if (error < 0 && error != -ENOENT && error != -EINVAL && error != -E2BIG)
        return error;
    return xenbus_write(xs, t, CLAIM_DIR, CLAIM_KEY, "%d %llu", self, process_start(self));
}

int claim_take(struct xs_handle *xs, pid_t *holder)
{
    return xenbus_transact(xs, take, holder);
}

static int drop(struct xs_handle *xs, xs_transaction_t t, void *arg)
{
    struct identity holder;

    if (read_claim(xs, t, &holder) < 0 || holder.pid != getpid())
        return -ENOENT;
    return xs_rm(xs, t, CLAIM_DIR) ? 0 : -errno;
}

void claim_drop(struct xs_handle *xs)
{
    xenbus_transact(xs, drop, NULL);
}
