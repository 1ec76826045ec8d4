// SPDX-License-Identifier: MIT
/*
 * xs_load.c: xenstore clients that do what ordinary ones rarely do, for the shell tests. The store is the one
 * that libxenstore finds ($XENSTORED_PATH). Each command exits with 0 when all went as it should.
 */
#include <config.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xen/hvm/params.h>
#include <xen/io/xs_wire.h>

static struct xs_handle *store_open(void)
{
    struct xs_handle *xs = xs_open(0);

    if (!xs)
        err(1, "xs_open");
    return xs;
}

static void store_write(struct xs_handle *xs, xs_transaction_t transaction, const char *path,
                        const char *value)
{
    if (!xs_write(xs, transaction, path, value, (unsigned int)strlen(value)))
        err(1, "writing %s", path);
}

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

/* ---- through libxenstore ---- */

/* Waits for an event of each token 0 to count-1, in any order. */
static void events_await(struct xs_handle *xs, unsigned int count)
{
    bool *is_seen = calloc(count, sizeof(*is_seen));
    unsigned int left = count;

    while (left > 0) {
        unsigned int number;
        char **event = xs_read_watch(xs, &number);
        unsigned long token;

        if (!event)
            err(1, "xs_read_watch with %u events missing", left);
        token = strtoul(event[XS_WATCH_TOKEN], NULL, 10);
        if (token >= count)
            errx(1, "token '%s' was never given", event[XS_WATCH_TOKEN]);
        left -= !is_seen[token];
        is_seen[token] = true;
        free(event);
    }
    free(is_seen);
}

/* A hundred a directory, as the list of a node's children has a limit too. */
static void watched_path(char *path, size_t size, const char *base, unsigned int number)
{
    snprintf(path, size, "%s/%u/%u", base, number / 100, number);
}

/* Sets so many watches, makes each of them fire, removes them. */
static int run_watches(char **args)
{
    struct xs_handle *xs = store_open();
    unsigned int count = (unsigned int)atoi(args[1]);
    char path[256], token[16];

    for (unsigned int i = 0; i < count; i++) {
        watched_path(path, sizeof(path), args[0], i);
        snprintf(token, sizeof(token), "%u", i);
        if (!xs_watch(xs, path, token))
            err(1, "watch %u of %u", i, count);
    }
    events_await(xs, count); /* each fires once when it is set */
    for (unsigned int i = 0; i < count; i++) {
        watched_path(path, sizeof(path), args[0], i);
        store_write(xs, XBT_NULL, path, "x");
    }
    events_await(xs, count);
    for (unsigned int i = 0; i < count; i++) {
        watched_path(path, sizeof(path), args[0], i);
        snprintf(token, sizeof(token), "%u", i);
        if (!xs_unwatch(xs, path, token))
            err(1, "unwatch %u of %u", i, count);
    }
    xs_close(xs);
    return 0;
}

/* Adds 1 to the node so many times, each time in a transaction of its own. */
static int run_increment(char **args)
{
    struct xs_handle *xs = store_open();

    for (int left = atoi(args[1]); left > 0;) {
        xs_transaction_t transaction = xs_transaction_start(xs);
        unsigned int len;
        char *value, sum[16];

        if (transaction == XBT_NULL) {
            if (errno == ENOSPC) /* as many as the domain may have open at once */
                continue;
            err(1, "xs_transaction_start");
        }
        value = xs_read(xs, transaction, args[0], &len);
        if (!value)
            err(1, "reading %s", args[0]);
        snprintf(sum, sizeof(sum), "%d", atoi(value) + 1);
        free(value);
        store_write(xs, transaction, args[0], sum);
        if (xs_transaction_end(xs, transaction, false))
            left--;
        else if (errno != EAGAIN)
            err(1, "xs_transaction_end");
    }
    xs_close(xs);
    return 0;
}

/* Writes to a node with a long name below the path, until somebody ends it. */
static int run_flood(char **args)
{
    struct xs_handle *xs = store_open();
    char path[1024];

    snprintf(path, sizeof(path), "%s/%0800d", args[0], 0);
    while (xs_write(xs, XBT_NULL, path, "x", 1)) {
    }
    err(1, "writing %s", path);
}

/* Leaves a transaction and a watch open for whoever kills it. */
static int run_hold(char **args)
{
    struct xs_handle *xs = store_open();
    xs_transaction_t transaction = xs_transaction_start(xs);

    if (transaction == XBT_NULL)
        err(1, "xs_transaction_start");
    store_write(xs, transaction, args[0], "never to be seen");
    if (!xs_watch(xs, args[0], "held"))
        err(1, "xs_watch");
    say("holding");
    pause();
    return 1;
}

/* ---- straight on the socket ---- */

static int socket_open(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", xs_daemon_socket());
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(1, "%s", address.sun_path);
    return fd;
}

static void socket_send(int fd, uint32_t type, uint32_t req_id, uint32_t len, const void *body,
                        size_t body_len)
{
    struct {
        struct xsd_sockmsg header;
        char body[XENSTORE_PAYLOAD_MAX];
    } message = { .header = { .type = type, .req_id = req_id, .len = len } };
    size_t size = sizeof(message.header) + body_len;

    memcpy(message.body, body, body_len);
    if (send(fd, &message, size, MSG_NOSIGNAL) != (ssize_t)size)
        err(1, "send");
}

static void socket_await_end(int fd)
{
    char buffer[4096];
    ssize_t got;

    while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
    }
    if (got < 0 && errno != ECONNRESET)
        err(1, "recv");
}

/* Says something that is not the protocol and expects to be disconnected. */
static int run_garbage(char **args)
{
    char junk[256];
    int fd = socket_open();

    memset(junk, 0xa5, sizeof(junk));
    if (send(fd, junk, sizeof(junk), MSG_NOSIGNAL) < 0)
        err(1, "send");
    socket_await_end(fd);
    return 0;
}

/* Announces more than a message may have and expects to be disconnected. */
static int run_oversize(char **args)
{
    int fd = socket_open();

    socket_send(fd, XS_READ, 1, XENSTORE_PAYLOAD_MAX + 1, "", 0);
    socket_await_end(fd);
    return 0;
}

/* Watches the path, never reads, and expects to be disconnected at last. */
static int run_deaf(char **args)
{
    struct pollfd poll_fd = { .fd = socket_open(), .events = POLLRDHUP };
    char body[256];
    int len = snprintf(body, sizeof(body), "%s%cdeaf", args[0], '\0') + 1;

    socket_send(poll_fd.fd, XS_WATCH, 1, (uint32_t)len, body, (size_t)len);
    say("watching");
    while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR) {
    }
    return 0;
}

static void socket_receive(int fd, void *data, size_t len)
{
    ssize_t got = recv(fd, data, len, MSG_WAITALL);

    if (got != (ssize_t)len)
        err(1, "recv: %zd of %zu bytes", got, len);
}

/* Sends many requests before it reads the first answer: all must come, in order, with their ids. */
static int run_pipeline(char **args)
{
    uint32_t count = (uint32_t)atoi(args[1]);
    int fd = socket_open();

    for (uint32_t i = 0; i < count; i++)
        socket_send(fd, XS_READ, i * 7, (uint32_t)strlen(args[0]) + 1, args[0], strlen(args[0]) + 1);
    for (uint32_t i = 0; i < count; i++) {
        char body[XENSTORE_PAYLOAD_MAX];
        struct xsd_sockmsg header;

        socket_receive(fd, &header, sizeof(header));
        if (header.type != XS_READ || header.req_id != i * 7 || header.len > sizeof(body))
            errx(1, "answer %u: type %u, id %u", i, header.type, header.req_id);
        socket_receive(fd, body, header.len);
    }
    return 0;
}

/* Connects and waits for the end of the store. */
static int run_wait(char **args)
{
    int fd = socket_open();

    say("connected");
    socket_await_end(fd);
    return 0;
}

/* As domain 0: puts an impossible index into the ring that the domain shares with the store. */
static int run_corrupt(char **args)
{
    uint32_t domid = (uint32_t)atoi(args[0]);
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    struct xenstore_domain_interface *page;
    uint64_t frame;
    xen_pfn_t gfn;

    if (!xc || !fmem || xc_hvm_param_get(xc, (domid_t)domid, HVM_PARAM_STORE_PFN, &frame) < 0)
        err(1, "domain %u", domid);
    gfn = frame;
    page = xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, 1, &gfn, NULL);
    if (!page)
        err(1, "mapping the store ring of domain %u", domid);
    page->rsp_prod = page->rsp_cons + XENSTORE_RING_SIZE + 1;
    xenforeignmemory_unmap(fmem, page, 1);
    xenforeignmemory_close(fmem);
    xc_interface_close(xc);
    return 0;
}

static const struct command {
    const char *name, *usage;
    int args;
    int (*run)(char **args);
} commands[] = {
    { "watches", "PATH COUNT", 2, run_watches },
    { "increment", "PATH COUNT", 2, run_increment },
    { "hold", "PATH", 1, run_hold },
    { "garbage", "", 0, run_garbage },
    { "oversize", "", 0, run_oversize },
    { "deaf", "PATH", 1, run_deaf },
    { "flood", "PATH", 1, run_flood },
    { "pipeline", "PATH COUNT", 2, run_pipeline },
    { "wait", "", 0, run_wait },
    { "corrupt", "DOMID", 1, run_corrupt },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (argc >= 2 && strcmp(argv[1], commands[i].name) == 0 && argc - 2 == commands[i].args)
            return commands[i].run(argv + 2);
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(stderr, "usage: xs_load %s %s\n", commands[i].name, commands[i].usage);
    return 2;
}
