// SPDX-License-Identifier: MIT
/*
 * vchan_speed.c: a program on the public interface of libxenvchan, at full speed. One end sends MIB mebibytes of which
 * every word is a function of its place, the other checks each and says how fast they came.
 *
 * usage: vchan_speed server|client PEER-DOMID PATH MIB     (the server sends)
 */
#include <config.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libxenvchan.h>

#define RING_BYTES 65536u
#define PIECE 32768u /* in one call */
#define WORD(place) ((uint64_t)(place)*0x9e3779b97f4a7c15ULL + 0x7f4a7c15u)

static uint64_t piece[PIECE / sizeof(uint64_t)];

static int die(const char *what)
{
    perror(what);
    return EXIT_FAILURE;
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + now.tv_nsec / 1e9;
}

static int send_all(struct libxenvchan *channel, uint64_t words)
{
    for (uint64_t place = 0; place < words; place += PIECE / sizeof(uint64_t)) {
        for (size_t i = 0; i < PIECE / sizeof(uint64_t); i++)
            piece[i] = WORD(place + i);
        if (libxenvchan_send(channel, piece, PIECE) != (int)PIECE)
            return die("libxenvchan_send");
    }
    /* Until the other end has read all of it and has gone. */
    while (libxenvchan_is_open(channel) == 1)
        libxenvchan_wait(channel);
    return EXIT_SUCCESS;
}

static int receive_all(struct libxenvchan *channel, uint64_t words)
{
    double start = now_s(), took;

    for (uint64_t place = 0; place < words; place += PIECE / sizeof(uint64_t)) {
        for (size_t got = 0; got < PIECE;) {
            int size = libxenvchan_read(channel, (char *)piece + got, PIECE - got);

            if (size <= 0)
                return die("libxenvchan_read");
            got += (size_t)size;
        }
        for (size_t i = 0; i < PIECE / sizeof(uint64_t); i++) {
            if (piece[i] != WORD(place + i)) {
                fprintf(stderr, "word %llu is wrong\n", (unsigned long long)(place + i));
                return EXIT_FAILURE;
            }
        }
    }
    took = now_s() - start;
    printf("%llu MiB checked, %.0f MB/s\n", (unsigned long long)(words * sizeof(uint64_t) >> 20),
           (double)words * sizeof(uint64_t) / 1e6 / took);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct libxenvchan *channel;
    uint64_t words;
    int peer, status;

    if (argc != 5) {
        fprintf(stderr, "usage: vchan_speed server|client PEER-DOMID PATH MIB\n");
        return 2;
    }
    peer = atoi(argv[2]);
    words = strtoull(argv[4], NULL, 10) * (1024 * 1024 / sizeof(uint64_t));
    if (strcmp(argv[1], "server") == 0) {
        channel = libxenvchan_server_init(NULL, peer, argv[3], RING_BYTES, RING_BYTES);
        if (!channel)
            return die("libxenvchan_server_init");
        channel->blocking = 1;
        status = send_all(channel, words);
    } else {
        channel = libxenvchan_client_init(NULL, peer, argv[3]);
        if (!channel)
            return die("libxenvchan_client_init");
        channel->blocking = 1;
        status = receive_all(channel, words);
    }
    libxenvchan_close(channel);
    return status;
}
