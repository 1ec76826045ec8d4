// SPDX-License-Identifier: MIT
/* detach.c: `xenbox detach`: what `xl block-detach` and `xl network-detach` do. */
#include <config.h>

#include <getopt.h>
#include <string.h>

#include "xenbox/cmd/box_take.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/number.h"
#include "xenbox/cmd/plug.h"

#define MAX_TIMEOUT_S 3600

enum { OPTION_FORCE = 256, OPTION_TIMEOUT };

static int detach_device(const struct box *box, struct device *device, int timeout_s, bool is_forced)
{
    struct store store;
    struct plug plug = { box, &store, 1000 * timeout_s, is_forced };
    int status = CMD_OK;

    if (store_connect(&store, box) < 0)
        return CMD_FAILED;
    if (plug_out(&plug, device) < 0)
        status = cmd_fail(DEVICE_FMT ": %s", DEVICE_ARGS(device), device->why);
    store_close(&store);
    return status;
}

static int detach(int argc, char **argv)
{
    const struct device_kind *kind;
    struct device device;
    struct box box;
    unsigned long timeout_s = PLUG_TIMEOUT_MS / 1000;
    bool is_forced = false;
    uint16_t domid;
    int key, status;

    while ((key = cmd_next_option(&command_detach, argc, argv)) != -1) {
        if (key == OPTION_FORCE)
            is_forced = true;
        else if (number_parse(optarg, MAX_TIMEOUT_S, &timeout_s) < 0 || timeout_s == 0)
            return cmd_usage(&command_detach, "--timeout=%s: not a number of seconds, 1 to %d", optarg,
                             MAX_TIMEOUT_S);
    }
    if (argc - optind != 3)
        return cmd_usage(&command_detach, "domain, kind and name of the device are needed");
    kind = device_kind_find(argv[optind + 1]);
    if (!kind)
        return cmd_usage(&command_detach, "there is no kind of device '%s'", argv[optind + 1]);
    status = box_take_guest(&box, argv[optind], &domid);
    if (status != CMD_OK)
        return status;
    device_init(&device, kind, domid);
    if (device_name(&device, argv[optind + 2]) < 0)
        status = cmd_usage(&command_detach, "%s", device.why);
    else
        status = detach_device(&box, &device, (int)timeout_s, is_forced);
    device_fini(&device);
    return status;
}

static const struct cmd_option options[] = {
    { OPTION_FORCE, "force", NULL, "do not insist on a frontend and a backend that agree" },
    { OPTION_TIMEOUT, "timeout", "SECONDS", "how long to wait for the backend (default: 10)" },
    { 0 },
};

const struct command command_detach = {
    .name = "detach",
    .arguments = "DOMAIN KIND DEVICE",
    .summary = "takes a device away; DEVICE is its name (xvda) or number",
    .options = options,
    .run = detach,
};
