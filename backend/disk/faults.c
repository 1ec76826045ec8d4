// SPDX-License-Identifier: MIT
/*
 * faults.c: see faults.h. Which transfer is hit is a matter of counting, and how late one comes of a generator with a
 * fixed seed, so that a test meets the same faults each time.
 */
#include <config.h>

#include "backend/disk/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20)
#define SECTOR_BYTES 512u

struct faults {
    struct faults_plan plan;
    struct event *timer;
    void (*over)(void *arg, struct disk_io *io, int64_t result);
    void *arg;
    struct disk_io *held; /* by due time, the earliest first */
    uint64_t random;
    unsigned int transfers, results; /* so far */
};

static const struct {
    const char *name;
    size_t offset;
} words[] = {
    { "short", offsetof(struct faults_plan, short_every) },
    { "again", offsetof(struct faults_plan, again_every) },
    { "error", offsetof(struct faults_plan, error_every) },
    { "slow", offsetof(struct faults_plan, slow_us) },
    { "keep", offsetof(struct faults_plan, keep_us) },
};

static int parse_word(struct faults_plan *plan, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t name = strlen(words[i].name);
        unsigned long value;
        char *end;

        if (length < name + 2 || strncmp(text, words[i].name, name) != 0 || text[name] != '=')
            continue;
        if (text[name + 1] < '0' || text[name + 1] > '9')
            return -EINVAL;
        value = strtoul(text + name + 1, &end, 10);
        if (end != text + length || value > 1000000)
            return -EINVAL;
        *(unsigned int *)((char *)plan + words[i].offset) = (unsigned int)value;
        return 0;
    }
    return -EINVAL;
}

int faults_parse(struct faults_plan *plan, const char *text, char *reason, size_t reason_size)
{
    memset(plan, 0, sizeof(*plan));
    if (strcmp(text, "none") == 0)
        return 0;
    while (*text) {
        size_t length = strcspn(text, ",");

        if (parse_word(plan, text, length)) {
            snprintf(reason, reason_size,
                     "expected short=N, again=N, error=N, slow=US or keep=US, found \"%.*s\"", (int)length,
                     text);
            return -EINVAL;
        }
        text += length;
        text += *text == ',';
    }
    return 0;
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Nobody refers to the pages any more once the pipe is gone. */
static void let_go(struct disk_io *io)
{
    for (unsigned int i = 0; i < 2; i++)
        if (io->fault.is_kept)
            close(io->fault.pipe[i]);
    io->fault.is_kept = false;
}

static void arm(struct faults *faults)
{
    uint64_t now = now_us(), due = faults->held ? faults->held->fault.due_us : 0;
    struct timeval wait = { 0 };

    if (!faults->held)
        return;
    if (due > now)
        wait = (struct timeval){ .tv_sec = (due - now) / 1000000, .tv_usec = (due - now) % 1000000 };
    event_add(faults->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct faults *faults = arg;
    uint64_t now = now_us();

    while (faults->held && faults->held->fault.due_us <= now) {
        struct disk_io *io = faults->held;

        faults->held = io->next;
        let_go(io);
        faults->over(faults->arg, io, io->fault.result);
    }
    arm(faults);
}

int faults_create(struct faults **result, const struct faults_plan *plan, struct event_base *base,
                  void (*over)(void *arg, struct disk_io *io, int64_t result), void *arg)
{
    struct faults *faults = calloc(1, sizeof(*faults));

    if (!faults)
        return -ENOMEM;
    *faults = (struct faults){ .plan = *plan, .over = over, .arg = arg, .random = 88172645463325252u };
    faults->timer = event_new(base, -1, 0, on_timer, faults);
    if (!faults->timer) {
        free(faults);
        return -ENOMEM;
    }
    *result = faults;
    return 0;
}

void faults_destroy(struct faults *faults)
{
    if (!faults)
        return;
    event_free(faults->timer);
    free(faults);
}

/* Is this one hit, of those that are counted? */
static bool is_turn(unsigned int every, unsigned int number)
{
    return every > 0 && number % every == every - 1;
}

void faults_before(struct faults *faults, struct disk_io *io)
{
    size_t length = io->iov_count > 0 ? io->iov->iov_len : 0;

    io->fault.count = io->iov_count;
    io->fault.length = length;
    if (io->iov_count == 0 || !is_turn(faults->plan.short_every, faults->transfers++))
        return;
    io->iov_count = 1;
    if (length >= 2 * SECTOR_BYTES)
        io->iov->iov_len = length / (2 * SECTOR_BYTES) * SECTOR_BYTES;
}

void faults_undo(struct disk_io *io)
{
    if (io->iov_count == 0)
        return;
    io->iov_count = io->fault.count;
    io->iov->iov_len = io->fault.length;
}

static uint32_t below(struct faults *faults, uint32_t limit)
{
    faults->random = faults->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(faults->random >> 33) % limit;
}

/* Somebody refers to the pages, as a network driver would that sends them once more. */
static void hold_on(struct disk_io *io)
{
    if (pipe2(io->fault.pipe, O_CLOEXEC | O_NONBLOCK))
        return;
    io->fault.is_kept = true;
    fcntl(io->fault.pipe[1], F_SETPIPE_SZ, PIPE_BYTES); /* what does not fit is not kept */
    if (vmsplice(io->fault.pipe[1], io->iov, io->iov_count, SPLICE_F_NONBLOCK) < 0)
        let_go(io);
}

bool faults_after(struct faults *faults, struct disk_io *io, int64_t *result)
{
    const struct faults_plan *plan = &faults->plan;
    unsigned int number = faults->results++;
    struct disk_io **link = &faults->held;
    uint32_t delay_us = plan->slow_us ? below(faults, plan->slow_us) : 0;

    faults_undo(io);
    if (is_turn(plan->error_every, number))
        *result = -EIO;
    else if (is_turn(plan->again_every, number))
        *result = number & 1 ? -EAGAIN : -EINTR;
    if (plan->keep_us && io->iov_count > 0) {
        hold_on(io);
        delay_us += plan->keep_us;
    }
    if (delay_us == 0)
        return false;
    io->fault.due_us = now_us() + delay_us;
    io->fault.result = *result;
    while (*link && (*link)->fault.due_us <= io->fault.due_us)
        link = &(*link)->next;
    io->next = *link;
    *link = io;
    if (link == &faults->held)
        arm(faults);
    return true;
}
