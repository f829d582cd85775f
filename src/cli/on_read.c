/* SPDX-License-Identifier: MIT */
/* Words of `detour on` to JSON. What they mean is the server's business, which reads them by
 * the code that reads the file, and says what is wrong as `check` does. */
#include "cli/on.h"

#include "cli/json.h"
#include "cli/show.h"

static const char usage[] =
    "usage: detour on NAME [--site SITE] [--path PATTERN | --path-prefix PATH]\n"
    "                 (--to TEMPLATE | --pool POOL | --page PAGE | --origin ORIGIN)\n"
    "                 (--for DURATION | --until TIME | --until-off) --reason TEXT [OPTION]...\n"
    "\n"
    "Switches a detour on, and returns when no worker gives the old answer any more. It ends by\n"
    "itself; `detour off` ends it sooner, `detour extend` later.\n"
    "\n"
    "What\n"
    "      --site SITE      the site; not needed where there is one only\n"
    "      --path PATTERN, --path-prefix PATH\n"
    "                       what it takes; the whole site without them\n"
    "      --method METHOD  only these methods; as often as wanted\n"
    "      --except PATTERN paths that it leaves alone; as often as wanted\n"
    "      --bypass WHO     who is not taken: an address, a network (10.0.0.0/8), a cookie\n"
    "                       (NAME=VALUE), or `link`: whoever has what `detour link` makes; as\n"
    "                       often as wanted\n"
    "Where to\n"
    "      --to TEMPLATE    a place that can serve what it gets: https://b.example.com{+path}\n"
    "      --pool POOL      a server of a pool\n"
    "      --page PAGE      people to a page of `pages`, or a URL; everybody else gets 503\n"
    "      --origin ORIGIN  passed on to another of `origins`, instead of where it lives\n"
    "      --max-age TIME   how long caches may keep the redirect; it is cut at the end\n"
    "      --retry-after TIME\n"
    "                       what the 503 of a page says instead of the time that is left\n"
    "When\n"
    "      --for DURATION   30m, 2h: from its beginning\n"
    "      --until TIME     2026-12-01T04:00:00Z, or '2026-12-01T04:00 Europe/Berlin'\n"
    "      --until-healthy POOL\n"
    "                       ends sooner, once this pool is healthy; with a latest end\n"
    "      --until-off      no end: until somebody switches it off\n"
    "      --from TIME      when it begins; now without it\n"
    "      --repeat RRULE   again and again: FREQ=WEEKLY;BYDAY=SU (RFC 5545)\n"
    "      --zone ZONE      the time zone of --repeat: Europe/Berlin\n"
    "      --hold           goes on past its end, overdue, until off or extend\n"
    "For how many\n"
    "      --share PERCENT  only this share of the clients: 60%\n"
    "      --rest WHAT      what the others get: next (the usual), a status (503), or a URL\n"
    "      --ramp DURATION  the share grows from nothing, over this time\n"
    "      --return-over DURATION\n"
    "                       and shrinks to nothing, over this time from the end on\n"
    "For others to read\n"
    "      --reason TEXT    why; pages show it, and the history keeps it\n"
    "      --owner WHO      who to ask about it\n"
    "\n"
    "      --replace        takes the place of an active or planned detour of that name\n"
    "      --dry-run        says what would change, and changes nothing\n" ADMIN_USAGE_ASK
        ADMIN_USAGE_END;

static int check(const char *command, const struct on_options *o)
{
    int ends = (o->duration != NULL) + (o->until != NULL) + o->until_off;
    if (o->name == NULL) {
        return complain(command, "which detour? detour %s NAME …; try detour %s --help", command,
                        command);
    }
    if (ends == 0) {
        return complain(command, "when does it end? say --for 30m or --until TIME, or --until-off "
                                 "where nobody knows");
    }
    if (ends > 1) {
        return complain(command, "--for, --until and --until-off exclude each other; keep one of "
                                 "them");
    }
    if (o->admin.reason == NULL) {
        return complain(command, "why? say it with --reason TEXT, for those who will meet it");
    }
    return exit_ok;
}

bool on_read(int argc, char **argv, struct on_options *o, int *status_out)
{
    const struct command_option options[] = {
        ADMIN_OPTIONS_CHANGE(&o->admin),
        {"site", .text = &o->admin.site},
        {"path", .text = &o->path},
        {"path-prefix", .text = &o->path_prefix},
        {"to", .text = &o->to},
        {"pool", .text = &o->pool},
        {"page", .text = &o->page},
        {"origin", .text = &o->origin},
        {"for", .text = &o->duration},
        {"until", .text = &o->until},
        {"until-off", .flag = &o->until_off},
        {"from", .text = &o->from},
        {"until-healthy", .text = &o->until_healthy},
        {"repeat", .text = &o->repeat},
        {"zone", .text = &o->zone},
        {"ramp", .text = &o->ramp},
        {"return-over", .text = &o->return_over},
        {"share", .text = &o->share},
        {"rest", .text = &o->rest},
        {"max-age", .text = &o->max_age},
        {"retry-after", .text = &o->retry_after},
        {"method", .list = &o->methods},
        {"bypass", .list = &o->bypass},
        {"except", .list = &o->except},
        {"hold", .flag = &o->hold},
        {"replace", .flag = &o->replace},
    };
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = &o->name,
                                      .words_max = 1};
    if (!command_line_read(argc, argv, &line, status_out)) {
        return false;
    }
    *status_out = check(argv[0], o);
    return *status_out == exit_ok;
}

/* ---- to JSON ---- */

/* The command line may hold any bytes; JSON holds UTF-8. */
static json_t *text(const char *value)
{
    return show_need(json_text(span_cstr(value)));
}

static void put(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, show_need(value)) != 0) {
        show_need(NULL);
    }
}

static void put_text(json_t *object, const char *name, const char *value)
{
    if (value != NULL) {
        put(object, name, text(value));
    }
}

static void put_list(json_t *object, const char *name, const struct option_list *list)
{
    if (list->count == 0) {
        return;
    }
    json_t *array = show_need(json_array());
    for (size_t i = 0; i < list->count; i++) {
        json_array_append_new(array, text(list->items[i]));
    }
    put(object, name, array);
}

/* "next", 503, or where the others go. */
static void put_rest(json_t *object, const char *rest)
{
    uint64_t number;
    if (rest == NULL) {
        return;
    }
    if (span_decimal(span_cstr(rest), INT32_MAX, &number)) {
        put(object, "rest", json_integer((json_int_t)number));
    } else if (strstr(rest, "://") != NULL) {
        json_t *place = show_need(json_object());
        put_text(place, "to", rest);
        put(object, "rest", place);
    } else {
        put_text(object, "rest", rest);
    }
}

/* A cookie has an equals sign, an address has none. */
static void put_bypass(json_t *object, const struct option_list *list)
{
    struct option_list cookies = {0};
    struct option_list clients = {0};
    bool link = false;
    if (list->count == 0) {
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];
        if (strcmp(item, "link") == 0) {
            link = true;
            continue;
        }
        struct option_list *kind = strchr(item, '=') != NULL ? &cookies : &clients;
        kind->items[kind->count++] = item;
    }
    json_t *bypass = show_need(json_object());
    put_list(bypass, "clients", &clients);
    put_list(bypass, "cookie", &cookies);
    if (link) {
        put(bypass, "link", json_true());
    }
    put(object, "bypass", bypass);
}

json_t *on_content(const struct on_options *o)
{
    json_t *object = show_need(json_object());
    put_text(object, "path", o->path);
    put_text(object, "path_prefix", o->path_prefix);
    put_list(object, "methods", &o->methods);
    put_text(object, "to", o->to);
    put_text(object, "pool", o->pool);
    put_text(object, "origin", o->origin);
    put_text(object, "page", o->page);
    put_text(object, "max_age", o->max_age);
    put_text(object, "retry_after", o->retry_after);
    put_text(object, "from", o->from);
    put_text(object, "for", o->duration);
    put_text(object, "until", o->until_off ? "off" : o->until);
    put_text(object, "until_healthy", o->until_healthy);
    put_text(object, "repeat", o->repeat);
    put_text(object, "zone", o->zone);
    put_text(object, "at_end", o->hold ? "hold" : NULL);
    put_text(object, "share", o->share);
    put_rest(object, o->rest);
    put_text(object, "ramp", o->ramp);
    put_text(object, "return_over", o->return_over);
    put_bypass(object, &o->bypass);
    put_list(object, "except", &o->except);
    put_text(object, "reason", o->admin.reason);
    put_text(object, "owner", o->admin.owner);
    return object;
}
