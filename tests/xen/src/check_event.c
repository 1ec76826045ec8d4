// SPDX-License-Identifier: MIT
/*
 * check_event.c: what event channels do, as a process sees them through its handle.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xen/src/xencheck.h"

#define SOON 20000 /* milliseconds in which an event that was sent must be there, on a busy machine as well */
#define NEVER 100 /* milliseconds without one that count as none */
#define NO_PORT 999

/* A channel to the peer, with the event of the binding consumed. */
static int event_connect(struct check_env *env, xenevtchn_handle *evtchn, int *remote)
{
    int port;

    *remote = atoi(peer_ask(env, "bind"));
    port = xenevtchn_bind_interdomain(evtchn, env->domid, *remote);
    if (port <= 0) {
        check_fail(env, __FILE__, __LINE__, "bind_interdomain to port %d: %s", *remote, errno_name(errno));
        return 0;
    }
    if (event_wait(evtchn, SOON) == (evtchn_port_t)port)
        xenevtchn_unmask(evtchn, port);
    return port;
}

static void event_goes_both_ways(struct check_env *env)
{
    int remote, port = event_connect(env, env->evtchn, &remote);

    EXPECT(env, !strcmp(peer_ask(env, "wait %d", NEVER), "0"), "the peer saw an event without one");
    for (int i = 0; i < 20; i++) {
        EXPECT(env, !xenevtchn_notify(env->evtchn, port), "notify: %s", errno_name(errno));
        EXPECT(env, atoi(peer_ask(env, "wait %d", SOON)) == remote, "event %d did not arrive", i);
        peer_ask(env, "unmask %d", remote);
        peer_ask(env, "notify %d", remote);
        EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port, "answer %d did not arrive", i);
        EXPECT(env, !xenevtchn_unmask(env->evtchn, port), "unmask: %s", errno_name(errno));
    }
}

static void binding_sets_pending(struct check_env *env)
{
    int remote = atoi(peer_ask(env, "bind")),
        port = xenevtchn_bind_interdomain(env->evtchn, env->domid, remote);

    EXPECT(env, port > 0, "bind_interdomain: %s", errno_name(errno));
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port,
           "the one who binds gets no first event");
    EXPECT(env, !strcmp(peer_ask(env, "wait %d", NEVER), "0"), "the other end gets one");
}

static void unbound_port_sends_nothing(struct check_env *env)
{
    int remote = atoi(peer_ask(env, "bind")), port;

    /* Dropped without an error; the first event of the one who binds makes up for it. */
    EXPECT(env, !strcmp(peer_try(env, "notify %d", remote), "ok 0"), "notify on an unbound port fails");
    port = xenevtchn_bind_interdomain(env->evtchn, env->domid, remote);
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port, "no first event");
}

static void port_stays_masked_until_unmasked(struct check_env *env)
{
    int remote, port = event_connect(env, env->evtchn, &remote);

    peer_ask(env, "notify %d", remote);
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port, "no event");
    peer_ask(env, "notify %d", remote);
    peer_ask(env, "notify %d", remote);
    EXPECT(env, !event_wait(env->evtchn, NEVER), "an event came through the mask");
    xenevtchn_unmask(env->evtchn, port);
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port, "what came meanwhile is lost");
    xenevtchn_unmask(env->evtchn, port);
    EXPECT(env, !event_wait(env->evtchn, NEVER), "two notifications under the mask are two events");
}

static void unmask_of_an_unmasked_port(struct check_env *env)
{
    int remote, port = event_connect(env, env->evtchn, &remote);

    EXPECT(env, !xenevtchn_unmask(env->evtchn, port), "unmask: %s", errno_name(errno));
    EXPECT(env, !event_wait(env->evtchn, NEVER), "unmask made an event");
    EXPECT(env, !xenevtchn_unmask(env->evtchn, NO_PORT), "unmask of a port that is not bound: %s",
           errno_name(errno));
    peer_ask(env, "notify %d", remote);
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port, "no event after all that");
}

static void pending_does_not_block_when_told(struct check_env *env)
{
    int fd = xenevtchn_fd(env->evtchn);

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    EXPECT_ERRNO(env, xenevtchn_pending(env->evtchn), EAGAIN);
}

static void many_ports_in_one_read(struct check_env *env)
{
    int remote[8], port[8], fd = xenevtchn_fd(env->evtchn);
    evtchn_port_t got[16];
    unsigned int seen = 0;
    ssize_t length;

    if (is_xenbox(env))
        return; /* its descriptor is for poll() only */
    for (int i = 0; i < 8; i++)
        port[i] = event_connect(env, env->evtchn, &remote[i]);
    for (int i = 0; i < 8; i++)
        peer_ask(env, "notify %d", remote[i]);
    length = read(fd, got, sizeof(got));
    EXPECT(env, length == 8 * (ssize_t)sizeof(got[0]), "read: %zd bytes, expected 32", length);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            seen |= (unsigned int)(got[i] == (evtchn_port_t)port[j]) << j;
    EXPECT(env, seen == 0xff, "not each port once: %x", seen);
    EXPECT_ERRNO(env, read(fd, got, 2), 0); /* less than one port: nothing */
    EXPECT(env, write(fd, port, sizeof(port)) == sizeof(port), "unmask of eight in a write: %s",
           errno_name(errno));
    for (int i = 0; i < 8; i++)
        peer_ask(env, "notify %d", remote[i]);
    EXPECT(env, read(fd, got, 3 * sizeof(got[0])) == 3 * sizeof(got[0]), "a short read");
    EXPECT(env, read(fd, got, sizeof(got)) == 5 * sizeof(got[0]), "the rest");
}

static void bind_refuses_nonsense(struct check_env *env)
{
    int remote, port = event_connect(env, env->evtchn, &remote);

    EXPECT(env, port > 0, "no channel");
    EXPECT_ERRNO(env, xenevtchn_bind_interdomain(env->evtchn, env->domid, remote), EINVAL); /* is taken */
    EXPECT_ERRNO(env, xenevtchn_bind_interdomain(env->evtchn, env->domid, NO_PORT), EINVAL);
    EXPECT_ERRNO(env, xenevtchn_bind_interdomain(env->evtchn, 999, remote), ESRCH);
    EXPECT(env, xenevtchn_bind_unbound_port(env->evtchn, 999) > 0, "a port for a domain to come: %s",
           errno_name(errno));
    EXPECT_ERRNO(env, xenevtchn_bind_virq(env->evtchn, 9999), EINVAL);
}

static void handle_owns_its_ports(struct check_env *env)
{
    xenevtchn_handle *other = xenevtchn_open(&quiet, 0);
    int remote, port = event_connect(env, env->evtchn, &remote);

    EXPECT_ERRNO(env, xenevtchn_notify(other, port), ENOTCONN);
    EXPECT_ERRNO(env, xenevtchn_unbind(other, port), ENOTCONN);
    EXPECT_ERRNO(env, xenevtchn_notify(env->evtchn, NO_PORT), ENOTCONN);
    EXPECT_ERRNO(env, xenevtchn_unbind(env->evtchn, NO_PORT), ENOTCONN);
    peer_ask(env, "notify %d", remote);
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port, "no event");
    EXPECT(env, !xenevtchn_unmask(other, port), "unmask on a foreign handle: %s", errno_name(errno));
    peer_ask(env, "notify %d", remote);
    EXPECT(env, !event_wait(env->evtchn, NEVER), "a foreign handle unmasked the port");
    xenevtchn_close(other);
}

static void unbind_frees_both_ends(struct check_env *env)
{
    int remote, port = event_connect(env, env->evtchn, &remote), again;

    EXPECT(env, !xenevtchn_unbind(env->evtchn, port), "unbind: %s", errno_name(errno));
    EXPECT(env, !strcmp(peer_ask(env, "wait %d", NEVER), "0"), "the peer was told by an event");
    EXPECT(env, !strcmp(peer_try(env, "notify %d", remote), "ok 0"), "the peer's notify fails");
    EXPECT_ERRNO(env, xenevtchn_notify(env->evtchn, port), ENOTCONN);
    again = xenevtchn_bind_interdomain(env->evtchn, env->domid, remote);
    EXPECT(env, again > 0, "the peer's port cannot be bound again: %s", errno_name(errno));
    EXPECT(env, !xenevtchn_notify(env->evtchn, again), "notify: %s", errno_name(errno));
    EXPECT(env, atoi(peer_ask(env, "wait %d", SOON)) == remote,
           "no event over the channel that was bound again");
}

static void unbind_leaves_what_was_queued(struct check_env *env)
{
    int remote, port = event_connect(env, env->evtchn, &remote);
    struct pollfd pfd = { .fd = xenevtchn_fd(env->evtchn), .events = POLLIN };

    peer_ask(env, "notify %d", remote);
    EXPECT(env, poll(&pfd, 1, SOON) == 1, "no event");
    EXPECT(env, !xenevtchn_unbind(env->evtchn, port), "unbind: %s", errno_name(errno));
    /* A reader has to expect ports that it has unbound. */
    EXPECT(env, event_wait(env->evtchn, NEVER) == (evtchn_port_t)port, "the event went with the port");
}

static void peer_close_leaves_our_port(struct check_env *env)
{
    int remote, port = event_connect(env, env->evtchn, &remote);

    peer_ask(env, "unbind %d", remote);
    EXPECT(env, !event_wait(env->evtchn, NEVER), "an event tells that the peer has closed");
    EXPECT(env, !xenevtchn_notify(env->evtchn, port), "notify after the peer closed: %s", errno_name(errno));
    EXPECT(env, !xenevtchn_unbind(env->evtchn, port), "unbind: %s", errno_name(errno));
}

static void fdopen_in_another_process(struct check_env *env)
{
    int remote, port = event_connect(env, env->evtchn, &remote), status = -1;
    pid_t child;

    child = fork();
    if (!child) {
        xenevtchn_handle *inherited = xenevtchn_fdopen(&quiet, xenevtchn_fd(env->evtchn), 0);

        _exit(!inherited || xenevtchn_notify(inherited, port) ||
              event_wait(inherited, SOON) != (evtchn_port_t)port || xenevtchn_unmask(inherited, port));
    }
    EXPECT(env, atoi(peer_ask(env, "wait %d", SOON)) == remote, "no event from the other process");
    peer_ask(env, "unmask %d", remote);
    peer_ask(env, "notify %d", remote);
    waitpid(child, &status, 0);
    EXPECT(env, WIFEXITED(status) && !WEXITSTATUS(status), "the other process failed (status %x)", status);
    /* It consumed and unmasked the event; the port lives on with the descriptor that is left. */
    EXPECT(env, !event_wait(env->evtchn, NEVER), "the event came twice");
    peer_ask(env, "notify %d", remote);
    EXPECT(env, event_wait(env->evtchn, SOON) == (evtchn_port_t)port,
           "no event after the other process is gone");
}

/* Hands a descriptor over a socket, as a process does that is to be succeeded. */
static bool descriptor_send(int socket, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {
        .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS }
    };
    struct iovec byte = { "", 1 };
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };

    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    return sendmsg(socket, &message, 0) == 1;
}

static int descriptor_receive(int socket)
{
    char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t)))), byte;
    struct iovec vector = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)
    };
    int fd = -1;

    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

/* A process that binds to the peer's port, hands its descriptor over, takes one event, and is killed with the port
 * masked. */
static void predecessor_runs(struct check_env *env, int remote, int socket)
{
    xenevtchn_handle *evtchn = xenevtchn_open(&quiet, 0);
    int port = xenevtchn_bind_interdomain(evtchn, env->domid, remote);

    if (event_wait(evtchn, SOON) != (evtchn_port_t)port || !descriptor_send(socket, xenevtchn_fd(evtchn)) ||
        write(socket, &port, sizeof(port)) != sizeof(port))
        _exit(1);
    for (;;)
        pause();
}

static void descriptor_outlives_a_killed_consumer(struct check_env *env)
{
    int remote = atoi(peer_ask(env, "bind")), ends[2], fd, port;
    xenevtchn_handle *evtchn;
    pid_t child;

    EXPECT(env, !socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair: %s", errno_name(errno));
    child = fork();
    if (!child)
        predecessor_runs(env, remote, ends[1]);
    close(ends[1]);
    fd = descriptor_receive(ends[0]);
    EXPECT(env, fd >= 0 && read(ends[0], &port, sizeof(port)) == sizeof(port), "nothing was handed over");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);

    peer_ask(env, "notify %d", remote); /* while nobody is there */
    evtchn = xenevtchn_fdopen(&quiet, fd, 0);
    EXPECT(env, evtchn, "fdopen: %s", errno_name(errno));
    EXPECT(env, !event_wait(evtchn, NEVER), "an event came through the mask that the killed process left");
    EXPECT(env, !xenevtchn_unmask(evtchn, port), "unmask: %s", errno_name(errno));
    EXPECT(env, event_wait(evtchn, SOON) == (evtchn_port_t)port, "the event is lost");
    EXPECT(env, !xenevtchn_notify(evtchn, port), "notify: %s", errno_name(errno));
    EXPECT(env, atoi(peer_ask(env, "wait %d", SOON)) == remote, "the peer does not hear from the successor");
    xenevtchn_close(evtchn);
}

static void fdopen_refuses_nonsense(struct check_env *env)
{
    int fd = dup(xenevtchn_fd(env->evtchn));

    EXPECT_ERRNO(env, xenevtchn_fdopen(&quiet, fd, XENEVTCHN_NO_CLOEXEC), EINVAL);
    close(fd);
}

static void descriptor_is_close_on_exec(struct check_env *env)
{
    xenevtchn_handle *open = xenevtchn_open(&quiet, XENEVTCHN_NO_CLOEXEC);

    EXPECT(env, fcntl(xenevtchn_fd(env->evtchn), F_GETFD) & FD_CLOEXEC,
           "the event channel's descriptor is not");
    EXPECT(env, fcntl(xengnttab_fd(env->gnttab), F_GETFD) & FD_CLOEXEC,
           "the grant table's descriptor is not");
    EXPECT(env, open && !(fcntl(xenevtchn_fd(open), F_GETFD) & FD_CLOEXEC), "NO_CLOEXEC is ignored");
    xenevtchn_close(open);
}

static void restrict_binds_to_one_domain(struct check_env *env)
{
    int remote = atoi(peer_ask(env, "bind"));

    if (!env->domid) { /* means no restriction to the kernel, which refuses it */
        EXPECT_ERRNO(env, xenevtchn_restrict(env->evtchn, 0), EINVAL);
        return;
    }
    EXPECT(env, !xenevtchn_restrict(env->evtchn, env->domid), "restrict: %s", errno_name(errno));
    EXPECT(env, xenevtchn_bind_interdomain(env->evtchn, env->domid, remote) > 0, "bind to that domain: %s",
           errno_name(errno));
    EXPECT_ERRNO(env, xenevtchn_bind_unbound_port(env->evtchn, env->domid + 1), EACCES);
    EXPECT_ERRNO(env, xenevtchn_bind_virq(env->evtchn, 0), EACCES);
    EXPECT_ERRNO(env, xenevtchn_restrict(env->evtchn, env->domid + 1), EACCES);
}

static void ports_are_small_numbers(struct check_env *env)
{
    int first = xenevtchn_bind_unbound_port(env->evtchn, env->domid), second;

    EXPECT(env, first > 0 && first < 4096, "port %d", first);
    EXPECT(env, !xenevtchn_unbind(env->evtchn, first), "unbind: %s", errno_name(errno));
    second = xenevtchn_bind_unbound_port(env->evtchn, env->domid);
    EXPECT(env, second == first, "port %d after an unbind of %d: a free number is given out again", second,
           first);
}

const struct check check_event_list[] = {
    { "event-goes-both-ways", event_goes_both_ways },
    { "binding-sets-pending", binding_sets_pending },
    { "unbound-port-sends-nothing", unbound_port_sends_nothing },
    { "port-stays-masked-until-unmasked", port_stays_masked_until_unmasked },
    { "unmask-of-an-unmasked-port", unmask_of_an_unmasked_port },
    { "pending-does-not-block-when-told", pending_does_not_block_when_told },
    { "many-ports-in-one-read", many_ports_in_one_read },
    { "bind-refuses-nonsense", bind_refuses_nonsense },
    { "handle-owns-its-ports", handle_owns_its_ports },
    { "unbind-frees-both-ends", unbind_frees_both_ends },
    { "unbind-leaves-what-was-queued", unbind_leaves_what_was_queued },
    { "peer-close-leaves-our-port", peer_close_leaves_our_port },
    { "fdopen-in-another-process", fdopen_in_another_process },
    { "descriptor-outlives-a-killed-consumer", descriptor_outlives_a_killed_consumer },
    { "fdopen-refuses-nonsense", fdopen_refuses_nonsense },
    { "descriptor-is-close-on-exec", descriptor_is_close_on_exec },
    { "restrict-binds-to-one-domain", restrict_binds_to_one_domain },
    { "ports-are-small-numbers", ports_are_small_numbers },
    { NULL, NULL },
};
