// SPDX-License-Identifier: MIT
/*
 * prometheus.h: the result of `stats` in the text format of Prometheus, version 0.0.4, for a collector of text
 * files or a small exporter.
 */
#ifndef XENSPLIT_BACKEND_CTL_PROMETHEUS_H
#define XENSPLIT_BACKEND_CTL_PROMETHEUS_H

#include <stdio.h>
#include <jansson.h>

/* What is null (a device without a ring) is left out. */
void prometheus_print(FILE *out, const json_t *rows);

#endif
