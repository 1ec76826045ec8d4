// SPDX-License-Identifier: MIT
/*
 * check_channel.c: workers and the table of event channels. The event-channel and grant libraries are replaced
 * by the ones below: a handle is a pipe that carries port numbers, and the test decides where an event arrives,
 * also where it should not any more.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "backend/channel.h"
#include "backend/worker.h"

/* --- the libraries ----------------------------------------------------------------------------------------- */

struct xenevtchn_handle {
    int read_fd, write_fd;
};

static _Atomic int next_port; /* what a bind returns: the test sets it */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    xenevtchn_handle *handle = calloc(1, sizeof(*handle));
    int fds[2];

    if (!handle || pipe2(fds, O_CLOEXEC) < 0)
        return NULL;
    handle->read_fd = fds[0];
    handle->write_fd = fds[1];
    return handle;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
    close(handle->read_fd);
    close(handle->write_fd);
    free(handle);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    return handle->read_fd;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    evtchn_port_t port;

    return read(handle->read_fd, &port, sizeof(port)) == sizeof(port) ? (int)port : -1;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
                                                     evtchn_port_t remote)
{
    errno = EINVAL;
    return remote ? next_port : -1;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
    return 0;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    return 0;
}

static int some_handle;

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
    return (xengnttab_handle *)&some_handle;
}

int xengnttab_close(xengnttab_handle *handle)
{
    return 0;
}

/* An event on a port, taken by this worker whoever owns the port. */
static void fire(struct worker *worker, evtchn_port_t port)
{
    assert_int_equal(write(worker->evtchn->write_fd, &port, sizeof(port)), sizeof(port));
}

/* --- asking a worker to do something ------------------------------------------------------------------------- */

struct request {
    struct letter letter;
    struct worker *worker;
    struct channel *channel;
    evtchn_port_t remote;
    int result;
    sem_t done;
};

static _Atomic unsigned int events, strangers;
static sem_t event_seen;

static void on_event(struct channel *channel)
{
    if (channel->owner != worker_current())
        strangers++;
    events++;
    sem_post(&event_seen);
}

static void do_bind(struct letter *letter)
{
    struct request *r = (struct request *)letter;

    r->result = channel_bind(r->channel, r->worker, 1, r->remote, on_event);
    sem_post(&r->done);
}

static void do_unbind(struct letter *letter)
{
    struct request *r = (struct request *)letter;

    channel_unbind(r->channel);
    channel_unbind(r->channel);
    sem_post(&r->done);
}

static void do_nothing(struct letter *letter)
{
    sem_post(&((struct request *)letter)->done);
}

static int ask(struct worker *worker, struct channel *channel, evtchn_port_t remote, letter_fn *what)
{
    struct request r = { .letter.deliver = what, .worker = worker, .channel = channel, .remote = remote };

    sem_init(&r.done, 0, 0);
    mailbox_post(&worker->mailbox, &r.letter);
    while (sem_wait(&r.done) < 0)
        ;
    sem_destroy(&r.done);
    return r.result;
}

static void wait_event(void)
{
    while (sem_wait(&event_seen) < 0)
        ;
}

static int set_up(void **state)
{
    events = strangers = 0;
    sem_init(&event_seen, 0, 0);
    return workers_start(3);
}

static int tear_down(void **state)
{
    workers_stop();
    workers_stop();
    sem_destroy(&event_seen);
    return 0;
}

/* --- tests --------------------------------------------------------------------------------------------------- */

static void test_event_reaches_its_owner(void **state)
{
    struct channel channel = { 0 };

    next_port = 5;
    assert_int_equal(ask(worker_get(0), &channel, 9, do_bind), 0);
    assert_int_equal(channel.port, 5);
    fire(worker_get(0), 5);
    wait_event();
    assert_int_equal(events, 1);
    ask(worker_get(0), &channel, 0, do_unbind);
    assert_null(channel.owner);
}

static void test_stray_event_is_forwarded(void **state)
{
    struct channel channel = { 0 };

    next_port = 6;
    assert_int_equal(ask(worker_get(1), &channel, 9, do_bind), 0);
    fire(worker_get(2), 6);
    wait_event();
    fire(worker_get(0), 6);
    wait_event();
    assert_int_equal(strangers, 0);
    ask(worker_get(1), &channel, 0, do_unbind);
}

static void test_event_of_a_dead_port_is_dropped(void **state)
{
    struct channel channel = { 0 };

    next_port = 7;
    assert_int_equal(ask(worker_get(0), &channel, 9, do_bind), 0);
    ask(worker_get(0), &channel, 0, do_unbind);
    fire(worker_get(0), 7);
    fire(worker_get(1), 7);
    fire(worker_get(1), 1u << 17); /* outside the table */
    fire(worker_get(1), 12345);
    for (int i = 0; i < 3; i++) {
        ask(worker_get(0), NULL, 0, do_nothing);
        ask(worker_get(1), NULL, 0, do_nothing);
    }
    assert_int_equal(events, 0);
}

static void test_failed_bind_leaves_nothing(void **state)
{
    struct channel channel = { 0 };

    assert_int_equal(ask(worker_get(0), &channel, 0, do_bind), -EINVAL);
    assert_null(channel.owner);
    next_port = 1 << 17;
    assert_int_equal(ask(worker_get(0), &channel, 9, do_bind), -ERANGE);
    assert_null(channel.owner);
    ask(worker_get(0), &channel, 0, do_unbind);
}

/* A port changes hands again and again while events for it arrive everywhere: only its owner sees them. */
static void test_port_moves_under_a_storm(void **state)
{
    struct channel channel = { 0 };

    next_port = 8;
    for (unsigned int i = 0; i < 300; i++) {
        struct worker *owner = worker_get(i % 3);
        assert_int_equal(ask(owner, &channel, 9, do_bind), 0);
        for (unsigned int j = 0; j < 6; j++)
            fire(worker_get(j % 3), 8);
        wait_event();
        ask(owner, &channel, 0, do_unbind);
    }
    assert_true(events >= 300);
    assert_int_equal(strangers, 0);
}

static void test_queues_are_spread(void **state)
{
    struct worker *taken[6];

    for (int i = 0; i < 6; i++)
        taken[i] = worker_take_queue();
    for (unsigned int i = 0; i < workers_count(); i++)
        assert_int_equal(worker_get(i)->queues, 2);
    worker_drop_queue(taken[4]);
    assert_ptr_equal(worker_take_queue(), taken[4]);
}

static void test_workers_start_and_stop_again(void **state)
{
    for (int i = 0; i < 20; i++) {
        workers_stop();
        assert_int_equal(workers_start(3), 0);
    }
    assert_null(worker_current());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_event_reaches_its_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stray_event_is_forwarded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_event_of_a_dead_port_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_bind_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_port_moves_under_a_storm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_queues_are_spread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workers_start_and_stop_again, set_up, tear_down),
    };

    alarm(20); /* what never comes ends the test */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
