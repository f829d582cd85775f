/* SPDX-License-Identifier: MIT */
/* Scalars, lists and maps, with one form of message for each kind of mistake. */
#include "config/read.h"

#include "config/time.h"

#include "base/buffer.h"

/* "a list", "nothing", "\"text\"", in the scratch arena. */
static const char *described(struct load *load, const struct node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        return "nothing";
    case NODE_LIST:
        return list_count(node) > 0 ? "a list" : "an empty list";
    case NODE_MAP:
        return "a map";
    case NODE_SCALAR:
        break;
    }
    const char *text = arena_printf(load->scratch, "\"%.*s\"", SHOW(node->text));
    return text != NULL ? text : "this";
}

bool read_refuse(struct load *load, const struct node *node, const char *wanted)
{
    struct span label = node->label.len > 0 ? node->label : SPAN("the file");
    problems_error(load->problems, node->place, "`%.*s` must be %s, not %s", SHOW(label), wanted,
                   described(load, node));
    return false;
}

bool node_is(const struct node *node, enum node_kind kind)
{
    return node != NULL && node->kind == kind;
}

bool node_is_word(const struct node *node, const char *word)
{
    return node_is(node, NODE_SCALAR) && span_eq(node->text, span_cstr(word));
}

bool read_text(struct load *load, const struct node *node, struct span *out)
{
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node, "a text");
    }
    if (memchr(node->text.ptr, 0, node->text.len) != NULL) {
        problems_error(load->problems, node->place, "`%.*s` holds a NUL byte; take it away",
                       SHOW(node->label));
        return false;
    }
    *out = load_copy(load, node->text);
    return true;
}

bool read_string(struct load *load, const struct node *node, struct span *out)
{
    if (node->kind == NODE_SCALAR && node->text.len == 0) {
        problems_error(load->problems, node->place,
                       "`%.*s` is empty; write a value or leave it out", SHOW(node->label));
        return false;
    }
    return read_text(load, node, out);
}

enum { name_bytes_max = 128 };

bool read_name(struct load *load, const struct node *node, struct span *out)
{
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node, "a name");
    }
    struct span text = node->text;
    /* No path of the admin API has a segment of dots. */
    bool dots = span_eq(text, SPAN(".")) || span_eq(text, SPAN(".."));
    bool good = text.len > 0 && text.len <= name_bytes_max && text.ptr[0] != '#' && !dots;
    for (size_t i = 0; i < text.len && good; i++) {
        uint8_t c = text.ptr[i];
        good = c > 0x20 && c < 0x7f && c != '/' && c != '"' && c != '\\' && c != ',';
    }
    if (!good) {
        return read_refuse(load, node,
                           "a name: letters, digits, '-', '.' and '_', no spaces and slashes, at "
                           "most 128");
    }
    *out = load_copy(load, text);
    return true;
}

bool read_bool(struct load *load, const struct node *node, bool *out)
{
    bool yes = node->kind == NODE_SCALAR && node->plain && span_eq_ci(node->text, SPAN("true"));
    bool no = node->kind == NODE_SCALAR && node->plain && span_eq_ci(node->text, SPAN("false"));
    if (!yes && !no) {
        return read_refuse(load, node, "true or false");
    }
    *out = yes;
    return true;
}

bool read_integer(struct load *load, const struct node *node, uint64_t min, uint64_t max,
                  uint64_t *out)
{
    uint64_t value;
    if (node->kind != NODE_SCALAR || !span_decimal(node->text, max, &value) || value < min) {
        const char *wanted = arena_printf(load->scratch, "a whole number from %llu to %llu",
                                          (unsigned long long)min, (unsigned long long)max);
        return read_refuse(load, node, wanted != NULL ? wanted : "a whole number");
    }
    *out = value;
    return true;
}

/* ---- durations and sizes ---- */

struct unit {
    struct span name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {SPAN("ms"), 1},      {SPAN("s"), 1000},     {SPAN("m"), 60000},     {SPAN("min"), 60000},
    {SPAN("h"), 3600000}, {SPAN("d"), 86400000}, {SPAN("w"), 604800000},
};

static const struct unit size_units[] = {
    {SPAN("B"), 1},         {SPAN("kB"), 1000},        {SPAN("KB"), 1000},
    {SPAN("MB"), 1000000},  {SPAN("GB"), 1000000000},  {SPAN("KiB"), 1 << 10},
    {SPAN("MiB"), 1 << 20}, {SPAN("GiB"), 1ull << 30},
};

enum { quantity_max_digits = 15 };

static bool unit_find(struct span name, const struct unit *units, size_t count, uint64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq(units[i].name, name)) {
            *out = units[i].factor;
            return true;
        }
    }
    return false;
}

static size_t run_of(struct span text, size_t at, bool of_digits)
{
    while (at < text.len && ascii_is_digit(text.ptr[at]) == of_digits) {
        at++;
    }
    return at;
}

/* One number with its unit at *at; adds it to *sum. */
static bool quantity_step(struct span text, size_t *at, const struct unit *units, size_t count,
                          uint64_t *sum)
{
    size_t digits_end = run_of(text, *at, true);
    size_t unit_end = run_of(text, digits_end, false);
    uint64_t value, factor;
    uint64_t max = UINT64_C(1) << 50;
    if (digits_end - *at > quantity_max_digits ||
        !span_decimal(span_slice(text, *at, digits_end), max, &value) ||
        !unit_find(span_trim(span_slice(text, digits_end, unit_end)), units, count, &factor) ||
        value > max / factor || *sum > max - value * factor) {
        return false;
    }
    *sum += value * factor;
    *at = unit_end;
    return true;
}

static bool duration_ms(struct span text, uint64_t *out)
{
    uint64_t sum = 0;
    if (text.len == 0) {
        return false;
    }
    if (span_eq(text, SPAN("0"))) {
        *out = 0;
        return true;
    }
    for (size_t at = 0; at < text.len;) {
        if (!quantity_step(text, &at, duration_units,
                           sizeof(duration_units) / sizeof(duration_units[0]), &sum)) {
            return false;
        }
    }
    *out = sum;
    return true;
}

bool duration_parse(struct span text, int64_t *ns_out)
{
    uint64_t ms;
    if (!duration_ms(text, &ms) || ms == 0 || ms > INT64_MAX / 1000000) {
        return false;
    }
    *ns_out = (int64_t)ms * 1000000;
    return true;
}

static bool duration_refuse(struct load *load, const struct node *node)
{
    uint64_t bare;
    if (node->kind == NODE_SCALAR && span_decimal(node->text, UINT64_MAX, &bare)) {
        problems_error(
            load->problems, node->place,
            "`%.*s` is a duration without a unit; write %.*ss for seconds, or ms, m, h, d",
            SHOW(node->label), SHOW(node->text));
        return false;
    }
    return read_refuse(load, node, "a duration like 500ms, 30s, 5m, 1h or 1d");
}

static const char *duration_text(struct load *load, uint32_t ms)
{
    static const struct {
        uint32_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms == 0 ? units[i].ms != 1000 : ms % units[i].ms != 0) {
        i++;
    }
    const char *text = arena_printf(load->scratch, "%u%s", ms / units[i].ms, units[i].name);
    return text != NULL ? text : "?";
}

bool read_duration_ms(struct load *load, const struct node *node, uint32_t min_ms, uint32_t max_ms,
                      uint32_t *out)
{
    uint64_t ms;
    if (node->kind != NODE_SCALAR || !duration_ms(node->text, &ms)) {
        return duration_refuse(load, node);
    }
    if (ms < min_ms || ms > max_ms) {
        const char *wanted = arena_printf(load->scratch, "from %s to %s",
                                          duration_text(load, min_ms), duration_text(load, max_ms));
        return read_refuse(load, node, wanted != NULL ? wanted : "a shorter or longer time");
    }
    *out = (uint32_t)ms;
    return true;
}

bool read_duration_s(struct load *load, const struct node *node, int64_t *out)
{
    const uint64_t ten_years_ms = UINT64_C(3650) * 86400000;
    uint64_t ms;
    if (node->kind != NODE_SCALAR || !duration_ms(node->text, &ms)) {
        return duration_refuse(load, node);
    }
    if (ms % 1000 != 0 || ms > ten_years_ms) {
        return read_refuse(load, node, "whole seconds, and no more than ten years");
    }
    *out = (int64_t)(ms / 1000);
    return true;
}

bool read_size(struct load *load, const struct node *node, uint64_t max, uint64_t *out)
{
    uint64_t bytes = 0;
    size_t at = 0;
    bool good = node->kind == NODE_SCALAR && span_decimal(node->text, max, &bytes);
    if (!good && node->kind == NODE_SCALAR) {
        bytes = 0;
        good = quantity_step(node->text, &at, size_units,
                             sizeof(size_units) / sizeof(size_units[0]), &bytes) &&
               at == node->text.len && bytes <= max;
    }
    if (!good) {
        return read_refuse(load, node, "a size like 64KiB, 1MiB or 1GiB");
    }
    *out = bytes;
    return true;
}

/* Up to four digits behind the point, so that a millionth is the least. */
static bool percent_parse(struct span text, uint32_t *out)
{
    if (text.len < 2 || text.ptr[text.len - 1] != '%') {
        return false;
    }
    struct span number = span_trim(span_slice(text, 0, text.len - 1));
    size_t point = span_find(number, 0, '.');
    uint64_t whole, part = 0;
    if (!span_decimal(span_slice(number, 0, point), 100, &whole)) {
        return false;
    }
    if (point < number.len) {
        struct span tail = span_from(number, point + 1);
        if (tail.len > 4 || !span_decimal(tail, 9999, &part)) {
            return false;
        }
        for (size_t i = tail.len; i < 4; i++) {
            part *= 10;
        }
    }
    *out = (uint32_t)(whole * 10000 + part);
    return *out <= share_ppm_full;
}

bool read_percent_ppm(struct load *load, const struct node *node, uint32_t *out)
{
    if (node->kind != NODE_SCALAR || !percent_parse(node->text, out)) {
        return read_refuse(load, node, "a percentage from 0% to 100%, like 60% or 0.5%");
    }
    return true;
}

/* ---- lists ---- */

const struct node *list_first(const struct node *node)
{
    if (node == NULL || node->kind == NODE_NULL) {
        return NULL;
    }
    return node->kind == NODE_LIST ? node->first : node;
}

const struct node *list_next(const struct node *list, const struct node *item)
{
    return list->kind == NODE_LIST ? item->next : NULL;
}

size_t list_count(const struct node *node)
{
    if (node == NULL || node->kind == NODE_NULL) {
        return 0;
    }
    return node->kind == NODE_LIST ? node->count : 1;
}

bool read_is_list(struct load *load, const struct node *node)
{
    return node->kind == NODE_LIST || node->kind == NODE_NULL ||
           read_refuse(load, node, "a list; begin each item with '- '");
}

bool read_cidrs(struct load *load, const struct node *node, const struct cidr **out,
                size_t *count_out)
{
    bool good = true;
    size_t count = 0;
    struct cidr *items = load_alloc(load, list_count(node), sizeof(*items));
    if (items == NULL) {
        return false;
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        if (item->kind == NODE_SCALAR && cidr_parse(item->text, &items[count])) {
            count++;
            continue;
        }
        good = read_refuse(load, item,
                           "an address or a block like 10.0.0.0/8 or 2001:db8::/32, without bits "
                           "beyond the prefix");
    }
    *out = items;
    *count_out = count;
    return good;
}

/* ---- maps ---- */

static void report_unknown(struct load *load, const struct node *key, const char *what,
                           const char *const *keys, size_t count)
{
    struct span names[64];
    size_t found = 0;
    char text[600];
    struct buffer list = buffer_over(text, sizeof(text));
    for (size_t i = 0; i < count && found < 64; i++) {
        if (keys[i] != NULL) {
            buffer_printf(&list, "%s%s", found > 0 ? ", " : "", keys[i]);
            names[found++] = span_cstr(keys[i]);
        }
    }
    const char *hint = load_hint(load, key->text, names, found);
    if (hint[0] == 0) {
        hint = arena_printf(load->scratch, "; known here: %.*s", (int)list.len, text);
    }
    problems_error(load->problems, key->place, "unknown key `%.*s` in %s%s", SHOW(key->text), what,
                   hint != NULL ? hint : "");
}

bool read_map(struct load *load, const struct node *node, const char *what, const char *const *keys,
              size_t count, const struct node **at)
{
    for (size_t i = 0; i < count; i++) {
        at[i] = NULL;
    }
    if (node->kind != NODE_MAP) {
        problems_error(load->problems, node->place, "%s must be a map of `key: value`, not %s",
                       what, described(load, node));
        return false;
    }
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        size_t i = 0;
        while (i < count && (keys[i] == NULL || !span_eq(item->key->text, span_cstr(keys[i])))) {
            i++;
        }
        if (i == count) {
            report_unknown(load, item->key, what, keys, count);
        } else if (at[i] == NULL) {
            at[i] = item;
        }
    }
    return true;
}
