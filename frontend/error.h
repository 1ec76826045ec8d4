// SPDX-License-Identifier: MIT
/*
 * error.h: the sentence that goes with an error: which device, what was expected, what was found. One a
 * handle; the library never prints.
 */
#ifndef XENSPLIT_FRONTEND_ERROR_H
#define XENSPLIT_FRONTEND_ERROR_H

struct front_error {
    char device[48]; /* "vbd 51712 (xvda)", once it is known */
    char text[512];
};

/* Returns err, a negative errno, so that a caller can return it. */
int front_error_set(struct front_error *error, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void front_error_clear(struct front_error *error);

#endif
