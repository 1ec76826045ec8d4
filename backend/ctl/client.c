// SPDX-License-Identifier: MIT
/*
 * client.c: see client.h.
 */
#include <config.h>

#include "backend/ctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A connected socket, or -1 and the reason. */
static int dial(const char *run_dir, char *reason, size_t reason_size)
{
    const struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_S };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *hint;
    int fd;

    if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", run_dir) >=
        sizeof(address.sun_path)) {
        snprintf(reason, reason_size, "run-dir: expected a path of at most %zu bytes, found %zu",
                 sizeof(address.sun_path) - sizeof("/control"), strlen(run_dir));
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
            return fd;
    }
    hint = errno == EACCES || errno == EPERM ? "the daemon's user or root may ask it"
                                             : "does xensplitd run, and with this --run-dir?";
    snprintf(reason, reason_size, "no daemon answers at %s: %s (%s)", address.sun_path, strerror(errno),
             hint);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int send_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        const ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        text += sent;
        length -= sent;
    }
    return 0;
}

/* A number that was said. */
static void add_number(json_t *request, const char *key, int number)
{
    if (request && number >= 0)
        json_object_set_new(request, key, json_integer(number));
}

static int send_request(int fd, const struct client_question *question)
{
    json_t *request = json_pack("{s:s, s:s*}", "command", question->command, "device", question->device);
    char *line;
    int error = -EINVAL;

    add_number(request, "queue", question->queue);
    add_number(request, "worker", question->worker);
    if (question->file)
        json_object_set_new(request, "file", json_string(question->file));
    line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    if (line) {
        error = send_all(fd, line, strlen(line));
        if (error == 0)
            error = send_all(fd, "\n", 1);
    }
    free(line);
    json_decref(request);
    return error;
}

enum client_verdict client_ask(const char *run_dir, const struct client_question *question, json_t **result,
                               char *reason, size_t reason_size)
{
    const int fd = dial(run_dir, reason, reason_size);
    enum client_verdict verdict = CLIENT_FAILED;
    json_error_t parse_error;
    json_t *reply;
    int error;

    if (fd < 0)
        return CLIENT_NO_DAEMON;
    error = send_request(fd, question);
    /* A daemon that refuses may have closed before it read everything: its answer is there all the same. */
    reply = error == -EINVAL ? NULL : json_loadfd(fd, JSON_DISABLE_EOF_CHECK, &parse_error);
    close(fd);
    if (error == -EINVAL) {
        snprintf(reason, reason_size, "device: expected text in UTF-8");
        return CLIENT_REFUSED;
    }
    *result = json_object_get(reply, "result");
    if (*result) {
        json_incref(*result);
        verdict = CLIENT_ANSWERED;
    } else if (json_is_string(json_object_get(reply, "error"))) {
        snprintf(reason, reason_size, "%s", json_string_value(json_object_get(reply, "error")));
        verdict = CLIENT_REFUSED;
    } else {
        snprintf(reason, reason_size, "expected an answer of xensplitd within %d seconds, found none",
                 CLIENT_TIMEOUT_S);
    }
    json_decref(reply);
    return verdict;
}
