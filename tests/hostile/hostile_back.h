// SPDX-License-Identifier: MIT
/*
 * hostile_back.h: a backend that breaks the rules in one way, and what the frontend must make of it.
 */
#ifndef XENSPLIT_TESTS_HOSTILE_BACK_H
#define XENSPLIT_TESTS_HOSTILE_BACK_H

#include <stddef.h>

#include "tests/hostile/raw_back.h"

struct hostile_back_case {
    const char *name;
    void (*play)(struct raw_back *back);
    const char *arguments; /* of the command, behind its family */
    int status; /* of the frontend */
    const char *words; /* that it must say */
};

extern const struct hostile_back_case hostile_net_back_cases[];
extern const size_t hostile_net_back_count;

#endif
