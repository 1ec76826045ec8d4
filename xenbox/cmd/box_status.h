// SPDX-License-Identifier: MIT
/* box_status.h: box.json, which the supervisor writes and everybody may read. */
#ifndef XENBOX_CMD_BOX_STATUS_H
#define XENBOX_CMD_BOX_STATUS_H

#include "xenbox/cmd/box.h"

/* Replaces the file in one step. 0 or negative errno. */
int box_status_save(const struct box *box, const struct box_status *status);

/* Reads all but `supervisor`. What is missing or nonsense in the file stays as it is in *status. */
void box_status_load(const struct box *box, struct box_status *status);

/* The same as JSON, for `list`. */
struct json_t *box_status_to_json(const struct box *box, const struct box_status *status);

#endif
