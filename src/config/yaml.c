/* SPDX-License-Identifier: MIT */
/* libyaml's events to a tree. Depth is a small array here, not the C stack. */
#include "config/yaml.h"

#include "config/names.h"

#include <assert.h>
#include <yaml.h>

/* Below this many entries every key is compared with every other one. */
enum { small_map_max = 12 };

struct builder {
    struct arena *arena;
    struct problems *problems;
    size_t node_count;
    size_t depth;
    struct {
        struct node *node;
        struct node *last;
        const struct node *key; /* of a map: read, its value is still to come */
    } open[yaml_depth_max];
    struct node *root;
};

static struct place place_of(yaml_mark_t mark)
{
    return (struct place){.line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

struct place node_place_at(const struct node *node, size_t offset)
{
    struct place place = node->place;
    if (node->lead != NODE_NOT_VERBATIM && offset <= node->text.len) {
        place.column += (uint32_t)(node->lead + offset);
    }
    return place;
}

static bool fail(struct builder *b, struct place place, const char *text)
{
    problems_error(b->problems, place, "%s", text);
    return false;
}

static struct node *node_at(struct builder *b, struct place place, enum node_kind kind)
{
    if (++b->node_count > yaml_nodes_max) {
        fail(b, place, "the file has more than 8000000 values; split it");
        return NULL;
    }
    struct node *node = arena_alloc(b->arena, sizeof(*node));
    if (node == NULL) {
        fail(b, place, "out of memory while reading the file");
        return NULL;
    }
    *node = (struct node){.kind = kind, .place = place, .lead = NODE_NOT_VERBATIM};
    return node;
}

static struct node *node_new(struct builder *b, const yaml_event_t *event, enum node_kind kind)
{
    return node_at(b, place_of(event->start_mark), kind);
}

/* Hangs a finished or just opened node where it belongs. */
static bool attach(struct builder *b, struct node *node)
{
    if (b->depth == 0) {
        b->root = node;
        return true;
    }
    struct node *parent = b->open[b->depth - 1].node;
    assert(parent != NULL);
    struct node **last = &b->open[b->depth - 1].last;
    const struct node **key = &b->open[b->depth - 1].key;
    if (parent->kind == NODE_MAP && *key == NULL) {
        if (node->kind != NODE_SCALAR) {
            return fail(b, node->place, "a key must be a plain word; is a quote missing?");
        }
        node->label = parent->label;
        *key = node;
        return true;
    }
    node->key = *key;
    node->label = *key != NULL ? (*key)->text : parent->label;
    *key = NULL;
    if (*last == NULL) {
        parent->first = node;
    } else {
        (*last)->next = node;
    }
    *last = node;
    parent->count++;
    return true;
}

static bool opened(struct builder *b, struct node *node)
{
    if (node == NULL || !attach(b, node)) {
        return false;
    }
    if (b->depth == yaml_depth_max) {
        return fail(b, node->place, "nested too deeply; 32 levels are the most");
    }
    b->open[b->depth].node = node;
    b->open[b->depth].last = NULL;
    b->open[b->depth].key = NULL;
    b->depth++;
    return true;
}

static void report_twice(struct builder *b, const struct node *key, uint32_t line)
{
    problems_error(b->problems, key->place,
                   "the key `%.*s` stands twice, first in line %u; keep one of them",
                   SPAN_ARG(key->text), line);
}

static bool keys_unique_small(struct builder *b, const struct node *map)
{
    bool unique = true;
    for (const struct node *later = map->first; later != NULL; later = later->next) {
        for (const struct node *earlier = map->first; earlier != later; earlier = earlier->next) {
            if (span_eq(earlier->key->text, later->key->text)) {
                report_twice(b, later->key, earlier->key->place.line);
                unique = false;
                break;
            }
        }
    }
    return unique;
}

static bool keys_unique(struct builder *b, const struct node *map)
{
    if (map->count <= small_map_max) {
        return keys_unique_small(b, map);
    }
    bool unique = true;
    struct names names = {.arena = b->arena};
    for (const struct node *item = map->first; item != NULL; item = item->next) {
        uint32_t line;
        enum err err = names_add(&names, item->key->text, item->key->place.line, &line);
        if (err == ERR_RANGE) {
            report_twice(b, item->key, line);
            unique = false;
        } else if (err != ERR_NONE) {
            return fail(b, item->place, "out of memory while reading the file");
        }
    }
    return unique;
}

static bool is_null_word(struct span text)
{
    return text.len == 0 || span_eq(text, SPAN("~")) || span_eq(text, SPAN("null")) ||
           span_eq(text, SPAN("Null")) || span_eq(text, SPAN("NULL"));
}

/* Whether the text stands on one line, as it is, between the two marks. */
static uint8_t lead_of(const yaml_event_t *event, size_t len)
{
    size_t quotes = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 2;
    bool one_line = event->start_mark.line == event->end_mark.line;
    bool same = event->end_mark.column - event->start_mark.column == len + quotes;
    return one_line && same ? (uint8_t)(quotes / 2) : NODE_NOT_VERBATIM;
}

static bool on_scalar(struct builder *b, const yaml_event_t *event)
{
    struct span text = span_of(event->data.scalar.value, event->data.scalar.length);
    struct node *node = node_new(b, event, NODE_SCALAR);
    if (node == NULL) {
        return false;
    }
    node->plain =
        event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event->data.scalar.plain_implicit;
    node->lead = lead_of(event, text.len);
    node->text = arena_copy(b->arena, text);
    if (node->text.ptr == NULL) {
        return fail(b, node->place, "out of memory while reading the file");
    }
    if (node->plain && is_null_word(text)) {
        node->kind = NODE_NULL;
    }
    return attach(b, node);
}

static bool closed(struct builder *b)
{
    b->depth--;
    const struct node *node = b->open[b->depth].node;
    assert(node != NULL);
    if (node->kind == NODE_MAP) {
        keys_unique(b, node); /* reported; the tree can still be read for other problems */
    }
    return true;
}

static bool tag_is_core(const char *tag)
{
    static const char *const core[] = {"str", "int", "bool", "null", "float", "map", "seq"};
    static const char prefix[] = "tag:yaml.org,2002:";
    if (tag == NULL || strcmp(tag, "!") == 0) {
        return true;
    }
    if (strncmp(tag, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(core) / sizeof(core[0]); i++) {
        if (strcmp(tag + sizeof(prefix) - 1, core[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool extras_refused(struct builder *b, const yaml_event_t *event, const yaml_char_t *anchor,
                           const yaml_char_t *tag)
{
    struct place place = place_of(event->start_mark);
    if (anchor != NULL) {
        return fail(b, place,
                    "YAML anchors and aliases are not read here; write the value out, or put a "
                    "text that begins with `&` in quotes");
    }
    if (!tag_is_core((const char *)tag)) {
        problems_error(b->problems, place, "the YAML tag `%s` is not known; take it away",
                       (const char *)tag);
        return false;
    }
    return true;
}

static bool on_event(struct builder *b, const yaml_event_t *event)
{
    struct place place = place_of(event->start_mark);
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return b->root == NULL ||
               fail(b, place, "a second YAML document begins here; one file is one document");
    case YAML_ALIAS_EVENT:
        return fail(b, place, "a text that begins with `*` must stand in quotes");
    case YAML_SCALAR_EVENT:
        return extras_refused(b, event, event->data.scalar.anchor, event->data.scalar.tag) &&
               on_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return extras_refused(b, event, event->data.sequence_start.anchor,
                              event->data.sequence_start.tag) &&
               opened(b, node_new(b, event, NODE_LIST));
    case YAML_MAPPING_START_EVENT:
        return extras_refused(b, event, event->data.mapping_start.anchor,
                              event->data.mapping_start.tag) &&
               opened(b, node_new(b, event, NODE_MAP));
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return closed(b);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return true;
}

/* libyaml reads ahead, and says of what it cannot read only how many bytes precede it. */
static struct place place_of_byte(struct span text, size_t offset)
{
    struct place place = {1, 1};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if ((text.ptr[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static void report_syntax(struct builder *b, const yaml_parser_t *parser, struct span text)
{
    const char *context = parser->context != NULL ? parser->context : "";
    const char *what = parser->problem != NULL ? parser->problem : "not YAML";
    struct place place = place_of(parser->problem_mark);
    if (parser->error == YAML_MEMORY_ERROR) {
        fail(b, place, "out of memory while reading the file");
    } else if (parser->error == YAML_READER_ERROR) {
        problems_error(b->problems, place_of_byte(text, parser->problem_offset),
                       "not a UTF-8 text: %s; save the file as UTF-8", what);
    } else if (strcmp(context, "while scanning an alias") == 0) {
        fail(b, place_of(parser->context_mark), "a text that begins with `*` must stand in quotes");
    } else if (strcmp(what, "found character that cannot start any token") == 0) {
        fail(b, place,
             "a value cannot begin like this; put it in quotes, and indent with spaces, not tabs");
    } else {
        problems_error(b->problems, place,
                       "not YAML: %s%s%s; is a quote, a bracket or an indentation wrong?", what,
                       context[0] != 0 ? " " : "", context);
    }
}

static bool read_events(struct builder *b, yaml_parser_t *parser, struct span text)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            report_syntax(b, parser, text);
            return false;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        bool good = on_event(b, &event);
        yaml_event_delete(&event);
        if (!good) {
            return false;
        }
    }
    return true;
}

const struct node *yaml_read(struct span text, struct arena *arena, struct problems *problems)
{
    struct builder b = {.arena = arena, .problems = problems};
    yaml_parser_t parser;
    if (text.len > yaml_bytes_max) {
        fail(&b, (struct place){1, 1}, "the file is longer than 256 MiB; split it");
        return NULL;
    }
    if (!yaml_parser_initialize(&parser)) {
        fail(&b, (struct place){1, 1}, "out of memory while reading the file");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.len > 0 ? text.ptr : (const uint8_t *)"", text.len);
    bool good = read_events(&b, &parser, text);
    yaml_parser_delete(&parser);
    if (!good) {
        return NULL;
    }
    if (b.root == NULL) { /* nothing stands there */
        b.root = node_at(&b, (struct place){1, 1}, NODE_NULL);
    }
    return b.root;
}
