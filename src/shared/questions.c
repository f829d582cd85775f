/* SPDX-License-Identifier: MIT */
/* A record is the server's eight bytes, and the path. What was said lately is remembered in two
 * small tables, in which a newcomer takes the place of whoever was there: then a thing is said
 * twice, or fewer things than could be. */
#include "shared/questions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { said_max = 4096, budgets_max = 1024, server_bytes = 8 };

static_assert(server_bytes + (int)question_path_bytes_max <= (int)ring_question_record_bytes_max,
              "a question is a record");

/* Of one server. */
struct budget {
    uint32_t second;
    uint32_t said;
};

struct questions {
    struct ring *ring;
    uint64_t said[said_max]; /* a tag of the key, and the second from 1 on */
    struct budget budgets[budgets_max];
};

enum err questions_new(struct ring *ring, struct questions **out)
{
    struct questions *questions = calloc(1, sizeof(*questions));
    if (questions == NULL) {
        return ERR_MEMORY;
    }
    questions->ring = ring;
    *out = questions;
    return ERR_NONE;
}

void questions_free(struct questions **questions)
{
    free(*questions);
    *questions = NULL;
}

static bool spend(struct questions *questions, uint64_t server, uint32_t now_s)
{
    struct budget *budget = &questions->budgets[(facts_key(0, server) >> 32) % budgets_max];
    if (budget->second != now_s) {
        *budget = (struct budget){.second = now_s};
    }
    if (budget->said == questions_a_second_max) {
        return false;
    }
    budget->said++;
    return true;
}

enum question_end questions_ask(struct questions *questions, const struct question_asked *question,
                                uint64_t key, bool again, uint32_t now_s)
{
    uint64_t *said = &questions->said[key % said_max];
    uint64_t tag = (key >> 32 << 32) | (now_s + 1);
    assert(question_fits(question->path));
    if (*said == tag) {
        return QUESTION_SAID_BEFORE;
    }
    if (!again && !spend(questions, question->server, now_s)) {
        return QUESTION_DROPPED;
    }
    uint8_t *room = ring_reserve(questions->ring, server_bytes + question->path.len);
    if (room == NULL) {
        return QUESTION_DROPPED;
    }
    memcpy(room, &question->server, server_bytes);
    if (question->path.len > 0) {
        memcpy(room + server_bytes, question->path.ptr, question->path.len);
    }
    ring_commit(questions->ring);
    *said = tag;
    return QUESTION_SAID;
}

bool question_decode(struct span record, struct question_asked *out)
{
    struct question_asked asked;
    if (record.len < server_bytes) {
        return false;
    }
    memcpy(&asked.server, record.ptr, server_bytes);
    asked.path = span_from(record, server_bytes);
    if (!question_fits(asked.path)) {
        return false;
    }
    *out = asked;
    return true;
}
