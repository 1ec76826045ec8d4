// SPDX-License-Identifier: MIT
/*
 * main.c: xensplitd. Everything is in daemon.c, so that the tests can link it.
 */
#include <config.h>

#include "backend/daemon.h"

int main(int argc, char **argv)
{
    return daemon_run(argc, argv);
}
