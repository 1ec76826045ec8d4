// SPDX-License-Identifier: MIT
/*
 * credit.h: how fast a guest may send: so many bytes a period, with a burst that lets the largest packet through
 * however low the rate is. Nothing wraps, whatever the toolstack wrote (catalogue D15). Pure but for the time that it
 * is given; one thread.
 */
#ifndef XENSPLIT_BACKEND_NET_CREDIT_H
#define XENSPLIT_BACKEND_NET_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

struct credit_rate {
    uint64_t bytes; /* a period */
    uint32_t period_us; /* 0: no limit */
};

struct credit {
    struct credit_rate rate;
    uint64_t left_bytes;
    uint64_t since_us; /* when the present period began */
};

/* "BYTES,MICROSECONDS", as libxl writes `rate`; 0 microseconds: no limit. 0 or -EINVAL. */
int credit_parse(const char *text, struct credit_rate *rate);
/* Begins with one period's bytes. */
void credit_set(struct credit *credit, const struct credit_rate *rate, uint64_t now_us);
/*
 * Takes the bytes (at most 65535) and returns 0; or takes nothing: microseconds to wait before it is worth asking, at
 * most UINT32_MAX at a rate of 0 bytes.
 */
uint64_t credit_take(struct credit *credit, uint32_t bytes, uint64_t now_us);

#endif
