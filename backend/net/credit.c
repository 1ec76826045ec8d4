// SPDX-License-Identifier: MIT
/*
 * credit.c: see credit.h.
 */
#include <config.h>

#include "backend/net/credit.h"

#include <errno.h>
#include <string.h>

#include "common/xenbus.h"

#define WAIT_US 1000u /* at least, where nothing is lost by it */
#define BURST_BYTES 131072u /* at least: a period of a low rate may be less than one packet */

int credit_parse(const char *text, struct credit_rate *rate)
{
    const char *comma = strchr(text, ',');
    uint64_t period_us;
    char bytes[24];

    if (!comma || (size_t)(comma - text) >= sizeof(bytes))
        return -EINVAL;
    memcpy(bytes, text, (size_t)(comma - text));
    bytes[comma - text] = '\0';
    if (xenbus_parse_u64(bytes, strlen(bytes), 0, UINT64_MAX, &rate->bytes) ||
        xenbus_parse_u64(comma + 1, strlen(comma + 1), 0, UINT32_MAX, &period_us))
        return -EINVAL;
    rate->period_us = (uint32_t)period_us;
    return 0;
}

static uint64_t burst(const struct credit *credit)
{
    return credit->rate.bytes > BURST_BYTES ? credit->rate.bytes : BURST_BYTES;
}

void credit_set(struct credit *credit, const struct credit_rate *rate, uint64_t now_us)
{
    credit->rate = *rate;
    credit->left_bytes = rate->bytes;
    credit->since_us = now_us;
}

/* Whole periods that have passed give their bytes, up to the burst. */
static void replenish(struct credit *credit, uint64_t now_us)
{
    const uint64_t periods = (now_us - credit->since_us) / credit->rate.period_us;
    const uint64_t most = burst(credit);
    uint64_t bytes;

    if (periods == 0)
        return;
    credit->since_us += periods * credit->rate.period_us;
    if (__builtin_mul_overflow(periods, credit->rate.bytes, &bytes) ||
        __builtin_add_overflow(bytes, credit->left_bytes, &bytes) || bytes > most)
        bytes = most;
    credit->left_bytes = bytes;
}

/*
 * When so many bytes more will be there. Of short periods as many as make a millisecond, since nobody is served
 * sooner by being woken for each, as long as the burst takes in what they give.
 */
static uint64_t wait_for(const struct credit *credit, uint64_t bytes)
{
    const uint64_t each = credit->rate.bytes;
    const uint64_t fit = (burst(credit) - credit->left_bytes) / each;
    const uint64_t short_ones = WAIT_US / credit->rate.period_us;
    uint64_t periods = bytes / each + (bytes % each != 0);

    if (periods < short_ones)
        periods = fit < short_ones ? (fit > periods ? fit : periods) : short_ones;
    return credit->since_us + periods * credit->rate.period_us;
}

uint64_t credit_take(struct credit *credit, uint32_t bytes, uint64_t now_us)
{
    if (credit->rate.period_us == 0)
        return 0;
    replenish(credit, now_us);
    if (bytes <= credit->left_bytes) {
        credit->left_bytes -= bytes;
        return 0;
    }
    if (credit->rate.bytes == 0) /* not at this rate, ever */
        return UINT32_MAX;
    return wait_for(credit, bytes - credit->left_bytes) - now_us;
}
