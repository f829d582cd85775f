/* SPDX-License-Identifier: MIT */
/* One question over the network, and what its answer says. */
#include "exists/internal.h"

#include "base/cidr.h"
#include "base/clock.h"
#include "uri/location.h"

#include <stdio.h>

enum { place_bytes_max = 64 };

/* What an answer says, by itself. */
static enum fact judge(const struct fetch_answer *answer)
{
    if (answer->error != NULL || answer->status >= 500) {
        return FACT_TRIED;
    }
    switch (answer->status) {
    case 408: /* the server has had enough for now, and says nothing of the path */
    case 425:
    case 429:
        return FACT_TRIED;
    default:
        return answer->status >= 200 && answer->status <= 299 ? FACT_YES : FACT_NO;
    }
}

/* Who does not say how large or how old it is has not the same. */
static bool is_same(const struct exists_target *target, const struct original *original,
                    const struct fetch_answer *answer)
{
    bool size = answer->content_length >= 0 && answer->content_length == original->size;
    bool date = answer->last_modified_s >= 0 && answer->last_modified_s == original->date_s;
    return (size || !target->same_size) && (date || !target->same_date);
}

static enum fact compare(const struct inquiry *inquiry, const struct fetch_answer *answer,
                         uint32_t now_s)
{
    const struct server *original = inquiry->about->original;
    if (original == NULL) {
        return FACT_YES;
    }
    const struct original *kept =
        original_find(inquiry->exists, facts_key(inquiry->path_hash, original->target.key), now_s);
    if (kept == NULL) {
        return FACT_TRIED; /* it was forgotten meanwhile */
    }
    return !kept->absent && is_same(&inquiry->about->target, kept, answer) ? FACT_YES : FACT_NO;
}

static void keep_original(const struct inquiry *inquiry, enum fact fact,
                          const struct fetch_answer *answer, uint32_t now_s)
{
    const struct exists_target *target = &inquiry->asked->target;
    const struct original original = {
        .key = facts_key(inquiry->path_hash, target->key),
        .size = answer->content_length,
        .date_s = answer->last_modified_s,
        .until_s = now_s + (fact == FACT_YES ? target->yes_s : target->no_s),
        .absent = fact == FACT_NO,
    };
    if (target->is_original && fact != FACT_TRIED) {
        original_keep(inquiry->exists, &original);
    }
}

static void on_answer(void *context, const struct fetch_answer *answer)
{
    struct inquiry *inquiry = context;
    struct server *asked = inquiry->asked;
    uint32_t now_s = exists_now_s(inquiry->exists, clock_monotonic_ns());
    enum fact fact = judge(answer);
    inquiry->fetch = NULL;
    if (answer->error == NULL) {
        asked->silent = false;
    } else if (!asked->silent) {
        server_fell_silent(inquiry->exists, asked);
    }
    keep_original(inquiry, fact, answer, now_s);
    if (asked == inquiry->about) {
        inquiry_end(inquiry, fact == FACT_YES ? compare(inquiry, answer, now_s) : fact);
    } else if (fact == FACT_YES) {
        inquiry_move(inquiry);
    } else {
        inquiry_end(inquiry, fact); /* there is nothing to compare it with */
    }
}

/* "192.0.2.7:8443", "[2001:db8::1]:443". */
static bool find_place(const struct inquiry *inquiry, char out[place_bytes_max])
{
    const struct exists_setting *setting = &inquiry->exists->setting;
    const struct exists_target *target = &inquiry->asked->target;
    uint8_t address[16];
    char text[address_text_max];
    if (!address_parse(target->host, address) &&
        !setting->find(setting->context, target->host, address)) {
        return false;
    }
    int len = (int)address_format(address, text);
    const char *format = address_is_v4(address) ? "%.*s:%u" : "[%.*s]:%u";
    snprintf(out, place_bytes_max, format, len, text, (unsigned)target->port);
    return true;
}

/* The ticket is for the Host that the server is asked with, which may be another than its URL's. */
static bool add_ticket(const struct signing_ticket *ticket, const char *host_field,
                       struct buffer *url)
{
    static uint8_t room[location_bytes_max]; /* one thread asks */
    struct buffer other = buffer_over(room, sizeof(room));
    if (host_field == NULL) {
        return signing_add(ticket, 0, url);
    }
    struct span asked = buffer_span(url);
    struct span authority = location_authority(asked);
    struct span host = span_from(span_cstr(host_field), strlen("Host: "));
    buffer_put(&other, span_slice(authority, 0, span_find(authority, 0, '/') + 2));
    buffer_put(&other, host);
    buffer_put(&other, span_from(asked, authority.len));
    size_t unsigned_len = other.len;
    if (!signing_add(ticket, 0, &other)) {
        return false;
    }
    buffer_put(url, span_from(buffer_span(&other), unsigned_len));
    return true;
}

static bool sign(const struct inquiry *inquiry, struct buffer *url)
{
    const struct exists_target *target = &inquiry->asked->target;
    const struct signing_keys *const *keys = inquiry->exists->setting.keys;
    const struct signing_ticket ticket = {
        .key = keys != NULL ? signing_keys_find(*keys, target->sign_key) : NULL,
        .method = SPAN("HEAD"),
        .param = target->sign_param,
        .expires_s = clock_wall_ns() / NS_PER_SECOND + target->sign_ttl_s,
    };
    return !target->signs ||
           (ticket.key != NULL && add_ticket(&ticket, inquiry->asked->host_field, url));
}

/* The URL that a client would be sent to, but for its query. */
static bool make_url(const struct inquiry *inquiry, struct buffer *out)
{
    const struct exists_target *target = &inquiry->asked->target;
    if (location_append(target->url, inquiry->path, (struct span){0}, out) != LOCATION_OK ||
        !sign(inquiry, out)) {
        return false;
    }
    buffer_byte(out, 0);
    return !out->full;
}

bool inquiry_send(struct inquiry *inquiry)
{
    static uint8_t room[location_bytes_max]; /* one thread asks */
    struct buffer url = buffer_over(room, sizeof(room));
    char place[place_bytes_max];
    const struct server *asked = inquiry->asked;
    if (!find_place(inquiry, place) || !make_url(inquiry, &url)) {
        return false;
    }
    const struct fetch_options options = {.url = (const char *)room,
                                          .method = "HEAD",
                                          .fields = &asked->host_field,
                                          .field_count = asked->host_field != NULL,
                                          .user_agent = "detour/" DETOUR_VERSION " (exists)",
                                          .connect_to = place,
                                          .timeout_ms = exists_timeout_ms,
                                          .connect_timeout_ms = exists_connect_timeout_ms,
                                          .ca_file = asked->ca_file,
                                          .unverified = asked->target.unverified,
                                          .done = on_answer,
                                          .context = inquiry};
    return fetch_start(inquiry->exists->fetch, &options, &inquiry->fetch) == ERR_NONE;
}
