/* SPDX-License-Identifier: MIT */
/* Answers one piece after the other: http/h1 knows where each ends. */
#include "walk/reader.h"

void reader_begin(struct reader *reader, bool to_head)
{
    *reader = (struct reader){.to_head = to_head};
}

static enum reader_result take_head(struct reader *reader, struct span bytes,
                                    struct h1_answer *answer, size_t *used)
{
    size_t len = 0;
    *used = 0;
    switch (h1_answer_parse(bytes, &reader->scanned, reader->to_head, answer, &len)) {
    case H1_MORE:
        return READER_MORE;
    case H1_BAD:
        return READER_BAD;
    case H1_DONE:
        break;
    }
    if (answer->status == 101) {
        return READER_BAD;
    }
    *used = len;
    reader->scanned = 0;
    if (answer->status < 200) {
        return READER_INTERIM;
    }
    reader->behind_head = true;
    reader->keep = answer->keep_alive;
    reader->to_end = answer->content == ANSWER_TO_END;
    if (!reader->to_end) {
        h1_answer_body(answer, &reader->body);
    }
    return READER_HEAD;
}

static enum reader_result take_content(struct reader *reader, struct span bytes, size_t *used)
{
    *used = bytes.len;
    if (reader->to_end) {
        return READER_MORE;
    }
    switch (h1_body_skip(&reader->body, bytes, used)) {
    case H1_DONE:
        return READER_DONE;
    case H1_MORE:
        return READER_MORE;
    case H1_BAD:
        break;
    }
    return READER_BAD;
}

enum reader_result reader_next(struct reader *reader, struct span bytes, struct h1_answer *answer,
                               size_t *used)
{
    return reader->behind_head ? take_content(reader, bytes, used)
                               : take_head(reader, bytes, answer, used);
}
