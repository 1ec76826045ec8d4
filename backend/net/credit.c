// SPDX-License-Identifier: MIT
/*
 * credit.c: see credit.h.
 */
#include <config.h>

#include "backend/net/credit.h"

#include <errno.h>
#include <string.h>

#include "common/xenbus.h"

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

uint64_t credit_take(struct credit *credit, uint32_t bytes, uint64_t now_us)
{
    if (credit->rate.period_us == 0)
        return 0;
    replenish(credit, now_us);
    if (bytes <= credit->left_bytes) {
        credit->left_bytes -= bytes;
        return 0;
    }
    return credit->since_us + credit->rate.period_us - now_us;
}
