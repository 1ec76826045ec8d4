// SPDX-License-Identifier: MIT
/*
 * mover.c: an operator in a hurry: moves queues from worker to worker over the control socket, as fast as the daemon
 * does it, and suspends and resumes every tenth time.
 *
 *     mover SOCKET COUNT WORKERS DEVICE...
 *
 * Every order must be carried out. Prints how many.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address = { .sun_family = AF_UNIX };

/* Exits unless the daemon answers with a result. */
static void order(const char *request)
{
    char answer[8192];
    size_t length = 0;
    ssize_t got;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        perror("mover");
        exit(1);
    }
    while ((got = read(fd, answer + length, sizeof(answer) - 1 - length)) > 0)
        length += got;
    close(fd);
    answer[length] = '\0';
    if (strncmp(answer, "{\"result\"", 9) != 0) {
        fprintf(stderr, "mover: %s: %s\n", request, length ? answer : "no answer");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    char request[256];
    int count, workers, devices = argc - 4;

    if (devices < 1) {
        fprintf(stderr, "usage: mover SOCKET COUNT WORKERS DEVICE...\n");
        return 2;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
    count = atoi(argv[2]);
    workers = atoi(argv[3]);
    for (int i = 0; i < count; i++) {
        const char *device = argv[4 + i % devices];

        snprintf(request, sizeof(request),
                 "{\"command\":\"move\",\"device\":\"%s\",\"queue\":0,\"worker\":%d}\n", device,
                 (i / devices + 1) % workers);
        order(request);
        if (i % 10 != 0)
            continue;
        snprintf(request, sizeof(request), "{\"command\":\"suspend\",\"device\":\"%s\"}\n", device);
        order(request);
        snprintf(request, sizeof(request), "{\"command\":\"resume\",\"device\":\"%s\"}\n", device);
        order(request);
    }
    printf("%d moves\n", count);
    return 0;
}
