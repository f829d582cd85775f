/* SPDX-License-Identifier: MIT */
/* Accept: media ranges and their weights. */
#include "http/accept.h"

#include "http/field.h"

enum { weight_full = 1000 };

/* "0.75" as 750; other what is no weight. */
static unsigned weight_of(struct span text, unsigned other)
{
    static const unsigned places[] = {1000, 0, 100, 10, 1};
    unsigned weight = 0;
    if (text.len == 0 || text.len > sizeof(places) / sizeof(*places)) {
        return other;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool good = i == 1 ? text.ptr[i] == '.' : ascii_is_digit(text.ptr[i]);
        if (!good) {
            return other;
        }
        weight += i == 1 ? 0 : (unsigned)(text.ptr[i] - '0') * places[i];
    }
    return weight <= weight_full ? weight : other;
}

/* Of a range, by its parameters. */
static unsigned weight_among(struct span parameters, unsigned other)
{
    while (parameters.len > 0) {
        size_t end = span_find(parameters, 0, ';');
        struct span parameter = span_trim(span_slice(parameters, 0, end));
        if (parameter.len >= 2 && ascii_lower(parameter.ptr[0]) == 'q' && parameter.ptr[1] == '=') {
            return weight_of(span_from(parameter, 2), other);
        }
        parameters = span_from(parameters, end < parameters.len ? end + 1 : end);
    }
    return weight_full;
}

/* "text/html" of "text/html;level=1;q=0.5", and what follows it. */
static struct span type_of(struct span range, struct span *parameters_out)
{
    size_t end = span_find(range, 0, ';');
    *parameters_out = span_from(range, end < range.len ? end + 1 : end);
    return span_trim(span_slice(range, 0, end));
}

bool accept_names_html(struct span accept)
{
    struct span range;
    struct span parameters;
    while (field_list_next(&accept, &range)) {
        struct span type = type_of(range, &parameters);
        bool html =
            span_eq_ci(type, SPAN("text/html")) || span_eq_ci(type, SPAN("application/xhtml+xml"));
        if (html && weight_among(parameters, 0) > 0) {
            return true;
        }
    }
    return false;
}

/* What is known of two types so far. */
struct wish {
    unsigned json;
    unsigned html;
    unsigned html_rank; /* how closely a range has named it */
};

static unsigned html_rank(struct span type)
{
    return span_eq_ci(type, SPAN("text/html")) ? 3
           : span_eq_ci(type, SPAN("text/*"))  ? 2
           : span_eq_ci(type, SPAN("*/*"))     ? 1
                                               : 0;
}

/* The closest range says it, and of several as close the one that says most. */
static void hear_range(struct span range, struct wish *wish)
{
    struct span parameters;
    struct span type = type_of(range, &parameters);
    if (span_eq_ci(type, SPAN("application/json"))) {
        unsigned weight = weight_among(parameters, 0);
        wish->json = weight > wish->json ? weight : wish->json;
        return;
    }
    unsigned rank = html_rank(type);
    if (rank == 0 || rank < wish->html_rank) {
        return;
    }
    unsigned weight = weight_among(parameters, weight_full);
    wish->html = rank > wish->html_rank || weight > wish->html ? weight : wish->html;
    wish->html_rank = rank;
}

bool accept_prefers_json(const struct request *request)
{
    struct wish wish = {0};
    for (size_t i = 0; request->known.accept.ptr != NULL && i < request->field_count; i++) {
        struct span list = request->fields[i].value;
        struct span range;
        if (!span_eq_ci(request->fields[i].name, SPAN("Accept"))) {
            continue;
        }
        while (field_list_next(&list, &range)) {
            hear_range(range, &wish);
        }
    }
    return wish.json > 0 && wish.json >= wish.html;
}
