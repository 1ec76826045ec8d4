// SPDX-License-Identifier: MIT
/*
 * ctl_request.c: see ctl_request.h.
 */
#include <config.h>

#include "backend/ctl/ctl_request.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/xenbus.h"

#define NUMBER_MAX 65535 /* of queues and workers */

/* "vbd 3/51712" or "3/51712". */
static int parse_device(struct ctl_request *request, const char *text)
{
    const char *space = strchr(text, ' ');
    const char *number = space ? space + 1 : text;
    const char *slash = strchr(number, '/');
    const size_t family = space ? space - text : 0;
    uint64_t domid, devid;

    if (!slash || (space && family == 0) || family >= sizeof(request->family))
        return -EINVAL;
    if (xenbus_parse_u64(number, slash - number, 0, UINT16_MAX, &domid) < 0 ||
        xenbus_parse_u64(slash + 1, strlen(slash + 1), 0, UINT32_MAX, &devid) < 0)
        return -EINVAL;
    memcpy(request->family, text, family);
    request->family[family] = '\0';
    request->domid = domid;
    request->devid = devid;
    request->has_device = true;
    return 0;
}

/* The value of a member that must be a short text. NULL: it is not. */
static const char *get_text(const json_t *object, const char *key, size_t size)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) && json_string_length(value) < size ? json_string_value(value) : NULL;
}

/* has: whether the member is there, where anybody wants to know. */
static int get_number(const json_t *object, const char *key, unsigned int *number, bool *has)
{
    const json_t *value = json_object_get(object, key);

    if (has)
        *has = value != NULL;
    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > NUMBER_MAX)
        return -EINVAL;
    *number = (unsigned int)json_integer_value(value);
    return 0;
}

int ctl_request_parse(struct ctl_request *request, const char *line, size_t length, char *reason,
                      size_t reason_size)
{
    const char *text;
    json_error_t error;
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    int ret = -EINVAL;

    memset(request, 0, sizeof(*request));
    if (!json_is_object(object)) {
        snprintf(reason, reason_size, "expected a line with a JSON object, found something else%s%s",
                 object ? "" : ": ", object ? "" : error.text);
        goto out;
    }
    text = get_text(object, "command", sizeof(request->command));
    if (!text) {
        snprintf(reason, reason_size, "command: expected the name of a command, found none");
        goto out;
    }
    strcpy(request->command, text);
    if (json_object_get(object, "device")) {
        text = get_text(object, "device", 64);
        if (!text || parse_device(request, text) < 0) {
            snprintf(reason, reason_size, "device: expected DOMID/DEVID as in \"vbd 3/51712\", found \"%s\"",
                     text ? text : "something else");
            goto out;
        }
    }
    if (get_number(object, "queue", &request->queue, NULL) < 0 ||
        get_number(object, "worker", &request->worker, &request->has_worker) < 0) {
        snprintf(reason, reason_size, "queue, worker: expected numbers from 0 to %d, found something else",
                 NUMBER_MAX);
        goto out;
    }
    if (json_object_get(object, "file")) {
        text = get_text(object, "file", sizeof(request->file));
        if (!text || text[0] != '/') {
            snprintf(reason, reason_size, "file: expected an absolute path of at most %u bytes, found \"%s\"",
                     CTL_FILE_MAX - 1, text ? text : "something else");
            goto out;
        }
        strcpy(request->file, text);
    }
    ret = 0;
out:
    json_decref(object);
    return ret;
}

bool ctl_request_selects(const struct ctl_request *request, const char *family, uint16_t domid,
                         uint32_t devid)
{
    if (!request->has_device)
        return true;
    return request->domid == domid && request->devid == devid &&
           (request->family[0] == '\0' || strcmp(request->family, family) == 0);
}
