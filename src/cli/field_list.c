/* SPDX-License-Identifier: MIT */
/* Fields off the command line. */
#include "cli/field_list.h"

#include "cli/show.h"

#include <stdlib.h>
#include <strings.h>

static void add(struct field_list *list, struct detour_text name, struct detour_text value)
{
    struct detour_field *fields = show_need(
        arena_grow(list->arena, list->fields, list->count, &list->capacity, sizeof(*fields)));
    list->fields = fields;
    fields[list->count++] = (struct detour_field){.name = name, .value = value};
}

void field_list_add(struct field_list *list, const char *name, const char *value)
{
    if (value != NULL) {
        add(list, detour_text_of(name), detour_text_of(value));
    }
}

static bool is_named(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(line, name, len) == 0 && (line[len] == ':' || line[len] == ';');
}

void field_list_default(struct field_list *list, const char *name, const char *value)
{
    for (size_t i = 0; i < list->given->count; i++) {
        if (is_named(list->given->items[i], name)) {
            return;
        }
    }
    field_list_add(list, name, value);
}

static const char *basic(struct arena *arena, struct span pair)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = show_need(arena_alloc(arena, sizeof("Basic ") + (pair.len + 2) / 3 * 4));
    size_t len = 6;
    memcpy(text, "Basic ", len);
    for (size_t i = 0; i < pair.len; i += 3) {
        size_t left = pair.len - i;
        uint32_t three = (uint32_t)pair.ptr[i] << 16 |
                         (left > 1 ? (uint32_t)pair.ptr[i + 1] << 8 : 0) |
                         (left > 2 ? pair.ptr[i + 2] : 0U);
        text[len++] = digits[three >> 18];
        text[len++] = digits[three >> 12 & 63];
        text[len++] = left > 1 ? digits[three >> 6 & 63] : '=';
        text[len++] = left > 2 ? digits[three & 63] : '=';
    }
    return text;
}

int field_list_user(struct field_list *list, const char *user)
{
    if (user == NULL) {
        return exit_ok;
    }
    if (strchr(user, ':') == NULL) {
        return complain(list->command, "-u wants USER:PASSWORD");
    }
    field_list_default(list, "Authorization", basic(list->arena, span_cstr(user)));
    return exit_ok;
}

static int add_line(struct field_list *list, const char *line)
{
    const char *mark = strpbrk(line, ":;");
    if (mark == NULL || mark == line) {
        return complain(list->command, "-H %s: 'Name: value' is wanted", line);
    }
    struct detour_text name = {line, (size_t)(mark - line)};
    const char *value = mark + 1 + strspn(mark + 1, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        len--;
    }
    if (*mark == ';' && len > 0) {
        return complain(list->command, "-H %s: 'Name: value' is wanted", line);
    }
    if (len > 0 || *mark == ';') {
        add(list, name, (struct detour_text){value, len});
    }
    return exit_ok;
}

int field_list_given(struct field_list *list)
{
    for (size_t i = 0; i < list->given->count; i++) {
        if (add_line(list, list->given->items[i]) != exit_ok) {
            return exit_could_not_run;
        }
    }
    return exit_ok;
}

static bool field_is(const struct detour_field *field, const char *name)
{
    return field->name.len == strlen(name) &&
           strncasecmp(field->name.ptr, name, field->name.len) == 0;
}

int field_list_framing(const struct field_list *list, int64_t bytes)
{
    size_t lengths = 0;
    size_t codings = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct span value = span_of(list->fields[i].value.ptr, list->fields[i].value.len);
        uint64_t length = 0;
        if (field_is(&list->fields[i], "Content-Length")) {
            bool right =
                bytes >= 0 && span_decimal(value, INT64_MAX, &length) && length == (uint64_t)bytes;
            lengths += right ? 1 : 2;
        } else if (field_is(&list->fields[i], "Transfer-Encoding")) {
            codings += bytes != 0 && span_eq_ci(value, SPAN("chunked")) ? 1 : 2;
        }
    }
    if (lengths + codings > 1) {
        return complain(list->command, "-H %s: that is not how the content is sent; leave it out",
                        lengths > 0 ? "Content-Length" : "Transfer-Encoding");
    }
    return exit_ok;
}
