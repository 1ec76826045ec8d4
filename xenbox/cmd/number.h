// SPDX-License-Identifier: MIT
/* number.h: a whole number from a person's text. Pure. */
#ifndef XENBOX_CMD_NUMBER_H
#define XENBOX_CMD_NUMBER_H

/* Decimal, hexadecimal or octal as in C; the whole text, no sign, no blanks, at most max. 0 or -EINVAL. */
int number_parse(const char *text, unsigned long max, unsigned long *number);

#endif
