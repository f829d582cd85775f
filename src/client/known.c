/* SPDX-License-Identifier: MIT */
/* Names by their length, since that alone tells most of them apart. */
#include "client/known.h"

enum { name_bytes_max = 20, names_of_length_max = 6 };

struct name {
    const char *text;
    enum known known;
};

/* Digest stands for an older form of what RFC 9530 has split in two. Last-Modified in a request
 * describes what is sent (RFC 9110, 15.4). */
static const struct name names[name_bytes_max + 1][names_of_length_max] = {
    [2] = {{"te", KNOWN_HOP}},
    [3] = {{"age", KNOWN_AGE}},
    [4] = {{"host", KNOWN_HOST}, {"date", KNOWN_DATE}, {"vary", KNOWN_VARY}},
    [6] = {{"cookie", KNOWN_COOKIE},
           {"origin", KNOWN_ORIGIN},
           {"expect", KNOWN_EXPECT},
           {"pragma", KNOWN_PRAGMA},
           {"digest", KNOWN_CONTENT}},
    [7] = {{"referer", KNOWN_REFERER},
           {"expires", KNOWN_EXPIRES},
           {"upgrade", KNOWN_HOP},
           {"trailer", KNOWN_CONTENT},
           {"api-key", KNOWN_SECRET},
           {"cookie2", KNOWN_COOKIE}},
    [8] = {{"location", KNOWN_LOCATION}},
    [9] = {{"x-api-key", KNOWN_SECRET}},
    [10] = {{"connection", KNOWN_CONNECTION},
            {"keep-alive", KNOWN_HOP},
            {"set-cookie", KNOWN_SET_COOKIE}},
    [11] = {{"retry-after", KNOWN_RETRY_AFTER},
            {"content-md5", KNOWN_CONTENT},
            {"repr-digest", KNOWN_CONTENT}},
    [12] = {{"content-type", KNOWN_CONTENT},
            {"x-auth-token", KNOWN_SECRET},
            {"x-csrf-token", KNOWN_SECRET},
            {"x-xsrf-token", KNOWN_SECRET}},
    [13] = {{"authorization", KNOWN_AUTHORIZATION},
            {"cache-control", KNOWN_CACHE_CONTROL},
            {"if-none-match", KNOWN_VALIDATOR},
            {"last-modified", KNOWN_CONTENT},
            {"content-range", KNOWN_CONTENT},
            {"private-token", KNOWN_SECRET}},
    [14] = {{"content-length", KNOWN_CONTENT},
            {"content-digest", KNOWN_CONTENT},
            {"x-access-token", KNOWN_SECRET}},
    [15] = {{"referrer-policy", KNOWN_REFERRER_POLICY}},
    [16] = {{"content-encoding", KNOWN_CONTENT},
            {"content-language", KNOWN_CONTENT},
            {"content-location", KNOWN_CONTENT_LOCATION}},
    [17] = {{"if-modified-since", KNOWN_VALIDATOR}, {"transfer-encoding", KNOWN_HOP}},
    [19] = {{"content-disposition", KNOWN_CONTENT}},
    [20] = {{"x-amz-security-token", KNOWN_SECRET}},
};

enum known known_find(struct span name)
{
    if (name.len <= name_bytes_max) {
        for (size_t i = 0; i < names_of_length_max; i++) {
            const struct name *each = &names[name.len][i];
            if (each->text == NULL) {
                break;
            }
            if (ascii_lower(name.ptr[0]) == (uint8_t)each->text[0] &&
                span_eq_ci(name, span_of(each->text, name.len))) {
                return each->known;
            }
        }
    }
    struct span proxy = SPAN("proxy-");
    bool is_proxy = name.len > proxy.len && span_eq_ci(span_slice(name, 0, proxy.len), proxy);
    return is_proxy ? KNOWN_PROXY : KNOWN_NONE;
}
