// SPDX-License-Identifier: MIT
/* mode.c: see mode.h. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "xenbox/hv/mode.h"

static const char *const names[] = {
    [XB_MODE_AUTOTRANSLATED] = "autotranslated",
    [XB_MODE_PV] = "pv",
    [XB_MODE_PV32] = "pv32",
};

#define MODES (sizeof(names) / sizeof(names[0]))

int mode_parse(const char *name, uint32_t *mode)
{
    for (uint32_t i = 0; i < MODES; i++) {
        if (strcmp(names[i], name) == 0) {
            *mode = i;
            return 0;
        }
    }
    return -ENOENT;
}

const char *mode_name(uint32_t mode)
{
    return mode < MODES ? names[mode] : "?";
}
