/* SPDX-License-Identifier: MIT */
/* What the client's policy costs: chains of three hops, as a client shows them to it.
 *
 *   policy CHAINS     prints nanoseconds of CPU for a hop
 */
#include "cpu.h"

#include <detour/detour.h>

#include <stdio.h>
#include <stdlib.h>

enum { hops = 3 };

static const char *const locations[hops] = {
    "https://www.example.com/some/other/path/1?with=query",
    "/some/third/path?with=query&and=more",
    "https://other.example.net/at/last",
};

static void one_chain(struct detour_chain *chain, const struct detour_request *request,
                      struct detour_field *fields, size_t field_count)
{
    const struct detour_verdict *verdict;
    enum detour_error error = detour_chain_begin(chain, request, &verdict);
    for (size_t hop = 0; hop < hops && error == DETOUR_OK; hop++) {
        const struct detour_answer answer = {.size = sizeof(answer),
                                             .status = 302,
                                             .fields = fields,
                                             .field_count = field_count,
                                             .received_s = 784111777};
        fields[0].value = detour_text_of(locations[hop]);
        error = detour_chain_answer(chain, &answer, &verdict);
    }
    if (error != DETOUR_OK || verdict->action != DETOUR_FOLLOW) {
        fprintf(stderr, "policy: a chain that should be followed was not\n");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const struct detour_field asked[] = {
        {.name = detour_text_of("User-Agent"), .value = detour_text_of("curl/7.88.1")},
        {.name = detour_text_of("Accept"), .value = detour_text_of("*/*")},
        {.name = detour_text_of("Authorization"), .value = detour_text_of("Basic eDp5")},
    };
    struct detour_field said[] = {
        {.name = detour_text_of("Location")},
        {.name = detour_text_of("Date"), .value = detour_text_of("Sun, 06 Nov 1994 08:49:37 GMT")},
        {.name = detour_text_of("Content-Type"), .value = detour_text_of("text/html")},
        {.name = detour_text_of("Content-Length"), .value = detour_text_of("231")},
        {.name = detour_text_of("Server"), .value = detour_text_of("nginx")},
        {.name = detour_text_of("Connection"), .value = detour_text_of("keep-alive")},
    };
    const struct detour_request request = {
        .size = sizeof(request),
        .method = detour_text_of("GET"),
        .url = detour_text_of("https://www.example.com/some/path/to/a/page?with=query&and=more"),
        .fields = asked,
        .field_count = sizeof(asked) / sizeof(asked[0]),
    };
    long chains = argc == 2 ? atol(argv[1]) : 0;
    struct detour_chain *chain;
    if (chains <= 0 || detour_chain_new(NULL, &chain) != DETOUR_OK) {
        fprintf(stderr, "usage: policy CHAINS\n");
        return 2;
    }
    int64_t from = cpu_ns();
    for (long i = 0; i < chains; i++) {
        one_chain(chain, &request, said, sizeof(said) / sizeof(said[0]));
    }
    printf("%.1f\n", (double)(cpu_ns() - from) / (double)chains / hops);
    detour_chain_free(&chain);
    return 0;
}
