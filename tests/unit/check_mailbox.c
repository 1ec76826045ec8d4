// SPDX-License-Identifier: MIT
/*
 * check_mailbox.c: letters between threads, and jobs of the offload pool, which answers by letter. Worth most
 * under the thread sanitizer.
 */
#include <config.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/mailbox.h"
#include "backend/offload.h"

#define SENDERS 8
#define LETTERS 2000

struct note {
    struct letter letter;
    unsigned int sender, number;
};

static struct event_base *base;
static struct mailbox box;
static unsigned int next_number[SENDERS];
static unsigned int received;

static int set_up(void **state)
{
    memset(next_number, 0, sizeof(next_number));
    received = 0;
    base = event_base_new();
    return base ? mailbox_init(&box, base) : -1;
}

static int tear_down(void **state)
{
    mailbox_fini(&box);
    mailbox_fini(&box);
    event_base_free(base);
    return 0;
}

static void deliver_note(struct letter *letter)
{
    struct note *note = (struct note *)letter;

    assert_int_equal(note->number, next_number[note->sender]);
    next_number[note->sender]++;
    received++;
    free(note);
}

static void post_note(unsigned int sender, unsigned int number)
{
    struct note *note = malloc(sizeof(*note));

    note->letter.deliver = deliver_note;
    note->sender = sender;
    note->number = number;
    mailbox_post(&box, &note->letter);
}

static void *send_many(void *arg)
{
    for (unsigned int i = 0; i < LETTERS; i++)
        post_note((uintptr_t)arg, i);
    return NULL;
}

static void test_many_senders_arrive_each_in_order(void **state)
{
    pthread_t threads[SENDERS];

    for (uintptr_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, (void *)i), 0);
    while (received < SENDERS * LETTERS)
        event_base_loop(base, EVLOOP_ONCE);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(received, SENDERS * LETTERS);
}

static void test_fini_delivers_what_is_left(void **state)
{
    for (unsigned int i = 0; i < 5; i++)
        post_note(0, i);
    mailbox_fini(&box);
    assert_int_equal(received, 5);
}

static void deliver_again(struct letter *letter)
{
    if (++received < 100)
        mailbox_post(&box, letter);
}

/* A letter may be posted again from its delivery, and leaves the loop a turn in between. */
static void test_letter_can_be_posted_from_its_delivery(void **state)
{
    struct letter letter = { .deliver = deliver_again };

    mailbox_post(&box, &letter);
    event_base_loop(base, EVLOOP_ONCE);
    assert_true(received < 100);
    while (received < 100)
        event_base_loop(base, EVLOOP_ONCE);
}

struct sum {
    struct offload_job job;
    unsigned int worked;
};

static void work_sum(struct offload_job *job)
{
    ((struct sum *)job)->worked++;
}

static void deliver_sum(struct letter *letter)
{
    struct sum *sum = (struct sum *)((char *)letter - offsetof(struct sum, job.done));

    received++;
    if (sum->worked < 3)
        offload_post(&sum->job);
}

static void test_offloaded_jobs_come_back(void **state)
{
    static struct sum sums[100];

    memset(sums, 0, sizeof(sums));
    assert_int_equal(offload_start(3), 0);
    for (int i = 0; i < 100; i++) {
        sums[i].job = (struct offload_job){ .work = work_sum, .done.deliver = deliver_sum, .reply_to = &box };
        offload_post(&sums[i].job);
    }
    while (received < 300)
        event_base_loop(base, EVLOOP_ONCE);
    for (int i = 0; i < 100; i++)
        assert_int_equal(sums[i].worked, 3);
    offload_stop();
    offload_stop();
}

static void deliver_count(struct letter *letter)
{
    received++;
}

static void test_offload_stop_finishes_what_was_posted(void **state)
{
    static struct sum sums[100];

    memset(sums, 0, sizeof(sums));
    assert_int_equal(offload_start(2), 0);
    for (int i = 0; i < 100; i++) {
        sums[i].job =
            (struct offload_job){ .work = work_sum, .done.deliver = deliver_count, .reply_to = &box };
        offload_post(&sums[i].job);
    }
    offload_stop();
    mailbox_deliver(&box);
    assert_int_equal(received, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_senders_arrive_each_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fini_delivers_what_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_letter_can_be_posted_from_its_delivery, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_offloaded_jobs_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_offload_stop_finishes_what_was_posted, set_up, tear_down),
    };

    alarm(20); /* what never comes ends the test */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
