// SPDX-License-Identifier: MIT
/*
 * check_device.c: settings of devices, and that the nodes made of them are those that xl wrote on a real
 * Xen 4.17 machine, for a disk with a script and for a network interface with a script: paths, values,
 * permissions, order.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store_model.h"
#include "xenbox/cmd/device.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define VBD_BACK "/local/domain/0/backend/vbd/1/51712"
#define VBD_FRONT "/local/domain/1/device/vbd/51712"
#define VBD_NOTES "/libxl/1/device/vbd/51712"
#define VIF_BACK "/local/domain/0/backend/vif/3/0"
#define VIF_FRONT "/local/domain/3/device/vif/0"
#define VIF_NOTES "/libxl/3/device/vif/0"

static const struct store_model_node recorded_vbd_backend[] = {
    { VBD_BACK, "", "n0,r1" },
    { VBD_BACK "/frontend", VBD_FRONT, "n0,r1" },
    { VBD_BACK "/params", "any:thing", "n0,r1" },
    { VBD_BACK "/script", "/lab/block-custom.sh", "n0,r1" },
    { VBD_BACK "/frontend-id", "1", "n0,r1" },
    { VBD_BACK "/online", "1", "n0,r1" },
    { VBD_BACK "/removable", "0", "n0,r1" },
    { VBD_BACK "/bootable", "1", "n0,r1" },
    { VBD_BACK "/state", "1", "n0,r1" },
    { VBD_BACK "/dev", "xvda", "n0,r1" },
    { VBD_BACK "/type", "phy", "n0,r1" },
    { VBD_BACK "/mode", "w", "n0,r1" },
    { VBD_BACK "/device-type", "disk", "n0,r1" },
    { VBD_BACK "/discard-enable", "1", "n0,r1" },
    { VBD_BACK "/specification", "xen", "n0,r1" },
};

static const struct store_model_node recorded_vbd_frontend[] = {
    { VBD_FRONT, "", "n1,r0" },
    { VBD_FRONT "/backend", VBD_BACK, "n1,r0" },
    { VBD_FRONT "/backend-id", "0", "n1,r0" },
    { VBD_FRONT "/state", "1", "n1,r0" },
    { VBD_FRONT "/virtual-device", "51712", "n1,r0" },
    { VBD_FRONT "/device-type", "disk", "n1,r0" },
    { VBD_FRONT "/trusted", "1", "n1,r0" },
    { VBD_FRONT "/protocol", "x86_64-abi", "n1,r0" },
};

static const struct store_model_node recorded_vbd_notes[] = {
    { VBD_NOTES, "", "n0" },
    { VBD_NOTES "/frontend", VBD_FRONT, "n0" },
    { VBD_NOTES "/backend", VBD_BACK, "n0" },
    { VBD_NOTES "/params", "any:thing", "n0" },
    { VBD_NOTES "/script", "/lab/block-custom.sh", "n0" },
    { VBD_NOTES "/frontend-id", "1", "n0" },
    { VBD_NOTES "/online", "1", "n0" },
    { VBD_NOTES "/removable", "0", "n0" },
    { VBD_NOTES "/bootable", "1", "n0" },
    { VBD_NOTES "/state", "1", "n0" },
    { VBD_NOTES "/dev", "xvda", "n0" },
    { VBD_NOTES "/type", "phy", "n0" },
    { VBD_NOTES "/mode", "w", "n0" },
    { VBD_NOTES "/device-type", "disk", "n0" },
    { VBD_NOTES "/discard-enable", "1", "n0" },
    { VBD_NOTES "/specification", "xen", "n0" },
};

static const struct store_model_node recorded_vif_backend[] = {
    { VIF_BACK, "", "n0,r3" },
    { VIF_BACK "/frontend", VIF_FRONT, "n0,r3" },
    { VIF_BACK "/frontend-id", "3", "n0,r3" },
    { VIF_BACK "/online", "1", "n0,r3" },
    { VIF_BACK "/state", "1", "n0,r3" },
    { VIF_BACK "/script", "/lab/vif-custom.sh", "n0,r3" },
    { VIF_BACK "/mac", "00:16:3e:11:22:33", "n0,r3" },
    { VIF_BACK "/bridge", "xenbr0", "n0,r3" },
    { VIF_BACK "/handle", "0", "n0,r3" },
    { VIF_BACK "/type", "vif", "n0,r3" },
    { VIF_BACK "/hotplug-status", "", "n0,r3" },
};

static const struct store_model_node recorded_vif_frontend[] = {
    { VIF_FRONT, "", "n3,r0" },
    { VIF_FRONT "/backend", VIF_BACK, "n3,r0" },
    { VIF_FRONT "/backend-id", "0", "n3,r0" },
    { VIF_FRONT "/state", "1", "n3,r0" },
    { VIF_FRONT "/handle", "0", "n3,r0" },
    { VIF_FRONT "/mac", "00:16:3e:11:22:33", "n3,r0" },
    { VIF_FRONT "/trusted", "1", "n3,r0" },
    { VIF_FRONT "/mtu", "1500", "n0,r3" },
};

static const struct store_model_node recorded_vif_notes[] = {
    { VIF_NOTES, "", "n0" },
    { VIF_NOTES "/frontend", VIF_FRONT, "n0" },
    { VIF_NOTES "/backend", VIF_BACK, "n0" },
    { VIF_NOTES "/frontend-id", "3", "n0" },
    { VIF_NOTES "/online", "1", "n0" },
    { VIF_NOTES "/state", "1", "n0" },
    { VIF_NOTES "/script", "/lab/vif-custom.sh", "n0" },
    { VIF_NOTES "/mac", "00:16:3e:11:22:33", "n0" },
    { VIF_NOTES "/bridge", "xenbr0", "n0" },
    { VIF_NOTES "/handle", "0", "n0" },
    { VIF_NOTES "/type", "vif", "n0" },
    { VIF_NOTES "/hotplug-status", "", "n0" },
};

/* A device of a kind with settings (NULL ends them), and the store after it was created. */
static void make(const char *kind, uint16_t domid, const char *name, const char *const *settings,
                 struct device *device, struct store_model *model)
{
    struct node_list list;
    char dir[64];

    device_init(device, device_kind_find(kind), domid);
    for (; *settings; settings++)
        assert_int_equal(device_assign(device, *settings), 0);
    assert_int_equal(device_name(device, name), 0);
    assert_int_equal(device_complete(device), 0);

    model->count = 0;
    snprintf(dir, sizeof(dir), "/local/domain/%u/device", domid);
    store_model_put(model, dir, "", "n0,r1");
    snprintf(dir, sizeof(dir), "/libxl/%u/device", domid);
    store_model_put(model, dir, "", "n0");
    node_list_init(&list, domid);
    device_create_nodes(device, &list);
    store_model_apply(model, &list);
    node_list_fini(&list);
}

static const char *value_of(const struct store_model *model, const char *dir, const char *name)
{
    char path[192];
    const struct store_model_node *node;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    node = store_model_find(model, path);
    return node ? node->value : NULL;
}

static void test_vbd_has_the_recorded_nodes(void **state)
{
    static const char *const settings[] = { "target=any:thing", "access=rw", "script=/lab/block-custom.sh",
                                            NULL };
    static struct store_model model;
    struct device device;

    make("vbd", 1, "xvda", settings, &device, &model);
    store_model_assert(&model, VBD_BACK, recorded_vbd_backend, COUNT(recorded_vbd_backend));
    store_model_assert(&model, VBD_FRONT, recorded_vbd_frontend, COUNT(recorded_vbd_frontend));
    store_model_assert(&model, VBD_NOTES, recorded_vbd_notes, COUNT(recorded_vbd_notes));
    assert_string_equal(store_model_find(&model, "/local/domain/1/device/vbd")->perms, "n0,r1");
    device_fini(&device);
}

static void test_vif_has_the_recorded_nodes(void **state)
{
    static const char *const settings[] = { "mac=00:16:3e:11:22:33", "script=/lab/vif-custom.sh", NULL };
    static struct store_model model;
    struct device device;

    make("vif", 3, "0", settings, &device, &model);
    store_model_assert(&model, VIF_BACK, recorded_vif_backend, COUNT(recorded_vif_backend));
    store_model_assert(&model, VIF_FRONT, recorded_vif_frontend, COUNT(recorded_vif_frontend));
    store_model_assert(&model, VIF_NOTES, recorded_vif_notes, COUNT(recorded_vif_notes));
    device_fini(&device);
}

static void test_what_is_not_set_has_no_node(void **state)
{
    static const char *const settings[] = { "params=/disk.img", "mode=ro", NULL };
    static struct store_model model;
    struct device device;

    make("vbd", 1, "51712", settings, &device, &model);
    assert_null(value_of(&model, VBD_BACK, "script"));
    assert_null(value_of(&model, VBD_BACK, "direct-io-safe"));
    assert_string_equal(value_of(&model, VBD_BACK, "mode"), "r");
    assert_string_equal(value_of(&model, VBD_BACK, "dev"), "51712");
    device_fini(&device);
}

static void test_cdrom_is_removable_and_read_only(void **state)
{
    static const char *const settings[] = { "target=/disk.iso", "devtype=cdrom", "access=rw", NULL };
    static struct store_model model;
    struct device device;

    make("vbd", 1, "xvda", settings, &device, &model);
    assert_string_equal(value_of(&model, VBD_BACK, "removable"), "1");
    assert_string_equal(value_of(&model, VBD_BACK, "mode"), "r");
    assert_string_equal(value_of(&model, VBD_FRONT, "device-type"), "cdrom");
    device_fini(&device);
}

static void test_qdisk_tells_qemu_the_format(void **state)
{
    static const char *const settings[] = { "target=/disk.qcow2", "format=qcow2", NULL };
    static struct store_model model;
    struct device device;

    make("qdisk", 1, "xvda", settings, &device, &model);
    assert_string_equal(value_of(&model, "/local/domain/0/backend/qdisk/1/51712", "params"),
                        "qcow2:/disk.qcow2");
    assert_string_equal(value_of(&model, VBD_FRONT, "backend"), "/local/domain/0/backend/qdisk/1/51712");
    device_fini(&device);
}

static void test_vif_without_mac_gets_one_of_xens(void **state)
{
    static const char *const settings[] = { NULL };
    static struct store_model model;
    struct device device;

    make("vif", 3, "0", settings, &device, &model);
    assert_memory_equal(value_of(&model, VIF_BACK, "mac"), "00:16:3e:", 9);
    assert_int_equal(strlen(value_of(&model, VIF_BACK, "mac")), 17);
    assert_string_equal(value_of(&model, VIF_BACK, "mac"), value_of(&model, VIF_FRONT, "mac"));
    device_fini(&device);
}

/* What a person may get wrong, and a word that the answer must have. */
static void test_wrong_settings_are_explained(void **state)
{
    static const struct {
        const char *setting;
        const char *word;
    } wrong[] = {
        { "colour=red", "colour" },    { "access=maybe", "rw, w, ro, r" },
        { "target=", "empty" },        { "target", "needs a value" },
        { "=x", "no setting" },        { "", "no setting" },
        { "discard=2", "not one of" }, { "acces=rw", "no setting" },
        { "access", "not one of" },
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct device device;

        device_init(&device, device_kind_find("vbd"), 1);
        assert_int_equal(device_assign(&device, wrong[i].setting), -EINVAL);
        assert_non_null(strstr(device.why, wrong[i].word));
        device_fini(&device);
    }
}

static void test_setting_given_twice_is_refused_also_by_its_alias(void **state)
{
    struct device device;

    device_init(&device, device_kind_find("vbd"), 1);
    assert_int_equal(device_assign(&device, "target=/a"), 0);
    assert_int_equal(device_assign(&device, "params=/b"), -EINVAL);
    assert_string_equal(device_setting(&device, "target"), "/a");
    device_fini(&device);
}

static void test_missing_target_is_named(void **state)
{
    struct device device;

    device_init(&device, device_kind_find("vbd"), 1);
    assert_int_equal(device_name(&device, "xvda"), 0);
    assert_int_equal(device_complete(&device), -EINVAL);
    assert_non_null(strstr(device.why, "target"));
    device_fini(&device);
}

static void test_wrong_names_are_refused(void **state)
{
    struct device device;

    device_init(&device, device_kind_find("vbd"), 1);
    assert_int_equal(device_name(&device, "zebra"), -EINVAL);
    assert_int_equal(device_name(&device, "sdzz"), -ERANGE);
    device_fini(&device);
    device_init(&device, device_kind_find("vif"), 1);
    assert_int_equal(device_name(&device, "-1"), -EINVAL);
    assert_int_equal(device_name(&device, "65536"), -EINVAL);
    device_fini(&device);
}

static void test_expand_fills_in_numbers_paths_and_settings(void **state)
{
    static const char *const settings[] = { "mac=00:16:3e:11:22:33", NULL };
    static struct store_model model;
    struct device device;
    char *text;

    make("vif", 3, "7", settings, &device, &model);
    assert_int_equal(device_expand(&device, "vif=vif$domid.$devid", &text), 0);
    assert_string_equal(text, "vif=vif3.7");
    free(text);
    assert_int_equal(device_expand(&device, "$mac/$backend", &text), 0);
    assert_string_equal(text, "00:16:3e:11:22:33//local/domain/0/backend/vif/3/7");
    free(text);
    assert_int_equal(device_expand(&device, "a$script", &text), -ENOENT);
    assert_null(text);
    device_fini(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vbd_has_the_recorded_nodes),
        cmocka_unit_test(test_vif_has_the_recorded_nodes),
        cmocka_unit_test(test_what_is_not_set_has_no_node),
        cmocka_unit_test(test_cdrom_is_removable_and_read_only),
        cmocka_unit_test(test_qdisk_tells_qemu_the_format),
        cmocka_unit_test(test_vif_without_mac_gets_one_of_xens),
        cmocka_unit_test(test_wrong_settings_are_explained),
        cmocka_unit_test(test_setting_given_twice_is_refused_also_by_its_alias),
        cmocka_unit_test(test_missing_target_is_named),
        cmocka_unit_test(test_wrong_names_are_refused),
        cmocka_unit_test(test_expand_fills_in_numbers_paths_and_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
