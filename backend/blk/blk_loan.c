// SPDX-License-Identifier: MIT
/*
 * blk_loan.c: see blk_loan.h.
 */
#include <config.h>

#include "backend/blk/blk_loan.h"

#include <sys/mman.h>

#include "backend/blk/blk_queue.h"

static struct blk_loan *loan_of(const struct blk_request *request)
{
    return &request->queue->loans[request - request->queue->request];
}

/*
 * Is each piece where the disk can take it, and no page there twice? Which of two pieces of one page comes last is
 * not for the disk to decide.
 */
static bool is_suitable(const struct blkif_command *command, uint32_t align_bytes)
{
    for (unsigned int i = 0; i < command->segment_count; i++) {
        if (command->seg[i].first_sect * BLKIF_SECTOR_BYTES % align_bytes)
            return false;
        for (unsigned int j = 0; j < i; j++)
            if (command->seg[i].gref == command->seg[j].gref)
                return false;
    }
    return true;
}

/* Kept mapped, all of them: else this request is copied, and they are mapped with that. */
static bool find_pages(const struct blk_request *request, char *pages[])
{
    const struct blkif_command *command = &request->record->command;

    for (unsigned int i = 0; i < command->segment_count; i++) {
        pages[i] = grant_cache_find(&request->queue->grants.cache, command->seg[i].gref);
        if (!pages[i])
            return false;
    }
    return true;
}

/* For this request alone. What cannot be mapped is copied, which says what is wrong with it. */
static bool map_pages(const struct blk_request *request, char *pages[])
{
    const struct blkif_command *command = &request->record->command;
    const struct grant_io *grants = &request->queue->grants;
    struct blk_loan *loan = loan_of(request);
    uint32_t refs[BLKIF_SEGMENTS_MAX];

    for (unsigned int i = 0; i < command->segment_count; i++)
        refs[i] = command->seg[i].gref;
    loan->base =
        xengnttab_map_domain_grant_refs(grants->gnttab, command->segment_count, grants->domid, refs,
                                        request->io.op == DISK_READ ? PROT_READ | PROT_WRITE : PROT_READ);
    loan->count = command->segment_count;
    for (unsigned int i = 0; loan->base && i < command->segment_count; i++)
        pages[i] = (char *)loan->base + (size_t)i * BLKIF_GRANT_BYTES;
    return loan->base != NULL;
}

bool blk_loan_take(struct blk_request *request)
{
    const struct blkif_command *command = &request->record->command;
    struct blk_queue *queue = request->queue;
    struct blk_loan *loan = loan_of(request);
    char *pages[BLKIF_SEGMENTS_MAX];

    loan->base = NULL;
    if (!is_suitable(command, queue->loan_align_bytes) ||
        !(queue->method == GRANT_IO_MAP ? map_pages(request, pages) : find_pages(request, pages)))
        return false;
    for (unsigned int i = 0; i < command->segment_count; i++)
        loan->iov[i] = (struct iovec){
            .iov_base = pages[i] + command->seg[i].first_sect * BLKIF_SECTOR_BYTES,
            .iov_len = blkif_segment_sectors(&command->seg[i]) * BLKIF_SECTOR_BYTES,
        };
    request->io.iov = loan->iov;
    request->io.iov_count = command->segment_count;
    request->is_loan = true;
    queue->counters.loans++;
    return true;
}

void blk_loan_give(struct blk_request *request)
{
    struct blk_queue *queue = request->queue;
    struct blk_loan *loan;

    if (!request->is_loan)
        return;
    request->is_loan = false;
    loan = loan_of(request);
    if (loan->base)
        grant_io_unmap(&queue->grants, loan->base, loan->count);
    loan->base = NULL;
}
