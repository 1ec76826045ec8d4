// SPDX-License-Identifier: MIT
/* real.c: see real.h. */
#include <config.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "xenbox/lib/real.h"

void *real_open(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        fprintf(stderr, "xenbox: %s\n", dlerror());
        abort();
    }
    return library;
}

void *real_function(void *library, const char *name, const char *version)
{
    return dlvsym(library, name, version);
}
