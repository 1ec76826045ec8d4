// SPDX-License-Identifier: MIT
/*
 * daemon.c: see daemon.h. What starts first stops last: the table of rooms below is the order.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "backend/config.h"
#include "backend/ctl/ctl.h"
#include "backend/daemon.h"
#include "backend/device.h"
#include "backend/device_queue.h"
#include "backend/device_table.h"
#include "backend/domain.h"
#include "backend/grant_budget.h"
#include "backend/mapped_io.h"
#include "backend/offload.h"
#include "backend/ready.h"
#include "backend/run_dir.h"
#include "backend/slot.h"
#include "backend/sweep.h"
#include "backend/toolstack.h"
#include "backend/worker.h"

static struct {
    struct event_base *base;
    struct mailbox mailbox;
    struct event *signal_event;
    struct event *timeout_event;
    int status;
} self;

/* Written by the signal handler: nothing else of ours is safe there. */
static int signal_fd = -1;
static volatile sig_atomic_t signal_count;

/*
 * Not libevent's: the second signal must end the process even when the main thread waits for a store that does
 * not answer.
 */
static void on_signal(int number)
{
    const int saved_errno = errno;
    const uint64_t one = 1;

    if (signal_count++ > 0)
        _exit(EXIT_FAILURE);
    if (write(signal_fd, &one, sizeof(one)) < 0)
        _exit(EXIT_FAILURE);
    errno = saved_errno;
}

static void quit_one(struct device *device, void *arg)
{
    device_quit(device, config_get()->on_exit == EXIT_KEEP);
}

static void name_one(struct device *device, void *arg)
{
    log_error(device->label, "still waits for %s", device_activity(device));
}

/* Nothing can be freed below threads that are stuck. */
static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    device_table_each(name_one, NULL);
    log_error(NULL, "not every device could be let go of within %u seconds: leaving",
              config_get()->exit_timeout_s);
    _exit(EXIT_FAILURE);
}

void daemon_device_gone(void)
{
    if (signal_count && device_table_count() == 0)
        event_base_loopexit(self.base, NULL);
}

static void on_quit(evutil_socket_t fd, short what, void *arg)
{
    const struct timeval wait = { .tv_sec = config_get()->exit_timeout_s };

    log_info(NULL, "told to end; devices to let go of: %zu", device_table_count());
    ready_notify("STOPPING=1");
    toolstack_refuse();
    if (wait.tv_sec)
        evtimer_add(self.timeout_event, &wait);
    device_table_each(quit_one, NULL);
    daemon_device_gone();
}

static int start_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (signal_fd < 0)
        return -errno;
    self.signal_event = event_new(self.base, signal_fd, EV_READ, on_quit, NULL);
    self.timeout_event = evtimer_new(self.base, on_timeout, NULL);
    if (!self.signal_event || !self.timeout_event || event_add(self.signal_event, NULL) < 0)
        return -ENOMEM;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* an image beyond the limit of file sizes is an error of that request */
    return 0;
}

static void stop_signals(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    if (self.signal_event)
        event_free(self.signal_event);
    if (self.timeout_event)
        event_free(self.timeout_event);
    if (signal_fd >= 0)
        close(signal_fd);
}

static int start_base(void)
{
    self.base = event_base_new();
    return self.base ? mailbox_init(&self.mailbox, self.base) : -ENOMEM;
}

static void stop_base(void)
{
    mailbox_fini(&self.mailbox);
    if (self.base)
        event_base_free(self.base);
}

/* Each connected device takes descriptors, and so does each mapping in some environments. */
static int start_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return 0;
}

static int start_run_dir(void)
{
    return run_dir_lock(config_get()->run_dir);
}

static int start_offload(void)
{
    return offload_start(config_get()->offload_threads);
}

/* As many as there are processors, within reason; two show every race that more would. */
static int start_workers(void)
{
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned int count = config_get()->workers;

    if (count == 0)
        count = cpus < 2 ? 2 : cpus > 16 ? 16 : cpus;
    return workers_start(count);
}

static int start_queue(void)
{
    return device_queue_start(self.base);
}

static int start_toolstack(void)
{
    return toolstack_start(self.base);
}

/* Without it data is copied. */
static int start_mapped_io(void)
{
    mapped_io_probe(config_get()->run_dir);
    return 0;
}

static int start_sweep(void)
{
    sweep_all();
    return 0;
}

/* Devices are served with and without it: what went wrong is in the log. */
static int start_control(void)
{
    ctl_start(self.base, config_get()->run_dir);
    return 0;
}

static const struct room {
    const char *name;
    int (*start)(void);
    void (*stop)(void);
    const char *hint; /* what to look at when it does not start */
} rooms[] = {
    { "limits", start_limits, NULL, "" },
    { "run directory", start_run_dir, run_dir_unlock, "" },
    { "I/O on mapped grants", start_mapped_io, NULL, "" },
    { "event loop", start_base, stop_base, "" },
    { "signals", start_signals, stop_signals, "" },
    { "libxenctrl", domains_open, domains_close, " (is this root in a Xen domain, with /dev/xen/privcmd?)" },
    { "offload threads", start_offload, offload_stop, "" },
    { "workers", start_workers, workers_stop, "" },
    { "slots", NULL, slots_stop, "" },
    { "device queue", start_queue, device_queue_stop, "" },
    { "store", start_toolstack, toolstack_stop, "" },
    { "sweep", start_sweep, NULL, "" },
    { "control socket", start_control, ctl_stop, "" },
};
#define ROOM_COUNT (sizeof(rooms) / sizeof(rooms[0]))

int daemon_run(int argc, char **argv)
{
    size_t started;
    int error = 0;

    switch (config_init(argc, argv)) {
    case CONFIG_EXIT_OK:
        return EXIT_SUCCESS;
    case CONFIG_EXIT_USAGE:
        return 2;
    case CONFIG_RUN:
        break;
    }
    log_init("xensplitd", config_get()->log_level);
    log_show_time(config_get()->log_time);
    grant_budget_set(config_get()->persistent_pages, config_get()->persistent_pages_guest);

    for (started = 0; started < ROOM_COUNT && error == 0; started++)
        error = rooms[started].start ? rooms[started].start() : 0;
    if (error < 0) {
        log_error(NULL, "cannot start: %s: %s%s", rooms[started - 1].name, strerror(-error),
                  rooms[started - 1].hint);
        self.status = EXIT_FAILURE;
    } else {
        log_info(NULL, PACKAGE_VERSION " serves; workers: %u", workers_count());
        ready_notify("READY=1");
        ready_write(config_get()->ready_fd);
        event_base_loop(self.base, EVLOOP_NO_EXIT_ON_EMPTY);
        log_info(NULL, "ends");
    }
    while (started-- > 0) {
        if (rooms[started].stop)
            rooms[started].stop();
    }
    return self.status;
}

struct event_base *daemon_base(void)
{
    return self.base;
}

struct mailbox *daemon_mailbox(void)
{
    return &self.mailbox;
}

struct xs_handle *daemon_xs(void)
{
    return toolstack_xs();
}
