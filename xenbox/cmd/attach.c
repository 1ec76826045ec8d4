// SPDX-License-Identifier: MIT
/* attach.c: `xenbox attach`: what `xl block-attach` and `xl network-attach` do. */
#include <config.h>

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "xenbox/cmd/box_take.h"
#include "xenbox/cmd/commands.h"
#include "xenbox/cmd/domain_table.h"
#include "xenbox/cmd/number.h"
#include "xenbox/cmd/plug.h"

#define MAX_TIMEOUT_S 3600

enum { OPTION_TIMEOUT = 256 };

static int unknown_kind(const char *name)
{
    char known[64] = "";

    for (const struct device_kind *kind = device_kinds; kind->name; kind++) {
        strcat(known, *known ? ", " : "");
        strcat(known, kind->name);
    }
    return cmd_usage(&command_attach, "there is no kind of device '%s': %s", name, known);
}

static int print_keys(const struct device_kind *kind)
{
    printf("Settings of a %s, %s:\n", kind->name, kind->summary);
    for (const struct device_key *key = kind->keys; key->name; key++)
        printf("  %-16s %s%s%s%s\n", key->name, key->help, key->fallback ? " (default: " : "",
               key->fallback ? key->fallback : "", key->fallback ? ")" : "");
    return CMD_OK;
}

/* The name that was given, or the first that the domain does not use. */
static int choose_name(struct store *store, struct device *device)
{
    const char *given = device_setting(device, device->kind->name_key);
    char name[32];
    int error;

    if (given) {
        snprintf(name, sizeof(name), "%s", given);
        return device_name(device, strlen(given) < sizeof(name) ? name : given);
    }
    for (uint32_t n = 0; device->kind->nth_name(n, name, sizeof(name)) == 0; n++) {
        error = device_name(device, name);
        if (error || !store_has(store, device->libxl))
            return error;
    }
    snprintf(device->why, sizeof(device->why), "the domain has no room for another one");
    return -1;
}

/* A signal ends the waiting, and then what was written is taken back. */
static void take_signal(int signal)
{
}

static void catch_signals(void)
{
    const struct sigaction action = { .sa_handler = take_signal, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int attach_device(const struct box *box, struct device *device, int timeout_s)
{
    struct store store;
    struct plug plug = { .box = box, .store = &store, .timeout_ms = 1000 * timeout_s };
    int status = CMD_OK;

    if (store_connect(&store, box) < 0)
        return CMD_FAILED;
    catch_signals();
    if (choose_name(&store, device) < 0 || device_complete(device) < 0)
        status = cmd_usage(&command_attach, "%s", device->why);
    else if (plug_in(&plug, device) < 0)
        status = cmd_fail(DEVICE_FMT ": %s", DEVICE_ARGS(device), device->why);
    else
        printf("%u\n", device->devid);
    store_close(&store);
    return status;
}

static int attach(int argc, char **argv)
{
    const struct device_kind *kind;
    struct device device;
    struct box box;
    unsigned long timeout_s = PLUG_TIMEOUT_MS / 1000;
    uint16_t domid;
    int status;

    while (cmd_next_option(&command_attach, argc, argv) != -1)
        if (number_parse(optarg, MAX_TIMEOUT_S, &timeout_s) < 0 || timeout_s == 0)
            return cmd_usage(&command_attach, "--timeout=%s: not a number of seconds, 1 to %d", optarg,
                             MAX_TIMEOUT_S);
    if (argc - optind < 2)
        return cmd_usage(&command_attach, "domain and kind of device are missing");
    kind = device_kind_find(argv[optind + 1]);
    if (!kind)
        return unknown_kind(argv[optind + 1]);
    if (argc - optind == 3 && strcmp(argv[optind + 2], "help") == 0)
        return print_keys(kind);
    status = box_take_whole(&box);
    if (status != CMD_OK)
        return status;
    if (domain_find_guest(&box, argv[optind], &domid) < 0)
        return CMD_FAILED;
    device_init(&device, kind, domid);
    for (int i = optind + 2; i < argc && status == CMD_OK; i++)
        if (device_assign(&device, argv[i]) < 0)
            status = cmd_usage(&command_attach, "%s", device.why);
    if (status == CMD_OK)
        status = attach_device(&box, &device, (int)timeout_s);
    device_fini(&device);
    return status;
}

static const struct cmd_option options[] = {
    { OPTION_TIMEOUT, "timeout", "SECONDS", "how long to wait for the backend (default: 10)" },
    { 0 },
};

const struct command command_attach = {
    .name = "attach",
    .arguments = "DOMAIN KIND [KEY=VALUE]...",
    .summary = "gives a domain a device (vbd, qdisk, vif) and prints its number; 'attach DOMAIN KIND help' "
               "lists keys",
    .options = options,
    .run = attach,
};
