// SPDX-License-Identifier: MIT
/*
 * check_data_method.c: every combination of the setting and of what the two ends offer.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/data_method.h"

static enum grant_io_method choose(enum data_method_setting setting, bool is_offered, bool is_accepted,
                                   const char **reason)
{
    return data_method_choose(&(struct data_method_facts){ .setting = setting,
                                                           .is_offered = is_offered,
                                                           .is_accepted = is_accepted },
                              reason);
}

static void test_persistent_needs_both_ends(void **state)
{
    static const enum data_method_setting settings[] = { DATA_METHOD_AUTO, DATA_METHOD_PERSISTENT };
    const char *reason;

    for (unsigned int i = 0; i < 2; i++) {
        assert_true(data_method_offers(settings[i]));
        for (unsigned int ends = 0; ends < 4; ends++) {
            enum grant_io_method method = choose(settings[i], ends & 1, ends & 2, &reason);

            assert_int_equal(method, ends == 3 ? GRANT_IO_PERSISTENT : GRANT_IO_COPY);
            assert_string_not_equal(reason, "");
        }
    }
    choose(DATA_METHOD_AUTO, true, false, &reason);
    assert_non_null(strstr(reason, "frontend does not offer"));
    choose(DATA_METHOD_AUTO, false, true, &reason); /* adopted from a daemon with another setting */
    assert_non_null(strstr(reason, "daemon that the frontend connected to"));
}

static void test_copy_and_map_are_what_was_asked_for(void **state)
{
    const char *reason;

    assert_false(data_method_offers(DATA_METHOD_COPY));
    assert_false(data_method_offers(DATA_METHOD_MAP));
    for (unsigned int ends = 0; ends < 4; ends++) {
        assert_int_equal(choose(DATA_METHOD_COPY, ends & 1, ends & 2, &reason), GRANT_IO_COPY);
        assert_string_equal(reason, "data-method = copy");
        assert_int_equal(choose(DATA_METHOD_MAP, ends & 1, ends & 2, &reason), GRANT_IO_MAP);
        assert_string_equal(reason, "data-method = map");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_persistent_needs_both_ends),
        cmocka_unit_test(test_copy_and_map_are_what_was_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
