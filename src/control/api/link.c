/* SPDX-License-Identifier: MIT */
/* The call that makes a signed link for testers (page/link.h). It changes nothing, so the
 * history does not have it; the log says who has asked for one. */
#include "control/api/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/time.h"
#include "control/api/view.h"
#include "page/link.h"
#include "schedule/schedule.h"

static const int64_t life_ns = 24 * 3600 * NS_PER_SECOND;
static const int64_t life_max_ns = 30 * 24 * 3600 * NS_PER_SECOND;

/* False: refused. */
static bool read_life(struct turn *t, int64_t *out)
{
    const json_t *length = json_object_get(t->call->content, "for");
    const char *text = json_string_value(length);
    int64_t ns = life_ns;
    if (json_object_size(t->call->content) > (length != NULL) ||
        (length != NULL && (text == NULL || !duration_parse(span_cstr(text), &ns))) ||
        ns < NS_PER_SECOND || ns > life_max_ns) {
        admin_refuse(t->result, 422,
                     "say for how long, {\"for\": \"2h\"}, up to 30 days, or {} for a day");
        return false;
    }
    *out = ns;
    return true;
}

/* With the detour at the latest, where it is known when that is over for good. */
static int64_t expires_s(const struct turn *t, const struct model_detour *detour, int64_t life)
{
    const struct schedule *schedule = &detour->schedule;
    int64_t expires_ns = t->now_ns + life;
    int64_t end_ns;
    if (schedule->repeat == NULL && !schedule->hold && schedule->until_ns != SCHEDULE_NEVER &&
        !__builtin_add_overflow(schedule->until_ns, schedule->return_over_ns, &end_ns) &&
        end_ns < expires_ns) {
        expires_ns = end_ns;
    }
    return expires_ns / NS_PER_SECOND;
}

/* Where clients come in: by TLS if they can. */
static const struct listener *front_door(const struct model *model)
{
    const struct listener *found = NULL;
    for (size_t i = 0; i < model->listener_count; i++) {
        const struct listener *listener = &model->listeners[i];
        bool tcp = listener->address.any.sa_family != AF_UNIX;
        if (tcp && (found == NULL || (listener->secure && !found->secure))) {
            found = listener;
        }
    }
    return found;
}

static unsigned port_of(const struct listener *listener)
{
    return ntohs(listener->address.any.sa_family == AF_INET6 ? listener->address.v6.sin6_port
                                                             : listener->address.v4.sin_port);
}

/* The first host that has a name of its own, or one of those that a wildcard means; *label_out
 * stands before it. */
static struct span host_of(const struct model_site *site, const char **label_out)
{
    *label_out = "";
    for (size_t i = 0; i < site->host_count; i++) {
        if (site->hosts[i].ptr[0] != '*') {
            return site->hosts[i];
        }
    }
    if (site->host_count == 0 || site->catch_all) {
        return SPAN("localhost");
    }
    *label_out = "www";
    return span_from(site->hosts[0], 1);
}

/* As far as can be told here; behind a proxy its bearer says where. */
static json_t *make_url(const struct model *model, const struct model_detour *detour,
                        const char *value)
{
    const struct listener *door = front_door(model);
    bool secure = door != NULL && door->secure;
    unsigned usual = secure ? 443 : 80;
    unsigned port = door != NULL ? port_of(door) : usual;
    const char *label;
    struct span host = host_of(&model->sites[detour->site], &label);
    struct span path = detour->rule.prefix.len > 0 ? detour->rule.prefix : SPAN("/");
    char number[8] = "";
    if (port != usual) {
        snprintf(number, sizeof(number), ":%u", port);
    }
    return json_sprintf("%s://%s%.*s%s%.*s?" LINK_PARAMETER "=%s", secure ? "https" : "http", label,
                        SPAN_ARG(host), number, SPAN_ARG(path), value);
}

static void give_link(struct turn *t, const struct model_detour *detour, const char *value,
                      int64_t until_s)
{
    const struct model *model = turn_model(t);
    char text[time_text_max];
    const struct admin_actor *actor = &t->call->actor;
    time_format(until_s * NS_PER_SECOND, text);
    if (actor->local) {
        log_info("a link past %.*s until %s was made for the user %u",
                 SPAN_ARG(detour->rule.identity), text, actor->uid);
    } else {
        log_info("a link past %.*s until %s was made for the token %.*s",
                 SPAN_ARG(detour->rule.identity), text, SPAN_ARG(actor->token));
    }
    turn_give(t, 200,
              json_pack("{s:o, s:o, s:o, s:s, s:s, s:o}", "site",
                        view_text(model->sites[detour->site].name), "name",
                        view_text(detour->rule.name), "url", make_url(model, detour, value),
                        "parameter", LINK_PARAMETER, "value", value, "expires",
                        view_time(until_s * NS_PER_SECOND)));
}

void api_link_detour(struct turn *t)
{
    const struct model_detour *detour = turn_detour(turn_model(t), t->call->site, t->call->name);
    struct ticket_key key;
    char value[link_text_bytes + 1] = "";
    struct buffer text = buffer_over((uint8_t *)value, link_text_bytes);
    int64_t life;
    if (detour == NULL) {
        turn_not_found(t);
        return;
    }
    if (!detour->bypass_link) {
        admin_refuse(t->result, 409,
                     "no link passes by it: switch it on with `--bypass link`, or give it "
                     "`bypass: {link: true}`");
        return;
    }
    if (!read_life(t, &life)) {
        return;
    }
    int64_t until_s = expires_s(t, detour, life);
    if (until_s <= t->now_ns / NS_PER_SECOND) {
        admin_refuse(t->result, 409, "it is over already");
        return;
    }
    if (t->api->core.ticket_key(t->api->core.context, &key) != ERR_NONE ||
        !link_seal(&key, detour->rule.identity, until_s, &text)) {
        admin_refuse(t->result, 503, "there is no key to sign it with");
        return;
    }
    give_link(t, detour, value, until_s);
    explicit_bzero(&key, sizeof(key));
}
