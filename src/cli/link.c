/* SPDX-License-Identifier: MIT */
/* detour link: a URL with which a tester passes by a detour. */
#include "cli/admin_detour.h"

#include "base/clock.h"
#include "cli/json.h"
#include "cli/show.h"

static const char usage[] =
    "usage: detour link NAME [--for DURATION] [--url URL] [--site SITE] [OPTION]...\n"
    "\n"
    "Prints a URL that lets whoever opens it pass by the detour, by a cookie, until it expires.\n"
    "The detour needs `bypass: {link: true}`, or --bypass link. A link is good for this detour\n"
    "only, and cannot be called back but by switching the detour off.\n"
    "\n"
    "      --for DURATION   30m, 2h, up to 720h; 24h without it, and never longer than the detour\n"
    "      --url URL        where it is to lead, on a host of the site; without it what the\n"
    "                       detour takes, at the address that the server knows\n"
    "      --site SITE      where several sites have one of that name; SITE/NAME says the "
    "same\n" ADMIN_USAGE_ASK ADMIN_USAGE_END;

struct link_options {
    struct admin_options admin;
    const char *name;
    const char *length;
    const char *url;
};

/* The URL with one more parameter, before its fragment. */
static const char *with_parameter(struct arena *arena, const char *url, const json_t *answer)
{
    size_t end = strcspn(url, "#");
    const char *mark = memchr(url, '?', end) == NULL ? "?" : "&";
    return show_printf(arena, "%.*s%s%s=%s%s", (int)end, url, mark,
                       show_member(arena, answer, "parameter"), show_member(arena, answer, "value"),
                       url + end);
}

/* The URL alone goes to standard output, for who hands it on. */
static void print_link(struct admin_client *client, const struct link_options *asked,
                       const json_t *answer)
{
    struct arena *arena = admin_client_arena(client);
    const char *url = asked->url != NULL ? with_parameter(arena, asked->url, answer)
                                         : show_member(arena, answer, "url");
    const char *expires = show_member(arena, answer, "expires");
    puts(show_clean(arena, url));
    fprintf(stderr, "good until %s\n",
            show_clean(arena, show_when(arena, expires, clock_wall_ns())));
}

static int make_link(struct admin_client *client, const char *command, const void *options)
{
    const struct link_options *asked = options;
    const char *site;
    const char *name;
    int status = admin_detour_find(client, command, asked->name, asked->admin.site, &site, &name);
    if (status != exit_ok) {
        return status;
    }
    struct admin_reply reply;
    struct admin_question question = {
        .method = "POST", .path = "/v1/detours", .segments = {site, name, "link"}};
    question.content = show_need(json_object());
    if (asked->length != NULL) {
        json_object_set_new(question.content, "for", json_text(span_cstr(asked->length)));
    }
    status = admin_ask(client, &question, &reply);
    if (status == exit_ok && !admin_print_json(client, &reply)) {
        print_link(client, asked, reply.json);
    }
    json_decref(question.content);
    admin_reply_fini(&reply);
    return status;
}

int cli_link(int argc, char **argv)
{
    struct link_options asked = {0};
    const struct command_option options[] = {ADMIN_OPTIONS_ASK(&asked.admin),
                                             {"site", .text = &asked.admin.site},
                                             {"for", .text = &asked.length},
                                             {"url", .text = &asked.url}};
    const struct command_line line = {.usage = usage,
                                      .options = options,
                                      .option_count = sizeof(options) / sizeof(*options),
                                      .words = &asked.name,
                                      .words_max = 1};
    int status;
    if (!command_line_read(argc, argv, &line, &status)) {
        return status;
    }
    if (asked.name == NULL) {
        return complain(argv[0], "which detour? try detour link --help");
    }
    return admin_command(argv[0], &asked.admin, make_link, &asked);
}
