// SPDX-License-Identifier: MIT
/*
 * hostile_cases.h: what the files of cases share. A case ends the program when the backend did wrong.
 */
#ifndef XENSPLIT_TESTS_HOSTILE_HOSTILE_CASES_H
#define XENSPLIT_TESTS_HOSTILE_HOSTILE_CASES_H

#include "tests/hostile/raw_front.h"

#define UNGRANTED_REF 31000u /* nothing of ours was ever granted there */

void expect(int found, int expected, const char *what);
/* The device is as good as new. */
void expect_service(struct raw_front *front);

/* hostile_requests.c */
void case_operations(struct raw_front *front);
void case_segments(struct raw_front *front);
void case_beyond_end(struct raw_front *front);
void case_grants(struct raw_front *front);
void case_ids(struct raw_front *front);
void case_padding(struct raw_front *front);
void case_layout_x86_32(struct raw_front *front);
void case_readonly(struct raw_front *front);
void case_fuzz(struct raw_front *front);
void case_discard(struct raw_front *front);
void case_discard_not_offered(struct raw_front *front);
void case_mutation(struct raw_front *front);
void case_storm(struct raw_front *front);

/* hostile_indirect.c */
void case_indirect(struct raw_front *front);
void case_indirect_mutation(struct raw_front *front);

#endif
