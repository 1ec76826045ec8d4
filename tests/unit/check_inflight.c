// SPDX-License-Identifier: MIT
/*
 * check_inflight.c: what a restarted daemon finds, for a predecessor that was killed at every point of a
 * request's life. A kill is a file that is mapped a second time without having been closed.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/inflight.h"

static const struct inflight_identity identity = {
    .domid = 3, .devid = 51712, .ring_ref = 8, .remote_port = 5, .abi = BLKIF_ABI_NATIVE, .generation = "abc"
};

struct fixture {
    char dir[64];
    char path[96];
    struct inflight dead; /* the predecessor's */
    struct inflight heir;
    struct inflight_replay replay;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/check-inflight.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/q0", f->dir);
    assert_int_equal(inflight_create(&f->dead, f->path, &identity), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    inflight_close(&f->dead, true);
    inflight_close(&f->heir, true);
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static void take(struct fixture *f, unsigned int index, uint32_t request, uint64_t id)
{
    struct inflight_record *record = inflight_record(&f->dead, index);

    record->command = (struct blkif_command){ .id = id, .operation = BLKIF_OP_WRITE };
    inflight_take(&f->dead, record, request);
}

static int adopt(struct fixture *f, uint32_t responses)
{
    int ret = inflight_adopt(&f->heir, f->path, &identity);

    return ret ? ret : inflight_replay(&f->heir, responses, &f->replay);
}

static void test_file_is_private_and_goes_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    inflight_close(&f->dead, false);
    inflight_close(&f->dead, false);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(adopt(f, 0), -ENOENT);
}

static void test_create_replaces_and_does_not_follow_links(void **state)
{
    struct fixture *f = *state;
    struct inflight other = { 0 };

    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink("/etc/hostname", f->path), 0);
    assert_int_equal(inflight_adopt(&other, f->path, &identity), -ELOOP);
    assert_int_equal(inflight_create(&other, f->path, &identity), 0);
    inflight_close(&other, false);
}

static void test_idle_ring_replays_nothing(void **state)
{
    struct fixture *f = *state;

    take(f, 0, 0, 1);
    inflight_answer(inflight_record(&f->dead, 0), 0);
    inflight_free(inflight_record(&f->dead, 0));
    assert_int_equal(adopt(f, 1), 0);
    assert_int_equal(f->replay.count, 0);
    assert_int_equal(f->replay.requests, 1);
}

static void test_requests_replay_in_order_of_arrival(void **state)
{
    static const unsigned int slots[] = { 7, 31, 0, 12 };
    struct fixture *f = *state;

    for (unsigned int i = 0; i < 4; i++)
        take(f, slots[i], i, 100 + i);
    assert_int_equal(adopt(f, 0), 0);
    assert_int_equal(f->replay.count, 4);
    assert_int_equal(f->replay.requests, 4);
    for (unsigned int i = 0; i < 4; i++) {
        assert_int_equal(f->replay.record[i], slots[i]);
        assert_true(inflight_record(&f->heir, slots[i])->command.id == 100 + i);
    }
}

static void test_killed_before_the_take_was_counted_leaves_it_on_the_ring(void **state)
{
    struct fixture *f = *state;
    struct inflight_record *record;

    take(f, 0, 0, 1);
    record = inflight_record(&f->dead, 1);
    record->request = 1;
    record->state = INFLIGHT_TAKEN; /* and killed before the consumer moved */
    assert_int_equal(adopt(f, 0), 0);
    assert_int_equal(f->replay.count, 1);
    assert_int_equal(f->replay.requests, 1);
    assert_int_equal(inflight_record(&f->heir, 1)->state, INFLIGHT_FREE);
}

static void test_killed_between_answer_and_push_answers_again(void **state)
{
    struct fixture *f = *state;

    take(f, 0, 0, 1);
    take(f, 1, 1, 2);
    inflight_answer(inflight_record(&f->dead, 1), 0);
    assert_int_equal(adopt(f, 0), 0);
    assert_int_equal(f->replay.count, 2);
}

static void test_killed_between_push_and_free_does_not_answer_twice(void **state)
{
    struct fixture *f = *state;

    take(f, 0, 0, 1);
    take(f, 1, 1, 2);
    inflight_answer(inflight_record(&f->dead, 1), 0);
    assert_int_equal(adopt(f, 1), 0); /* response 0 was seen */
    assert_int_equal(f->replay.count, 1);
    assert_int_equal(f->replay.record[0], 0);
}

static void test_indices_may_have_wrapped(void **state)
{
    struct fixture *f = *state;
    uint32_t base = UINT32_MAX - 1;

    for (uint32_t i = 0; i < 4; i++)
        take(f, i, base + i, i);
    inflight_answer(inflight_record(&f->dead, 3), base);
    assert_int_equal(adopt(f, base + 1), 0);
    assert_int_equal(f->replay.count, 3);
    assert_int_equal(f->replay.requests, base + 4);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(f->replay.record[i], i);
}

static void test_ring_that_disagrees_is_refused(void **state)
{
    struct fixture *f = *state;

    take(f, 0, 0, 1);
    take(f, 1, 1, 2);
    assert_int_equal(adopt(f, 1), -EPROTO); /* nobody answered, but the ring says so */
    inflight_close(&f->heir, true);
    assert_int_equal(adopt(f, 1000), -EPROTO);
}

static void test_another_life_of_the_device_is_refused(void **state)
{
    struct fixture *f = *state;
    struct inflight_identity other = identity;

    other.ring_ref = 9;
    assert_int_equal(inflight_adopt(&f->heir, f->path, &other), -ESTALE);
    other = identity;
    other.generation[15] = 1;
    assert_int_equal(inflight_adopt(&f->heir, f->path, &other), -ESTALE);
    assert_null(f->heir.file);
}

static void test_damaged_file_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = open(f->path, O_RDWR);

    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(adopt(f, 0), -EPROTO);
    assert_int_equal(ftruncate(fd, 128 + INFLIGHT_RECORDS * sizeof(struct inflight_record)), 0);
    assert_int_equal(pwrite(fd, "nonsense", 8, 0), 8);
    close(fd);
    assert_int_equal(adopt(f, 0), -EPROTO);
}

/* The predecessor was another version: what it wrote down cannot be read, only where it stood. */
static void become_foreign(struct fixture *f, uint32_t version)
{
    int fd = open(f->path, O_RDWR);

    assert_int_equal(pwrite(fd, &version, sizeof(version), offsetof(struct inflight_header, version)),
                     sizeof(version));
    assert_int_equal(ftruncate(fd, 128 + 32 * 128), 0);
    close(fd);
}

static void test_another_version_that_owes_nothing_is_replaced(void **state)
{
    struct fixture *f = *state;

    take(f, 0, 0, 1);
    take(f, 1, 1, 2);
    become_foreign(f, 1);
    assert_int_equal(adopt(f, 2), 0);
    assert_int_equal(f->replay.requests, 2);
    assert_int_equal(f->replay.count, 0);
    assert_non_null(f->heir.file);
    inflight_take(&f->heir, inflight_record(&f->heir, 7), 2);
    inflight_close(&f->heir, true);
    assert_int_equal(adopt(f, 2), 0); /* by a third one, of this version */
    assert_int_equal(f->replay.count, 1);
}

/* Whatever ends the replacement, a full file system or a kill, the ring can be taken over the next time. */
static void test_another_version_stays_until_its_successor_is_complete(void **state)
{
    struct rlimit all, little;
    struct fixture *f = *state;

    become_foreign(f, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    little = (struct rlimit){ .rlim_cur = 64, .rlim_max = all.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(adopt(f, 0), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    inflight_close(&f->heir, true);
    assert_int_equal(adopt(f, 0), 0);
}

static void test_another_version_with_requests_in_flight_is_refused(void **state)
{
    struct fixture *f = *state;

    take(f, 0, 0, 1);
    take(f, 1, 1, 2);
    become_foreign(f, inflight_version() + 1);
    assert_int_equal(adopt(f, 1), -ENOTSUP);
    assert_int_equal(f->replay.requests, 2);
    assert_null(f->heir.file);
    assert_int_equal(f->heir.foreign.version, inflight_version() + 1);
}

static void test_another_version_of_another_life_is_refused(void **state)
{
    struct fixture *f = *state;
    struct inflight_identity other = identity;

    become_foreign(f, 1);
    other.ring_ref = 9;
    assert_int_equal(inflight_adopt(&f->heir, f->path, &other), -ESTALE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_file_is_private_and_goes_at_the_end),
        TEST(test_create_replaces_and_does_not_follow_links),
        TEST(test_idle_ring_replays_nothing),
        TEST(test_requests_replay_in_order_of_arrival),
        TEST(test_killed_before_the_take_was_counted_leaves_it_on_the_ring),
        TEST(test_killed_between_answer_and_push_answers_again),
        TEST(test_killed_between_push_and_free_does_not_answer_twice),
        TEST(test_indices_may_have_wrapped),
        TEST(test_ring_that_disagrees_is_refused),
        TEST(test_another_life_of_the_device_is_refused),
        TEST(test_damaged_file_is_refused),
        TEST(test_another_version_that_owes_nothing_is_replaced),
        TEST(test_another_version_stays_until_its_successor_is_complete),
        TEST(test_another_version_with_requests_in_flight_is_refused),
        TEST(test_another_version_of_another_life_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
