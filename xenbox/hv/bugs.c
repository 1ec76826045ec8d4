// SPDX-License-Identifier: MIT
/* bugs.c: see bugs.h. */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "xenbox/hv/bugs.h"

static const struct {
    const char *id, *text;
} bugs[] = {
#define XB_BUG_ROW(id, text) { #id, text },
    XB_BUGS(XB_BUG_ROW)
#undef XB_BUG_ROW
};

const char *bug_id(size_t bug)
{
    return bug < BUG_COUNT ? bugs[bug].id : NULL;
}

const char *bug_text(size_t bug)
{
    return bug < BUG_COUNT ? bugs[bug].text : NULL;
}

static size_t bug_find(const char *id, size_t length)
{
    size_t bug = 0;

    while (bug < BUG_COUNT && (strlen(bugs[bug].id) != length || strncasecmp(bugs[bug].id, id, length) != 0))
        bug++;
    return bug;
}

int bugs_parse(const char *text, uint64_t *words, const char **unknown, int *unknown_length)
{
    size_t length;

    for (;; text += length + 1) {
        size_t bug;

        length = strcspn(text, ",");
        bug = bug_find(text, length);
        if (bug == BUG_COUNT) {
            *unknown = text;
            *unknown_length = (int)length;
            return -ENOENT;
        }
        words[bug / 64] |= (uint64_t)1 << (bug % 64);
        if (!text[length])
            return 0;
    }
}
