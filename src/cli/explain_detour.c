/* SPDX-License-Identifier: MIT */
/* What an explanation says of detours: when their windows are, and who comes before whom. */
#include "cli/explain.h"

#include "compile/compile.h"
#include "config/time.h"
#include "http/field.h"
#include "page/link.h"

static struct schedule_view view_at(const struct explanation *e, const struct model_detour *detour)
{
    struct schedule_view view;
    schedule_at(&detour->schedule, e->options.at_ns, &view);
    return view;
}

const struct model_detour *explain_detour_find(const struct explanation *e, struct span identity)
{
    const struct model *model = e->configuration->model;
    for (size_t i = 0; i < model->detour_count; i++) {
        if (span_eq(model->detours[i].rule.identity, identity)) {
            return &model->detours[i];
        }
    }
    return NULL;
}

bool explain_detour_closed(const struct explanation *e, const struct model_detour *detour)
{
    return view_at(e, detour).share_ppm == 0;
}

struct span explain_detour_why_closed(const struct explanation *e,
                                      const struct model_detour *detour)
{
    struct arena *arena = &e->configuration->arena;
    struct schedule_view view = view_at(e, detour);
    char closed[time_text_max];
    char opens[time_text_max];
    time_format(view.closes_ns, closed);
    time_format(view.opens_ns, opens);
    if (detour->schedule.trigger != NULL) {
        const struct model_origin *origin = &e->configuration->model->origins[detour->watched];
        return span_cstr(
            arena_printf(arena, "it waits for the origin %.*s to fail", SPAN_ARG(origin->name)));
    }
    if (view.state == SCHEDULE_OVER) {
        return span_cstr(arena_printf(arena, "its window closed at %s", closed));
    }
    if (view.state == SCHEDULE_ACTIVE) {
        return span_cstr(arena_printf(arena, "its ramp begins at %s and has nobody yet",
                                      time_format(view.opened_ns, opens)));
    }
    return view.closes_ns == SCHEDULE_NEVER
               ? span_cstr(arena_printf(arena, "its window opens at %s", opens))
               : span_cstr(arena_printf(arena, "its window closed at %s and opens again at %s",
                                        closed, opens));
}

/* Nothing of everybody. */
static void put_share(struct buffer *out, uint32_t ppm)
{
    if (ppm < schedule_full_ppm) {
        buffer_printf(out, ", for %u %% of the clients", ppm / 10000);
    }
}

struct span explain_detour_window(const struct explanation *e, const struct model_detour *detour)
{
    enum { window_text_max = 256 };
    struct schedule_view view = view_at(e, detour);
    char text[time_text_max];
    struct buffer out =
        buffer_over(arena_alloc(&e->configuration->arena, window_text_max), window_text_max);
    if (out.ptr == NULL) {
        return SPAN("");
    }
    bool returning = view.state == SCHEDULE_ACTIVE && e->options.at_ns >= view.closes_ns;
    if (view.state == SCHEDULE_HELD) {
        buffer_printf(&out, "overdue since %s, and held", time_format(view.closes_ns, text));
    } else if (returning) {
        buffer_printf(&out, "closed at %s", time_format(view.closes_ns, text));
        buffer_printf(&out, ", lets all go until %s", time_format(view.gone_ns, text));
    } else if (view.opened_ns == SCHEDULE_EVER) {
        buffer_put(&out, SPAN("open"));
    } else {
        buffer_printf(&out, "open since %s", time_format(view.opened_ns, text));
    }
    if (!returning && view.state == SCHEDULE_ACTIVE && view.closes_ns != SCHEDULE_NEVER) {
        buffer_printf(&out, " until %s", time_format(view.closes_ns, text));
    }
    put_share(&out, view.share_ppm);
    if (view.opens_ns != SCHEDULE_NEVER) {
        buffer_printf(&out, ", again at %s", time_format(view.opens_ns, text));
    }
    return buffer_span(&out);
}

struct span explain_detour_link(const struct explanation *e, const struct model_detour *detour)
{
    const struct request *request = &e->request.head.request;
    uint8_t name[link_cookie_bytes];
    if (!detour->bypass_link) {
        return (struct span){0};
    }
    link_cookie_name(detour->rule.identity, name);
    bool brought = query_find(request->query, SPAN(LINK_PARAMETER)).ptr != NULL ||
                   cookie_find(request->known.cookie, span_of(name, sizeof(name))).ptr != NULL;
    return brought ? SPAN("the request has one, which the server alone can check; a good one "
                          "passes by this detour")
                   : SPAN("who has one, made by `detour link`, passes by this detour");
}

struct span explain_detour_before(const struct explanation *e, const struct model_detour *winner,
                                  const struct model_detour *loser)
{
    if (!compile_equally_specific(&winner->rule, &loser->rule)) {
        return SPAN("matches too, but the path of the detour that won is more specific");
    }
    if (view_at(e, winner).opened_ns != view_at(e, loser).opened_ns) {
        return SPAN("matches too, but the detour that won is newer");
    }
    return SPAN("matches too, but the detour that won stands after it");
}
