// SPDX-License-Identifier: MIT
/*
 * inflight.c: the file of in-flight records: layout, creation, adoption, and what to do again after a crash.
 */
#include <config.h>

#include "common/inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INFLIGHT_MAGIC 0x746867696c666e69ULL /* "inflight" */
#define INFLIGHT_VERSION 2u

struct inflight_file {
    struct inflight_header header;
    struct inflight_record record[INFLIGHT_RECORDS];
};

_Static_assert(sizeof(struct inflight_record) == 320, "whole cache lines; two for a request of few segments");
_Static_assert(sizeof(struct inflight_header) == 128, "the same in all versions; records are aligned to cache lines");

uint32_t inflight_version(void)
{
    return INFLIGHT_VERSION;
}

/* Stores before it stay before stores after it, in program order: all that a kill can observe. */
#define commit() atomic_signal_fence(memory_order_seq_cst)

static int file_map(struct inflight *inflight, const char *path, int fd)
{
    int flags = MAP_SHARED | MAP_POPULATE; /* no faults on the request path */
    void *map = mmap(NULL, sizeof(struct inflight_file), PROT_READ | PROT_WRITE, flags, fd, 0);

    if (map == MAP_FAILED)
        return -errno;
    inflight->path = path;
    inflight->file = map;
    return 0;
}

/* Under another name until it is complete: who dies before leaves the old file, if there is one, to the next. */
static int file_create(struct inflight *inflight, const char *path, const struct inflight_identity *identity,
                       uint32_t requests)
{
    struct inflight_header *header;
    char fresh[PATH_MAX];
    int fd, ret;

    /* Without a dot, so that it has the form of a record's name, and is swept as one. */
    if (snprintf(fresh, sizeof(fresh), "%snew", path) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    if (unlink(fresh) && errno != ENOENT)
        return -errno;
    fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    /* Really allocated: a full file system is an error here and not a SIGBUS on the request path. */
    ret = -posix_fallocate(fd, 0, sizeof(struct inflight_file));
    if (ret == 0)
        ret = file_map(inflight, path, fd);
    close(fd);
    if (ret) {
        unlink(fresh);
        return ret;
    }
    header = &inflight->file->header;
    header->magic = INFLIGHT_MAGIC;
    header->version = INFLIGHT_VERSION;
    header->records = INFLIGHT_RECORDS;
    header->record_bytes = sizeof(struct inflight_record);
    header->identity = *identity;
    header->requests = requests;
    commit();
    header->is_live = 1;
    if (rename(fresh, path) == 0)
        return 0;
    ret = -errno;
    unlink(fresh);
    munmap(inflight->file, sizeof(struct inflight_file));
    inflight->file = NULL;
    return ret;
}

int inflight_create(struct inflight *inflight, const char *path, const struct inflight_identity *identity)
{
    return file_create(inflight, path, identity, 0);
}

void inflight_begin(struct inflight *inflight, uint32_t requests)
{
    inflight->file->header.requests = requests;
}

static int header_check(const struct inflight_header *header, const struct inflight_identity *identity)
{
    if (header->magic != INFLIGHT_MAGIC || !header->is_live)
        return -EPROTO;
    if (header->version == INFLIGHT_VERSION &&
        (header->records != INFLIGHT_RECORDS || header->record_bytes != sizeof(struct inflight_record)))
        return -EPROTO;
    return memcmp(&header->identity, identity, sizeof(*identity)) ? -ESTALE : 0;
}

/* One that is shorter than a header is none of ours. */
static int header_read(int fd, struct inflight_header *header)
{
    const ssize_t count = pread(fd, header, sizeof(*header), 0);

    if (count < 0)
        return -errno;
    return count == (ssize_t)sizeof(*header) ? 0 : -EPROTO;
}

int inflight_adopt(struct inflight *inflight, const char *path, const struct inflight_identity *identity)
{
    struct inflight_header header;
    struct stat st;
    int fd, ret;

    fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ret = fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? header_read(fd, &header) : -EPROTO;
    if (ret == 0)
        ret = header_check(&header, identity);
    if (ret == 0 && header.version != INFLIGHT_VERSION) {
        inflight->path = path;
        inflight->foreign = header;
    } else if (ret == 0) {
        ret = st.st_size == sizeof(struct inflight_file) ? file_map(inflight, path, fd) : -EPROTO;
    }
    close(fd);
    return ret;
}

/* Insertion by order of arrival, relative to the consumer, so that indices may wrap. */
static void replay_insert(struct inflight_replay *replay, const struct inflight_file *file,
                          unsigned int index)
{
    uint32_t age = replay->requests - file->record[index].request;
    unsigned int at = replay->count++;

    while (at > 0 && replay->requests - file->record[replay->record[at - 1]].request < age) {
        replay->record[at] = replay->record[at - 1];
        at--;
    }
    replay->record[at] = index;
}

/* A new file in the place of one that cannot be read, for a ring that owes nothing. */
static int foreign_replace(struct inflight *inflight, uint32_t responses)
{
    const struct inflight_header *old = &inflight->foreign;

    if (old->requests != responses)
        return -ENOTSUP;
    return file_create(inflight, inflight->path, &old->identity, responses);
}

int inflight_replay(struct inflight *inflight, uint32_t responses, struct inflight_replay *replay)
{
    struct inflight_file *file = inflight->file;

    if (!file) {
        replay->requests = inflight->foreign.requests;
        replay->count = 0;
        return foreign_replace(inflight, responses);
    }
    replay->requests = file->header.requests;
    replay->count = 0;
    for (unsigned int i = 0; i < INFLIGHT_RECORDS; i++) {
        struct inflight_record *record = &file->record[i];
        uint32_t age = file->header.requests - record->request; /* 1: consumed last; 0: not counted yet */
        bool was_seen = record->state == INFLIGHT_ANSWERED && (int32_t)(responses - record->response) > 0;

        if (record->state == INFLIGHT_FREE || age == 0 || was_seen) {
            record->state = INFLIGHT_FREE;
            continue;
        }
        record->state = INFLIGHT_TAKEN;
        replay_insert(replay, file, i);
    }
    return replay->count == file->header.requests - responses ? 0 : -EPROTO;
}

void inflight_close(struct inflight *inflight, bool is_kept)
{
    if (inflight->file && !is_kept) {
        inflight->file->header.is_live = 0;
        unlink(inflight->path);
    }
    if (inflight->file)
        munmap(inflight->file, sizeof(struct inflight_file));
    memset(inflight, 0, sizeof(*inflight));
}

struct inflight_record *inflight_record(struct inflight *inflight, unsigned int index)
{
    return &inflight->file->record[index];
}

void inflight_take(struct inflight *inflight, struct inflight_record *record, uint32_t request)
{
    record->request = request;
    commit();
    record->state = INFLIGHT_TAKEN;
    commit();
    inflight->file->header.requests = request + 1;
}

void inflight_answer(struct inflight_record *record, uint32_t response)
{
    record->response = response;
    commit();
    record->state = INFLIGHT_ANSWERED;
}

void inflight_free(struct inflight_record *record)
{
    record->state = INFLIGHT_FREE;
}
