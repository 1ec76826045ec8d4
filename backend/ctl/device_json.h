// SPDX-License-Identifier: MIT
/*
 * device_json.h: a device's report as JSON: one table of fields, from which each command takes those that it
 * shows. What is not known (no disk open, no ring, no answer) is null, and every object of a command has the same
 * members. Names carry units. Pure.
 */
#ifndef XENSPLIT_BACKEND_CTL_DEVICE_JSON_H
#define XENSPLIT_BACKEND_CTL_DEVICE_JSON_H

#include <jansson.h>

struct device_report;
struct survey;

/* fields: ends with NULL; NULL itself: all that there are. NULL when there is no memory. */
json_t *device_json(const struct device_report *report, const char *const *fields);
/* An array of these, for each device of the survey. */
json_t *device_json_all(const struct survey *survey, const char *const *fields);
/* Adds a text to an object that device_json made. */
int device_json_say(json_t *object, const char *name, const char *text);

#endif
