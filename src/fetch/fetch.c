/* SPDX-License-Identifier: MIT */
/* Requests: made, in their turn, and answered. */
#include "fetch/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static_assert((int)fetch_error_bytes >= (int)CURL_ERROR_SIZE, "libcurl writes it");

struct fetch_request {
    struct fetch *fetch;
    struct fetch_list *list; /* that it is in */
    struct fetch_request *next;
    struct fetch_request *before;
    CURL *easy;
    struct curl_slist *fields;
    struct curl_slist *connect_to;
    fetch_done_fn *done;
    void *context;
    size_t head_bytes;
    uint8_t *body;
    size_t body_len;
    size_t body_cap;
    size_t body_bytes_max;
    bool cut;
    bool head_too_long;
    bool memory_is_out;
    char reason[fetch_error_bytes];
};

/* ---- lists ---- */

static void append(struct fetch_list *list, struct fetch_request *request)
{
    request->list = list;
    request->next = NULL;
    request->before = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = request;
    list->last = request;
    list->count++;
}

static void unlink_request(struct fetch_request *request)
{
    struct fetch_list *list = request->list;
    *(request->before != NULL ? &request->before->next : &list->first) = request->next;
    *(request->next != NULL ? &request->next->before : &list->last) = request->before;
    list->count--;
    request->list = NULL;
}

static void request_free(struct fetch_request *request)
{
    curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->fields);
    curl_slist_free_all(request->connect_to);
    free(request->body);
    free(request);
}

/* ---- what comes ---- */

static size_t on_head(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch_request *request = context;
    request->head_bytes += size * count;
    request->head_too_long = request->head_bytes > fetch_head_bytes_max;
    return request->head_too_long ? 0 : size * count;
}

static bool make_room(struct fetch_request *request, size_t len)
{
    size_t cap = request->body_cap > 0 ? request->body_cap : 1024;
    while (cap < request->body_len + len) {
        cap *= 2;
    }
    if (cap != request->body_cap) {
        uint8_t *body = realloc(request->body, cap);
        if (body == NULL) {
            return false;
        }
        request->body = body;
        request->body_cap = cap;
    }
    return true;
}

/* What it does not take ends the connection: there is no telling how much more would come. */
static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch_request *request = context;
    size_t len = size * count;
    size_t room = request->body_bytes_max - request->body_len;
    size_t taken = len < room ? len : room;
    request->cut = taken < len;
    if (taken > 0 && !make_room(request, taken)) {
        request->memory_is_out = true;
        return 0;
    }
    if (taken > 0) {
        memcpy(request->body + request->body_len, bytes, taken);
        request->body_len += taken;
    }
    return request->cut ? 0 : len;
}

static const char *why_not(const struct fetch_request *request, CURLcode result)
{
    if (result == CURLE_OK || (result == CURLE_WRITE_ERROR && request->cut)) {
        return NULL;
    }
    if (request->head_too_long) {
        return "the head of the answer is too long";
    }
    if (request->memory_is_out) {
        return err_text(ERR_MEMORY);
    }
    return request->reason[0] != 0 ? request->reason : curl_easy_strerror(result);
}

static struct fetch_answer make_answer(struct fetch_request *request, CURLcode result)
{
    struct fetch_answer answer = {.error = why_not(request, result),
                                  .cut = request->cut,
                                  .body = span_of(request->body, request->body_len)};
    char *address = NULL;
    char *location = NULL;
    long port = 0;
    curl_off_t wait_s = 0;
    curl_off_t latency_us = 0;
    curl_off_t length = -1;
    curl_off_t modified_s = -1;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &location);
    curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &wait_s);
    curl_easy_getinfo(request->easy, CURLINFO_PRIMARY_IP, &address);
    curl_easy_getinfo(request->easy, CURLINFO_PRIMARY_PORT, &port);
    curl_easy_getinfo(request->easy, CURLINFO_TOTAL_TIME_T, &latency_us);
    curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(request->easy, CURLINFO_FILETIME_T, &modified_s);
    answer.content_length = length;
    answer.last_modified_s = modified_s;
    answer.address = address != NULL ? address : "";
    answer.location = location;
    answer.retry_after_s = wait_s;
    answer.port = (uint16_t)port;
    answer.latency_us = latency_us;
    return answer;
}

/* ---- turns ---- */

static void finish(struct fetch_request *request, CURLcode result)
{
    struct fetch_answer answer = make_answer(request, result);
    curl_multi_remove_handle(request->fetch->multi, request->easy);
    unlink_request(request);
    request->done(request->context, &answer);
    request_free(request);
}

static void begin_waiting(struct fetch *fetch)
{
    while (fetch->waiting.first != NULL && fetch->running.count < fetch->at_once_max) {
        struct fetch_request *request = fetch->waiting.first;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): finish unlinks what it frees */
        unlink_request(request);
        append(&fetch->running, request);
        if (curl_multi_add_handle(fetch->multi, request->easy) != CURLM_OK) {
            finish(request, CURLE_OUT_OF_MEMORY);
        }
    }
}

void fetch_collect(struct fetch *fetch)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
        struct fetch_request *request = NULL;
        CURLcode result = message->data.result;
        if (message->msg == CURLMSG_DONE) {
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
            finish(request, result);
        }
    }
    begin_waiting(fetch);
}

/* ---- requests ---- */

static bool add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer != NULL) {
        *list = longer;
    }
    return longer != NULL;
}

static bool make_lists(struct fetch_request *request, const struct fetch_options *options)
{
    for (size_t i = 0; i < options->field_count; i++) {
        if (!add_line(&request->fields, options->fields[i])) {
            return false;
        }
    }
    if (options->connect_to == NULL) {
        return true;
    }
    /* "HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT", of which the first two may be empty. */
    size_t bytes = strlen(options->connect_to) + sizeof("::");
    char *line = malloc(bytes);
    bool ok = line != NULL;
    if (ok) {
        snprintf(line, bytes, "::%s", options->connect_to);
        ok = add_line(&request->connect_to, line);
    }
    free(line);
    return ok;
}

static bool set_content(CURL *easy, const struct fetch_options *options)
{
    if (options->content.ptr != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->content.len);
        if (curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, options->content.ptr) != CURLE_OK) {
            return false;
        }
    }
    if (options->method != NULL && strcmp(options->method, "HEAD") == 0) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    }
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, options->method) == CURLE_OK;
}

static bool set_tls(CURL *easy, const struct fetch_options *options)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->unverified ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->unverified ? 0L : 2L);
    return (options->ca_file == NULL ||
            curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file) == CURLE_OK) &&
           curl_easy_setopt(easy, CURLOPT_SSLCERT, options->certificate) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLKEY, options->key) == CURLE_OK;
}

static void set_answer(struct fetch_request *request)
{
    CURL *easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->reason);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
}

static bool set_all(struct fetch_request *request, const struct fetch_options *options)
{
    CURL *easy = request->easy;
    const char *agent =
        options->user_agent != NULL ? options->user_agent : "detour/" DETOUR_VERSION;
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(options->connect_timeout_ms != 0 ? options->connect_timeout_ms
                                                             : options->timeout_ms));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* libcurl walks through all addresses that it has cached before each connection. */
    if (options->fresh) {
        curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    }
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)options->fresh);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, (long)options->fresh);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->fields);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, request->connect_to);
    set_answer(request);
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, agent) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, options->url) == CURLE_OK &&
           set_content(easy, options) && set_tls(easy, options);
}

enum err fetch_start(struct fetch *fetch, const struct fetch_options *options,
                     struct fetch_request **out)
{
    if (options->field_count > fetch_fields_max || fetch->waiting.count >= fetch_waiting_max) {
        return ERR_LIMIT;
    }
    struct fetch_request *request = calloc(1, sizeof(*request));
    if (request == NULL) {
        return ERR_MEMORY;
    }
    request->fetch = fetch;
    request->done = options->done;
    request->context = options->context;
    request->body_bytes_max = options->body_bytes_max;
    request->easy = curl_easy_init();
    if (request->easy == NULL || !make_lists(request, options) || !set_all(request, options)) {
        request_free(request);
        return ERR_MEMORY;
    }
    append(&fetch->waiting, request);
    ev_timer_start(fetch->loop, &fetch->turn);
    *out = request;
    return ERR_NONE;
}

void fetch_cancel(struct fetch_request **request)
{
    if (*request == NULL) {
        return;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it is unlinked before it is freed */
    struct fetch *fetch = (*request)->fetch;
    if ((*request)->list == &fetch->running) {
        curl_multi_remove_handle(fetch->multi, (*request)->easy);
    }
    unlink_request(*request);
    request_free(*request);
    *request = NULL;
    if (fetch->waiting.first != NULL) {
        ev_timer_start(fetch->loop, &fetch->turn);
    }
}

enum err fetch_new(struct ev_loop *loop, size_t at_once_max, struct fetch **out)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(fetch);
        return ERR_MEMORY;
    }
    fetch->loop = loop;
    fetch->at_once_max = at_once_max;
    fetch->multi = curl_multi_init();
    if (fetch->multi == NULL) {
        free(fetch);
        return ERR_MEMORY;
    }
    sockets_init(fetch);
    *out = fetch;
    return ERR_NONE;
}

static void cancel_all(struct fetch_list *list)
{
    while (list->first != NULL) {
        struct fetch_request *request = list->first;
        fetch_cancel(&request);
    }
}

void fetch_free(struct fetch **fetch)
{
    if (*fetch == NULL) {
        return;
    }
    cancel_all(&(*fetch)->waiting);
    cancel_all(&(*fetch)->running);
    curl_multi_cleanup((*fetch)->multi);
    sockets_fini(*fetch);
    free(*fetch);
    *fetch = NULL;
}
