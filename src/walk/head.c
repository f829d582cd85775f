/* SPDX-License-Identifier: MIT */
/* Heads as libcurl hands them over, line by line: each goes to the chain when it is whole, so that
 * its verdict is there before the content is. */
#include "walk/internal.h"

#include "http/h1/answer.h"

static bool no_memory(struct walk *walk)
{
    walk->out_of_memory = true;
    return false;
}

static struct detour_text text_of(struct span bytes)
{
    return (struct detour_text){(const char *)bytes.ptr, bytes.len};
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trimmed(struct span bytes)
{
    while (bytes.len > 0 && is_space(bytes.ptr[0])) {
        bytes = span_from(bytes, 1);
    }
    while (bytes.len > 0 && is_space(bytes.ptr[bytes.len - 1])) {
        bytes.len--;
    }
    return bytes;
}

/* "HTTP/1.1 307 …" or "HTTP/2 307". */
static void begin_head(struct walk *walk, struct span line)
{
    struct walk_head head = {.http = 11};
    size_t space = span_find(line, 0, ' ');
    struct span version = span_slice(line, 5, space);
    if (version.len > 0 && version.ptr[0] >= '2' && version.ptr[0] <= '3') {
        head.http = (uint8_t)((version.ptr[0] - '0') * 10);
    } else if (version.len == 3 && version.ptr[2] == '0') {
        head.http = 10;
    }
    for (size_t i = space + 1; i < line.len && i < space + 4 && ascii_is_digit(line.ptr[i]); i++) {
        head.status = (uint16_t)(head.status * 10 + (line.ptr[i] - '0'));
    }
    walk->head = head;
    walk->fields = NULL;
    walk->field_capacity = 0;
    walk->state = head_fields;
}

/* A folded line goes on with the value before it (RFC 9112, 5.2). */
static bool unfold(struct walk *walk, struct span line)
{
    if (walk->head.field_count == 0) {
        return true;
    }
    struct detour_field *field = &walk->fields[walk->head.field_count - 1];
    struct span more = trimmed(line);
    char *whole =
        arena_printf(&walk->arena, "%.*s %.*s", DETOUR_TEXT_ARG(field->value), SPAN_ARG(more));
    if (whole == NULL) {
        return no_memory(walk);
    }
    field->value = detour_text_of(whole);
    return true;
}

static bool take_field(struct walk *walk, struct span line)
{
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        return unfold(walk, line);
    }
    size_t colon = span_find(line, 0, ':');
    if (colon == line.len) {
        return true; /* no field */
    }
    struct detour_field *fields = arena_grow(&walk->arena, walk->fields, walk->head.field_count,
                                             &walk->field_capacity, sizeof(*fields));
    struct span copy = arena_copy(&walk->arena, line);
    if (fields == NULL || copy.ptr == NULL) {
        return no_memory(walk);
    }
    walk->fields = fields;
    fields[walk->head.field_count++] =
        (struct detour_field){.name = text_of(trimmed(span_slice(copy, 0, colon))),
                              .value = text_of(trimmed(span_from(copy, colon + 1)))};
    return true;
}

bool head_judge(struct walk *walk, const struct detour_answer *answer)
{
    const struct detour_verdict *verdict;
    /* Behind an interim answer the newest verdict has no request. */
    if (walk->walker->options.store != NULL && !answer->from_store && answer->status >= 200) {
        /* A memory that is full or cannot be written is no reason to stop. */
        detour_store_learn(walk->walker->options.store, walk->asked, answer, NULL);
    }
    if (detour_chain_answer(walk->chain, answer, &verdict) != DETOUR_OK) {
        return no_memory(walk);
    }
    walk->verdict = verdict;
    return true;
}

static bool keep_interim(struct walk *walk)
{
    struct walk_head *interim = arena_grow(&walk->arena, walk->interim, walk->interim_count,
                                           &walk->interim_capacity, sizeof(*interim));
    if (interim == NULL) {
        return no_memory(walk);
    }
    walk->interim = interim;
    interim[walk->interim_count++] = walk->head;
    walk->state = head_none;
    upload_heard(walk);
    return true;
}

/* libcurl has asked for HTTP/2 this way, and reads on. Nobody else would. */
static bool is_upgrade(const struct walk *walk)
{
    return walk->head.status == 101 && walk->walker->options.protocol == walk_protocol_2;
}

/* An answer that comes while its request is still on its way. In HTTP/2 a redirect ends the
 * stream, which costs nothing; in HTTP/1 the rest is sent unless the other end says that it closes
 * (RFC 9110, 7.5), or Expect has not been answered, and then nothing is. False: the stream ends. */
static bool settle_upload(struct walk *walk, const struct detour_answer *answer)
{
    bool unsent = !walk->body_whole;
    bool under_way = unsent && walk->body_begun;
    bool ends = unsent && walk->head.http >= 20 && walk->verdict->action != DETOUR_DELIVER;
    bool stop = ends || walk->verdict->action == DETOUR_REFUSE ||
                detour_upload_advice(answer, walk->head.http, false) == DETOUR_UPLOAD_STOP;
    walk->stopped = under_way && stop;
    curl_easy_setopt(walk->easy, CURLOPT_KEEP_SENDING_ON_ERROR, under_way && !stop ? 1L : 0L);
    if (unsent && walk->head.http >= 20) {
        /* libcurl cannot send another request where content is still in its way. */
        curl_easy_setopt(walk->easy, CURLOPT_FORBID_REUSE, 1L);
    }
    upload_heard(walk);
    return !ends;
}

bool head_judge_whole(struct walk *walk)
{
    /* The chain makes the next request in the place of this one. */
    bool uploads = walk->asked->body != DETOUR_BODY_NONE;
    walk->head.fields = walk->fields;
    struct detour_answer answer = {
        .size = sizeof(answer),
        .status = walk->head.status,
        .fields = walk->fields,
        .field_count = walk->head.field_count,
        .body_begun = walk->body_begun,
        .received_s = (int64_t)ev_now(walk->walker->loop),
        .requested_s = walk->requested_s,
    };
    if (is_upgrade(walk)) {
        return keep_interim(walk);
    }
    if (!head_judge(walk, &answer)) {
        return false;
    }
    if (walk->head.status / 100 == 1) {
        return keep_interim(walk) && walk->verdict->action == DETOUR_INTERIM;
    }
    walk->state = head_final;
    return !uploads || settle_upload(walk, &answer);
}

static struct detour_text moved(struct span part, const uint8_t *from, const char *to)
{
    return (struct detour_text){to + (part.ptr - from), part.len};
}

bool head_keep(struct walk *walk, const struct h1_answer *answer, struct span head)
{
    struct span copy = arena_copy(&walk->arena, head);
    walk->fields = arena_array(&walk->arena, answer->field_count, sizeof(*walk->fields));
    if (copy.ptr == NULL || walk->fields == NULL) {
        return no_memory(walk);
    }
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct field *field = &answer->fields[i];
        walk->fields[i].name = moved(field->name, head.ptr, (const char *)copy.ptr);
        walk->fields[i].value = moved(field->value, head.ptr, (const char *)copy.ptr);
    }
    walk->head = (struct walk_head){.status = answer->status,
                                    .http = (uint8_t)(10 + answer->version_minor),
                                    .field_count = answer->field_count};
    return true;
}

static bool take_line(struct walk *walk, struct span line)
{
    if (walk->state == head_final) {
        return true; /* a trailer */
    }
    walk->head_bytes += line.len;
    if (walk->head_bytes > walk_head_bytes_max) {
        walk->too_long = true;
        return false;
    }
    if (walk->state == head_none) {
        if (span_starts(line, SPAN("HTTP/"))) {
            begin_head(walk, line);
        }
        return true;
    }
    return trimmed(line).len == 0 ? head_judge_whole(walk) : take_field(walk, line);
}

size_t head_take(char *bytes, size_t size, size_t count, void *context)
{
    size_t len = size * count;
    return len == 0 || take_line(context, span_of(bytes, len)) ? len : 0;
}
