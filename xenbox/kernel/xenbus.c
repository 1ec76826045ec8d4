// SPDX-License-Identifier: MIT
/*
 * xenbus.c: xenbox-xenbus, the program that plays the xenbus driver of all guest kernels of a box.
 *
 * One process a box, one thread, no timers. It watches @introduceDomain at the store, as a program of domain
 * 0, and then looks into the tables for domains that it does not serve yet. It ends when the hypervisor
 * process or the store is gone, and all clients then read end of file.
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <xen/io/xs_wire.h>

#include "xenbox/kernel/xenbus_domain.h"
#include "xenbox/lib/client.h"

#define STORE_DIR "store" /* in the box directory: the sockets of the store and of the domains */
#define STORE_SOCKET "socket"

struct xenbus {
    struct event_base *base;
    struct client hv;
    int store_fd;
    struct event *hv_event, *store_event, *term_event, *int_event;
    struct xenbus_domain *domain[XB_MAX_DOMAINS];
    uint32_t generation[XB_MAX_DOMAINS]; /* of the domain tried last: no second time */
    int exit_status;
};

static void xenbus_end(struct xenbus *xenbus, const char *why)
{
    fprintf(stderr, "xenbox-xenbus: %s\n", why);
    xenbus->exit_status = EXIT_FAILURE;
    event_base_loopbreak(xenbus->base);
}

static void xenbus_look(struct xenbus *xenbus);

static void xenbus_on_domain_gone(struct xenbus_domain *domain, void *opaque)
{
    struct xenbus *xenbus = opaque;

    xenbus->domain[xenbus_domain_domid(domain)] = NULL;
    xenbus_domain_free(domain);
    xenbus_look(xenbus); /* its domid may have a new owner already */
}

/* Serves the domains that are not served yet. */
static void xenbus_look(struct xenbus *xenbus)
{
    const struct xb_tables *tables = xenbus->hv.tables;

    for (uint16_t domid = 1; domid < XB_MAX_DOMAINS; domid++) {
        const struct xb_domain *domain = &tables->domain[domid];
        uint32_t state = domain->state, generation = domain->generation;

        /* The store's port is the last thing that a new domain gets. */
        if (xenbus->domain[domid] || generation == xenbus->generation[domid] || domain->store_port == 0 ||
            (state != XB_DOMAIN_RUNNING && state != XB_DOMAIN_PAUSED))
            continue;
        xenbus->generation[domid] = generation;
        xenbus_domain_new(&xenbus->domain[domid], xenbus->base, &xenbus->hv, domid, xenbus_on_domain_gone,
                          xenbus);
    }
}

static void xenbus_on_hv(evutil_socket_t fd, short what, void *opaque)
{
    struct xenbus *xenbus = opaque;

    if (xenbus->hv.tables->hv_pid == 0) /* the box was ended */
        event_base_loopbreak(xenbus->base);
    else
        xenbus_end(xenbus, "the hypervisor process of the box is gone");
}

/* Whatever the store says, it is about a domain that was introduced. */
static void xenbus_on_store(evutil_socket_t fd, short what, void *opaque)
{
    struct xenbus *xenbus = opaque;
    char buffer[4096];
    ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

    if (got > 0)
        xenbus_look(xenbus);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        xenbus_end(xenbus, "xenstored is gone");
}

static void xenbus_on_signal(evutil_socket_t signal_number, short what, void *opaque)
{
    struct xenbus *xenbus = opaque;

    event_base_loopbreak(xenbus->base);
}

/* Connects to the store and watches for domains that are introduced. */
static int store_connect(void)
{
    static const char watch[] = "@introduceDomain\0domain";
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = STORE_SOCKET };
    struct {
        struct xsd_sockmsg header;
        char body[sizeof(watch)];
    } message = { .header = { .type = XS_WATCH, .len = sizeof(watch) } };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return -errno;
    memcpy(message.body, watch, sizeof(watch));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(fd, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message))
        return fd;
    rc = -errno;
    close(fd);
    return rc;
}

static void files_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void event_drop(struct event *event)
{
    if (event)
        event_free(event);
}

static void xenbus_fini(struct xenbus *xenbus)
{
    for (unsigned int domid = 0; domid < XB_MAX_DOMAINS; domid++)
        xenbus_domain_free(xenbus->domain[domid]);
    event_drop(xenbus->hv_event);
    event_drop(xenbus->store_event);
    event_drop(xenbus->term_event);
    event_drop(xenbus->int_event);
    if (xenbus->base)
        event_base_free(xenbus->base);
    if (xenbus->store_fd >= 0)
        close(xenbus->store_fd);
    client_close(&xenbus->hv);
}

static int xenbus_init(struct xenbus *xenbus)
{
    int rc;

    rc = client_open_as(&xenbus->hv, "xenbus", NULL, XB_CONN_TOOL, 0, 0, -1, NULL);
    if (rc < 0)
        return rc;
    xenbus->store_fd = store_connect();
    if (xenbus->store_fd < 0) {
        fprintf(stderr, "xenbox-xenbus: xenstored does not answer: %s\n", strerror(-xenbus->store_fd));
        return xenbus->store_fd;
    }
    xenbus->base = event_base_new();
    if (!xenbus->base)
        return -ENOMEM;
    xenbus->hv_event = event_new(xenbus->base, xenbus->hv.fd, EV_READ, xenbus_on_hv, xenbus);
    xenbus->store_event =
        event_new(xenbus->base, xenbus->store_fd, EV_READ | EV_PERSIST, xenbus_on_store, xenbus);
    xenbus->term_event = evsignal_new(xenbus->base, SIGTERM, xenbus_on_signal, xenbus);
    xenbus->int_event = evsignal_new(xenbus->base, SIGINT, xenbus_on_signal, xenbus);
    if (!xenbus->hv_event || !xenbus->store_event || !xenbus->term_event || !xenbus->int_event)
        return -ENOMEM;
    event_add(xenbus->hv_event, NULL);
    event_add(xenbus->store_event, NULL);
    event_add(xenbus->term_event, NULL);
    event_add(xenbus->int_event, NULL);
    xenbus_look(xenbus);
    return 0;
}

static const char usage[] =
    "usage: xenbox-xenbus --dir DIR [--ready-fd FD]\n"
    "Plays the xenbus driver of the guest kernels of the box in DIR: serves DIR/store/N for domain N.\n"
    "xenbox(1) starts it. One byte is written to FD when all domains that exist are served.\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "dir", required_argument, NULL, 'd' },
        { "ready-fd", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    static struct xenbus xenbus = { .store_fd = -1 };
    char box[PATH_MAX] = "";
    int option, ready_fd = -1;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'd':
            if (!realpath(optarg, box)) {
                fprintf(stderr, "xenbox-xenbus: %s: %s\n", optarg, strerror(errno));
                return EXIT_FAILURE;
            }
            break;
        case 'r':
            ready_fd = atoi(optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        case 'V':
            puts(PACKAGE_STRING);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_FAILURE;
        }
    }
    if (!box[0] || optind != argc) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    setenv(XB_ENV_BOX, box, 1);
    /*
     * Sockets are bound and connected by relative names, so that the length of the directory's does not
     * matter.
     */
    if (chdir(box) < 0 || chdir(STORE_DIR) < 0) {
        fprintf(stderr, "xenbox-xenbus: %s/%s: %s\n", box, STORE_DIR, strerror(errno));
        return EXIT_FAILURE;
    }
    files_raise_limit();
    if (xenbus_init(&xenbus) < 0) {
        xenbus_fini(&xenbus);
        return EXIT_FAILURE;
    }
    if (ready_fd >= 0) {
        if (write(ready_fd, "", 1) != 1)
            fprintf(stderr, "xenbox-xenbus: nobody waits at descriptor %d\n", ready_fd);
        close(ready_fd);
    }
    event_base_dispatch(xenbus.base);
    xenbus_fini(&xenbus);
    return xenbus.exit_status;
}
