// SPDX-License-Identifier: MIT
/*
 * ctl.c: the socket and its clients: see ctl.h. A client's life: a line comes, is taken apart and checked, an order is
 * carried out where it is one, a survey goes out, the answer is written, the end. A deadline covers all of it; a
 * client that goes away while its order or survey is under way leaves that behind, to be thrown away when it is
 * complete.
 */
#include <config.h>

#include "backend/ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "backend/ctl/commands.h"
#include "backend/ctl/ctl_request.h"
#include "backend/ctl/order.h"
#include "backend/ctl/survey.h"
#include "common/log.h"

#define CLIENTS_MAX 16u /* more wait in the backlog */
#define BACKLOG 64
#define DEADLINE_S 5 /* of a connection */
#define RETRY_S 1 /* after accept() failed */
#define REASON_MAX 256

struct client {
    LIST_ENTRY(client) link;
    struct bufferevent *stream;
    struct event *deadline;
    struct order *order; /* under way */
    struct survey *survey; /* likewise */
    const struct command *command;
};

static struct {
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *retry; /* accept again */
    LIST_HEAD(, client) clients;
    unsigned int client_count;
    struct sockaddr_un address;
} self;

static void client_free(struct client *client)
{
    LIST_REMOVE(client, link);
    self.client_count--;
    if (client->order)
        client->order->owner = NULL;
    if (client->survey)
        client->survey->owner = NULL;
    if (client->stream)
        bufferevent_free(client->stream);
    if (client->deadline)
        event_free(client->deadline);
    free(client);
    if (self.listener && !evtimer_pending(self.retry, NULL))
        evconnlistener_enable(self.listener);
}

/* Takes the reference to reply. */
static void client_reply(struct client *client, json_t *reply)
{
    char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

    json_decref(reply);
    if (text && evbuffer_add_printf(bufferevent_get_output(client->stream), "%s\n", text) > 0)
        bufferevent_enable(client->stream, EV_WRITE); /* on_written ends it */
    else
        client_free(client);
    free(text);
}

static void client_refuse(struct client *client, const char *reason)
{
    json_t *text = json_string(reason);

    client_reply(client, json_pack("{s:o}", "error", text ? text : json_string("the request is not UTF-8")));
}

static void on_survey(struct survey *survey)
{
    struct client *client = survey->owner;

    if (client) {
        client->survey = NULL;
        if (survey->request.has_device && survey->device_count == 0)
            client_refuse(client, "device: expected one that is served, found none of that name (see list)");
        else
            client_reply(client, json_pack("{s:o}", "result", client->command->run(survey)));
    }
    survey_destroy(survey);
}

static void client_survey(struct client *client, const struct ctl_request *request)
{
    client->survey = survey_run(request, on_survey, client);
    if (!client->survey)
        client_refuse(client, "no memory for an answer");
}

/* What was ordered has been done, or not: then it is as it was. */
static void on_order(struct order *order)
{
    struct client *client = order->owner;

    if (client) {
        client->order = NULL;
        if (order->order.error)
            client_refuse(client, order->order.reason);
        else
            client_survey(client, &order->request);
    }
    order_destroy(order);
}

static void client_ask(struct client *client, const char *line, size_t length)
{
    struct ctl_request request;
    char reason[REASON_MAX];

    if (ctl_request_parse(&request, line, length, reason, sizeof(reason)) < 0) {
        client_refuse(client, reason);
        return;
    }
    client->command = command_find(request.command);
    if (!client->command) {
        snprintf(reason, sizeof(reason), "command: expected %s, found \"%s\"", command_names(),
                 request.command);
        client_refuse(client, reason);
        return;
    }
    if (client->command->needs_device && !request.has_device) {
        snprintf(reason, sizeof(reason), "%s: expected a device, found none", request.command);
        client_refuse(client, reason);
        return;
    }
    if (client->command->needs_worker && !request.has_worker) {
        snprintf(reason, sizeof(reason), "%s: expected a worker, found none", request.command);
        client_refuse(client, reason);
        return;
    }
    if (client->command->needs_file && !request.file[0]) {
        snprintf(reason, sizeof(reason), "%s: expected a file, found none", request.command);
        client_refuse(client, reason);
        return;
    }
    if (!client->command->is_order) {
        client_survey(client, &request);
        return;
    }
    client->order = order_run(&request, client->command->order, on_order, client);
    if (!client->order)
        client_refuse(client, "no memory for an order");
}

/* Only one line is read of a client. */
static void on_readable(struct bufferevent *stream, void *arg)
{
    struct client *client = arg;
    struct evbuffer *input = bufferevent_get_input(stream);
    size_t length;
    char *line = evbuffer_readln(input, &length, EVBUFFER_EOL_LF);

    if (!line && evbuffer_get_length(input) < CTL_REQUEST_MAX)
        return;
    bufferevent_disable(stream, EV_READ);
    if (line)
        client_ask(client, line, length);
    else
        client_refuse(client, "expected a request of at most 4096 bytes, found a longer one");
    free(line);
}

/* The reply has been written. */
static void on_written(struct bufferevent *stream, void *arg)
{
    client_free(arg);
}

static void on_gone(struct bufferevent *stream, short what, void *arg)
{
    client_free(arg);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    client_free(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *arg)
{
    static const struct timeval wait = { .tv_sec = DEADLINE_S };
    struct client *client = calloc(1, sizeof(*client));

    if (!client) {
        close(fd);
        return;
    }
    LIST_INSERT_HEAD(&self.clients, client, link);
    if (++self.client_count == CLIENTS_MAX)
        evconnlistener_disable(listener);
    client->stream = bufferevent_socket_new(self.base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!client->stream)
        close(fd);
    client->deadline = evtimer_new(self.base, on_deadline, client);
    if (!client->stream || !client->deadline || evtimer_add(client->deadline, &wait) < 0) {
        client_free(client);
        return;
    }
    bufferevent_setcb(client->stream, on_readable, on_written, on_gone, client);
    bufferevent_setwatermark(client->stream, EV_READ, 0, CTL_REQUEST_MAX);
    bufferevent_disable(client->stream, EV_WRITE);
    bufferevent_enable(client->stream, EV_READ);
}

/* No descriptor or no memory: it stays readable, and trying at once would only spin. */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
    static const struct timeval wait = { .tv_sec = RETRY_S };

    evconnlistener_disable(listener);
    evtimer_add(self.retry, &wait);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    if (self.client_count < CLIENTS_MAX)
        evconnlistener_enable(self.listener);
}

/* What a daemon that was killed left there. The run directory is locked, so it is nobody's now. */
static void remove_stale(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
}

/* A listening descriptor, or negative errno. The mode is the descriptor's: the file never has another one. */
static int make_socket(void)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    if (fd < 0)
        return -errno;
    remove_stale(self.address.sun_path);
    if (fchmod(fd, 0600) == 0 && bind(fd, (struct sockaddr *)&self.address, sizeof(self.address)) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

void ctl_start(struct event_base *base, const char *run_dir)
{
    int fd, error = -ENOMEM;

    self.base = base;
    LIST_INIT(&self.clients);
    self.address.sun_family = AF_UNIX;
    snprintf(self.address.sun_path, sizeof(self.address.sun_path), "%s/control", run_dir);
    self.retry = evtimer_new(base, on_retry, NULL);
    if (!self.retry)
        goto fail;
    error = fd = make_socket();
    if (fd < 0)
        goto fail;
    self.listener =
        evconnlistener_new(base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
    if (self.listener) {
        evconnlistener_set_error_cb(self.listener, on_accept_failed);
        return;
    }
    error = errno ? -errno : -ENOMEM;
    close(fd);
    unlink(self.address.sun_path);
fail:
    log_error(NULL, "no control socket %s: %s (devices are served without it)", self.address.sun_path,
              strerror(-error));
    ctl_stop();
}

void ctl_stop(void)
{
    struct client *client;

    if (self.listener) {
        evconnlistener_free(self.listener);
        unlink(self.address.sun_path);
    }
    self.listener = NULL;
    while ((client = LIST_FIRST(&self.clients)))
        client_free(client);
    if (self.retry)
        event_free(self.retry);
    self.retry = NULL;
}
