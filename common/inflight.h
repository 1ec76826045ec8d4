// SPDX-License-Identifier: MIT
/*
 * inflight.h: what a queue has taken from its ring and not answered yet, in a mapped file, so that a daemon that
 * was killed can be restarted and go on where it was. Stock frontends neither reconnect nor time out.
 *
 * The records are the decoded requests themselves: a queue decodes into its record and works from there, so
 * that writing them down costs two plain stores. A process that is killed stops between two instructions and
 * everything before is in the page cache; only the compiler must not reorder the stores. The response producer
 * in the shared ring is the commit point: a request is answered when the peer can see it, and not before.
 *
 * Owner's thread only, one file a queue. Functions return 0 or negative errno and never log.
 */
#ifndef XENSPLIT_COMMON_INFLIGHT_H
#define XENSPLIT_COMMON_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/blkif_request.h"

#define INFLIGHT_RECORDS 32u /* as many as a ring of one page can owe */

enum inflight_state {
    INFLIGHT_FREE,
    INFLIGHT_TAKEN, /* consumed from the ring, no response written */
    INFLIGHT_ANSWERED, /* response written to the slot of index `response`, perhaps not pushed yet */
};

/* 320 bytes, without pointers: valid in any process. */
struct inflight_record {
    uint32_t state; /* enum inflight_state */
    uint32_t request; /* index of the request in the ring: the order of arrival */
    uint32_t response; /* index of the response */
    uint32_t reserved[5];
    struct blkif_command command;
};

/* Whose ring it is. A file whose identity differs from the device's belongs to another life of it. */
struct inflight_identity {
    uint32_t domid;
    uint32_t devid;
    uint32_t queue;
    uint32_t ring_ref;
    uint32_t remote_port;
    uint32_t abi; /* enum blkif_abi */
    uint8_t generation[16];
};

/* How every file begins, of whatever version: an heir must be able to tell what it cannot read. */
struct inflight_header {
    uint64_t magic;
    uint32_t version;
    uint32_t records; /* INFLIGHT_RECORDS */
    uint32_t record_bytes;
    uint32_t is_live; /* set last */
    struct inflight_identity identity;
    uint32_t requests; /* consumer index of the ring */
    uint8_t reserved[60];
};

struct inflight {
    struct inflight_file *file; /* the mapping, NULL when closed */
    const char *path; /* the caller's: stays until it is closed */
    struct inflight_header foreign; /* of a file of another version, which was adopted and not replayed yet */
};

/* What is to be done again, in the order in which it arrived, and where the ring stands. */
struct inflight_replay {
    uint32_t requests; /* consumer index */
    unsigned int count;
    unsigned int record[INFLIGHT_RECORDS];
};

/* A new empty file, replacing an old one; the ring is fresh (both indices 0). */
int inflight_create(struct inflight *inflight, const char *path, const struct inflight_identity *identity);
/* After that, for a ring that was served before: so many requests were consumed, and all of them answered. */
void inflight_begin(struct inflight *inflight, uint32_t requests);

/* The version that is written, and understood. */
uint32_t inflight_version(void);

/*
 * The file of a predecessor that died. -ENOENT: none; -EPROTO: not ours; -ESTALE: of another guest, ring or
 * channel. One of another version is adopted as well: inflight_replay finds out whether that is of any use.
 */
int inflight_adopt(struct inflight *inflight, const char *path, const struct inflight_identity *identity);

/*
 * After adoption. responses: the producer in the shared ring, which the peer could have changed: -EPROTO when it
 * does not agree with the records. Records that were answered and seen are freed, the others become taken.
 * Records of another version cannot be read, but where the ring stands can: when everything that was taken is
 * answered, a new file takes their place and nothing is replayed; else -ENOTSUP, and replay->requests is set.
 */
int inflight_replay(struct inflight *inflight, uint32_t responses, struct inflight_replay *replay);

/* Unmaps; the file goes too unless it is to be adopted. Safe on zeroes and twice. */
void inflight_close(struct inflight *inflight, bool is_kept);

struct inflight_record *inflight_record(struct inflight *inflight, unsigned int index);

/* The record's command is complete and was consumed from the ring at `request`. */
void inflight_take(struct inflight *inflight, struct inflight_record *record, uint32_t request);
/* The response was written to its slot. */
void inflight_answer(struct inflight_record *record, uint32_t response);
/* The response was pushed. */
void inflight_free(struct inflight_record *record);

#endif
