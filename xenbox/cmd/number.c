// SPDX-License-Identifier: MIT
/* number.c: strict parsing of a whole number. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include "xenbox/cmd/number.h"

int number_parse(const char *text, unsigned long max, unsigned long *number)
{
    char *end;

    if (*text < '0' || *text > '9') /* strtoul would take signs and blanks */
        return -EINVAL;
    errno = 0;
    *number = strtoul(text, &end, 0);
    return errno || *end || *number > max ? -EINVAL : 0;
}
