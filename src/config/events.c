/* SPDX-License-Identifier: MIT */
/* events: who is told what becomes of detours. */
#include "config/rule.h"

#include "uri/url.h"

enum { secret_path_bytes_max = 4000, url_bytes_max = 2048 };

static const char *const event_names[MODEL_EVENTS] = {[MODEL_EVENT_STARTED] = "started",
                                                      [MODEL_EVENT_ENDING] = "ending",
                                                      [MODEL_EVENT_ENDED] = "ended",
                                                      [MODEL_EVENT_OVERDUE] = "overdue",
                                                      [MODEL_EVENT_REFUSED] = "refused"};

static const char *url_fault(const struct url *url)
{
    if (!span_eq(url->scheme, SPAN("https")) && !span_eq(url->scheme, SPAN("http"))) {
        return "it must begin with https:// or http://";
    }
    if (url->username.len > 0 || url->password.len > 0) {
        return "it holds a user name or password, which everybody would be shown; messages are "
               "signed instead";
    }
    return url->fragment.ptr != NULL ? "a fragment is never sent; take it away" : NULL;
}

static bool read_url(struct load *load, const struct node *node, struct span *out)
{
    struct span text;
    struct url url;
    if (!read_string(load, node, &text)) {
        return false;
    }
    if (url_parse(text, NULL, load->arena, &url) != ERR_NONE || text.len > url_bytes_max) {
        return read_refuse(load, node, "a URL, like https://ops.example.com/hook");
    }
    const char *fault = url_fault(&url);
    if (fault != NULL) {
        problems_error(load->problems, node->place, "the URL \"%.*s\" cannot be a webhook's: %s",
                       SHOW(text), fault);
        return false;
    }
    if (url_serialise(&url, load->arena, out) != ERR_NONE) {
        load->no_memory = true;
        return false;
    }
    return out->len <= url_bytes_max ||
           read_refuse(load, node, "a URL of at most 2048 bytes, as it is sent");
}

static bool read_secret(struct load *load, const struct node *node, struct model_webhook *out)
{
    if (!read_string(load, node, &out->secret_file)) {
        return false;
    }
    out->secret_place = node->place;
    if (out->secret_file.len > secret_path_bytes_max ||
        out->secret_file.ptr[out->secret_file.len - 1] == '/') {
        return read_refuse(load, node, "the path of a file");
    }
    return true;
}

static bool read_event(struct load *load, const struct node *node, uint32_t *bits)
{
    struct span names[MODEL_EVENTS];
    for (unsigned i = 0; i < MODEL_EVENTS; i++) {
        names[i] = span_cstr(event_names[i]);
        if (node_is_word(node, event_names[i])) {
            *bits |= UINT32_C(1) << i;
            return true;
        }
    }
    const char *hint =
        node->kind == NODE_SCALAR ? load_hint(load, node->text, names, MODEL_EVENTS) : "";
    problems_error(load->problems, node->place,
                   "there is no such event; there are started, ending, ended, overdue and "
                   "refused%s",
                   hint);
    return false;
}

static bool read_events_of(struct load *load, const struct node *node, uint32_t *out)
{
    uint32_t bits = 0;
    bool good = read_is_list(load, node);
    for (const struct node *item = good ? list_first(node) : NULL; item != NULL;
         item = list_next(node, item)) {
        good = read_event(load, item, &bits) && good;
    }
    if (good && bits == 0) {
        return read_refuse(load, node, "a list of at least one event, like [started, ended]");
    }
    *out = bits;
    return good;
}

static bool url_is_new(struct load *load, const struct node *node,
                       const struct model_webhook *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq(items[i].url, items[count].url)) {
            problems_error(load->problems, node->place,
                           "the webhook of line %u has the same URL; make one of the two, with "
                           "the events of both",
                           items[i].place.line);
            return false;
        }
    }
    return true;
}

static bool read_webhook(struct load *load, const struct node *node, struct model_webhook *items,
                         size_t count)
{
    enum { KEY_URL, KEY_SECRET, KEY_EVENTS, KEYS };
    static const char *const keys[KEYS] = {"url", "secret_file", "events"};
    const struct node *at[KEYS];
    struct model_webhook *out = &items[count];
    *out = (struct model_webhook){.place = node->place, .events = (1u << MODEL_EVENTS) - 1};
    if (!read_map(load, node, "a webhook", keys, KEYS, at)) {
        return false;
    }
    if (at[KEY_URL] == NULL || at[KEY_SECRET] == NULL) {
        problems_error(load->problems, node->place, "a webhook needs %s",
                       at[KEY_URL] == NULL
                           ? "`url`, like `url: https://ops.example.com/hook`"
                           : "`secret_file`, a file with the secret that signs its messages, like "
                             "`secret_file: hook.key`; make one with `openssl rand -base64 32`");
        return false;
    }
    bool good =
        read_url(load, at[KEY_URL], &out->url) && url_is_new(load, at[KEY_URL], items, count);
    good = read_secret(load, at[KEY_SECRET], out) && good;
    return (at[KEY_EVENTS] == NULL || read_events_of(load, at[KEY_EVENTS], &out->events)) && good;
}

static bool read_webhooks(struct load *load, const struct node *node)
{
    bool good = true;
    size_t count = 0;
    size_t wanted = list_count(node);
    if (!read_is_list(load, node)) {
        return false;
    }
    if (wanted > model_webhooks_max) {
        return read_refuse(load, node, "a list of at most 16 webhooks");
    }
    struct model_webhook *items = load_alloc(load, wanted + 1, sizeof(*items));
    for (const struct node *item = items != NULL ? list_first(node) : NULL; item != NULL;
         item = list_next(node, item)) {
        if (read_webhook(load, item, items, count)) {
            count++;
        } else {
            good = false;
        }
    }
    load->model->webhooks = items;
    load->model->webhook_count = count;
    return good;
}

bool read_events(struct load *load, const struct node *node)
{
    static const char *const keys[] = {"webhooks", "ending"};
    const struct node *at[2];
    if (!read_map(load, node, "`events`", keys, 2, at)) {
        return false;
    }
    bool good = at[0] == NULL || read_webhooks(load, at[0]);
    return (at[1] == NULL || read_duration_s(load, at[1], &load->model->ending_s)) && good;
}
