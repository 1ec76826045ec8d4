// SPDX-License-Identifier: MIT
/*
 * barrier.c: the word that stands for a fence in builds with the thread sanitizer. See barrier.h.
 */
#include <config.h>

#include "common/barrier.h"

#ifdef XENSPLIT_TSAN
_Atomic unsigned int barrier_word;
#endif
