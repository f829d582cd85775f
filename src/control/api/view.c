/* SPDX-License-Identifier: MIT */
/* JSON of what is in force. Objects are built member by member; whoever runs out of memory
 * gives NULL, and jansson takes NULL members for a failure of the whole. */
#include "control/api/view.h"

#include "base/clock.h"
#include "config/time.h"
#include "schedule/schedule.h"

json_t *view_time(int64_t ns)
{
    char text[time_text_max];
    bool known = ns != SCHEDULE_EVER && ns != SCHEDULE_NEVER;
    return known ? json_string(time_format(ns, text)) : json_null();
}

json_t *view_text(struct span text)
{
    return json_stringn((const char *)text.ptr, text.len);
}

static json_t *stanza_of(struct span json)
{
    json_t *value = json.len > 0 ? json_loadb((const char *)json.ptr, json.len, 0, NULL) : NULL;
    return value != NULL ? value : json_null();
}

/* "site/name" in its two halves; a site's name holds no slash. */
static void split_key(struct span key, struct span *site_out, struct span *name_out)
{
    size_t slash = span_find(key, 0, '/');
    *site_out = span_slice(key, 0, slash);
    *name_out = span_from(key, slash < key.len ? slash + 1 : slash);
}

static json_t *number_of(const struct store_override *override)
{
    return override != NULL && override->number != 0 ? json_integer((json_int_t) override->number)
                                                     : json_null();
}

json_t *view_detour(const struct model *model, const struct model_detour *detour,
                    const struct store_override *override, int64_t now_ns)
{
    struct schedule_view now;
    schedule_at(&detour->schedule, now_ns, &now);
    json_t *view = json_pack(
        "{s:o, s:o, s:s, s:s, s:b, s:o, s:o, s:o, s:f, s:b, s:o, s:o}", "site",
        view_text(model->sites[detour->site].name), "name", view_text(detour->rule.name), "state",
        schedule_state_text(now.state), "source", detour->live ? "live" : "file", "overrides_file",
        override != NULL && override->value.stanza != 0, "opened", view_time(now.opened_ns),
        "closes", view_time(now.closes_ns), "opens", view_time(now.opens_ns), "share",
        now.share_ppm / 10000., "overdue", now.state == SCHEDULE_HELD, "change",
        number_of(override), "detour", stanza_of(detour->json));
    if (detour->schedule.trigger != NULL) {
        json_object_set_new(view, "when_origin_fails",
                            view_text(model->origins[detour->watched].name));
    }
    return view;
}

/* As decide/ gives freshness: none without an end, and none beyond the next change. Rounded
 * up, to be past it for sure. */
json_t *view_cached_until(const struct model_detour *detour, int64_t now_ns)
{
    struct schedule_view now;
    int64_t age_s = detour->rule.max_age_s;
    bool has_end = detour->schedule.until_ns != SCHEDULE_NEVER;
    schedule_at(&detour->schedule, now_ns, &now);
    if (age_s <= 0 || !has_end || now.state != SCHEDULE_ACTIVE) {
        return json_null();
    }
    int64_t left_s = (now.next_ns - now_ns) / NS_PER_SECOND;
    int64_t until_ns = age_s < left_s ? now_ns + age_s * NS_PER_SECOND : now.next_ns;
    return view_time(until_ns + NS_PER_SECOND - 1);
}

static json_t *view_without_window(const struct store_override *override, const char *state)
{
    struct span site;
    struct span name;
    split_key(override->key, &site, &name);
    return json_pack("{s:o, s:o, s:s, s:s, s:b, s:n, s:n, s:n, s:i, s:b, s:o, s:o}", "site",
                     view_text(site), "name", view_text(name), "state", state, "source", "live",
                     "overrides_file", override->value.stanza != 0, "opened", "closes", "opens",
                     "share", 0, "overdue", 0, "change", number_of(override), "detour",
                     stanza_of(override->value.json));
}

json_t *view_off(const struct store_override *override)
{
    return view_without_window(override, "off");
}

json_t *view_unfit(const struct store_override *override, const char *why)
{
    json_t *view = view_without_window(override, "unfit");
    json_object_set_new(view, "problem", json_string(why));
    return view;
}

static const char *subject_of(const struct store_change *change)
{
    return change->subject == STORE_TOKEN    ? "token"
           : override_is_server(change->key) ? "server"
                                             : "detour";
}

static json_t *view_value(const struct store_value *value, const char *subject)
{
    static const char *const kinds[] = {
        [STORE_NONE] = "none", [STORE_SET] = "set", [STORE_OFF] = "off"};
    return json_pack("{s:s, s:o}", "kind", kinds[value->kind],
                     strcmp(subject, "server") == 0 ? subject : "detour", stanza_of(value->json));
}

static json_t *view_who(const struct store_who *who)
{
    static const char *const ways[] = {[STORE_VIA_CONTROL] = "control",
                                       [STORE_VIA_SOCKET] = "socket",
                                       [STORE_VIA_TOKEN] = "token"};
    return json_pack("{s:s, s:o, s:o}", "via", ways[who->via], "uid",
                     who->via == STORE_VIA_SOCKET ? json_integer(who->uid) : json_null(), "name",
                     who->name.len > 0 ? view_text(who->name) : json_null());
}

json_t *view_change(const struct store_change *change)
{
    static const char *const causes[] = {[STORE_BY_COMMAND] = "command",
                                         [STORE_BY_REVERT] = "revert",
                                         [STORE_BY_FILE] = "file",
                                         [STORE_BY_SCHEDULE] = "schedule"};
    return json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "number",
                     (json_int_t)change->number, "time", view_time(change->time_ns), "who",
                     view_who(&change->who), "cause", causes[change->cause], "reverts",
                     change->reverts != 0 ? json_integer((json_int_t)change->reverts) : json_null(),
                     "owner", view_text(change->owner), "why", view_text(change->why), "subject",
                     subject_of(change), "key",
                     view_text(span_from(change->key, override_is_server(change->key))), "before",
                     view_value(&change->before, subject_of(change)), "after",
                     view_value(&change->after, subject_of(change)));
}

json_t *view_sites(const struct model *model)
{
    json_t *sites = json_array();
    for (size_t i = 0; i < model->site_count && sites != NULL; i++) {
        const struct model_site *site = &model->sites[i];
        json_t *hosts = json_array();
        for (size_t k = 0; k < site->host_count; k++) {
            json_array_append_new(hosts, view_text(site->hosts[k]));
        }
        if (site->catch_all) {
            json_array_append_new(hosts, json_string("*"));
        }
        json_int_t detours = 0;
        for (size_t k = 0; k < model->detour_count; k++) {
            detours += model->detours[k].site == i;
        }
        json_array_append_new(sites, json_pack("{s:o, s:o, s:I, s:I}", "name",
                                               view_text(site->name), "hosts", hosts, "routes",
                                               (json_int_t)site->route_count, "detours", detours));
    }
    return json_pack("{s:o}", "sites", sites);
}
