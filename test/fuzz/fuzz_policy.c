/* SPDX-License-Identifier: MIT */
/* A chain against a hostile server: the first byte chooses options, the first line is the URL, and
 * each further line an answer: status, a space, fields parted by TAB. Whatever comes: no userinfo,
 * no scheme but http and https, no credentials for another origin, not more than the limit, and
 * only the methods that the statuses allow. */
#include <detour/detour.h>

#include "base/span.h"

#include <assert.h>

enum { redirects_max = 7, fields_max = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    enum detour_mode mode;
    const char *method;
    enum detour_body body;
    bool body_begun;
    bool left_origin; /* at any time */
    size_t redirects;
    char origin[300]; /* of the first request */
};

static struct detour_text text_of(struct span span)
{
    return (struct detour_text){.ptr = (const char *)span.ptr, .len = span.len};
}

static struct span span_of_text(struct detour_text text)
{
    return span_of(text.ptr, text.len);
}

static bool is_secret(const struct detour_field *field)
{
    struct span name = span_of_text(field->name);
    return span_eq_ci(name, SPAN("authorization")) || span_eq_ci(name, SPAN("cookie")) ||
           span_eq_ci(name, SPAN("x-mine"));
}

static void check_url(const struct detour_url *url)
{
    struct span scheme = span_of_text(url->scheme);
    assert(span_eq(scheme, SPAN("http")) || span_eq(scheme, SPAN("https")));
    assert(url->username.ptr == NULL && url->password.ptr == NULL);
    assert(url->host.len > 0 && url->port >= 0 && url->port < 65536);
    assert(url->href.len <= DETOUR_URL_BYTES_MAX);
    struct span target = span_of_text(url->target);
    assert(span_find(target, 0, '#') == target.len);
    for (size_t i = 0; i < url->href.len; i++) {
        assert(url->href.ptr[i] > ' ' && url->href.ptr[i] < 0x7F);
    }
    struct span authority = span_of_text(url->authority);
    assert(span_find(authority, 0, '@') == authority.len);
}

static void check_method(const struct run *run, uint16_t status, struct span was, struct span is)
{
    bool same = span_eq(was, is);
    switch (status) {
    case 303:
        assert(span_eq(is, SPAN("GET")) || (same && span_eq(is, SPAN("HEAD"))));
        break;
    case 301:
    case 302:
        assert(same || (run->mode == DETOUR_MODE_BROWSER && span_eq(was, SPAN("POST")) &&
                        span_eq(is, SPAN("GET"))));
        break;
    default:
        assert(same);
    }
}

static void check_next(struct run *run, const struct detour_next *next)
{
    check_url(next->url);
    assert(span_eq(span_of_text(next->request->url), span_of_text(next->url->target)));
    struct span origin = span_of_text(next->url->origin);
    run->left_origin = run->left_origin || !span_eq(origin, span_cstr(run->origin));
    assert(next->credentials == !run->left_origin);
    bool secret_left = false;
    for (size_t i = 0; i < next->request->field_count; i++) {
        const struct detour_field *field = &next->request->fields[i];
        secret_left = secret_left || is_secret(field);
        assert(!span_eq_ci(span_of_text(field->name), SPAN("host")));
        assert(memchr(field->value.ptr, '\n', field->value.len) == NULL);
    }
    assert(secret_left == !run->left_origin);
    assert(!(next->request->body == DETOUR_BODY_ONCE && run->body_begun));
}

static void check_notes(const struct detour_verdict *verdict)
{
    char line[120];
    for (size_t i = 0; i < verdict->note_count; i++) {
        size_t length = detour_note_write(&verdict->notes[i], line, sizeof(line));
        assert(length > 0 && strlen(line) <= length && strlen(line) < sizeof(line));
        for (size_t at = 0; line[at] != '\0'; at++) {
            assert(line[at] >= ' ' && line[at] < 0x7F);
        }
    }
}

static size_t split_fields(struct span line, struct detour_field fields[fields_max])
{
    size_t count = 0;
    while (line.len > 0 && count < fields_max) {
        size_t end = span_find(line, 0, '\t');
        struct span field = span_slice(line, 0, end);
        size_t colon = span_find(field, 0, ':');
        fields[count++] = (struct detour_field){
            .name = text_of(span_slice(field, 0, colon)),
            .value = text_of(span_from(field, colon < field.len ? colon + 1 : colon)),
        };
        line = span_from(line, end < line.len ? end + 1 : end);
    }
    return count;
}

/* Three digits, then 'B' when content was begun, else any byte. */
static bool answer_read(struct span line, struct detour_field fields[fields_max],
                        struct detour_answer *out)
{
    uint64_t status;
    if (line.len < 4 || !span_decimal(span_slice(line, 0, 3), 999, &status)) {
        return false;
    }
    *out = (struct detour_answer){.size = sizeof(*out),
                                  .status = (uint16_t)status,
                                  .fields = fields,
                                  .body_begun = line.ptr[3] == 'B',
                                  .received_s = 784111777};
    out->field_count = split_fields(span_from(line, 4), fields);
    return true;
}

static void answer_all(struct run *run, struct detour_chain *chain, struct span rest,
                       const struct detour_verdict *verdict)
{
    char method[16];
    while (rest.len > 0) {
        struct detour_field fields[fields_max];
        struct detour_answer answer;
        size_t end = span_find(rest, 0, '\n');
        bool good = answer_read(span_slice(rest, 0, end), fields, &answer);
        rest = span_from(rest, end < rest.len ? end + 1 : end);
        if (!good) {
            continue;
        }
        if (verdict->next != NULL) {
            size_t length = verdict->next->request->method.len;
            memcpy(method, verdict->next->request->method.ptr, length);
            method[length] = '\0';
        }
        run->body_begun = run->body_begun || answer.body_begun;
        enum detour_error error = detour_chain_answer(chain, &answer, &verdict);
        assert(error == DETOUR_OK);
        check_notes(verdict);
        if (verdict->action == DETOUR_FOLLOW) {
            run->redirects++;
            assert(run->redirects <= redirects_max && answer.status / 100 == 3);
            check_method(run, answer.status, span_cstr(method),
                         span_of_text(verdict->next->request->method));
        }
        if (verdict->next != NULL) {
            check_next(run, verdict->next);
        } else if (verdict->action != DETOUR_INTERIM) {
            assert(detour_chain_answer(chain, &answer, &verdict) == DETOUR_ERROR_USAGE);
            return;
        }
    }
}

static void run_chain(struct run *run, struct detour_chain *chain, struct span url,
                      struct span rest)
{
    const struct detour_field fields[] = {
        {.name = detour_text_of("Authorization"), .value = detour_text_of("Basic eA==")},
        {.name = detour_text_of("X-Mine"),
         .value = detour_text_of("s"),
         .flags = DETOUR_FIELD_SENSITIVE},
        {.name = detour_text_of("Referer"), .value = detour_text_of("http://a.test/x")},
        {.name = detour_text_of("Origin"), .value = detour_text_of("http://a.test")},
        {.name = detour_text_of("Expect"), .value = detour_text_of("100-continue")},
        {.name = detour_text_of("Host"), .value = detour_text_of("x")},
        {.name = detour_text_of("Cookie"), .value = detour_text_of("a=b")},
    };
    const struct detour_request request = {.size = sizeof(request),
                                           .method = detour_text_of(run->method),
                                           .url = text_of(url),
                                           .fields = fields,
                                           .field_count = sizeof(fields) / sizeof(fields[0]),
                                           .body = run->body};
    const struct detour_verdict *verdict;
    enum detour_error error = detour_chain_begin(chain, &request, &verdict);
    assert(error == DETOUR_OK);
    check_notes(verdict);
    if (verdict->next == NULL) {
        assert(verdict->action == DETOUR_REFUSE && verdict->reason != DETOUR_REASON_NONE);
        return;
    }
    struct detour_text origin = verdict->next->url->origin;
    if (origin.len < sizeof(run->origin)) {
        memcpy(run->origin, origin.ptr, origin.len);
        check_next(run, verdict->next);
        answer_all(run, chain, rest, verdict);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "PUT"};
    struct detour_options options;
    struct detour_chain *chain;
    if (size == 0) {
        return 0;
    }
    detour_options_init(&options, sizeof(options));
    options.mode = (data[0] & 1) != 0 ? DETOUR_MODE_RFC : DETOUR_MODE_BROWSER;
    options.redirects_max = redirects_max;
    options.auto_referer = (data[0] & 2) != 0;
    struct run run = {.mode = options.mode,
                      .method = methods[data[0] >> 2 & 3],
                      .body = (enum detour_body)(data[0] >> 4 & 3) % 3};
    struct span input = span_of(data + 1, size - 1);
    size_t end = span_find(input, 0, '\n');
    enum detour_error error = detour_chain_new(&options, &chain);
    assert(error == DETOUR_OK);
    run_chain(&run, chain, span_slice(input, 0, end),
              span_from(input, end < input.len ? end + 1 : end));
    detour_chain_free(&chain);
    return 0;
}
