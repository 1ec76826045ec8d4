// SPDX-License-Identifier: MIT
/*
 * board.h: memory that a preloaded library shares with the test that watches it: a file, named by a variable of the
 * environment.
 */
#ifndef XENSPLIT_TESTS_FAULTS_BOARD_H
#define XENSPLIT_TESTS_FAULTS_BOARD_H

#include <stddef.h>

/* The file, mapped; or `instead` where none is named, or none can be mapped. Allocates nothing, and never logs. */
void *board_map(const char *variable, size_t bytes, void *instead);

#endif
