/* SPDX-License-Identifier: MIT */
/* Routes that can never match, since an earlier one matches all that they match.
 *
 * Each route without conditions leaves keys in a table: what it covers. Each route looks
 * there for everything that could cover it: the prefixes above it, the wildcards above it,
 * the same pattern, and the earlier shapes with variables that its segments fit. That is
 * as many look-ups as a path has segments, however many routes there are. Sound, not
 * complete: what no key says is let through. */
#include "config/rule.h"

#include "base/buffer.h"

enum { segments_max = 32, masks_max = 64, key_bytes_max = 2 * pattern_bytes_max + 16 };

enum shape_tail {
    TAIL_END,   /* nothing follows the literal segments */
    TAIL_SLASH, /* a slash follows, and one segment at least */
    TAIL_OPEN,  /* anything, perhaps nothing */
};

/* What is known about the paths that a rule matches. */
struct shape {
    size_t count; /* literal segments at the beginning */
    bool cut;     /* there were more of them than are held */
    struct span segments[segments_max];
    enum shape_tail tail;
    bool fixed; /* nothing but literals and ":name" segments, all_count of them */
    size_t all_count;
    uint32_t any; /* bit i: segment i is a ":name" */
    struct span all[segments_max];
};

struct mask {
    size_t count;
    uint32_t any;
};

struct shadows {
    struct load *load;
    const struct model_site *site;
    struct names keys; /* to the index of the route */
    struct mask masks[masks_max];
    size_t mask_count;
    uint8_t key[key_bytes_max];
};

/* ---- shapes ---- */

static void shape_of_prefix(struct span prefix, struct shape *out)
{
    *out = (struct shape){.tail = TAIL_OPEN};
    for (size_t at = 0; at < prefix.len && out->count < segments_max;) {
        size_t end = span_find(prefix, at + 1, '/');
        out->segments[out->count++] = span_slice(prefix, at + 1, end);
        at = end;
        out->cut = at < prefix.len;
    }
}

static void shape_of_pattern(const struct pattern *pattern, struct shape *out)
{
    *out = (struct shape){.tail = TAIL_OPEN};
    bool literal = true;
    for (size_t i = 0; i < segments_max; i++) {
        struct span text = {0};
        enum segment_kind kind = pattern_segment(pattern, i, &text);
        if (kind == SEGMENT_END) {
            out->tail = literal ? TAIL_END : out->tail;
            out->fixed = true;
            out->all_count = i;
            return;
        }
        if (kind == SEGMENT_REST) {
            return;
        }
        if (kind == SEGMENT_ANY) {
            out->any |= UINT32_C(1) << i;
            out->tail = literal ? TAIL_SLASH : out->tail;
            literal = false;
        } else if (literal) {
            out->segments[out->count++] = text;
        }
        out->all[i] = text;
    }
}

static void shape_of(const struct model_rule *rule, struct shape *out)
{
    if (rule->path != NULL) {
        shape_of_pattern(rule->path, out);
    } else {
        shape_of_prefix(rule->prefix, out);
    }
}

/* ---- keys ---- */

static struct buffer key_begin(struct shadows *s, char kind, struct span host)
{
    struct buffer key = buffer_over(s->key, sizeof(s->key));
    buffer_byte(&key, (uint8_t)kind);
    buffer_put(&key, host);
    buffer_byte(&key, 0);
    return key;
}

static void key_segments(struct buffer *key, const struct span *segments, size_t count,
                         uint32_t any)
{
    for (size_t i = 0; i < count; i++) {
        buffer_byte(key, '/');
        if (any & UINT32_C(1) << i) {
            buffer_byte(key, 1); /* no literal holds this byte */
        } else {
            buffer_put(key, segments[i]);
        }
    }
}

static void look(struct shadows *s, const struct buffer *key, uint32_t *best)
{
    uint32_t found;
    if (!key->full && names_find(&s->keys, buffer_span(key), &found) && found < *best) {
        *best = found;
    }
}

static void leave(struct shadows *s, const struct buffer *key, uint32_t route)
{
    uint32_t old;
    if (key->full) {
        return;
    }
    struct span copy = arena_copy(s->load->scratch, buffer_span(key));
    if (copy.ptr != NULL && names_add(&s->keys, copy, route, &old) == ERR_MEMORY) {
        s->load->no_memory = true;
    }
}

/* ---- who covers it ---- */

static bool mask_fits(const struct mask *mask, const struct shape *shape)
{
    if (mask->count != shape->all_count || (shape->any & ~mask->any) != 0) {
        return false;
    }
    for (size_t i = 0; i < mask->count; i++) {
        bool by_name = (mask->any & UINT32_C(1) << i) != 0;
        if (by_name && (shape->any & UINT32_C(1) << i) == 0 && shape->all[i].len == 0) {
            return false; /* ":name" wants one byte at least */
        }
    }
    return true;
}

static void look_for_host(struct shadows *s, const struct model_rule *rule,
                          const struct shape *shape, struct span host, uint32_t *best)
{
    for (size_t n = 0; n <= shape->count; n++) {
        struct buffer key = key_begin(s, 'P', host);
        key_segments(&key, shape->segments, n, 0);
        look(s, &key, best);
        if (n < shape->count || shape->tail == TAIL_SLASH) {
            key = key_begin(s, 'W', host);
            key_segments(&key, shape->segments, n, 0);
            look(s, &key, best);
        }
    }
    if (rule->path != NULL) {
        struct buffer key = key_begin(s, 'S', host);
        buffer_put(&key, rule->path_source);
        look(s, &key, best);
    }
    for (size_t i = 0; shape->fixed && i < s->mask_count; i++) {
        if (mask_fits(&s->masks[i], shape)) {
            struct buffer key = key_begin(s, 'M', host);
            key_segments(&key, shape->all, shape->all_count, s->masks[i].any);
            look(s, &key, best);
        }
    }
}

/* ---- what it covers ---- */

static bool is_literal_source(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("{}()*+?:\\", text.ptr[i], 9) != NULL) {
            return false;
        }
    }
    return true;
}

/* How a source ends that has nothing but literals before: "/x/{star}" covers what lies
 * below, "/x{/{star}}?" and "/x/:rest{star}" cover /x too ({star} stands for an asterisk). */
static char cover_of_source(struct span source)
{
    if (span_eq(source, SPAN("*")) || span_eq(source, SPAN("/*"))) {
        return 'P';
    }
    if (span_ends(source, SPAN("{/*}?"))) {
        return is_literal_source(span_slice(source, 0, source.len - 5)) ? 'P' : 0;
    }
    size_t colon = span_find(source, 0, ':');
    if (colon < source.len && colon > 0 && source.ptr[colon - 1] == '/' &&
        source.ptr[source.len - 1] == '*') {
        bool plain = is_literal_source(span_slice(source, 0, colon - 1)) &&
                     source.len > colon + 2 &&
                     is_literal_source(span_slice(source, colon + 1, source.len - 1)) &&
                     span_find(source, colon, '/') == source.len &&
                     span_find(source, colon, '.') == source.len &&
                     span_find(source, colon, '-') == source.len;
        return plain ? 'P' : 0;
    }
    if (span_ends(source, SPAN("/*"))) {
        return is_literal_source(span_slice(source, 0, source.len - 2)) ? 'W' : 0;
    }
    return 0;
}

/* Whether the literal segments are all that stands before the part that matches anything. */
static bool covers_its_base(const struct model_rule *rule, const struct shape *shape)
{
    if (rule->path == NULL) {
        return !shape->cut;
    }
    size_t slashes = 0;
    struct span source = rule->path_source;
    for (size_t i = 0; i < source.len; i++) {
        slashes += source.ptr[i] == '/' ? 1 : 0;
    }
    /* The last slash belongs to the part behind them; "*" alone has none. */
    return shape->count + 1 == slashes || source.len == 1;
}

static void mask_add(struct shadows *s, const struct shape *shape)
{
    for (size_t i = 0; i < s->mask_count; i++) {
        if (s->masks[i].count == shape->all_count && s->masks[i].any == shape->any) {
            return;
        }
    }
    if (s->mask_count < masks_max) {
        s->masks[s->mask_count++] = (struct mask){.count = shape->all_count, .any = shape->any};
    }
}

static void leave_keys(struct shadows *s, const struct model_rule *rule, const struct shape *shape,
                       uint32_t route)
{
    struct span host = rule->host_source;
    char cover = rule->path != NULL ? cover_of_source(rule->path_source) : 'P';
    struct buffer key;
    if (cover != 0 && covers_its_base(rule, shape)) {
        key = key_begin(s, cover, host);
        key_segments(&key, shape->segments, shape->count, 0);
        leave(s, &key, route);
    }
    if (rule->path != NULL) {
        key = key_begin(s, 'S', host);
        buffer_put(&key, rule->path_source);
        leave(s, &key, route);
    }
    if (shape->fixed) {
        mask_add(s, shape);
        key = key_begin(s, 'M', host);
        key_segments(&key, shape->all, shape->all_count, shape->any);
        leave(s, &key, route);
    }
}

static bool takes_all_it_matches(const struct model_rule *rule)
{
    return conditions_ask_nothing(&rule->conditions) &&
           (rule->share_ppm == share_ppm_full || rule->rest.kind != ACTION_NEXT);
}

static void check_route(struct shadows *s, uint32_t route)
{
    const struct model_rule *rule = &s->site->routes[route];
    struct shape shape;
    uint32_t earlier = UINT32_MAX;
    shape_of(rule, &shape);
    look_for_host(s, rule, &shape, (struct span){0}, &earlier);
    if (rule->host != NULL) {
        look_for_host(s, rule, &shape, rule->host_source, &earlier);
    }
    if (earlier != UINT32_MAX) {
        const struct model_rule *by = &s->site->routes[earlier];
        problems_error(s->load->problems, rule->place,
                       "the route `%.*s` can never match, since `%.*s` in line %u comes first and "
                       "matches all of it; move it above that line, or take it away",
                       SPAN_ARG(rule->name), SPAN_ARG(by->name), by->place.line);
        return;
    }
    if (takes_all_it_matches(rule)) {
        leave_keys(s, rule, &shape, route);
    }
}

void check_shadows(struct load *load, const struct model_site *site)
{
    struct shadows *s = load_scratch(load, 1, sizeof(*s));
    if (s == NULL) {
        return;
    }
    *s = (struct shadows){.load = load, .site = site, .keys = {.arena = load->scratch}};
    for (size_t i = 0; i < site->route_count; i++) {
        check_route(s, (uint32_t)i);
    }
}
