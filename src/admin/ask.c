/* SPDX-License-Identifier: MIT */
/* From a request to a call: query, preconditions, content. What would have to be ignored is
 * refused: a misspelt dry_run must not change anything. */
#include "admin/internal.h"

#include "http/field.h"

static bool bad(struct reply *reply, const char *detail)
{
    admin_refuse(&reply->result, 400, "%s", detail);
    return false;
}

/* ---- the query ---- */

static bool read_text(struct span value, uint8_t *room, size_t max, struct span *out)
{
    uint8_t decoded[request_target_bytes_max];
    size_t len = 0;
    if (!text_decode(value, true, decoded, &len) || len > max ||
        !text_is_plain(span_of(decoded, len))) {
        return false;
    }
    memcpy(room, decoded, len);
    *out = span_of(room, len);
    return true;
}

static bool read_number(struct span value, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;
    if (!span_decimal(value, max, &number) || number == 0) {
        return false;
    }
    *out = number;
    return true;
}

static bool read_flag(struct span value, bool *out)
{
    *out = span_eq(value, SPAN("true"));
    return *out || span_eq(value, SPAN("false"));
}

static bool read_parameter(struct asking *asking, unsigned bit, struct span value)
{
    struct admin_call *call = &asking->call;
    uint64_t number = 0;
    switch (bit) {
    case PARAMETER_BELOW:
        return read_number(value, UINT64_MAX, &call->below);
    case PARAMETER_LIMIT:
        if (!read_number(value, limit_max, &number)) {
            return false;
        }
        call->limit = (uint32_t)number;
        return true;
    case PARAMETER_DRY_RUN:
        return read_flag(value, &call->dry_run);
    case PARAMETER_OWNER:
        return read_text(value, asking->owner, owner_bytes_max, &call->owner);
    default:
        return read_text(value, asking->why, why_bytes_max, &call->why);
    }
}

static const struct parameter *parameter_find(struct span name, unsigned allowed)
{
    for (size_t i = 0; i < parameter_count; i++) {
        const struct parameter *parameter = &admin_parameters[i];
        if ((parameter->bit & allowed) != 0 && span_eq(span_cstr(parameter->name), name)) {
            return parameter;
        }
    }
    return NULL;
}

static bool read_query(struct asking *asking, struct span query, const struct route *route,
                       struct reply *reply)
{
    unsigned seen = 0;
    for (size_t at = 0; at < query.len;) {
        size_t end = span_find(query, at, '&');
        struct span part = span_slice(query, at, end);
        at = end + 1;
        size_t equals = span_find(part, 0, '=');
        if (part.len == 0) {
            continue;
        }
        const struct parameter *parameter =
            parameter_find(span_slice(part, 0, equals), route->parameters);
        if (parameter == NULL) {
            return bad(reply, "the query has a parameter that is not known here");
        }
        struct span value = equals < part.len ? span_from(part, equals + 1) : (struct span){0};
        if ((seen & parameter->bit) != 0 || !read_parameter(asking, parameter->bit, value)) {
            admin_refuse(&reply->result, 400, "the parameter %s %s", parameter->name,
                         (seen & parameter->bit) != 0 ? "stands there twice"
                                                      : "does not have a value that it may have");
            return false;
        }
        seen |= parameter->bit;
    }
    return true;
}

/* ---- preconditions (RFC 9110, 13) ---- */

/* Our tags are decimal numbers in quotes. 0: some other tag. False: no tag at all. */
static bool read_tag(struct span text, uint64_t *out, bool *weak)
{
    *weak = span_starts(text, SPAN("W/"));
    struct span tag = *weak ? span_from(text, 2) : text;
    if (tag.len < 2 || tag.ptr[0] != '"' || tag.ptr[tag.len - 1] != '"') {
        return false;
    }
    tag = span_slice(tag, 1, tag.len - 1);
    bool canonical = tag.len > 0 && tag.ptr[0] != '0';
    if (!canonical || !span_decimal(tag, UINT64_MAX, out)) {
        *out = 0;
    }
    return true;
}

static bool read_if_match(struct admin_call *call, struct span value, struct reply *reply)
{
    bool weak = false;
    if (value.ptr == NULL) {
        return true;
    }
    if (span_eq(value, SPAN("*"))) {
        call->if_exists = true;
        return true;
    }
    if (!read_tag(value, &call->if_match, &weak) || span_find(value, 0, ',') < value.len) {
        return bad(reply, "If-Match is one entity tag, or *");
    }
    call->has_if_match = true;
    call->if_match = weak ? 0 : call->if_match; /* compared strongly: no weak one is equal */
    return true;
}

/* Of a GET: a list, which answer.c compares (weakly: RFC 9110, 13.1.2). */
static bool read_none_match_list(struct span value, struct reply *reply)
{
    size_t count = 0;
    struct span tag;
    while (field_list_next(&value, &tag)) {
        uint64_t number = 0;
        bool weak = false;
        if (!read_tag(tag, &number, &weak)) {
            return bad(reply, "If-None-Match is a list of entity tags, or *");
        }
        if (number != 0 && count + 1 < sizeof(reply->none_match) / sizeof(reply->none_match[0])) {
            reply->none_match[count++] = number;
        }
    }
    return true;
}

static bool read_if_none_match(struct admin_call *call, const struct route *route,
                               struct span value, struct reply *reply)
{
    if (value.ptr == NULL) {
        return true;
    }
    bool any = span_eq(value, SPAN("*"));
    if (route->method == METHOD_GET) {
        reply->none_any = any;
        return any || read_none_match_list(value, reply);
    }
    if (!any) {
        return bad(reply, "If-None-Match is * where something is written");
    }
    call->if_none = true;
    return true;
}

static bool read_preconditions(struct admin_call *call, const struct request *request,
                               const struct route *route, struct reply *reply)
{
    struct span match;
    struct span none;
    if (!text_field(request, SPAN("If-Match"), &match) ||
        !text_field(request, SPAN("If-None-Match"), &none)) {
        return bad(reply, "a precondition stands there twice");
    }
    if (route->tag < TAG_ALLOWED) {
        bool ignorable = route->access != ACCESS_WRITE || (match.ptr == NULL && none.ptr == NULL);
        return ignorable || bad(reply, "there is no entity tag here that could match");
    }
    if (match.ptr != NULL && none.ptr != NULL) {
        return bad(reply, "If-Match or If-None-Match, not both");
    }
    if (!read_if_match(call, match, reply) || !read_if_none_match(call, route, none, reply)) {
        return false;
    }
    if (route->tag == TAG_NEEDED && match.ptr == NULL && none.ptr == NULL) {
        admin_refuse(&reply->result, 428,
                     "say If-None-Match: * to make it, or If-Match with its ETag to replace it");
        return false;
    }
    return true;
}

/* ---- the content ---- */

/* Parameters of a media type: a charset of UTF-8, or none. */
static bool parameters_good(struct span rest)
{
    rest = span_trim(rest);
    if (rest.len == 0) {
        return true;
    }
    struct span charset = rest.ptr[0] == ';' ? span_trim(span_from(rest, 1)) : rest;
    return rest.ptr[0] == ';' && (charset.len == 0 || span_eq_ci(charset, SPAN("charset=utf-8")) ||
                                  span_eq_ci(charset, SPAN("charset=\"utf-8\"")));
}

static bool is_type(struct span value, struct span type)
{
    return value.len >= type.len && span_eq_ci(span_slice(value, 0, type.len), type) &&
           parameters_good(span_from(value, type.len));
}

static bool check_type(const struct request *request, const struct route *route,
                       struct reply *reply)
{
    struct span type;
    struct span coding;
    bool json = route->content == CONTENT_JSON;
    bool good = text_field(request, SPAN("Content-Type"), &type) &&
                text_field(request, SPAN("Content-Encoding"), &coding) && coding.ptr == NULL &&
                type.ptr != NULL;
    if (good &&
        (json ? is_type(type, SPAN("application/json"))
              : is_type(type, SPAN("text/yaml")) || is_type(type, SPAN("application/yaml")))) {
        return true;
    }
    admin_refuse(&reply->result, 415, "the content must be Content-Type: %s, not encoded",
                 json ? "application/json" : "text/yaml");
    return false;
}

/* So that no document makes us recurse as deep as its author likes. */
static bool too_deep(struct span text)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t at = 0; at < text.len; at++) {
        uint8_t c = text.ptr[at];
        if (quoted) {
            at += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > content_depth_max) {
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static bool read_json(struct asking *asking, struct span text, struct reply *reply)
{
    if (too_deep(text)) {
        admin_refuse(&reply->result, 400, "the JSON is more than %d levels deep",
                     content_depth_max);
        return false;
    }
    json_error_t error;
    asking->content = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (asking->content == NULL) {
        admin_refuse(&reply->result, 400, "the content is no JSON: line %d, column %d: %s",
                     error.line, error.column, error.text);
        return false;
    }
    if (!json_is_object(asking->content)) {
        return bad(reply, "the content must be a JSON object");
    }
    asking->call.content = asking->content;
    return true;
}

/* The content says what the path says, or nothing of it. */
static bool settle_member(json_t *content, const char *name, struct span value, struct reply *reply)
{
    json_t *member = json_object_get(content, name);
    if (member == NULL) {
        if (json_object_set_new(content, name, text_to_json(value)) == 0) {
            return true;
        }
        admin_refuse(&reply->result, 503, "out of memory");
        return false;
    }
    if (json_is_string(member) &&
        span_eq(span_of(json_string_value(member), json_string_length(member)), value)) {
        return true;
    }
    admin_refuse(&reply->result, 422, "%s is not what the path says", name);
    return false;
}

/* What the history is told when the query does not. Of another type it is the backend's to
 * refuse. */
static bool settle_text(json_t *content, const char *name, size_t max, struct span *out,
                        struct reply *reply)
{
    json_t *member = json_object_get(content, name);
    if (!json_is_string(member)) {
        return true;
    }
    struct span text = span_of(json_string_value(member), json_string_length(member));
    if (text.len > max || !text_is_plain(text)) {
        admin_refuse(&reply->result, 422,
                     "%s must be one line without control characters, of at most %zu bytes", name,
                     max);
        return false;
    }
    *out = out->ptr != NULL ? *out : text;
    return true;
}

static bool read_detour(struct asking *asking, struct reply *reply)
{
    struct admin_call *call = &asking->call;
    json_t *content = asking->content;
    return settle_member(content, "site", call->site, reply) &&
           settle_member(content, "name", call->name, reply) &&
           settle_text(content, "owner", owner_bytes_max, &call->owner, reply) &&
           settle_text(content, "reason", why_bytes_max, &call->why, reply);
}

static bool read_content(struct asking *asking, const struct serve_request *asked,
                         const struct route *route, struct reply *reply)
{
    struct span content = asked->content;
    if (route->content == CONTENT_NONE) {
        return content.len == 0 || bad(reply, "no content is taken here");
    }
    if (!check_type(asked->request, route, reply)) {
        return false;
    }
    if (content.len == 0) {
        return bad(reply, "the content is missing");
    }
    if (route->content == CONTENT_YAML) {
        asking->call.text = content;
        return true;
    }
    return read_json(asking, content, reply) &&
           (route->operation != ADMIN_PUT_DETOUR || read_detour(asking, reply)) &&
           (route->operation != ADMIN_PUT_SERVER ||
            settle_member(asking->content, "name", asking->call.server, reply));
}

/* ---- all of it ---- */

static bool read_variables(struct admin_call *call, const struct route *route,
                           const struct segments *segments, struct reply *reply)
{
    call->site = route_variable(route, segments, SPAN("{site}"));
    call->name = route_variable(route, segments, SPAN("{name}"));
    call->pool = route_variable(route, segments, SPAN("{pool}"));
    call->server = route_variable(route, segments, SPAN("{server}"));
    struct span number = route_variable(route, segments, SPAN("{number}"));
    if (number.ptr != NULL && !read_number(number, UINT64_MAX, &call->number)) {
        admin_refuse(&reply->result, 404, "changes have numbers, from 1");
        return false;
    }
    return true;
}

/* Not the room for texts, which nobody reads before it is written. */
void asking_init(struct asking *asking)
{
    memset(asking, 0, offsetof(struct asking, owner));
}

bool asking_read(struct asking *asking, const struct serve_request *asked,
                 const struct route *route, const struct segments *segments, struct reply *reply)
{
    reply->is_read = route->method == METHOD_GET;
    asking->call.operation = (enum admin_operation)route->operation;
    asking->call.limit = (route->parameters & PARAMETER_LIMIT) != 0 ? limit_default : 0;
    return read_variables(&asking->call, route, segments, reply) &&
           read_query(asking, asked->request->query, route, reply) &&
           read_preconditions(&asking->call, asked->request, route, reply) &&
           read_content(asking, asked, route, reply);
}

void asking_fini(struct asking *asking)
{
    json_decref(asking->content);
    asking->content = NULL;
}
