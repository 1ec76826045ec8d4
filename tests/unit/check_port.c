// SPDX-License-Identifier: MIT
/*
 * check_port.c: the checkpoint and the ports that need no privilege: a stream of frames cut at every byte, a wire that
 * does not take any more, the frames of the generator.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "backend/port/port.h"
#include "common/netif_header.h"
#include "tests/unit/frames.h"

static const struct port_wish wish = { .label = "vif 3/0", .name = "vif3.0" };
static const struct netif_offer all = { true, true, true, true, true };

/* While there are some left a read finds zeroes: a far end that sends lengths of 0 faster than anybody reads. */
#define ZEROES 1000u
static unsigned int zeroes_left;

ssize_t __real_recv(int fd, void *to, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t size, int flags)
{
    if (zeroes_left == 0)
        return __real_recv(fd, to, size, flags);
    zeroes_left--;
    memset(to, 0, size);
    return (ssize_t)size;
}

struct wire {
    struct event_base *base;
    struct port *port;
    char directory[64];
    char path[96];
    int listener, fd;
    unsigned int frames_said, room_said, link_said;
    bool has_link, is_inside; /* a call on the port */
    char why[160];
    uint8_t room[PORT_HEADROOM_BYTES + PORT_ROOM_BYTES];
    struct netif_packet packet;
};

static void on_frames(void *owner)
{
    ((struct wire *)owner)->frames_said++;
}

/* Catalogue D09: what would make its receiver call the port never comes from within a call. */
static void on_room(void *owner)
{
    struct wire *wire = owner;

    assert_false(wire->is_inside);
    wire->room_said++;
}

static void on_link(void *owner, bool has_link, const char *why)
{
    struct wire *wire = owner;

    wire->link_said++;
    wire->has_link = has_link;
    snprintf(wire->why, sizeof(wire->why), "%s", why);
}

static void attach(struct wire *wire)
{
    const struct port_events events = {
        .owner = wire, .on_frames = on_frames, .on_room = on_room, .on_link = on_link
    };
    char reason[256];

    assert_int_equal(port_attach(wire->port, wire->base, &all, &events, reason, sizeof(reason)), 0);
}

static int set_up(void **state)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char spec[128], reason[256];

    assert_non_null(wire);
    strcpy(wire->directory, "/tmp/xs-check_port.XXXXXX");
    assert_non_null(mkdtemp(wire->directory));
    snprintf(wire->path, sizeof(wire->path), "%s/wire", wire->directory);
    strcpy(address.sun_path, wire->path);
    wire->base = event_base_new();
    wire->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(wire->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(wire->listener, 1), 0);
    snprintf(spec, sizeof(spec), "socket:%s", wire->path);
    assert_int_equal(port_open(&wire->port, spec, &wish, reason, sizeof(reason)), 0);
    wire->fd = accept(wire->listener, NULL, NULL);
    assert_true(wire->fd >= 0);
    attach(wire);
    *state = wire;
    return 0;
}

static int tear_down(void **state)
{
    struct wire *wire = *state;

    port_detach(wire->port);
    port_close(wire->port, false);
    if (wire->fd >= 0)
        close(wire->fd);
    close(wire->listener);
    unlink(wire->path);
    rmdir(wire->directory);
    event_base_free(wire->base);
    free(wire);
    return 0;
}

static bool receive(struct wire *wire)
{
    uint8_t *bytes = wire->room + PORT_HEADROOM_BYTES;

    return port_receive(wire->port, &wire->packet, &bytes) == PORT_GOT_FRAME;
}

static void put(struct wire *wire, const void *bytes, size_t length)
{
    assert_int_equal(send(wire->fd, bytes, length, 0), (ssize_t)length);
}

/* Three frames behind one another, of which the second is of a length that there is not. */
static size_t make_stream(uint8_t *stream, uint32_t odd)
{
    const uint32_t lengths[] = { 60, odd, 61 };
    size_t at = 0;

    for (unsigned int i = 0; i < 3; i++) {
        const uint32_t length = htonl(lengths[i]);

        memcpy(stream + at, &length, 4);
        memset(stream + at + 4, 'a' + (int)i, lengths[i]);
        at += 4 + lengths[i];
    }
    return at;
}

static void test_frames_cut_at_every_byte(void **state)
{
    struct wire *wire = *state;
    uint8_t stream[256];
    const size_t length = make_stream(stream, 13);

    for (size_t cut = 0; cut <= length; cut++) {
        unsigned int count = 0;

        put(wire, stream, cut);
        for (; receive(wire); count++)
            assert_int_equal(wire->room[PORT_HEADROOM_BYTES], count ? 'c' : 'a');
        assert_int_equal(count, cut == length ? 2 : cut >= 64);
        put(wire, stream + cut, length - cut);
        for (; receive(wire); count++) {
            assert_int_equal(wire->packet.length_bytes, count ? 61 : 60);
            assert_int_equal(wire->room[PORT_HEADROOM_BYTES], count ? 'c' : 'a');
            assert_int_equal(wire->room[PORT_HEADROOM_BYTES + 59], count ? 'c' : 'a');
        }
        assert_int_equal(count, 2);
    }
    assert_int_equal(port_counters(wire->port)->refused, length + 1);
    assert_int_equal(port_error(wire->port), 0);
}

static void test_frame_too_long_is_passed_over(void **state)
{
    struct wire *wire = *state;
    static uint8_t stream[200000];
    const size_t length = make_stream(stream, 100000);

    for (size_t at = 0; at < length; at += 1000) {
        put(wire, stream + at, at + 1000 < length ? 1000 : length - at);
        if (receive(wire))
            assert_int_equal(wire->room[PORT_HEADROOM_BYTES], at < 1000 ? 'a' : 'c');
    }
    assert_int_equal(wire->packet.length_bytes, 61);
    assert_int_equal(port_counters(wire->port)->refused, 1);
}

static bool receive_nothing(struct wire *wire)
{
    bool came;

    wire->is_inside = true;
    came = receive(wire);
    wire->is_inside = false;
    return !came;
}

/* Waits for the port to come again. */
static void come_back(struct wire *wire)
{
    while (!port_has_link(wire->port))
        event_base_loop(wire->base, EVLOOP_ONCE);
    assert_true(wire->has_link);
    wire->fd = accept(wire->listener, NULL, NULL);
    assert_true(wire->fd >= 0);
}

static void expect_frames(struct wire *wire)
{
    static const uint8_t stream[4 + 60] = { 0, 0, 0, 60, 'x' };

    put(wire, stream, sizeof(stream));
    assert_true(receive(wire));
    assert_int_equal(wire->packet.length_bytes, 60);
    assert_int_equal(wire->room[PORT_HEADROOM_BYTES], 'x');
}

static void test_far_end_that_goes_is_looked_for(void **state)
{
    struct wire *wire = *state;
    struct netif_packet packet = { .length_bytes = 60 };
    static const uint8_t half[] = { 0, 0, 0, 60, 'h', 'a', 'l', 'f' };

    put(wire, half, sizeof(half)); /* is not the beginning of what comes later */
    close(wire->fd);
    assert_true(receive_nothing(wire));
    assert_int_equal(port_error(wire->port), 0);
    assert_false(port_has_link(wire->port));
    assert_int_equal(wire->link_said, 1);
    assert_non_null(strstr(wire->why, "closed the connection"));

    /* What is sent meanwhile is lost. */
    assert_true(port_room(wire->port) >= PORT_ROOM_BYTES + PORT_HEADROOM_BYTES);
    for (unsigned int i = 0; i < 10000; i++)
        assert_int_equal(port_send(wire->port, &packet, wire->room + PORT_HEADROOM_BYTES), NETIF_VERDICT_OK);
    port_flush(wire->port);
    assert_int_equal(port_counters(wire->port)->refused, 10000);
    assert_true(receive_nothing(wire));

    come_back(wire);
    assert_int_equal(wire->link_said, 2);
    expect_frames(wire);
}

/* It is noticed in a flush, which does not send that half of a frame first when there is somebody again. */
static void test_far_end_that_goes_while_it_does_not_read(void **state)
{
    struct wire *wire = *state;
    struct netif_packet packet = { .length_bytes = 60000 };
    uint8_t length[4];

    while (port_room(wire->port) >= PORT_ROOM_BYTES + PORT_HEADROOM_BYTES) {
        port_send(wire->port, &packet, wire->room + PORT_HEADROOM_BYTES);
        port_flush(wire->port);
    }
    close(wire->fd);
    wire->is_inside = true;
    port_flush(wire->port);
    wire->is_inside = false;
    assert_false(port_has_link(wire->port));
    come_back(wire);
    packet.length_bytes = 61;
    port_send(wire->port, &packet, wire->room + PORT_HEADROOM_BYTES);
    port_flush(wire->port);
    assert_int_equal(recv(wire->fd, length, 4, MSG_WAITALL), 4);
    assert_int_equal(length[3], 61);
    expect_frames(wire);
}

/* Nothing that is sent or received opens it; another queue goes on looking. */
static void test_looking_goes_on_with_the_next_queue(void **state)
{
    struct wire *wire = *state;

    close(wire->fd);
    assert_true(receive_nothing(wire));
    port_detach(wire->port);
    attach(wire);
    assert_false(port_has_link(wire->port));
    come_back(wire);
    port_watch(wire->port, true);
    expect_frames(wire);
}

static void test_stream_that_makes_no_sense_is_given_up(void **state)
{
    static const uint8_t streams[][4] = { { 'G', 'E', 'T', ' ' }, { 0, 2, 0, 1 }, { 255, 255, 255, 255 } };
    struct wire *wire = *state;
    uint8_t byte;

    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        put(wire, streams[i], 4);
        assert_true(receive_nothing(wire));
        assert_false(port_has_link(wire->port));
        assert_non_null(strstr(wire->why, "expected frames of 14 to 65535 bytes, each behind its length"));
        assert_int_equal(recv(wire->fd, &byte, 1, 0), 0);
        close(wire->fd);
        come_back(wire);
        expect_frames(wire);
    }
}

/* A call never reads without end, whatever comes: the other queues of the worker get their turn. */
static void test_frames_of_no_length_end_a_turn(void **state)
{
    struct wire *wire = *state;

    zeroes_left = ZEROES;
    assert_true(receive_nothing(wire));
    assert_true(port_has_link(wire->port));
    assert_in_range(ZEROES - zeroes_left, 1, ZEROES / 10);
    zeroes_left = 0;
    expect_frames(wire); /* what was read so far was whole */
}

static void test_successor_may_find_nobody(void **state)
{
    const struct port_wish adopting = { .label = "vif 3/0", .name = "vif3.0", .is_adopting = true };
    struct port *port;
    char reason[256];

    assert_int_equal(port_open(&port, "socket:/nowhere/at/all", &adopting, reason, sizeof(reason)), 0);
    assert_false(port_has_link(port));
    port_close(port, false);
}

static void test_blank_checksum_is_completed_and_segments_refused(void **state)
{
    static const struct frame_recipe recipe = { .version = 6, .protocol = 6, .payload_bytes = 77 };
    struct wire *wire = *state;
    uint8_t made[FRAME_BYTES_MAX], got[FRAME_BYTES_MAX + 4];
    uint8_t *bytes = wire->room + PORT_HEADROOM_BYTES;
    struct netif_packet packet = { .is_csum_blank = true };
    uint32_t transport;

    packet.length_bytes = frame_make(made, &recipe, &transport);
    memcpy(bytes, made, packet.length_bytes);
    memset(bytes + transport + 16, 0, 2);
    assert_int_equal(port_send(wire->port, &packet, bytes), NETIF_VERDICT_OK);
    port_flush(wire->port);
    assert_int_equal(recv(wire->fd, got, sizeof(got), 0), packet.length_bytes + 4);
    assert_int_equal(ntohl(*(uint32_t *)got), packet.length_bytes);
    assert_memory_equal(got + 4, made, packet.length_bytes);

    packet.gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
    assert_int_equal(port_send(wire->port, &packet, bytes), NETIF_VERDICT_GSO_TYPE);
    packet = (struct netif_packet){ .length_bytes = 13 };
    assert_int_equal(port_send(wire->port, &packet, bytes), NETIF_VERDICT_TOO_SHORT);
}

/* Catalogue D14: what the far end does not take is bounded, and the queue is told when there is room again. */
static void test_far_end_that_does_not_read(void **state)
{
    struct wire *wire = *state;
    struct netif_packet packet = { .length_bytes = 60000 };
    static uint8_t sink[65536];
    size_t sent = 0, came = 0;

    while (port_room(wire->port) >= PORT_ROOM_BYTES + PORT_HEADROOM_BYTES) {
        assert_int_equal(port_send(wire->port, &packet, wire->room + PORT_HEADROOM_BYTES), NETIF_VERDICT_OK);
        port_flush(wire->port);
        sent += 60004;
        assert_true(sent < 64u * 1024 * 1024);
    }
    assert_int_equal(wire->room_said, 0);
    /* In spite of that: lost, and nothing else. */
    for (unsigned int i = 0; i < 10; i++)
        port_send(wire->port, &packet, wire->room + PORT_HEADROOM_BYTES);
    assert_true(port_counters(wire->port)->refused > 0);
    sent += 60004 * (10 - port_counters(wire->port)->refused);
    while (came < sent) {
        const ssize_t got = recv(wire->fd, sink, sizeof(sink), MSG_DONTWAIT);

        if (got > 0)
            came += (size_t)got;
        event_base_loop(wire->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(came, sent);
    assert_true(wire->room_said > 0);
}

/* The next queue of the port is told of room, too, although it has sent nothing yet. */
static void test_room_after_another_queue_has_filled_it(void **state)
{
    struct wire *wire = *state;
    struct netif_packet packet = { .length_bytes = 60000 };
    static uint8_t sink[65536];

    while (port_room(wire->port) >= PORT_ROOM_BYTES + PORT_HEADROOM_BYTES) {
        assert_int_equal(port_send(wire->port, &packet, wire->room + PORT_HEADROOM_BYTES), NETIF_VERDICT_OK);
        port_flush(wire->port);
    }
    port_detach(wire->port);
    attach(wire);
    assert_int_equal(wire->room_said, 0);
    while (recv(wire->fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
        event_base_loop(wire->base, EVLOOP_NONBLOCK);
    assert_int_equal(wire->room_said, 1);
}

static void test_generator_makes_good_frames(void **state)
{
    static const char *const specs[] = { "generator", "generator:60", "generator:9014" };
    static const uint32_t lengths[] = { 60, 60, 9014 };

    for (size_t i = 0; i < 3; i++) {
        static uint8_t room[PORT_HEADROOM_BYTES + PORT_ROOM_BYTES];
        uint8_t *bytes = room + PORT_HEADROOM_BYTES, kept[2];
        struct netif_headers headers;
        struct netif_packet packet;
        struct port *port;
        char reason[256];

        assert_int_equal(port_open(&port, specs[i], &wish, reason, sizeof(reason)), 0);
        assert_int_equal(port_receive(port, &packet, &bytes), PORT_GOT_FRAME);
        assert_int_equal(packet.length_bytes, lengths[i]);
        assert_int_equal(netif_header_parse(&headers, bytes, packet.length_bytes), NETIF_VERDICT_OK);
        assert_int_equal(headers.protocol, 17);
        assert_int_equal(netif_csum_fold(netif_csum_add(0, bytes + 14, 20)), 0xffff);
        memcpy(kept, bytes + headers.csum_start + headers.csum_offset, 2);
        netif_header_finish(&headers, bytes);
        assert_memory_equal(bytes + headers.csum_start + headers.csum_offset, kept, 2);
        port_close(port, false);
    }
}

static void test_specs(void **state)
{
    static const char *const bad[] = {
        "",           "tape",         "nullx",          "null:",
        "generator:", "generator:59", "generator:9015", "generator:x",
        "socket",     "socket:",      "socket:x",       "socket:/nowhere/at/all",
        "tap:",       "tap:a b",      "tap:..",         "tap:0123456789abcdef"
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct port *port = NULL;
        char reason[256] = "";

        assert_true(port_open(&port, bad[i], &wish, reason, sizeof(reason)) < 0);
        assert_true(strncmp(reason, "port", 4) == 0);
        assert_null(port);
    }
    port_close(NULL, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_cut_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_frame_too_long_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_far_end_that_goes_is_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_far_end_that_goes_while_it_does_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_looking_goes_on_with_the_next_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_frames_of_no_length_end_a_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stream_that_makes_no_sense_is_given_up, set_up, tear_down),
        cmocka_unit_test(test_successor_may_find_nobody),
        cmocka_unit_test_setup_teardown(test_blank_checksum_is_completed_and_segments_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_far_end_that_does_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_room_after_another_queue_has_filled_it, set_up, tear_down),
        cmocka_unit_test(test_generator_makes_good_frames),
        cmocka_unit_test(test_specs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
