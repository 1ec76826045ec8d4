// SPDX-License-Identifier: MIT
/*
 * check_slot.c: whose a slot is, that it is found again, and that it goes with its guest and not before.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "backend/device.h"
#include "backend/domain.h"
#include "backend/slot.h"
#include "tests/unit/fake_store.h"

#define BYTES 64

static const struct device_family_ops vbd = { .name = "vbd" }, vif = { .name = "vif" };
static unsigned int destroyed;

static void on_destroy(void *memory)
{
    destroyed++;
}

static struct device make_device(const struct device_family_ops *family, uint16_t domid, uint32_t devid)
{
    struct device device = { .family = family, .domid = domid, .devid = devid };

    assert_int_equal(domain_query(domid, device.generation), 0);
    return device;
}

static int set_up(void **state)
{
    destroyed = 0;
    fake_store_reset();
    fake_domain_set(3, 30);
    fake_domain_set(4, 40);
    return domains_open();
}

static int tear_down(void **state)
{
    slots_stop();
    slots_stop();
    domains_close();
    return slots_count();
}

static void test_a_released_slot_is_found_again_as_it_was(void **state)
{
    const struct device device = make_device(&vbd, 3, 51712);
    unsigned char *memory = slot_take(&device, BYTES, on_destroy);

    for (int i = 0; i < BYTES; i++)
        assert_int_equal(memory[i], 0);
    memset(memory, 7, BYTES);
    for (int i = 0; i < 1000; i++) {
        slot_release(memory);
        assert_ptr_equal(slot_take(&device, BYTES, on_destroy), memory);
    }
    assert_int_equal(memory[BYTES - 1], 7);
    assert_int_equal(slots_count(), 1);
    assert_int_equal(destroyed, 0);
    slot_release(memory);
}

static void test_every_device_has_its_own(void **state)
{
    const struct device devices[] = { make_device(&vbd, 3, 1), make_device(&vbd, 3, 2),
                                      make_device(&vbd, 4, 1), make_device(&vif, 3, 1) };
    void *memory[4];

    for (int i = 0; i < 4; i++) {
        memory[i] = slot_take(&devices[i], BYTES, on_destroy);
        for (int j = 0; j < i; j++) {
            assert_ptr_not_equal(memory[i], memory[j]);
            slot_release(memory[j]);
        }
        for (int j = 0; j < i; j++)
            assert_ptr_equal(slot_take(&devices[j], BYTES, on_destroy), memory[j]);
    }
    assert_int_equal(slots_count(), 4);
    for (int i = 0; i < 4; i++)
        slot_release(memory[i]);
    slot_release(NULL);
}

static void test_a_slot_goes_with_its_guest_and_not_while_it_is_used(void **state)
{
    const struct device one = make_device(&vbd, 3, 1), other = make_device(&vbd, 3, 2);
    const struct device survivor = make_device(&vbd, 4, 1);
    void *used = slot_take(&one, BYTES, on_destroy);

    slot_release(slot_take(&other, BYTES, on_destroy));
    slot_release(slot_take(&survivor, BYTES, on_destroy));
    slots_check();
    assert_int_equal(destroyed, 0);
    fake_domain_set(3, 0);
    slots_check();
    assert_int_equal(destroyed, 1);
    assert_int_equal(slots_count(), 2);
    slot_release(used); /* its guest has gone meanwhile */
    assert_int_equal(destroyed, 2);
    assert_int_equal(slots_count(), 1);
}

/* Catalogue F06: a domid that was reused is another guest, which never sees what was the old one's. */
static void test_f06_a_reused_domid_gets_no_slot_of_the_dead(void **state)
{
    const struct device old = make_device(&vbd, 3, 1);
    void *memory = slot_take(&old, BYTES, on_destroy), *fresh;
    struct device new;

    memset(memory, 7, BYTES);
    slot_release(memory);
    fake_domain_set(3, 31);
    new = make_device(&vbd, 3, 1);
    fresh = slot_take(&new, BYTES, on_destroy);
    assert_int_equal(*(unsigned char *)fresh, 0);
    slots_check();
    assert_int_equal(destroyed, 1);
    assert_int_equal(slots_count(), 1);
    slot_release(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_released_slot_is_found_again_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_device_has_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_slot_goes_with_its_guest_and_not_while_it_is_used, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_f06_a_reused_domid_gets_no_slot_of_the_dead, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
