/* SPDX-License-Identifier: MIT */
/* What a signed ticket costs: sign PATH_BYTES COUNT prints CPU nanoseconds for each URL. */
#include "cpu.h"
#include "signing/ticket.h"

#include <stdio.h>
#include <stdlib.h>

enum { url_bytes_max = 8192, path_bytes_max = 4096 };

int main(int argc, char **argv)
{
    static uint8_t room[url_bytes_max];
    static uint8_t path[path_bytes_max];
    long bytes = argc == 3 ? strtol(argv[1], NULL, 10) : -1;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : -1;
    if (bytes < 1 || bytes > path_bytes_max || count < 1) {
        fprintf(stderr, "usage: sign PATH_BYTES COUNT\n");
        return 2;
    }
    const struct signing_key key = {.len = 64,
                                    .bytes = "0123456789abcdef0123456789abcdef"
                                             "0123456789abcdef0123456789abcdef"};
    struct signing_ticket ticket = {.key = &key, .method = SPAN("GET"), .param = SPAN("ticket")};
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    int64_t began = cpu_ns();
    size_t written = 0;
    for (long i = 0; i < count; i++) {
        struct buffer url = buffer_over(room, sizeof(room));
        buffer_put(&url, SPAN("https://eu1.example.net"));
        buffer_put(&url, span_of(path, (size_t)bytes));
        ticket.expires_s = 1764000300 + i;
        written += signing_add(&ticket, 0, &url) ? url.len : 0;
    }
    int64_t took = cpu_ns() - began;
    printf("%.1f\n", written > 0 ? (double)took / (double)count : 0.);
    return 0;
}
