// SPDX-License-Identifier: MIT
/*
 * version.c: which libxenfront this is.
 */
#include <config.h>

#include "frontend/xenfront.h"

const char *xenfront_version(void)
{
    return PACKAGE_VERSION;
}
