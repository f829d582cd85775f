/* SPDX-License-Identifier: MIT */
/* Text, members and times for people. */
#include "cli/show.h"

#include "base/clock.h"
#include "cli/command.h"
#include "config/time.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void *show_need(void *allocated)
{
    if (allocated == NULL) {
        fputs("detour: out of memory\n", stderr);
        exit(exit_could_not_run);
    }
    return allocated;
}

const char *show_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return show_need(text);
}

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7F;
}

/* C1 controls are two bytes of UTF-8, which terminals obey as well. */
static bool is_c1(const char *text)
{
    return (uint8_t)text[0] == 0xC2 && (uint8_t)text[1] >= 0x80 && (uint8_t)text[1] < 0xA0;
}

/* How many bytes of a control character stand here; 0: none does. */
static size_t control_len(const char *text)
{
    return is_control((uint8_t)*text) ? 1 : is_c1(text) ? 2 : 0;
}

const char *show_clean(struct arena *arena, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    char *out = show_need(arena_alloc(arena, strlen(text) * 4 + 1));
    size_t at = 0;
    while (*text != 0) {
        size_t control = control_len(text);
        if (control == 0) {
            out[at++] = *text++;
        }
        for (; control > 0; control--, text++) {
            out[at++] = '\\';
            out[at++] = 'x';
            out[at++] = digits[(uint8_t)*text >> 4];
            out[at++] = digits[(uint8_t)*text & 15];
        }
    }
    return out;
}

/* ---- members ---- */

static const char *text_of(struct arena *arena, const json_t *value)
{
    if (value == NULL || json_is_null(value)) {
        return "";
    }
    if (json_is_string(value)) {
        return json_string_value(value);
    }
    if (json_is_array(value)) {
        const char *all = "";
        size_t i;
        json_t *item;
        json_array_foreach(value, i, item)
        {
            all = show_printf(arena, "%s%s%s", all, i > 0 ? ", " : "", text_of(arena, item));
        }
        return all;
    }
    char *dumped = show_need(json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT));
    const char *text = show_printf(arena, "%s", dumped);
    free(dumped);
    return text;
}

const char *show_member(struct arena *arena, const json_t *object, const char *name)
{
    return text_of(arena, json_object_get(object, name));
}

bool show_is(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

/* ---- times ---- */

bool show_read_time(const char *text, int64_t *ns_out)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct zones zones = {.arena = &arena};
    struct time_result result = {0};
    bool good = time_parse(span_cstr(text), &zones, &result) == ERR_NONE;
    arena_fini(&arena);
    if (good) {
        *ns_out = result.ns;
    }
    return good;
}

const char *show_time(struct arena *arena, const char *text)
{
    int64_t ns;
    struct tm tm;
    char shown[64];
    if (!show_read_time(text, &ns)) {
        return text;
    }
    time_t seconds = (time_t)(ns / NS_PER_SECOND);
    if (localtime_r(&seconds, &tm) == NULL ||
        strftime(shown, sizeof(shown), "%Y-%m-%d %H:%M:%S %Z", &tm) == 0) {
        return text;
    }
    return show_printf(arena, "%s", shown);
}

const char *show_duration(struct arena *arena, int64_t ns)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    int64_t seconds = (ns + NS_PER_SECOND / 2) / NS_PER_SECOND;
    size_t unit = 0;
    while (unit < 3 && seconds < units[unit].seconds) {
        unit++;
    }
    if (unit < 3) { /* rounded to what is shown last */
        int64_t step = units[seconds < 10 * units[unit].seconds ? unit + 1 : unit].seconds;
        seconds = (seconds + step / 2) / step * step;
        unit -= unit > 0 && seconds >= units[unit - 1].seconds;
    }
    int64_t whole = seconds / units[unit].seconds;
    const char *text =
        show_printf(arena, "%lld %s%s", (long long)whole, units[unit].name, whole == 1 ? "" : "s");
    int64_t rest = unit < 3 ? seconds % units[unit].seconds / units[unit + 1].seconds : 0;
    if (rest == 0 || whole >= 10) {
        return text;
    }
    return show_printf(arena, "%s %lld %s%s", text, (long long)rest, units[unit + 1].name,
                       rest == 1 ? "" : "s");
}

const char *show_when(struct arena *arena, const char *text, int64_t now_ns)
{
    int64_t ns;
    const char *shown = show_time(arena, text);
    if (!show_read_time(text, &ns)) {
        return shown;
    }
    return ns >= now_ns
               ? show_printf(arena, "%s (in %s)", shown, show_duration(arena, ns - now_ns))
               : show_printf(arena, "%s (%s ago)", shown, show_duration(arena, now_ns - ns));
}

bool show_in_colours(FILE *out)
{
    const char *no = getenv("NO_COLOR");
    return (no == NULL || no[0] == 0) && isatty(fileno(out)) == 1;
}
