// SPDX-License-Identifier: MIT
/* rows_threads.c: group B of the catalogue, what several threads see of one grant, and of records that they take. */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/regress/regress.h"

#define THREADS 4
#define EACH 4 /* pages of a thread */
#define ROUNDS 300
#define REUSES 100

/* A thread with pages of its own, which it maps and unmaps again and again. */
struct worker {
    pthread_t id;
    xengnttab_handle *tab;
    const uint32_t *ref;
    uint8_t *pages;
    uint32_t first;
};

static void *work(void *arg)
{
    struct worker *worker = arg;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint8_t *mapped[EACH];

        for (uint32_t i = 0; i < EACH; i++) {
            mapped[i] = xengnttab_map_grant_ref(worker->tab, granter, worker->ref[i], RW);
            CHECK(mapped[i], "thread %u, round %u: map", worker->first / EACH, round);
        }
        for (uint32_t i = 0; i < EACH; i++) {
            CHECK(mapped[i][1] == worker->first + i, "page %u is another", worker->first + i);
            mapped[i][0] = (uint8_t)round;
            CHECK(worker->pages[i * PAGE] == (uint8_t)round, "page %u was not written", worker->first + i);
            CHECK(xengnttab_unmap(worker->tab, mapped[i], 1) == 0, "unmap");
            CHECK(grant_in_use(worker->ref[i]) == 0, "page %u is in use after its unmap", worker->first + i);
            CHECK(i + 1 == EACH || grant_in_use(worker->ref[i + 1]) == (IS_READ | IS_WRITTEN),
                  "page %u is not in use while it is mapped", worker->first + i + 1);
        }
    }
    return NULL;
}

/* Threads take map records from several handles at the same time: each is one thread's until it gives it back. */
static void b13_a_record_is_given_out_once(void)
{
    xengntshr_handle *shr = granter_share();
    xengnttab_handle *tabs[2] = { mapper_tab(), mapper_tab() };
    uint32_t refs[THREADS * EACH];
    uint8_t *pages = pages_share(shr, mapper, THREADS * EACH, refs, 1);
    struct worker workers[THREADS];

    CHECK(pages, "nothing is shared");
    for (uint32_t i = 0; i < THREADS * EACH; i++)
        pages[i * PAGE + 1] = (uint8_t)i;
    CHECK(grant_in_use(refs[0]) == 0, "it is in use before all");
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){
            .tab = tabs[i % 2], .ref = refs + i * EACH, .pages = pages + i * EACH * PAGE, .first = i * EACH
        };
        CHECK(pthread_create(&workers[i].id, NULL, work, &workers[i]) == 0, "no thread");
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(workers[i].id, NULL);
    row_check("after all threads");
}

/*
 * A page that is granted for a moment, and filled with letters a or b for as long as it is there. A frame that is free
 * is wiped, and whoever has it next has an S in it.
 */
struct reused {
    xengnttab_handle *tab;
    atomic_uint_fast64_t turn; /* which page of all, and its ref; 0: none */
    atomic_bool has_ended;
};

static bool is_others(const uint8_t *page)
{
    return memchr(page, 0, PAGE) || memchr(page, 'S', PAGE);
}

static void *copy_again(void *arg)
{
    struct reused *reused = arg;
    uint8_t bytes[PAGE];

    while (!reused->has_ended) {
        uint64_t turn = reused->turn;

        if (turn && grant_read(reused->tab, (uint32_t)turn, bytes, PAGE) == GNTST_okay &&
            reused->turn == turn)
            CHECK(!is_others(bytes), "a copy is of a page that was free");
    }
    return NULL;
}

static void *map_again(void *arg)
{
    struct reused *reused = arg;

    while (!reused->has_ended) {
        uint64_t turn = reused->turn;
        uint8_t *mapped =
            turn ? xengnttab_map_grant_ref(reused->tab, granter, (uint32_t)turn, PROT_READ) : NULL;

        if (!mapped)
            continue;
        for (int i = 0; i < 20 && (i > 0 || reused->turn == turn); i++)
            CHECK(!is_others(mapped), "a page that is mapped is free");
        CHECK(xengnttab_unmap(reused->tab, mapped, 1) == 0, "unmap");
    }
    return NULL;
}

/* The owner ends a grant while it is copied and mapped: its page is free when neither goes on. */
static void b16_a_page_in_use_is_not_freed(void)
{
    xengntshr_handle *shr = granter_share();
    struct reused copied = { .tab = mapper_tab() }, mapped = { .tab = mapper_tab() };
    pthread_t copier, mapping;

    CHECK(pthread_create(&copier, NULL, copy_again, &copied) == 0, "no thread");
    CHECK(pthread_create(&mapping, NULL, map_again, &mapped) == 0, "no thread");
    for (uint64_t round = 1; round <= REUSES; round++) {
        uint32_t ref, others[4];
        uint8_t *page = pages_share(shr, mapper, 1, &ref, 1), *secrets;

        CHECK(page, "round %d: nothing is shared", (int)round);
        memset(page, 'a', PAGE);
        copied.turn = mapped.turn = round << 32 | ref;
        usleep(1000);
        mapped.turn = 0; /* it would fail, and say so */
        memset(page, 'b', PAGE);
        CHECK(pages_unshare(shr, page, 1) == 0, "unshare");
        secrets = pages_share(shr, granter, 4, others, 1);
        CHECK(secrets, "round %d: no more pages", (int)round);
        memset(secrets, 'S', 4 * PAGE);
        usleep(2000);
        CHECK(pages_unshare(shr, secrets, 4) == 0, "unshare");
        copied.turn = 0;
    }
    copied.has_ended = mapped.has_ended = true;
    pthread_join(copier, NULL);
    pthread_join(mapping, NULL);
    row_check("at the end");
}

struct first_map {
    xengnttab_handle *tab;
    uint32_t ref;
    uint8_t *mapped;
};

static void *map_first(void *arg)
{
    struct first_map *first = arg;

    first->mapped = xengnttab_map_grant_ref(first->tab, granter, first->ref, RW);
    return NULL;
}

/* Two threads map one page at the same time, and the first one is held up as the plan says when it has pinned it. */
static void map_beside(const char *plan)
{
    xengntshr_handle *shr = granter_share();
    struct first_map first;
    xengnttab_handle *tab = mapper_tab();
    uint8_t *page = pages_share(shr, mapper, 1, &first.ref, 1), *second;
    pthread_t id;

    CHECK(page, "nothing is shared");
    page_fill(page, 33);
    CHECK(grant_in_use(first.ref) == 0, "it is in use before all");
    faults_set("%s", plan);
    first.tab = mapper_tab();
    faults_set(NULL);
    CHECK(pthread_create(&id, NULL, map_first, &first) == 0, "no thread");
    while (grant_in_use(first.ref) == 0) /* the first has pinned it */
        ;
    second = xengnttab_map_grant_ref(tab, granter, first.ref, RW);
    CHECK(second && page_differs(second, 33) < 0, "the second mapping is not of the page");
    page_fill(second, 34);
    pthread_join(id, NULL);
    CHECK(first.mapped && page_differs(first.mapped, 34) < 0, "the first mapping is not of the page");
    CHECK(xengnttab_unmap(first.tab, first.mapped, 1) == 0, "unmap");
    CHECK(page_differs(second, 34) < 0, "the second mapping went with the first");
    CHECK(xengnttab_unmap(tab, second, 1) == 0, "unmap");
    row_check("at the end");
}

/* What either of two threads gets it can use, however far the other is. */
static void b33_a_mapping_can_be_used_at_once(void)
{
    map_beside("show:1=delay/300000");
    map_beside("map-user:1=late/300000");
}

#define WATCHERS 3

/* Maps the page for threads that look at it, and unmaps it under them. */
static void map_for_watchers(uint32_t ref, int ready)
{
    struct watcher watchers[WATCHERS];
    xengnttab_handle *tab;
    bool has_seen = false;
    void *mapped;

    faults_set("notify:*=delay/100000");
    tab = mapper_tab();
    mapped = xengnttab_map_grant_ref(tab, granter, ref, PROT_READ);
    CHECK(mapped, "map");
    for (int i = 0; i < WATCHERS; i++)
        watch_start(&watchers[i], mapped);
    CHECK(write(ready, "x", 1) == 1, "a pipe");
    CHECK(xengnttab_unmap(tab, mapped, 1) == 0, "unmap");
    for (int i = 0; i < WATCHERS; i++)
        has_seen |= watch_end(&watchers[i]);
    _exit(has_seen);
}

/* When the entry says that a page is in use no more, no thread of the mapper has a way to it, however it got there. */
static void b42_out_of_use_is_out_of_sight(void)
{
    xengntshr_handle *shr = granter_share();
    uint32_t ref;
    uint64_t *page = pages_share(shr, mapper, 1, &ref, 1);

    CHECK(page, "nothing is shared");
    for (int round = 0; round < 3; round++) {
        int ready[2];
        char byte;

        *page = 0;
        CHECK(grant_in_use(ref) == 0, "it is in use before all");
        CHECK(pipe(ready) == 0, "a pipe");
        if (fork() == 0)
            map_for_watchers(ref, ready[1]);
        close(ready[1]);
        CHECK(read(ready[0], &byte, 1) == 1, "the child did not map");
        close(ready[0]);
        while (grant_in_use(ref))
            sched_yield();
        __atomic_store_n(page, SECRET, __ATOMIC_SEQ_CST);
        CHECK(children_succeed(1), "a thread of the mapper sees what the owner keeps in the page now");
        row_check("after a round");
    }
}

const struct row rows_threads[] = {
    { "B13", "a map record is one mapping's at a time", IN_ALL, NEED_GUEST, b13_a_record_is_given_out_once,
      0 },
    { "B16", "a page that is copied or mapped is not freed", IN_ALL, NEED_GUEST,
      b16_a_page_in_use_is_not_freed, 0 },
    { "B33", "a mapping can be used when the call returns", IN_ALL, NEED_GUEST | NEED_FAULTS,
      b33_a_mapping_can_be_used_at_once, 0 },
    { "B42", "a page that is not in use is in no thread's sight", IN_ALL, NEED_GUEST,
      b42_out_of_use_is_out_of_sight, 0 },
    { 0 },
};
