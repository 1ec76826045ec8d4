// SPDX-License-Identifier: MIT
/*
 * ctl_client.c: clients of the control socket that are no model.
 *
 *     ctl_client SOCKET <BYTES        sends as much of it as is taken, then prints the answer
 *     ctl_client -i COUNT SOCKET      holds connections: one in three has said nothing, one has asked and does
 *                                     not read, one has sent half a line; one in four hangs up at once. Prints
 *                                     "held" and stays until it is killed
 */
#include <config.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return fd;
}

static void hold(const char *path, int count)
{
    static const char *const said[] = { "", "{\"command\":\"list\"}\n", "{\"comm" };

    for (int i = 0; i < count; i++) {
        const int fd = dial(path);
        const char *text = said[i % 3];

        if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
            perror("send");
        if (i % 4 == 0)
            close(fd);
    }
    puts("held");
    fflush(stdout);
    pause();
}

static void ask(const char *path)
{
    const int fd = dial(path);
    bool is_open = true;
    char bytes[4096];
    ssize_t got;

    /* All of the input is read, or who writes it would fail with us. */
    while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
        is_open = is_open && send(fd, bytes, got, MSG_NOSIGNAL) >= 0;
    while ((got = read(fd, bytes, sizeof(bytes))) > 0)
        fwrite(bytes, 1, got, stdout);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "-i") == 0)
        hold(argv[3], atoi(argv[2]));
    else if (argc == 2)
        ask(argv[1]);
    else
        return 2;
    return EXIT_SUCCESS;
}
