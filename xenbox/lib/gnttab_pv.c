// SPDX-License-Identifier: MIT
/*
 * gnttab_pv.c: see gnttab_pv.h.
 *
 * A placeholder is the page struct of a record (layout.h). All placeholders of a chunk have their kernel aliases in one
 * arena of addresses, so that the alias of a page is always at the same place, as in a kernel's linear map. An empty
 * one shows the scratch frame of the handle; switching between that and a guest's frame is one mremap(2), in which no
 * reader can see anything else.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "xenbox/hv/bugs.h"
#include "xenbox/kernel/p2m.h"
#include "xenbox/lib/entry.h"
#include "xenbox/lib/gnttab_pv.h"

#define UNMAP_TRIES 3 /* of an operation that was refused */
#define ARENA_BYTES (XB_CHUNK_MAPS * XB_FRAME_SIZE)

/* The kernel aliases of one chunk. */
struct pv_arena {
    struct pv_arena *next;
    uint32_t chunk;
    pthread_t creator;
    uint8_t *base;
};

/* A kernel alias of a page of a pv32 box. */
struct pv_temporary {
    struct pv_temporary *next;
    uintptr_t address;
    uint32_t record;
};

static bool has_bug(const struct xengntdev_handle *handle, enum bug bug)
{
    return bug_is_on(handle->client.tables, bug);
}

static bool mode_is(const struct xengntdev_handle *handle, enum xb_mode mode)
{
    return handle->client.tables->mode == mode;
}

static struct xb_page *page_of(struct xengntdev_handle *handle, uint32_t record)
{
    return page_at(handle->client.tables, record);
}

/* Reads every kernel alias there is, again and again: a fault plan's "reader". */
static void *reader_run(void *arg)
{
    struct xengntdev_handle *handle = arg;

    while (!atomic_load(&handle->reader_ends)) {
        struct pv_arena *arena = atomic_load(&handle->arenas);

        for (; arena; arena = arena->next) {
            for (uint32_t i = 0; i < XB_CHUNK_MAPS; i++)
                (void)*(volatile uint8_t *)(arena->base + (size_t)i * XB_FRAME_SIZE);
        }
    }
    return NULL;
}

int pv_open(struct xengntdev_handle *handle)
{
    const char *bad, *plan = getenv(XB_ENV_FAULTS), *io = getenv("XENBOX_IO");

    if (faults_parse(&handle->faults, plan, &bad) < 0) {
        client_log(&handle->client, 0, "$" XB_ENV_FAULTS " is not understood at \"%s\"", bad);
        return -EINVAL;
    }
    handle->is_dma = io && strstr(io, "dma");
    if (handle->faults.has_reader && mode_is(handle, XB_MODE_PV)) {
        if (pthread_create(&handle->reader, NULL, reader_run, handle) != 0)
            return -EAGAIN;
        handle->has_reader = true;
    }
    return 0;
}

void pv_close(struct xengntdev_handle *handle)
{
    struct pv_arena *arena, *next;

    /* In a child neither the thread nor the aliases are there. */
    if (!client_is_ours(&handle->client))
        return;
    if (handle->has_reader) {
        atomic_store(&handle->reader_ends, true);
        pthread_join(handle->reader, NULL);
    }
    for (arena = atomic_load(&handle->arenas); arena; arena = next) {
        next = arena->next;
        munmap(arena->base, ARENA_BYTES);
        free(arena);
    }
    atomic_store(&handle->arenas, NULL);
    free(handle->queued);
}

int pv_chunk_added(struct xengntdev_handle *handle, uint32_t chunk)
{
    struct pv_arena *arena;

    if (!mode_is(handle, XB_MODE_PV))
        return 0;
    arena = faults_next(&handle->faults, FAULT_MEMORY).has_status ? NULL : malloc(sizeof(*arena));
    if (!arena)
        return -ENOMEM;
    arena->chunk = chunk;
    arena->creator = pthread_self();
    arena->base = mmap(NULL, ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena->base == MAP_FAILED) {
        free(arena);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < XB_CHUNK_MAPS; i++) {
        page_of(handle, chunk * XB_CHUNK_MAPS + i)->kernel_address =
            (uintptr_t)arena->base + i * XB_FRAME_SIZE;
        if (handle->has_reader)
            client_map_frame_at(&handle->client, handle->client.slot->scratch, PROT_READ | PROT_WRITE,
                                arena->base + i * XB_FRAME_SIZE);
    }
    arena->next = atomic_load(&handle->arenas);
    atomic_store(&handle->arenas, arena);
    return 0;
}

static const struct pv_arena *arena_of(struct xengntdev_handle *handle, uint32_t record)
{
    const struct pv_arena *arena = atomic_load(&handle->arenas);

    while (arena && arena->chunk != record / XB_CHUNK_MAPS)
        arena = arena->next;
    return arena;
}

/* The kernel alias shows the placeholder's own page again. */
static void kernel_alias_reset(struct xengntdev_handle *handle, void *address)
{
    /* Two steps, and nothing there in between. */
    if (has_bug(handle, BUG_A14)) {
        mmap(address, XB_FRAME_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        sched_yield();
    }
    client_map_frame_at(&handle->client, handle->client.slot->scratch, PROT_READ | PROT_WRITE, address);
}

int pv_record_take(struct xengntdev_handle *handle, uint32_t *record)
{
    for (;;) {
        int ret = record_take(handle, record);
        struct xb_page *page;
        struct fault fault;

        if (ret < 0 || mode_is(handle, XB_MODE_AUTOTRANSLATED))
            return ret;
        page = page_of(handle, *record);
        fault = faults_next(&handle->faults, FAULT_POOL);
        if (fault.is_offline)
            atomic_store(&page->state, XB_PAGE_OFFLINE);
        if (fault.is_owned) {
            page->own_frame = handle->client.slot->scratch;
            atomic_store(&page->p2m, page->own_frame);
        }
        if (page_take(page) == 0)
            return 0;
        /* It is no placeholder, and lies idle as long as the handle is open. */
        if (has_bug(handle, fault.is_offline ? BUG_A31 : BUG_A20)) {
            page->user_map = page->kernel_map = 0;
            return 0;
        }
    }
}

/* One map operation for the kernel alias of the page, and the alias itself. */
static int kernel_alias_map(struct xengntdev_handle *handle, struct pv_page *page,
                            const struct grant_map *user)
{
    struct xb_page *placeholder = page_of(handle, page->user);
    struct grant_map *op = &page->kernel_op;
    int ret;

    *op = *user;
    op->alias = XB_ALIAS(XB_ALIAS_KERNEL, page->user);
    if (op->domid == handle->client.domid)
        op->alias |= XB_ALIAS_LOCAL;
    op->host_address = placeholder->kernel_address;
    /* The map call succeeds without it, and I/O finds the placeholder's own page. */
    if (has_bug(handle, BUG_H07)) {
        kernel_alias_reset(handle, (void *)(uintptr_t)op->host_address);
        return 0;
    }
    ret = record_take(handle, &op->record);
    if (ret < 0)
        return ret;
    /* A field of the operation that the hypervisor writes is no place to keep something. */
    if (has_bug(handle, BUG_A06))
        op->dev_bus_addr = atomic_load(&placeholder->p2m);
    if (has_bug(handle, BUG_A01) && !pthread_equal(arena_of(handle, page->user)->creator, pthread_self()))
        op->status = GNTST_bad_virt_addr;
    else
        grant_op_map(handle, op);
    if (op->status != GNTST_okay) {
        record_give_back(handle, op->record);
        return op->status == ENTRY_LOST ? -EIO : -EINVAL;
    }
    page->kernel = op->record;
    placeholder->kernel_map = op->record + 1;
    page->kernel_address = (void *)(uintptr_t)op->host_address;
    ret = client_map_frame_at(&handle->client, op->frame, PROT_READ | (op->is_readonly ? 0 : PROT_WRITE),
                              page->kernel_address);
    if (faults_next(&handle->faults, FAULT_ARGS).scribble)
        op->host_address ^= XB_FRAME_SIZE;
    return ret;
}

static int p2m_set(struct xengntdev_handle *handle, struct pv_page *page, uint32_t frame)
{
    struct xb_page *placeholder = page_of(handle, page->user);
    struct fault fault = faults_next(&handle->faults, FAULT_P2M);

    if (fault.has_status)
        return fault.status < 0 ? (int)fault.status : -ENOMEM;
    page->saved_p2m = atomic_load(&placeholder->p2m);
    if (has_bug(handle, BUG_A06) && page->kernel != NO_RECORD)
        page->saved_p2m = page->kernel_op.dev_bus_addr;
    placeholder->user_map = page->user + 1;
    if (has_bug(handle, BUG_A13))
        atomic_store(&placeholder->state, XB_PAGE_MAPPED);
    else if (atomic_load(&placeholder->state) == XB_PAGE_OFFLINE)
        atomic_store(&placeholder->p2m, XB_P2M_FOREIGN | frame);
    else
        page_set_foreign(placeholder, frame);
    page->has_p2m = true;
    fault_end(&fault);
    return 0;
}

/* A kernel operation that was left in a batch, and the batch is flushed when it is too late (A07). */
static void queue_flush(struct xengntdev_handle *handle)
{
    struct grant_map *op = handle->queued;

    if (!op)
        return;
    handle->queued = NULL;
    if (record_take(handle, &op->record) == 0)
        grant_op_map(handle, op);
    free(op);
}

static void queue_add(struct xengntdev_handle *handle, struct pv_page *page, const struct grant_map *user)
{
    struct grant_map *op = handle->queued ? handle->queued : malloc(sizeof(*op));

    if (!op)
        return;
    *op = *user;
    op->alias = XB_ALIAS(XB_ALIAS_KERNEL, page->user);
    op->host_address = page_of(handle, page->user)->kernel_address;
    handle->queued = op;
}

/* Behind the first element, the address of no array looks like that of an operation (A03). */
static void missing_array_map(struct xengntdev_handle *handle, const struct grant_map *user, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct grant_map op = user[i];

        op.alias = XB_ALIAS(XB_ALIAS_KERNEL, user[i].record);
        op.host_address = i * sizeof(op);
        if (record_take(handle, &op.record) == 0)
            grant_op_map(handle, &op);
    }
}

int pv_pages_map(struct xengntdev_handle *handle, struct pv_page *pages, const struct grant_map *user,
                 uint32_t count)
{
    int ret = 0, failed;

    if (mode_is(handle, XB_MODE_AUTOTRANSLATED)) {
        if (has_bug(handle, BUG_A03))
            missing_array_map(handle, user, count);
        return 0;
    }
    /* Each operation is a step of its own: those that follow a failed one are done as well, like a batch. */
    for (uint32_t i = 0; i < count && mode_is(handle, XB_MODE_PV); i++) {
        if (i == count - 1 && has_bug(handle, BUG_A07)) {
            queue_add(handle, &pages[i], &user[i]);
            continue;
        }
        failed = kernel_alias_map(handle, &pages[i], &user[i]);
        if (failed && !has_bug(handle, BUG_A04))
            ret = ret ? ret : failed;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!pages[i].is_pinned || ret)
            continue;
        failed = p2m_set(handle, &pages[i], user[i].frame);
        if (!has_bug(handle, BUG_A19))
            ret = ret ? ret : failed;
    }
    return ret;
}

void pv_page_show(struct xengntdev_handle *handle, struct pv_page *page, uintptr_t address)
{
    if (mode_is(handle, XB_MODE_AUTOTRANSLATED))
        return;
    page->override = (struct override){ .tables = handle->client.tables,
                                        .frame = map_at(&handle->client, page->user)->frame,
                                        .page = page->user,
                                        .address = address };
    if (!has_bug(handle, BUG_A17))
        override_add(&page->override);
    page->has_override = true;
}

void pv_page_unmap(struct xengntdev_handle *handle, struct pv_page *page)
{
    struct xb_page *placeholder = page_of(handle, page->user);

    if (mode_is(handle, XB_MODE_AUTOTRANSLATED))
        return;
    if (page->has_override)
        override_remove(&page->override);
    page->has_override = false;
    if (page->kernel != NO_RECORD) {
        void *address =
            has_bug(handle, BUG_A15) ? (void *)(uintptr_t)page->kernel_op.host_address : page->kernel_address;

        for (int try = 0;
             try < UNMAP_TRIES && !grant_op_unmap(handle, page->kernel, kernel_alias_reset, address); try++) {
        }
        page->kernel = NO_RECORD;
        placeholder->kernel_map = 0;
    }
    if (page->has_p2m) {
        page_clear_foreign(placeholder);
        if (has_bug(handle, BUG_A06))
            atomic_store(&placeholder->p2m, page->saved_p2m);
        placeholder->user_map = 0;
    }
    page->has_p2m = false;
    page_give_back(placeholder);
    queue_flush(handle);
}

/* The placeholder that the kernel finds for a user alias when I/O pins it; NO_RECORD. */
static uint32_t placeholder_find(struct xengntdev_handle *handle, const struct pv_page *page)
{
    const struct xb_map *map = map_at(&handle->client, page->user);
    const struct xb_tables *tables = handle->client.tables;
    bool is_shared = atomic_load(&tables->domain[map->domid].active[map->ref].overrides) != 0;
    uintptr_t address = has_bug(handle, BUG_A10) ? 0 : page->override.address;
    uint32_t pfn, found;

    if (has_bug(handle, BUG_A12))
        return NO_RECORD;
    /* The granter's own page, which its reader has locked until we are done: that never ends. */
    if (frame_to_local_pfn(tables, handle->client.domid, map->frame, is_shared && !has_bug(handle, BUG_A08),
                           &pfn)) {
        while (has_bug(handle, BUG_A08) && client_check(&handle->client) == 0)
            nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
    }
    return override_find(tables, map->frame, address, &found) ? found : NO_RECORD;
}

/* pv32: a kernel PTE that is set to a frame of somebody else becomes a map operation of its own. */
static uintptr_t temporary_map(struct xengntdev_handle *handle, struct pv_page *page)
{
    const struct xb_map *map = map_at(&handle->client, page->user);
    struct pv_temporary *temporary = malloc(sizeof(*temporary));
    struct grant_map op = { .domid = map->domid,
                            .ref = map->ref,
                            .is_readonly = map->is_readonly,
                            .alias = XB_ALIAS(XB_ALIAS_TEMPORARY, page->user) };
    void *address = NULL;

    if (!temporary)
        return 0;
    if (op.domid == handle->client.domid)
        op.alias |= XB_ALIAS_LOCAL;
    if (record_take(handle, &op.record) < 0) {
        free(temporary);
        return 0;
    }
    if (client_map_frames(&handle->client, &handle->client.slot->scratch, 1, PROT_READ | PROT_WRITE,
                          &address) == 0) {
        op.host_address = (uintptr_t)address;
        grant_op_map(handle, &op);
        if (op.status == GNTST_okay &&
            client_map_frame_at(&handle->client, op.frame, PROT_READ | (op.is_readonly ? 0 : PROT_WRITE),
                                address) == 0) {
            *temporary = (struct pv_temporary){ page->temporaries, (uintptr_t)address, op.record };
            /* One record of it a page: that of an alias which is there already is forgotten. */
            if (has_bug(handle, BUG_A05))
                temporary->next = NULL;
            page->temporaries = temporary;
            return temporary->address;
        }
        client_unmap_frames(address, 1);
    }
    record_give_back(handle, op.record);
    free(temporary);
    return 0;
}

static void temporary_hide(struct xengntdev_handle *handle, void *address)
{
    client_unmap_frames(address, 1);
}

/* The PTE is cleared, which becomes the unmap operation. */
static void temporary_unmap(struct xengntdev_handle *handle, struct pv_page *page, uintptr_t address)
{
    struct pv_temporary **at = &page->temporaries, *temporary;

    while (*at && (*at)->address != address)
        at = &(*at)->next;
    temporary = *at;
    if (!temporary)
        return;
    *at = temporary->next;
    grant_op_unmap(handle, temporary->record, temporary_hide, (void *)address);
    free(temporary);
}

uintptr_t pv_page_address(struct xengntdev_handle *handle, struct pv_page *page)
{
    struct xb_tables *tables = handle->client.tables;
    uint32_t scratch = handle->client.slot->scratch, placeholder, frame;
    uint8_t *ram = client_frames(&handle->client); /* the linear map of all RAM */
    uintptr_t address = 0;

    if (!ram)
        return 0;
    placeholder = placeholder_find(handle, page);
    pthread_mutex_lock(&handle->lock);
    if (placeholder == NO_RECORD) {
        /* A kernel that believes any number finds some page of its own. */
        if (has_bug(handle, BUG_A12) || has_bug(handle, BUG_A16))
            address = (uintptr_t)ram + (uintptr_t)scratch * XB_FRAME_SIZE;
    } else if (handle->is_dma) {
        frame = page_bus_frame(page_at(tables, placeholder));
        address = (uintptr_t)ram + (uintptr_t)(frame ? frame : scratch) * XB_FRAME_SIZE;
    } else if (mode_is(handle, XB_MODE_PV)) {
        address = page_at(tables, placeholder)->kernel_address;
    } else {
        address = temporary_map(handle, page);
    }
    pthread_mutex_unlock(&handle->lock);
    return address;
}

void pv_page_address_put(struct xengntdev_handle *handle, struct pv_page *page, uintptr_t address)
{
    if (!mode_is(handle, XB_MODE_PV32) || handle->is_dma)
        return;
    pthread_mutex_lock(&handle->lock);
    temporary_unmap(handle, page, address);
    pthread_mutex_unlock(&handle->lock);
}
