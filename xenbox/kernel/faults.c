// SPDX-License-Identifier: MIT
/* faults.c: see faults.h. */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/grant_table.h>

#include "xenbox/kernel/faults.h"

static const char *const steps[FAULT_STEPS] = {
    [FAULT_MAP_USER] = "map-user",
    [FAULT_MAP_KERNEL] = "map-kernel",
    [FAULT_UNMAP_USER] = "unmap-user",
    [FAULT_UNMAP_KERNEL] = "unmap-kernel",
    [FAULT_P2M] = "p2m",
    [FAULT_POOL] = "pool",
    [FAULT_ENTRY] = "entry",
    [FAULT_NOTIFY] = "notify",
    [FAULT_ARGS] = "args",
    [FAULT_SHOW] = "show",
    [FAULT_MEMORY] = "memory",
};

/* The plan of one step: what stands before the colon. */
static const char *step_parse(const char *text, enum fault_step *step)
{
    size_t length = strcspn(text, ":");

    for (int i = 0; i < FAULT_STEPS; i++) {
        if (text[length] && strlen(steps[i]) == length && strncmp(text, steps[i], length) == 0) {
            *step = i;
            return text + length + 1;
        }
    }
    return NULL;
}

static const char *which_parse(const char *text, struct fault_item *item)
{
    char *end;

    if (*text == '*') {
        item->first = 1;
        item->last = UINT32_MAX;
        end = (char *)text + 1;
    } else {
        item->first = item->last = strtoul(text, &end, 10);
        if (end == text)
            return NULL;
        if (*end == '-')
            item->last = strtoul(end + 1, &end, 10);
        if (*end == '%') {
            item->percent = item->first;
            item->first = item->last = 0;
            end++;
        } else if (item->first == 0 || item->last < item->first) {
            return NULL;
        }
    }
    return *end == '=' ? end + 1 : NULL;
}

static const char *value_parse(const char *text, int64_t *value)
{
    char *end;

    if (*text != '/')
        return NULL;
    *value = strtoll(text + 1, &end, 0);
    return end == text + 1 ? NULL : end;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static const char *action_parse(const char *text, struct fault_item *item)
{
    size_t length = strcspn(text, "/;");
    const char *end = text + length;
    struct fault *fault = &item->fault;
    int64_t value = 0;

    if (is_word(text, length, "status")) {
        fault->has_status = true;
        return value_parse(end, &fault->status);
    }
    if (is_word(text, length, "delay") || is_word(text, length, "frame")) {
        fault->has_frame = *text == 'f';
        end = value_parse(end, &value);
        *(fault->has_frame ? &fault->frame : &item->delay_us) = value;
        return end;
    }
    if (is_word(text, length, "late")) {
        end = value_parse(end, &value);
        fault->late_us = (uint32_t)value;
        return end;
    }
    if (is_word(text, length, "again")) {
        fault->has_status = true;
        fault->status = GNTST_eagain;
    } else if (is_word(text, length, "scribble")) {
        fault->scribble = true;
    } else if (is_word(text, length, "offline")) {
        fault->is_offline = true;
    } else if (is_word(text, length, "owned")) {
        fault->is_owned = true;
    } else if (is_word(text, length, "form")) {
        fault->other_form = true;
    } else {
        return NULL;
    }
    return end;
}

/* One item; where it ends, or NULL. */
static const char *item_parse(struct faults *faults, const char *text)
{
    struct fault_item *item = &faults->item[faults->items];
    char *end;

    if (strncmp(text, "seed=", 5) == 0) {
        faults->has_seed = true;
        faults->seed = strtoull(text + 5, &end, 10);
        return end;
    }
    if (strncmp(text, "reader", 6) == 0) {
        faults->has_reader = true;
        return text + 6;
    }
    if (faults->items == FAULT_ITEMS)
        return NULL;
    *item = (struct fault_item){ 0 };
    text = step_parse(text, &item->step);
    text = text ? which_parse(text, item) : NULL;
    text = text && *text && *text != ';' ? action_parse(text, item) : NULL;
    if (text)
        faults->items++;
    return text;
}

int faults_parse(struct faults *faults, const char *text, const char **bad)
{
    memset(faults, 0, sizeof(*faults));
    while (text && *text) {
        const char *end = item_parse(faults, text);

        *bad = text;
        if (!end || (*end && *end != ';'))
            return -EINVAL;
        text = end + (*end == ';');
    }
    for (unsigned i = 0; i < faults->items; i++) {
        *bad = "a plan with chance needs seed=N";
        if (faults->item[i].first == 0 && !faults->has_seed)
            return -EINVAL;
    }
    return 0;
}

/* A number that the seed, the kind of the step and its number give, and nothing else. */
static uint32_t chance(const struct faults *faults, enum fault_step step, uint32_t number)
{
    uint64_t x = faults->seed + ((uint64_t)step << 32 | number) * 0x9e3779b97f4a7c15ULL;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (x ^ (x >> 31)) % 100;
}

static void sleep_us(uint32_t us)
{
    if (us)
        nanosleep(&(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 }, NULL);
}

struct fault faults_next(struct faults *faults, enum fault_step step)
{
    struct fault sum = { 0 };
    uint32_t number = ++faults->done[step], delay_us = 0;

    for (unsigned i = 0; i < faults->items; i++) {
        const struct fault_item *item = &faults->item[i];

        if (item->step != step)
            continue;
        if (item->first ? number < item->first || number > item->last
                        : chance(faults, step, number) >= item->percent)
            continue;
        delay_us += item->delay_us;
        sum.late_us += item->fault.late_us;
        sum.scribble |= item->fault.scribble;
        sum.is_offline |= item->fault.is_offline;
        sum.is_owned |= item->fault.is_owned;
        sum.other_form |= item->fault.other_form;
        if (item->fault.has_status) {
            sum.has_status = true;
            sum.status = item->fault.status;
        }
        if (item->fault.has_frame) {
            sum.has_frame = true;
            sum.frame = item->fault.frame;
        }
    }
    sleep_us(delay_us);
    return sum;
}

void fault_end(const struct fault *fault)
{
    sleep_us(fault->late_us);
}
