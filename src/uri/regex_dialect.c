/* SPDX-License-Identifier: MIT */
/* Reads an expression as JavaScript does with the flag `v` and writes what PCRE2 takes for
 * the same. Strict: what is not in the grammar of ECMA-262, 22.2.1 is refused, and so is
 * the little that PCRE2 cannot do alike. */
#include "uri/regex_dialect.h"

#include "base/utf8.h"
#include "uri/escape.h"

enum { depth_max = 64, references_max = 64, repeat_max = 65535 };

enum frame_kind { FRAME_WHOLE, FRAME_CAPTURE, FRAME_PLAIN, FRAME_ASSERT, FRAME_BEHIND };

/* A group that is open. */
struct frame {
    enum frame_kind kind;
    size_t capture;       /* its own number */
    size_t captures_from; /* how many there were when it began, with itself */
    size_t references_from;
};

struct reader {
    struct span source;
    size_t at;
    struct buffer *out;
    const char *reason;
    struct frame frames[depth_max];
    size_t depth;
    size_t behinds; /* how many lookbehinds are open */
    size_t captures;
    struct {
        struct span name;
        bool closed;
        bool repeated; /* a group around it is repeated */
    } capture[regex_captures_max + 1];
    size_t references[references_max];
    size_t reference_count;
    bool repeatable;   /* a quantifier may follow */
    bool group_before; /* and would belong to the group last */
    struct frame last;
};

static bool refuse(struct reader *r, const char *reason)
{
    r->reason = reason;
    return false;
}

static bool more(const struct reader *r)
{
    return r->at < r->source.len;
}

/* The byte that is this far ahead; 0 beyond the end. */
static uint8_t ahead(const struct reader *r, size_t distance)
{
    return distance < r->source.len - r->at ? r->source.ptr[r->at + distance] : 0;
}

static bool take(struct reader *r, const char *text)
{
    size_t len = strlen(text);
    if (!span_starts(span_from(r->source, r->at), span_of(text, len))) {
        return false;
    }
    r->at += len;
    return true;
}

static void put(struct reader *r, const char *text)
{
    buffer_put(r->out, span_cstr(text));
}

static void put_character(struct reader *r, uint32_t character)
{
    if (character < 0x80 &&
        (ascii_is_digit((uint8_t)character) || ascii_is_alpha((uint8_t)character))) {
        buffer_byte(r->out, (uint8_t)character);
    } else {
        buffer_printf(r->out, "\\x{%X}", character);
    }
}

/* ---- escapes ---- */

/* Exactly so many hexadecimal digits. */
static bool read_hex(struct reader *r, size_t count, uint32_t *out)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t c = ahead(r, i);
        if (!escape_is(c, ESCAPE_HEX)) {
            return refuse(r, "hexadecimal digits are missing in an escape");
        }
        value = value << 4 | escape_digit(c);
    }
    r->at += count;
    *out = value;
    return true;
}

/* Behind "\u": four digits, a pair of surrogates, or a number in braces. */
static bool read_unicode(struct reader *r, uint32_t *out)
{
    uint32_t value = 0;
    if (take(r, "{")) {
        size_t digits = 0;
        while (escape_is(ahead(r, digits), ESCAPE_HEX) && value <= 0x10FFFF) {
            value = value << 4 | escape_digit(ahead(r, digits++));
        }
        r->at += digits;
        if (digits == 0 || !take(r, "}")) {
            return refuse(r, "an escape \\u{ that does not end in digits and '}'");
        }
    } else {
        uint32_t low;
        if (!read_hex(r, 4, &value)) {
            return false;
        }
        if (value >= 0xD800 && value < 0xDC00 && take(r, "\\u")) {
            if (!read_hex(r, 4, &low) || low < 0xDC00 || low > 0xDFFF) {
                return refuse(r, "half a pair of surrogates");
            }
            value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
        return refuse(r, "an escape of what is no character");
    }
    *out = value;
    return true;
}

/* Behind a backslash: the escape of one character. in_class: within [ ]. */
static bool read_character_escape(struct reader *r, bool in_class, uint32_t *out)
{
    static const char controls[] = "t\tn\nv\vf\fr\r";
    uint8_t c = ahead(r, 0);
    if (c == 0) {
        return refuse(r, "a backslash at the end");
    }
    r->at++;
    for (size_t i = 0; i < sizeof(controls) - 1; i += 2) {
        if (c == (uint8_t)controls[i]) {
            *out = (uint8_t)controls[i + 1];
            return true;
        }
    }
    if (strchr("^$\\.*+?()[]{}|/", c) != NULL ||
        (in_class && strchr("&-!#%,:;<=>@`~", c) != NULL)) {
        *out = c;
        return true;
    }
    switch (c) {
    case '0':
        *out = 0;
        return !ascii_is_digit(ahead(r, 0)) ||
               refuse(r, "octal escapes are not in JavaScript's dialect");
    case 'x':
        return read_hex(r, 2, out);
    case 'u':
        return read_unicode(r, out);
    case 'c':
        if (ascii_is_alpha(ahead(r, 0))) {
            *out = r->source.ptr[r->at++] & 31U;
            return true;
        }
        return refuse(r, "no letter behind \\c");
    case 'b':
        *out = '\b';
        return in_class || refuse(r, "unknown escape");
    case 'q':
        return refuse(r, in_class ? "\\q{ } in a class is not supported" : "unknown escape");
    default:
        return refuse(r, "unknown escape: only ^ $ \\ . * + ? ( ) [ ] { } | / may be escaped");
    }
}

/* Those whose names PCRE2 knows by the same name and with the same meaning. */
static bool property_known(struct span name)
{
    static const char *const known[] = {
        "Any",   "ASCII",     "Alphabetic", "Alpha",       "Uppercase",
        "Upper", "Lowercase", "Lower",      "White_Space", "ASCII_Hex_Digit",
        "AHex",  "Hex_Digit", "Hex",        "ID_Start",    "ID_Continue",
        "L",     "Lu",        "Ll",         "Lt",          "Lm",
        "Lo",    "M",         "Mn",         "Mc",          "Me",
        "N",     "Nd",        "Nl",         "No",          "P",
        "Pc",    "Pd",        "Ps",         "Pe",          "Pi",
        "Pf",    "Po",        "S",          "Sm",          "Sc",
        "Sk",    "So",        "Z",          "Zs",          "Zl",
        "Zp",    "C",         "Cc",         "Cf",          "Cn",
        "Co"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (span_eq(name, span_cstr(known[i]))) {
            return true;
        }
    }
    return false;
}

/* The long names of general categories, which PCRE2 does not know. */
static struct span property_short(struct span name)
{
    static const char *const pairs[][2] = {{"Letter", "L"},
                                           {"Uppercase_Letter", "Lu"},
                                           {"Lowercase_Letter", "Ll"},
                                           {"Titlecase_Letter", "Lt"},
                                           {"Modifier_Letter", "Lm"},
                                           {"Other_Letter", "Lo"},
                                           {"Mark", "M"},
                                           {"Number", "N"},
                                           {"Decimal_Number", "Nd"},
                                           {"Punctuation", "P"},
                                           {"punct", "P"},
                                           {"Symbol", "S"},
                                           {"Separator", "Z"},
                                           {"Other", "C"},
                                           {"Control", "Cc"}};
    struct span prefix[] = {SPAN("General_Category="), SPAN("gc=")};
    for (size_t i = 0; i < 2; i++) {
        name = span_starts(name, prefix[i]) ? span_from(name, prefix[i].len) : name;
    }
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (span_eq(name, span_cstr(pairs[i][0]))) {
            return span_cstr(pairs[i][1]);
        }
    }
    return name;
}

/* \d \D \s \S \w \W \p{ } \P{ }. false and no reason: it is none of them. PCRE2's \s is
 * JavaScript's within ASCII, and no subject holds more. */
static bool read_class_escape(struct reader *r)
{
    uint8_t c = ahead(r, 1);
    if (ahead(r, 0) != '\\' || c == 0 || strchr("dDsSwWpP", c) == NULL) {
        return false;
    }
    r->at += 2;
    buffer_byte(r->out, '\\');
    buffer_byte(r->out, c);
    if (c != 'p' && c != 'P') {
        return true;
    }
    size_t end = span_find(r->source, r->at, '}');
    if (!take(r, "{") || end >= r->source.len) {
        return refuse(r, "a property is written \\p{Name}");
    }
    struct span name = property_short(span_slice(r->source, r->at, end));
    if (!property_known(name)) {
        return refuse(r, "this Unicode property is unknown or not supported");
    }
    r->at = end + 1;
    buffer_printf(r->out, "{%.*s}", SPAN_ARG(name));
    return true;
}

/* ---- classes ---- */

static bool read_plain(struct reader *r, uint32_t *out)
{
    size_t len = utf8_decode(r->source, r->at, out);
    r->at += len;
    return len > 0 || refuse(r, "not UTF-8");
}

/* One character of a class. */
static bool read_class_character(struct reader *r, uint32_t *out)
{
    uint8_t c = ahead(r, 0);
    if (!more(r)) {
        return refuse(r, "no ']' to this '['");
    }
    if (take(r, "\\")) {
        return read_character_escape(r, true, out);
    }
    if (c == '[') {
        return refuse(r, "a class within a class is not supported");
    }
    if (c == '-' && ahead(r, 1) == '-') {
        return refuse(r, "taking away with -- in a class is not supported");
    }
    if (c == '&' && ahead(r, 1) == '&') {
        return refuse(r, "intersection with && in a class is not supported");
    }
    if (c != 0 && strchr("()[]{}/-|", c) != NULL) {
        return refuse(r, "one of ( ) [ ] { } / - | in a class needs a backslash");
    }
    if (c != 0 && c == ahead(r, 1) && strchr("&!#$%*+,.:;<=>?@^`~", c) != NULL) {
        return refuse(r, "a doubled punctuation character in a class is reserved");
    }
    return read_plain(r, out);
}

/* A character, or two with '-' between. */
static bool read_range(struct reader *r)
{
    uint32_t from;
    uint32_t to;
    if (!read_class_character(r, &from)) {
        return false;
    }
    put_character(r, from);
    if (ahead(r, 0) != '-' || ahead(r, 1) == '-') {
        return true;
    }
    r->at++;
    if (!read_class_character(r, &to)) {
        return false;
    }
    if (to < from) {
        return refuse(r, "a range in a class that is out of order");
    }
    buffer_byte(r->out, '-');
    put_character(r, to);
    return true;
}

/* Behind '['. */
static bool read_class(struct reader *r)
{
    put(r, take(r, "^") ? "[^" : "[");
    while (!take(r, "]")) {
        if (!read_class_escape(r) && (r->reason != NULL || !read_range(r))) {
            return false;
        }
    }
    put(r, "]");
    return true;
}

/* ---- groups and references ---- */

/* [A-Za-z_$] and then digits too; JavaScript's identifiers as far as ASCII goes. */
static bool read_name(struct reader *r, struct span *out)
{
    size_t from = r->at;
    while (ascii_is_alpha(ahead(r, 0)) || ahead(r, 0) == '_' || ahead(r, 0) == '$' ||
           (r->at > from && ascii_is_digit(ahead(r, 0)))) {
        r->at++;
    }
    *out = span_slice(r->source, from, r->at);
    if (out->len == 0 || !take(r, ">")) {
        return refuse(r, "a group's name is letters, digits, '_' and '$', and ends with '>'");
    }
    return true;
}

static size_t find_name(const struct reader *r, struct span name)
{
    for (size_t i = 1; i <= r->captures; i++) {
        if (r->capture[i].name.len > 0 && span_eq(r->capture[i].name, name)) {
            return i;
        }
    }
    return 0;
}

static bool open_frame(struct reader *r, enum frame_kind kind, const char *text)
{
    if (r->depth == depth_max) {
        return refuse(r, "groups are nested too deeply");
    }
    r->frames[r->depth++] = (struct frame){.kind = kind,
                                           .capture = kind == FRAME_CAPTURE ? r->captures : 0,
                                           .captures_from = r->captures,
                                           .references_from = r->reference_count};
    r->behinds += kind == FRAME_BEHIND;
    put(r, text);
    return true;
}

static bool open_capture(struct reader *r, bool named)
{
    struct span name = {0};
    if (named && !read_name(r, &name)) {
        return false;
    }
    if (named && find_name(r, name) != 0) {
        return refuse(r, "two groups of one name");
    }
    if (r->captures == regex_captures_max) {
        return refuse(r, "too many capturing groups");
    }
    r->capture[++r->captures].name = name;
    return open_frame(r, FRAME_CAPTURE, "(");
}

/* Behind '('. */
static bool open_group(struct reader *r)
{
    if (!take(r, "?")) {
        return open_capture(r, false);
    }
    if (take(r, ":")) {
        return open_frame(r, FRAME_PLAIN, "(?:");
    }
    if (take(r, "=")) {
        return open_frame(r, FRAME_ASSERT, "(?=");
    }
    if (take(r, "!")) {
        return open_frame(r, FRAME_ASSERT, "(?!");
    }
    if (take(r, "<=")) {
        return open_frame(r, FRAME_BEHIND, "(?<=");
    }
    if (take(r, "<!")) {
        return open_frame(r, FRAME_BEHIND, "(?<!");
    }
    if (take(r, "<")) {
        return open_capture(r, true);
    }
    return refuse(r, "unknown kind of group behind '(?'");
}

static bool close_group(struct reader *r)
{
    if (r->depth == 0) {
        return refuse(r, "a ')' without a '('");
    }
    r->last = r->frames[--r->depth];
    r->behinds -= r->last.kind == FRAME_BEHIND;
    r->capture[r->last.capture].closed = true; /* number 0 is nobody's */
    put(r, ")");
    r->group_before = true;
    r->repeatable = r->last.kind == FRAME_CAPTURE || r->last.kind == FRAME_PLAIN;
    return true;
}

/* JavaScript forgets what groups have captured at each turn of a repetition around them,
 * and reads a lookbehind from right to left; PCRE2 does neither. */
static bool put_reference(struct reader *r, size_t capture)
{
    if (capture == 0 || capture > r->captures || !r->capture[capture].closed) {
        return refuse(r, "a reference to a group that has not ended before it");
    }
    if (r->behinds > 0 || r->capture[capture].repeated) {
        return refuse(r, "a reference within a lookbehind, or into a repeated group");
    }
    if (r->reference_count == references_max) {
        return refuse(r, "too many references");
    }
    r->references[r->reference_count++] = capture;
    buffer_printf(r->out, "\\g{%zu}", capture);
    r->repeatable = true;
    return true;
}

static bool read_reference(struct reader *r)
{
    struct span name;
    if (take(r, "k")) {
        if (!take(r, "<")) {
            return refuse(r, "a reference by name is written \\k<name>");
        }
        return read_name(r, &name) && put_reference(r, find_name(r, name));
    }
    size_t number = 0;
    while (ascii_is_digit(ahead(r, 0)) && number <= regex_captures_max) {
        number = number * 10 + (size_t)(r->source.ptr[r->at++] - '0');
    }
    return put_reference(r, number);
}

/* ---- repetitions ---- */

static bool read_count(struct reader *r, uint32_t *out)
{
    uint32_t value = 0;
    if (!ascii_is_digit(ahead(r, 0))) {
        return refuse(r, "a '{' that begins no {n}, {n,} or {n,m}: write \\{");
    }
    while (ascii_is_digit(ahead(r, 0))) {
        value = value * 10 + (uint32_t)(r->source.ptr[r->at++] - '0');
        if (value > repeat_max) {
            return refuse(r, "a number of repetitions above 65535");
        }
    }
    *out = value;
    return true;
}

/* Behind '{'. */
static bool read_braces(struct reader *r, uint32_t *max_out)
{
    uint32_t min;
    if (!read_count(r, &min)) {
        return false;
    }
    buffer_printf(r->out, "{%u", min);
    *max_out = min;
    if (take(r, ",")) {
        put(r, ",");
        *max_out = UINT32_MAX;
        if (ahead(r, 0) != '}') {
            if (!read_count(r, max_out)) {
                return false;
            }
            buffer_printf(r->out, "%u", *max_out);
        }
    }
    if (!take(r, "}")) {
        return refuse(r, "a '{' that begins no {n}, {n,} or {n,m}: write \\{");
    }
    put(r, "}");
    return min <= *max_out || refuse(r, "the numbers of {n,m} are out of order");
}

/* The group last is repeated: nobody may refer to what lies within it any more. */
static bool repeat_group(struct reader *r)
{
    size_t own = r->last.captures_from;
    for (size_t i = r->last.references_from; i < r->reference_count; i++) {
        if (r->references[i] > own) {
            return refuse(r, "a reference within a lookbehind, or into a repeated group");
        }
    }
    for (size_t i = own + 1; i <= r->captures; i++) {
        r->capture[i].repeated = true;
    }
    return true;
}

/* c: * + ? or {, already taken. */
static bool read_quantifier(struct reader *r, uint8_t c)
{
    uint32_t max = c == '?' ? 1 : UINT32_MAX;
    if (!r->repeatable) {
        return refuse(r, "nothing to repeat before * + ? or {");
    }
    if (c != '{') {
        buffer_byte(r->out, c);
    } else if (!read_braces(r, &max)) {
        return false;
    }
    if (take(r, "?")) {
        put(r, "?");
    }
    r->repeatable = false;
    return !r->group_before || max <= 1 || repeat_group(r);
}

/* ---- the whole ---- */

/* Behind a backslash, outside of classes. */
static bool read_escape(struct reader *r)
{
    uint32_t character;
    uint8_t c = ahead(r, 0);
    if (c == 'b' || c == 'B') {
        r->at++;
        put(r, c == 'b' ? "\\b" : "\\B");
        return true;
    }
    if (c == 'k' || (ascii_is_digit(c) && c != '0')) {
        return read_reference(r);
    }
    if (!read_character_escape(r, false, &character)) {
        return false;
    }
    put_character(r, character);
    r->repeatable = true;
    return true;
}

static bool read_character(struct reader *r)
{
    uint32_t character;
    if (ahead(r, 0) == '}' || ahead(r, 0) == ']') {
        return refuse(r, "a '}' or ']' that stands alone needs a backslash");
    }
    if (!read_plain(r, &character)) {
        return false;
    }
    put_character(r, character);
    r->repeatable = true;
    return true;
}

static bool read_term(struct reader *r)
{
    uint8_t c = ahead(r, 0);
    if (c != 0 && strchr("*+?{", c) != NULL) {
        r->at++;
        return read_quantifier(r, c);
    }
    r->repeatable = false;
    r->group_before = false;
    if (read_class_escape(r)) {
        r->repeatable = true;
        return true;
    }
    if (r->reason != NULL) {
        return false;
    }
    if (c != 0 && strchr("^$|.", c) != NULL) {
        r->at++;
        buffer_byte(r->out, c);
        r->repeatable = c == '.';
        return true;
    }
    if (take(r, "[")) {
        r->repeatable = read_class(r);
        return r->repeatable;
    }
    if (take(r, "(")) {
        return open_group(r);
    }
    if (take(r, ")")) {
        return close_group(r);
    }
    return take(r, "\\") ? read_escape(r) : read_character(r);
}

enum err regex_translate(struct span source, struct buffer *out, const char **reason)
{
    struct reader reader = {.source = source, .out = out};
    bool good = true;
    while (good && more(&reader)) {
        good = read_term(&reader);
    }
    if (good && reader.depth > 0) {
        good = refuse(&reader, "no ')' to a '('");
    }
    if (good && out->full) {
        good = refuse(&reader, "too long");
    }
    if (!good) {
        *reason = reader.reason;
        return ERR_SYNTAX;
    }
    return ERR_NONE;
}
