/* SPDX-License-Identifier: MIT */
/* A request that is judged, from its head to its answer. Content is compared as it comes and held
 * nowhere; the answer goes through an exchange, which lets any Location pass and may begin before
 * the content has come. */
#include "referee/internal.h"

#include "http/field.h"
#include "serve/exchange.h"

#include <stdlib.h>
#include <time.h>

enum { told_bytes_max = 1024 };

enum purpose { PURPOSE_TEST, PURPOSE_SAY, PURPOSE_DONE };

struct visit {
    struct referee *referee;
    struct session *session;
    struct exchange *exchange;
    enum purpose purpose;
    bool head;
    struct evidence *evidence; /* NULL for PURPOSE_DONE */
    struct sighting *sighting; /* NULL: only counted */
    uint64_t content_bytes;
    uint8_t told[told_bytes_max];
    size_t told_len;
    struct case_answer answer;
};

static void visit_free(struct visit *visit)
{
    visit->session->visits--;
    free(visit);
}

/* ---- what is seen ---- */

static bool describes_content(struct span name)
{
    static const char *const names[] = {"content-type", "content-encoding", "content-language",
                                        "content-location"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (span_eq_ci(name, span_cstr(names[i]))) {
            return true;
        }
    }
    return false;
}

static enum case_place place_of(const struct referee *referee, const struct serve_request *in)
{
    static const enum case_place places[] = {PLACE_HERE, PLACE_PORT, PLACE_SECURE};
    bool named = span_eq(in->request->host, SPAN("localhost"));
    size_t port = 0;
    while (port + 1 < listeners_count &&
           strcmp(in->listener->text, referee->listeners[port].text) != 0) {
        port++;
    }
    return !named ? places[port] : port == 0 ? PLACE_NAME : PLACE_OTHER;
}

static bool is_unclean(struct span url)
{
    return span_find(url, 0, '#') < url.len || span_find(url, 0, '@') < url.len;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void look(const struct referee *referee, const struct serve_request *in,
                 const struct test_case *test, struct span end, struct sighting *out)
{
    const struct request *request = in->request;
    struct span referer = field_find(request, SPAN("referer"));
    *out = (struct sighting){
        .step = case_step(test, end),
        .place = (uint8_t)place_of(referee, in),
        .method = (uint8_t)request->method,
        .authorization = field_find(request, SPAN("authorization")).ptr != NULL,
        .proxy_authorization = field_find(request, SPAN("proxy-authorization")).ptr != NULL,
        .cookie = request->known.cookie.ptr != NULL,
        .expect = request->expect_continue,
        .host = span_eq(request->host, SPAN("own.example")),
        .referer = referer.ptr != NULL,
        .referer_unclean = referer.ptr != NULL && is_unclean(referer),
        .referer_secure = referer.ptr != NULL && span_starts(referer, SPAN("https:")),
        .at_ms = monotonic_ms(),
    };
    for (size_t i = 0; i < request->field_count; i++) {
        out->content_fields |= describes_content(request->fields[i].name);
    }
    memcpy(out->method_name, request->method_name.ptr, request->method_name.len);
}

static void compare(struct visit *visit, struct span bytes)
{
    static const char pattern[] = CONTENT_PATTERN;
    struct sighting *sighting = visit->sighting;
    if (sighting == NULL) {
        return;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        size_t at = (visit->content_bytes + i) % (sizeof(pattern) - 1);
        sighting->content_wrong |= bytes.ptr[i] != (uint8_t)pattern[at];
    }
    sighting->content_bytes += bytes.len;
}

/* ---- what is said ---- */

/* "STATUS URL", or anything else: an error. */
static void take_said(struct visit *visit)
{
    struct said *said = &visit->evidence->said;
    struct span text = span_trim(span_of(visit->told, visit->told_len));
    size_t space = span_find(text, 0, ' ');
    struct span url = span_trim(span_from(text, space));
    uint64_t status = 0;
    *said = (struct said){.any = true};
    if (span_decimal(span_slice(text, 0, space), 599, &status) && url.len < said_url_max) {
        said->status = (uint16_t)status;
        memcpy(said->url, url.ptr, url.len);
    }
}

static void take_done(struct visit *visit)
{
    struct session *session = visit->session;
    struct span name = span_trim(span_of(visit->told, visit->told_len));
    if (name.len > 0) {
        session_name(session, name);
    }
    session->told = true;
    visit->referee->done(visit->referee->context, session);
}

static void prepare_plain(struct visit *visit)
{
    if (visit->purpose == PURPOSE_SAY) {
        take_said(visit);
    } else {
        take_done(visit);
    }
    visit->answer.status = 200;
    visit->answer.field_count = 0;
    visit->answer.content = SPAN("noted\n");
}

/* ---- the answer ---- */

static void send_answer(struct visit *visit)
{
    const struct case_answer *answer = &visit->answer;
    struct field fields[case_answer_fields_max + 2];
    size_t count = answer->field_count;
    bool bare = answer->status == 304;
    if (count > 0) {
        memcpy(fields, answer->fields, count * sizeof(*fields));
    }
    fields[count++] = (struct field){SPAN("Access-Control-Allow-Origin"), SPAN("*")};
    fields[count++] = (struct field){SPAN("Content-Type"), SPAN("text/html; charset=utf-8")};
    struct exchange_head head = {
        .status = answer->status,
        .fields = fields,
        .field_count = count,
        .has_length = !bare,
        .content_length = answer->content.len,
    };
    exchange_begin(visit->exchange, &head);
    if (!bare && !visit->head) {
        exchange_write(visit->exchange, answer->content);
    }
    exchange_end(visit->exchange, NULL, 0);
    visit_free(visit);
}

static size_t on_content(void *far, struct span bytes)
{
    struct visit *visit = far;
    if (visit->purpose == PURPOSE_TEST) {
        compare(visit, bytes);
    } else {
        size_t room = sizeof(visit->told) - visit->told_len;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(visit->told + visit->told_len, bytes.ptr, len);
        visit->told_len += len;
    }
    visit->content_bytes += bytes.len;
    return bytes.len;
}

static void on_content_end(void *far, const struct field *trailers, size_t count)
{
    struct visit *visit = far;
    (void)trailers;
    (void)count;
    if (visit->purpose != PURPOSE_TEST) {
        prepare_plain(visit);
    }
    send_answer(visit);
}

/* Answers are so short that all of them is taken at once. */
static void on_writable(void *far)
{
    (void)far;
}

static void on_gone(void *far)
{
    visit_free(far);
}

static const struct exchange_far far_side = {on_content, on_content_end, on_writable, on_gone};

/* ---- the beginning ---- */

static bool find_purpose(struct visit *visit, const struct request *request, struct span word)
{
    bool post = request->method == METHOD_POST;
    if (span_eq(word, SPAN("t"))) {
        visit->purpose = PURPOSE_TEST;
        return true;
    }
    visit->purpose = span_eq(word, SPAN("say")) ? PURPOSE_SAY : PURPOSE_DONE;
    return post && (visit->purpose == PURPOSE_SAY || span_eq(word, SPAN("done")));
}

/* The case, in the session's order. False: there is none of that name. */
static bool find_evidence(struct visit *visit, struct span id)
{
    const struct test_case *test = case_find(id);
    if (test != NULL) {
        visit->evidence = &visit->session->evidence[test - test_cases];
    }
    return test != NULL || visit->purpose == PURPOSE_DONE;
}

static void prepare_test(struct visit *visit, const struct serve_request *in, struct span end)
{
    struct evidence *evidence = visit->evidence;
    struct sighting seen;
    look(visit->referee, in, evidence->test, end, &seen);
    if (evidence->count < sightings_max) {
        visit->sighting = &evidence->sightings[evidence->count];
        *visit->sighting = seen;
    }
    bool cookie = cookie_find(in->request->known.cookie, SPAN("seen")).ptr != NULL;
    struct case_names names = referee_names(visit->referee, span_cstr(visit->session->key));
    case_answer(evidence->test, &names, seen.step, cookie, evidence->count, &visit->answer);
    evidence->count++;
    if (visit->session->client[0] == '\0') {
        session_name(visit->session, field_find(in->request, SPAN("user-agent")));
    }
}

static void begin(struct visit *visit, const struct request *request)
{
    bool early = visit->purpose == PURPOSE_TEST && visit->evidence->test->early &&
                 visit->sighting != NULL && visit->sighting->step == 0;
    if (request->body == BODY_NONE || early) {
        if (visit->purpose != PURPOSE_TEST) {
            prepare_plain(visit);
        }
        send_answer(visit);
        return;
    }
    exchange_continue(visit->exchange);
    exchange_resume(visit->exchange);
}

static void run(struct visit *visit, const struct serve_request *in, struct span rest,
                struct response *response)
{
    if (!find_evidence(visit, referee_segment(&rest))) {
        referee_answer(response, 404, SPAN("there is no such case\n"));
        visit_free(visit);
        return;
    }
    visit->exchange = server_pass(in, &far_side, visit);
    if (visit->exchange == NULL) {
        referee_answer(response, 503, SPAN("no memory\n"));
        visit_free(visit);
        return;
    }
    if (visit->purpose == PURPOSE_TEST) {
        prepare_test(visit, in, rest.len > 0 ? span_from(rest, 1) : rest);
    }
    begin(visit, in->request);
}

void referee_visit(struct referee *referee, const struct serve_request *in,
                   struct response *response)
{
    struct span rest = in->request->path;
    struct span word = referee_segment(&rest);
    struct span key = referee_segment(&rest);
    struct visit *visit = calloc(1, sizeof(*visit));
    if (visit == NULL || !find_purpose(visit, in->request, word) || !session_key_valid(key)) {
        referee_answer(response, visit != NULL ? 404 : 503, SPAN("see / for what there is\n"));
        free(visit);
        return;
    }
    visit->referee = referee;
    visit->head = in->request->method == METHOD_HEAD;
    if (session_for(&referee->sessions, key, &visit->session) != ERR_NONE) {
        referee_answer(response, 503, SPAN("too many clients at once\n"));
        free(visit);
        return;
    }
    visit->session->visits++;
    run(visit, in, rest, response);
}
