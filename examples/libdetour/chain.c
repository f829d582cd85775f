/* SPDX-License-Identifier: MIT */
/* Follows a chain of redirects that is written down here, and prints what a client has to do. A
 * real client sends the requests; the library does not mind where the answers come from.
 *
 * cc chain.c $(pkg-config --cflags --libs libdetour) -o chain */
#include <detour/detour.h>
#include <detour/store.h>

#include <stdio.h>

enum { NOW = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

static const struct {
    unsigned status;
    const char *location;
    const char *cache_control;
} answers[] = {
    {302, "https://www.example.com/login", NULL},
    {307, "https://other.example.net/", "max-age=60"},
    {200, NULL, NULL},
};

static void print_notes(const struct detour_verdict *verdict)
{
    char line[200];
    for (size_t i = 0; i < verdict->note_count; i++) {
        detour_note_write(&verdict->notes[i], line, sizeof(line));
        printf("    %s\n", line);
    }
}

/* Stands for sending the request and reading the head of the answer. */
static struct detour_answer exchange(unsigned number, struct detour_field fields[2])
{
    struct detour_answer answer = {0};
    fields[0] = (struct detour_field){.name = detour_text_of("Location"),
                                      .value = detour_text_of(answers[number].location)};
    fields[1] = (struct detour_field){.name = detour_text_of("Cache-Control"),
                                      .value = detour_text_of(answers[number].cache_control)};
    answer.size = sizeof(answer);
    answer.status = (uint16_t)answers[number].status;
    answer.fields = fields;
    answer.field_count = answers[number].location == NULL ? 0
                         : answers[number].cache_control  ? 2
                                                          : 1;
    answer.received_s = NOW;
    return answer;
}

static int follow(struct detour_chain *chain, struct detour_store *store)
{
    const struct detour_field fields[] = {
        {.name = detour_text_of("Authorization"), .value = detour_text_of("Basic eDp5")},
        {.name = detour_text_of("Accept"), .value = detour_text_of("*/*")},
    };
    const struct detour_request request = {
        .size = sizeof(request),
        .method = detour_text_of("POST"),
        .url = detour_text_of("https://www.example.com/form#top"),
        .fields = fields,
        .field_count = 2,
        .body = DETOUR_BODY_REPLAYABLE,
    };
    const struct detour_verdict *verdict;
    enum detour_error error = detour_chain_begin(chain, &request, &verdict);
    while (error == DETOUR_OK && verdict->next != NULL) {
        const struct detour_next *next = verdict->next;
        printf("%.*s %.*s\n", DETOUR_TEXT_ARG(next->request->method),
               DETOUR_TEXT_ARG(next->url->href));
        print_notes(verdict);

        struct detour_hit *hit = NULL;
        error = detour_store_find(store, next->request, NOW, &hit);
        if (error == DETOUR_OK && hit != NULL) {
            error = detour_chain_answer(chain, hit->answer, &verdict);
        } else if (error == DETOUR_OK) {
            struct detour_field answer_fields[2];
            struct detour_answer answer = exchange(next->number, answer_fields);
            detour_store_learn(store, next->request, &answer, NULL);
            error = detour_chain_answer(chain, &answer, &verdict);
        }
        detour_hit_free(&hit);
    }
    if (error != DETOUR_OK) {
        fprintf(stderr, "chain: %s\n", detour_error_text(error));
        return 1;
    }
    printf("%s: %s\n", detour_action_name(verdict->action), detour_reason_text(verdict->reason));
    return verdict->action == DETOUR_DELIVER ? 0 : 1;
}

int main(void)
{
    struct detour_chain *chain = NULL;
    struct detour_store *store = NULL;
    int status = 1;
    if (detour_chain_new(NULL, &chain) == DETOUR_OK &&
        detour_store_new(NULL, &store) == DETOUR_OK) {
        status = follow(chain, store);
    }
    detour_store_free(&store);
    detour_chain_free(&chain);
    return status;
}
