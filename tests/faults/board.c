// SPDX-License-Identifier: MIT
/* board.c: see board.h. */
#include <config.h>

#include "tests/faults/board.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *board_map(const char *variable, size_t bytes, void *instead)
{
    const char *path = getenv(variable);
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0)
        return instead;
    map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return map == MAP_FAILED ? instead : map;
}
