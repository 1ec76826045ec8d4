// SPDX-License-Identifier: MIT
/*
 * device.c: a device's life. A look at the nodes gives an action, an action is a plan of at most four steps that
 * the family carries out and of states to write before and after. Only when a plan is over are the nodes looked
 * at again. What is already the case is skipped, so that every plan can start from any point.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xenbus.h"
#include "common/xenbus_fsm.h"
#include "backend/daemon.h"
#include "backend/device.h"
#include "backend/device_nodes.h"
#include "backend/device_report.h"
#include "backend/device_table.h"
#include "backend/kernel_driver.h"
#include "backend/sweep.h"
#include "backend/toolstack.h"

#define STEPS_MAX 4
#define REASON_MAX 512 /* of what goes to the error node */

enum step { STEP_NONE, STEP_SETUP, STEP_RENEW, STEP_CONNECT, STEP_DISCONNECT, STEP_TEARDOWN };

/* How far the device has come in this process. HALF: a setup has failed, and may have left something to tear down. */
enum stage { STAGE_BARE, STAGE_HALF, STAGE_SET_UP, STAGE_CONNECTED };

/* The plans of the table of states have the numbers of their actions. */
enum {
    PLAN_FAIL = XENBUS_ACTION_COUNT, /* something went wrong: say so, let go of the guest */
    PLAN_REFUSE, /* what is behind the device cannot be opened, and a hotplug script waits to be told */
    PLAN_YIELD, /* the kernel's own backend driver has taken the device */
    PLAN_RESET, /* another guest has the domid now: forget what was the old one's */
    PLAN_QUIT, /* the daemon ends */
    PLAN_PART, /* the daemon ends, another one will go on */
    PLAN_COUNT
};

static const struct plan {
    enum xenbus_state before, after; /* states to write; XenbusStateUnknown: none */
    enum step steps[STEPS_MAX];
    bool is_last; /* the device is forgotten afterwards */
    const char *done; /* for the log */
} plans[PLAN_COUNT] = {
    /* What is open stays open where it is still the right thing: in a gap somebody else would take it. */
    [XENBUS_ACTION_SETUP] = { .steps = { STEP_DISCONNECT, STEP_RENEW, STEP_SETUP },
                              .after = XenbusStateInitWait,
                              .done = "set up, waiting for the frontend" },
    [XENBUS_ACTION_CONNECT] = { .steps = { STEP_DISCONNECT, STEP_SETUP, STEP_CONNECT },
                                .after = XenbusStateConnected,
                                .done = "connected" },
    [XENBUS_ACTION_ADOPT] = { .steps = { STEP_SETUP, STEP_CONNECT },
                              .after = XenbusStateConnected,
                              .done = "connected: adopted from an earlier daemon" },
    [XENBUS_ACTION_CLOSE] = { .steps = { STEP_DISCONNECT }, .after = XenbusStateClosing, .done = "closing" },
    /* The image stays open: as long as the device is attached nobody else may have it. */
    [XENBUS_ACTION_FINISH] = { .steps = { STEP_DISCONNECT }, .after = XenbusStateClosed, .done = "closed" },
    [XENBUS_ACTION_DESTROY] = { .steps = { STEP_DISCONNECT, STEP_TEARDOWN },
                                .after = XenbusStateClosed,
                                .is_last = true,
                                .done = "gone" },
    /* Likewise; and an interface keeps the bridge and the addresses that nobody would give it again. */
    [PLAN_FAIL] = { .before = XenbusStateClosing,
                    .steps = { STEP_DISCONNECT },
                    .after = XenbusStateClosing,
                    .done = "closing after an error" },
    /* The toolstack runs the script, which reports our error, only in this state; in Closing it would wait on. */
    [PLAN_REFUSE] = { .steps = { STEP_DISCONNECT },
                      .after = XenbusStateInitWait,
                      .done = "refused; its hotplug script tells the toolstack" },
    [PLAN_YIELD] = { .steps = { STEP_DISCONNECT, STEP_TEARDOWN }, .done = "left to the kernel's driver" },
    [PLAN_RESET] = { .steps = { STEP_DISCONNECT, STEP_TEARDOWN },
                     .done = "released from a guest that is gone" },
    [PLAN_QUIT] = { .before = XenbusStateClosing,
                    .steps = { STEP_DISCONNECT, STEP_TEARDOWN },
                    .after = XenbusStateClosed,
                    .is_last = true,
                    .done = "closed: the daemon ends" },
    [PLAN_PART] = { .steps = { STEP_DISCONNECT, STEP_TEARDOWN },
                    .is_last = true,
                    .done = "left to the next daemon" },
};

struct device_life {
    enum stage stage;
    const struct plan *plan; /* NULL: none is going on */
    unsigned int at; /* the next step of the plan */
    enum step step; /* that the family is busy with */
    bool is_calling; /* the family's function has not returned yet */
    bool is_changed; /* look again when the plan is over */
    bool has_failed; /* the step did, or the device while the step was going on */
    bool has_worked; /* the plan had something to do */
    bool is_served; /* this process has set it up before */
    const struct plan *last_plan; /* the daemon ends: follows on the present one */
    /*
     * After a failure nothing is tried until the toolstack or the frontend changes something, or a device with a
     * bad image would fail for ever.
     */
    bool is_latched;
    struct xenbus_view latched;
    bool is_unwritten; /* our last state could not be written */
    const struct plan *unsaid; /* that of a failure of which the store does not know yet; NULL: none */
    struct device_nodes nodes;
    char last_error[REASON_MAX];
};

/* The error is said once, at the place where it is known. */
static void report(struct device *device, const char *text)
{
    int error;

    snprintf(device->life->last_error, sizeof(device->life->last_error), "%s", text);
    log_limited(&device->limit, LOG_LEVEL_ERROR, device->label, "%s", text);
    error = xenbus_write_error(daemon_xs(), device->path, text);
    if (error < 0 && error != -ENOENT)
        toolstack_suspect(error);
    device->life->has_failed = true;
}

/* The last look found no directory. One that is there now belongs to a device that was attached since then. */
static bool was_removed(const struct xenbus_view *view)
{
    return !view->is_present && view->own == XenbusStateUnknown;
}

/* A removed device is not an error: its end is the next thing that a look will see. */
static void write_state(struct device *device, enum xenbus_state state)
{
    enum xenbus_state *own = &device->life->nodes.view.own;
    int error;

    if (state == XenbusStateUnknown || state == *own || was_removed(&device->life->nodes.view))
        return;
    error = xenbus_switch_state(daemon_xs(), device->path, state);
    if (error == 0) {
        log_debug(device->label, "state %s", xenbus_state_name(state));
        device->life->has_worked = true;
        device->life->is_unwritten = false;
        *own = state;
    } else if (error != -ENOENT) {
        log_limited(&device->limit, LOG_LEVEL_WARNING, device->label, "cannot write state %s: %s",
                    xenbus_state_name(state), strerror(-error));
        toolstack_suspect(error);
        device->life->is_changed = true;
        device->life->is_unwritten = true;
    }
}

static bool step_is_needed(enum step step, enum stage stage)
{
    static const unsigned int needs[] = {
        [STEP_SETUP] = 1u << STAGE_BARE | 1u << STAGE_HALF,
        [STEP_RENEW] = 1u << STAGE_SET_UP,
        [STEP_CONNECT] = 1u << STAGE_SET_UP,
        [STEP_DISCONNECT] = 1u << STAGE_CONNECTED,
        [STEP_TEARDOWN] = 1u << STAGE_HALF | 1u << STAGE_SET_UP,
    };

    return needs[step] & 1u << stage;
}

static bool step_can_fail(enum step step)
{
    return step == STEP_SETUP || step == STEP_RENEW || step == STEP_CONNECT;
}

/* The family may answer at once or later. */
static void call_family(struct device *device, enum step step)
{
    const struct device_family_ops *ops = device->family;
    struct device_life *life = device->life;

    life->step = step;
    life->has_failed = false;
    life->has_worked = true;
    life->is_calling = true;
    switch (step) {
    case STEP_SETUP:
    case STEP_RENEW:
        life->stage = STAGE_SET_UP; /* from here on there is something to tear down */
        life->is_served = true;
        xenbus_clear_error(daemon_xs(), device->path);
        ops->setup(device);
        break;
    case STEP_CONNECT:
        life->stage = STAGE_CONNECTED; /* likewise */
        ops->connect(device);
        break;
    case STEP_DISCONNECT:
        ops->disconnect(device);
        break;
    case STEP_TEARDOWN:
        ops->teardown(device);
        break;
    case STEP_NONE:
        break;
    }
    life->is_calling = false;
}

static void free_device(struct device *device)
{
    toolstack_unwatch(device);
    device_queue_remove(device);
    device_table_remove(device);
    free(device->life);
    free(device);
    daemon_device_gone();
}

static void begin_plan(struct device *device, const struct plan *plan)
{
    struct device_life *life = device->life;

    life->plan = plan;
    life->at = 0;
    life->has_worked = false;
    life->is_latched = false;
    life->is_unwritten = false;
    life->unsaid = NULL;
    device->is_adopting = plan == &plans[XENBUS_ACTION_ADOPT];
    device->is_parting = plan == &plans[PLAN_PART];
    /* What is closed does not close again because the daemon ends. */
    if (life->nodes.view.own != XenbusStateClosed || !plan->is_last)
        write_state(device, plan->before);
}

/* What follows on a step that failed. */
static const struct plan *failure_plan(struct device *device, enum step step)
{
    const bool is_new = device->life->nodes.view.own == XenbusStateInitialising;
    const struct plan *plan = &plans[PLAN_FAIL];
    char *script;

    if (step != STEP_SETUP || !is_new)
        return plan;
    script = xenbus_read(daemon_xs(), XBT_NULL, device->path, "script");
    if (script)
        plan = &plans[PLAN_REFUSE];
    free(script);
    return plan;
}

/* The plan has come to its end. Returns the one that follows on it; NULL: none, and the device may be gone. */
static const struct plan *end_plan(struct device *device)
{
    struct device_life *life = device->life;
    const struct plan *plan = life->plan;

    write_state(device, plan->after);
    if (life->has_worked)
        log_info(device->label, "%s", plan->done);
    life->plan = NULL;
    if (plan == &plans[PLAN_FAIL] || plan == &plans[PLAN_REFUSE] || plan == &plans[PLAN_YIELD]) {
        life->is_latched = true;
        life->latched = life->nodes.view;
        life->unsaid = life->is_unwritten ? plan : NULL;
    }
    if (life->last_plan && life->stage != STAGE_BARE)
        return life->last_plan;
    if (life->last_plan || (plan->is_last && !life->is_changed)) {
        if (!life->nodes.view.is_present)
            xenbus_clear_error(daemon_xs(), device->path);
        if (!life->is_served && plan == &plans[XENBUS_ACTION_DESTROY])
            sweep_device(device); /* what another daemon has left nobody has torn down */
        free_device(device);
        return NULL;
    }
    if (life->is_changed)
        device_queue_add(device);
    life->is_changed = false;
    return NULL;
}

/* Goes on until the family is busy or the plan is over. */
static void run_plan(struct device *device)
{
    struct device_life *life = device->life;

    for (;;) {
        if (life->at == STEPS_MAX || life->plan->steps[life->at] == STEP_NONE) {
            const struct plan *next = end_plan(device);
            if (!next)
                return;
            begin_plan(device, next);
            continue;
        }
        const enum step step = life->plan->steps[life->at++];
        if (!step_is_needed(step, life->stage))
            continue;
        call_family(device, step);
        if (life->step != STEP_NONE)
            return;
        if (life->has_failed && step_can_fail(step))
            begin_plan(device, failure_plan(device, step));
    }
}

static void start_plan(struct device *device, unsigned int number)
{
    begin_plan(device, &plans[number]);
    run_plan(device);
}

void device_done(struct device *device, int error, const char *reason_fmt, ...)
{
    struct device_life *life = device->life;
    const enum step step = life->step;
    char reason[REASON_MAX];
    va_list ap;

    if (error < 0) {
        va_start(ap, reason_fmt);
        vsnprintf(reason, sizeof(reason), reason_fmt, ap);
        va_end(ap);
        report(device, reason);
    }
    if (step == STEP_DISCONNECT)
        life->stage = STAGE_SET_UP;
    if (life->has_failed && (step == STEP_SETUP || step == STEP_RENEW))
        life->stage = STAGE_HALF;
    if (step == STEP_TEARDOWN)
        life->stage = STAGE_BARE;
    life->step = STEP_NONE;
    if (life->is_calling)
        return;
    if (life->has_failed && step_can_fail(step))
        begin_plan(device, failure_plan(device, step));
    run_plan(device);
}

void device_fail(struct device *device, const char *reason_fmt, ...)
{
    char reason[REASON_MAX];
    va_list ap;

    va_start(ap, reason_fmt);
    vsnprintf(reason, sizeof(reason), reason_fmt, ap);
    va_end(ap);
    report(device, reason);
    /* In the middle of a plan: a connect will be taken for failed, and the others let go of the guest anyway. */
    if (!device->life->plan)
        start_plan(device, PLAN_FAIL);
}

static bool view_is_same(const struct xenbus_view *a, const struct xenbus_view *b)
{
    return a->own == b->own && a->peer == b->peer && a->is_online == b->is_online &&
           a->is_present == b->is_present;
}

/* Two backends on one ring destroy each other's data: the one that cannot be asked to go wins. */
static void yield_device(struct device *device, const char *driver)
{
    char text[REASON_MAX];

    snprintf(text, sizeof(text),
             "the kernel's driver %s has taken the device: unload it and keep it away with modprobe.d",
             driver);
    report(device, text);
    start_plan(device, PLAN_YIELD);
}

/* The store was away when something went wrong: without this both ends would wait for each other. */
static void say_failure(struct device *device)
{
    xenbus_write_error(daemon_xs(), device->path, device->life->last_error);
    begin_plan(device, device->life->unsaid);
    run_plan(device);
}

/* A device that is not set up finds out when it is. */
static bool may_connect(struct device *device)
{
    return device->life->stage < STAGE_SET_UP || !device->family->may_connect ||
           device->family->may_connect(device);
}

void device_look(struct device *device)
{
    struct device_life *life = device->life;
    struct device_nodes *nodes = &life->nodes;
    char reason[REASON_MAX], driver[32];
    enum xenbus_action action;
    int error;

    if (life->plan) {
        life->is_changed = true;
        return;
    }
    error = device_nodes_read(device, nodes, daemon_xs(), reason, sizeof(reason));
    if (nodes->is_replaced) {
        device_nodes_accept(device, nodes);
        life->is_changed = true; /* look again, as the new guest's */
        start_plan(device, PLAN_RESET);
        return;
    }
    if (error != -EAGAIN && life->unsaid && nodes->view.is_present && nodes->view.own == life->latched.own) {
        say_failure(device);
        return;
    }
    if (error == -EAGAIN || (life->is_latched && view_is_same(&life->latched, &nodes->view)))
        return;
    if (error < 0) {
        report(device, reason);
        start_plan(device, PLAN_FAIL);
        return;
    }
    if (nodes->view.is_present && kernel_driver_find(KERNEL_DRIVER_DEVICES, device->family->name,
                                                     device->domid, device->devid, driver, sizeof(driver))) {
        yield_device(device, driver);
        return;
    }
    nodes->view.is_fresh = !life->is_served;
    action = xenbus_fsm_backend(&nodes->view);
    log_debug(device->label, "own %s, frontend %s%s%s: %s", xenbus_state_name(nodes->view.own),
              xenbus_state_name(nodes->view.peer), nodes->view.is_online ? "" : ", offline",
              nodes->view.is_present ? "" : ", gone", xenbus_action_name(action));
    if (action == XENBUS_ACTION_CONNECT && !may_connect(device))
        return;
    if (action != XENBUS_ACTION_NONE)
        start_plan(device, action);
    else if (life->stage == STAGE_CONNECTED && device->family->refresh)
        device->family->refresh(device);
}

void device_check_domain(struct device *device)
{
    if (!device_nodes_domain_is_same(device, &device->life->nodes))
        device_queue_add(device);
}

void device_resync(struct device *device)
{
    device->life->nodes.is_unseen = device->life->stage == STAGE_CONNECTED;
    device_queue_add(device);
}

void device_quit(struct device *device, bool is_parting)
{
    struct device_life *life = device->life;

    life->last_plan = &plans[is_parting ? PLAN_PART : PLAN_QUIT];
    if (life->plan)
        return;
    if (life->stage == STAGE_BARE)
        free_device(device); /* whatever its states say, they are not this daemon's */
    else
        start_plan(device, is_parting ? PLAN_PART : PLAN_QUIT);
}

const char *device_activity(const struct device *device)
{
    static const char *const names[] = {
        [STEP_NONE] = "nothing",
        [STEP_SETUP] = "what is behind the device to open",
        [STEP_RENEW] = "what is behind the device to open",
        [STEP_CONNECT] = "its rings to be mapped",
        [STEP_DISCONNECT] = "its I/O in flight to end",
        [STEP_TEARDOWN] = "what is behind the device to close",
    };

    return names[device->life->step];
}

void device_inspect(const struct device *device, struct device_report *report)
{
    const struct device_life *life = device->life;

    _Static_assert(sizeof(report->last_error) >= REASON_MAX, "an error must fit into a report");
    snprintf(report->label, sizeof(report->label), "%s", device->label);
    snprintf(report->path, sizeof(report->path), "%s", device->path);
    snprintf(report->frontend_path, sizeof(report->frontend_path), "%s", device->frontend_path);
    snprintf(report->last_error, sizeof(report->last_error), "%s", life->last_error);
    report->family = device->family->name;
    report->domid = device->domid;
    report->devid = device->devid;
    report->state = xenbus_state_name(life->nodes.view.own);
    report->frontend_state = xenbus_state_name(life->nodes.view.peer);
    report->waits_for = device_activity(device);
    device->family->inspect(device, report);
}

struct device *device_create(const struct device_family_ops *family, uint16_t domid, uint32_t devid)
{
    struct device *device = calloc(1, sizeof(*device));
    struct device_life *life = calloc(1, sizeof(*life));

    if (!device || !life) {
        free(device);
        free(life);
        return NULL;
    }
    device->family = family;
    device->domid = domid;
    device->devid = devid;
    device->life = life;
    snprintf(device->label, sizeof(device->label), "%s %u/%u", family->name, domid, devid);
    snprintf(device->path, sizeof(device->path), "backend/%s/%u/%u", family->name, domid, devid);
    device_table_add(device);
    device_queue_add(device);
    return device;
}
