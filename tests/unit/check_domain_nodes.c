// SPDX-License-Identifier: MIT
/*
 * check_domain_nodes.c: the nodes of a domain are those that xl wrote for a guest on a real Xen 4.17 machine,
 * with their permissions and in that order.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/store_model.h"
#include "xenbox/cmd/domain_nodes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define UUID "58e326ba-524c-4dfc-b7d1-f5e04d058d0c"
#define DOM "/local/domain/1"
#define VM "/vm/" UUID

static const struct domain_facts facts = {
    .domid = 1,
    .name = "guest",
    .uuid = UUID,
    .memory_kib = 262144,
    .store_frame = 1799169,
    .store_port = 1,
    .start_time = 1795167299.38,
};

static const struct store_model_node recorded_domain[] = {
    { DOM, "", "n0,r1" },
    { DOM "/vm", VM, "n0,r1" },
    { DOM "/name", "guest", "n0,r1" },
    { DOM "/cpu", "", "n0,r1" },
    { DOM "/memory", "", "n0,r1" },
    { DOM "/device", "", "n0,r1" },
    { DOM "/device/suspend", "", "n0,r1" },
    { DOM "/device/suspend/event-channel", "", "n1" },
    { DOM "/control", "", "n0,r1" },
    { DOM "/control/shutdown", "", "n1" },
    { DOM "/control/feature-poweroff", "", "n1" },
    { DOM "/control/feature-reboot", "", "n1" },
    { DOM "/control/feature-suspend", "", "n1" },
    { DOM "/control/sysrq", "", "n1" },
    { DOM "/data", "", "n1" },
    { DOM "/drivers", "", "n1" },
    { DOM "/feature", "", "n1" },
    { DOM "/attr", "", "n1" },
    { DOM "/error", "", "n1" },
    { DOM "/control/platform-feature-multiprocessor-suspend", "1", "n0,r1" },
    { DOM "/control/platform-feature-xs_reset_watches", "1", "n0,r1" },
    { DOM "/memory/static-max", "262144", "n0,r1" },
    { DOM "/memory/target", "262144", "n0,r1" },
    { DOM "/memory/videoram", "0", "n0,r1" },
    { DOM "/domid", "1", "n0,r1" },
    { DOM "/store", "", "n0,r1" },
    { DOM "/store/port", "1", "n0,r1" },
    { DOM "/store/ring-ref", "1799169", "n0,r1" },
    { DOM "/cpu/0", "", "n0,r1" },
    { DOM "/cpu/0/availability", "online", "n0,r1" },
};

static const struct store_model_node recorded_vm[] = {
    { VM, "", "n0,r1" },
    { VM "/name", "guest", "n0,r1" },
    { VM "/uuid", UUID, "n0,r1" },
    { VM "/start_time", "1795167299.38", "n0,r1" },
};

static const struct store_model_node recorded_libxl[] = {
    { "/libxl/1", "", "n0" },
    { "/libxl/1/device", "", "n0" },
    { "/libxl/1/type", "pvh", "n0" },
};

static void create(struct store_model *model)
{
    struct node_list list;

    node_list_init(&list, facts.domid);
    domain_create_nodes(&facts, &list);
    store_model_apply(model, &list);
    node_list_fini(&list);
}

static void test_domain_has_the_recorded_nodes(void **state)
{
    static struct store_model model;

    create(&model);
    store_model_assert(&model, DOM, recorded_domain, COUNT(recorded_domain));
    store_model_assert(&model, VM, recorded_vm, COUNT(recorded_vm));
    store_model_assert(&model, "/libxl/1", recorded_libxl, COUNT(recorded_libxl));
}

/* What a predecessor of the same number left must not shine through. */
static void test_create_replaces_what_is_there(void **state)
{
    static struct store_model model;

    store_model_put(&model, DOM "/device/vbd/51712/state", "4", "n1,r0");
    create(&model);
    store_model_assert(&model, DOM, recorded_domain, COUNT(recorded_domain));
}

static void test_destroy_leaves_no_node_of_the_domain(void **state)
{
    static struct store_model model;
    struct node_list list;

    create(&model);
    node_list_init(&list, facts.domid);
    domain_destroy_nodes(facts.domid, facts.uuid, &list);
    store_model_apply(&model, &list);
    node_list_fini(&list);
    for (size_t i = 0; i < model.count; i++)
        assert_string_equal(model.nodes[i].value, "");
    assert_null(store_model_find(&model, DOM));
    assert_null(store_model_find(&model, VM));
    assert_null(store_model_find(&model, "/libxl/1"));
}

static void test_domain_zero_has_a_name_and_a_number(void **state)
{
    static struct store_model model;
    struct node_list list;

    node_list_init(&list, 0);
    domain_zero_nodes(&list);
    store_model_apply(&model, &list);
    node_list_fini(&list);
    assert_string_equal(store_model_find(&model, "/local/domain/0/domid")->value, "0");
    assert_string_equal(store_model_find(&model, "/local/domain/0/name")->value, "Domain-0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domain_has_the_recorded_nodes),
        cmocka_unit_test(test_create_replaces_what_is_there),
        cmocka_unit_test(test_destroy_leaves_no_node_of_the_domain),
        cmocka_unit_test(test_domain_zero_has_a_name_and_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
