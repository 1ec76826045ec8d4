// SPDX-License-Identifier: MIT
/*
 * scribble.h: a program of a domain that uses its handles and at the same time writes garbage into all that is its own
 * in the tables of the box: grant entries, ports, map records, the journal and the maptrack of its connections.
 */
#ifndef TESTS_XENBOX_SCRIBBLE_H
#define TESTS_XENBOX_SCRIBBLE_H

#include <stdint.h>

struct scribble {
    uint32_t domid; /* whose program it is */
    uint32_t victim; /* a domain that garbage is to name */
    uint32_t victim_refs; /* it has granted refs up to here */
    uint64_t seed;
};

/* Runs in a process of its own in $XENBOX and never returns: it is to be killed, or breaks down itself. */
__attribute__((noreturn)) void scribble_run(const struct scribble *scribble);

/* A generator whose state is the seed: the next number. */
uint64_t scribble_random(uint64_t *state);

#endif
