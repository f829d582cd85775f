/* SPDX-License-Identifier: MIT */
/* What draining is measured against: answers nothing, and reads all that comes into one
 * buffer of 64 KiB, a connection at a time.   reader PORT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 16) != 0) {
        perror("reader");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static uint8_t bytes[65536];
    if (argc != 2) {
        fprintf(stderr, "usage: reader PORT\n");
        return 2;
    }
    int listener = listen_on((uint16_t)atoi(argv[1]));
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        while (fd >= 0 && recv(fd, bytes, sizeof(bytes), 0) > 0) {
        }
        close(fd);
    }
}
