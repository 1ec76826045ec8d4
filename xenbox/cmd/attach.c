// SPDX-License-Identifier: MIT
/* attach.c: `xenbox attach`: what `xl block-attach` and `xl network-attach` do. */
#include <config.h>

#include <errno.h>
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
#define NAME_MAX_LENGTH 32

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

/* The next name, from n on, that the domain does not use. 0 or negative errno. */
static int choose_name(struct store *store, struct device *device, uint32_t *n)
{
    char name[NAME_MAX_LENGTH];
    int error;

    for (; device->kind->nth_name(*n, name, sizeof(name)) == 0; (*n)++) {
        error = device_name(device, name);
        if (error || !store_has(store, device->libxl))
            return error;
    }
    return device_complain(device, -ENOSPC, "the domain has no room for another %s", device->kind->name);
}

/* Somebody else may take the chosen name meanwhile: then another one is chosen. */
static int plug_in_somewhere(const struct plug *plug, struct device *device)
{
    const char *given = device_setting(device, device->kind->name_key);
    bool is_free = !given;
    uint32_t n = 0;
    int error;

    do {
        error = is_free ? choose_name(plug->store, device, &n) : device_name(device, given);
        if (error < 0 || device_complete(device) < 0)
            return cmd_usage(&command_attach, "%s", device->why);
        error = plug_in(plug, device);
    } while (error == -EEXIST && is_free);
    return error ? cmd_fail(DEVICE_FMT ": %s", DEVICE_ARGS(device), device->why) : CMD_OK;
}

/* A signal ends the waiting (store_wait), and then what was written is taken back. */
static void take_signal(int signal)
{
}

static void catch_signals(void)
{
    const struct sigaction action = { .sa_handler = take_signal };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int attach_device(const struct box *box, struct device *device, int timeout_s)
{
    struct store store;
    const struct plug plug = { .box = box, .store = &store, .timeout_ms = 1000 * timeout_s };
    int status;

    if (store_connect(&store, box) < 0)
        return CMD_FAILED;
    catch_signals();
    status = plug_in_somewhere(&plug, device);
    if (status == CMD_OK)
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
