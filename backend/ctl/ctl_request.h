// SPDX-License-Identifier: MIT
/*
 * ctl_request.h: a line from a client, taken apart:
 *
 *     {"command": "show", "device": "vbd 3/51712"}
 *     {"command": "move", "device": "vbd 3/51712", "queue": 0, "worker": 1}
 *
 * Pure. A device is named as the log does; the family may be left out.
 */
#ifndef XENSPLIT_BACKEND_CTL_CTL_REQUEST_H
#define XENSPLIT_BACKEND_CTL_CTL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_REQUEST_MAX 4096u /* bytes of a request with its newline */

#define CTL_FILE_MAX 256u

struct device_report;

struct ctl_request {
    char command[32];
    bool has_device;
    char family[16]; /* empty: any */
    uint16_t domid;
    uint32_t devid;
    unsigned int queue; /* 0 when it is not said */
    bool has_worker;
    unsigned int worker;
    char file[CTL_FILE_MAX]; /* an absolute path; empty: not said */
};

/* line: without the newline, any bytes. 0, or -EINVAL and what was expected and found. */
int ctl_request_parse(struct ctl_request *request, const char *line, size_t length, char *reason,
                      size_t reason_size);
/* Is this the family, domid and devid that was asked for? A request without a device means all of them. */
bool ctl_request_selects(const struct ctl_request *request, const char *family, uint16_t domid,
                         uint32_t devid);

#endif
