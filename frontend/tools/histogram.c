// SPDX-License-Identifier: MIT
/*
 * histogram.c: see histogram.h.
 */
#include <config.h>

#include "frontend/tools/histogram.h"

#define SUB_BUCKETS (1u << HISTOGRAM_BITS)

/* Values below 64 have a bucket each; above, the bucket is the power of two and the next six bits. */
static uint32_t bucket_of(uint64_t value)
{
    uint32_t shift;

    if (value >> HISTOGRAM_MAX_BITS)
        value = ((uint64_t)1 << HISTOGRAM_MAX_BITS) - 1;
    if (value < SUB_BUCKETS)
        return (uint32_t)value;
    shift = 63u - (uint32_t)__builtin_clzll(value) - HISTOGRAM_BITS;
    return ((shift + 1) << HISTOGRAM_BITS) + (uint32_t)(value >> shift) - SUB_BUCKETS;
}

/* The largest value in a bucket. */
static uint64_t bucket_top(uint32_t bucket)
{
    uint32_t shift = bucket >> HISTOGRAM_BITS;
    uint64_t low = bucket & (SUB_BUCKETS - 1);

    if (!shift)
        return low;
    return ((low + SUB_BUCKETS + 1) << (shift - 1)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    if (!histogram->count || value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->count++;
    histogram->sum += value;
    histogram->bucket[bucket_of(value)]++;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * percent / 100 + 0.5);
    uint64_t seen = 0;

    if (!histogram->count)
        return 0;
    if (!wanted)
        return histogram->min;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen >= wanted)
            return bucket_top(i) < histogram->max ? bucket_top(i) : histogram->max;
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}
