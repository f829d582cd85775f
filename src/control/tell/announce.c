/* SPDX-License-Identifier: MIT */
/* Looks at all detours, tells what there is to tell, and remembers what it told. */
#include "control/tell/announce.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/alarm.h"
#include "control/tell/outbox.h"
#include "control/tell/telling.h"
#include "events/event.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    id_random_bytes = 16,
    refused_max = 30, /* in … */
    refused_pause_s = 60,
};

static_assert((int)store_mark_bytes_max >= (int)event_mark_bytes, "what was told is kept");

/* Stands among the marks as soon as there was a look, and is the key of no detour. */
static const struct span looked_key = {(const uint8_t *)"looked", 6};

struct told {
    struct span key;
    struct event_mark mark; /* `told` may be false */
    int64_t opens_ns;       /* at the last look; SCHEDULE_EVER: not known */
    bool seen;
};

/* Ordered by key. */
struct told_list {
    struct arena arena;
    struct told *items;
    size_t count;
};

struct announce {
    struct configuration *const *current;
    struct alarm alarm;
    struct outbox outbox;
    struct store *store; /* NULL: none */
    struct live *live;
    bool begun;  /* the store was read */
    bool looked; /* there was a look before, by this process or one before */
    bool kept;   /* the store has what was told */
    struct told_list told;
    int64_t looked_ns; /* by this process */
    int64_t refused_since_ns;
    uint32_t refused;
};

/* One look, while it lasts. */
struct look {
    struct announce *announce;
    const struct model *model;
    struct event_times times;
    struct told_list fresh;
    struct store_mark *marks; /* that have changed */
    size_t mark_count;
    uint8_t (*mark_bytes)[event_mark_bytes];
    struct store_message *messages;
    size_t message_count;
    size_t message_room;
    int64_t next_ns;
    bool no_memory;
};

static int compare_told(const void *a, const void *b)
{
    const struct told *left = a;
    const struct told *right = b;
    size_t shared = left->key.len < right->key.len ? left->key.len : right->key.len;
    int order = shared > 0 ? memcmp(left->key.ptr, right->key.ptr, shared) : 0;
    return order != 0 ? order : (left->key.len > right->key.len) - (left->key.len < right->key.len);
}

static struct told *find_told(const struct told_list *list, struct span key)
{
    const struct told wanted = {.key = key};
    return list->count > 0
               ? bsearch(&wanted, list->items, list->count, sizeof(wanted), compare_told)
               : NULL;
}

/* ---- messages ---- */

static bool make_id(struct arena *arena, struct span *out)
{
    uint8_t random[id_random_bytes];
    char text[2 * id_random_bytes + 1];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(text + 2 * i, 3, "%02x", random[i]);
    }
    const char *id = arena_printf(arena, "evt_%s", text);
    *out = id != NULL ? span_cstr(id) : (struct span){0};
    return id != NULL;
}

/* One for each webhook that wants the event; they have the same id. */
static void add_messages(struct look *look, enum event_kind kind, const char *content)
{
    struct span id = {0};
    struct span copy = {0};
    for (size_t i = 0; i < look->model->webhook_count && content != NULL; i++) {
        const struct model_webhook *webhook = &look->model->webhooks[i];
        if ((webhook->events >> kind & 1) == 0) {
            continue;
        }
        struct store_message *messages =
            arena_grow(&look->fresh.arena, look->messages, look->message_count, &look->message_room,
                       sizeof(*messages));
        if (messages == NULL ||
            (copy.ptr == NULL &&
             ((copy = arena_copy(&look->fresh.arena, span_cstr(content))).ptr == NULL ||
              !make_id(&look->fresh.arena, &id)))) {
            look->no_memory = true;
            return;
        }
        look->messages = messages;
        messages[look->message_count++] = (struct store_message){
            .created_ns = look->times.now_ns, .url = webhook->url, .id = id, .content = copy};
    }
}

static bool is_wanted(const struct model *model, enum event_kind kind)
{
    for (size_t i = 0; i < model->webhook_count; i++) {
        if ((model->webhooks[i].events >> kind & 1) != 0) {
            return true;
        }
    }
    return false;
}

static void add_events(struct look *look, struct span key, const struct model_detour *detour,
                       const struct event_look *found)
{
    const struct announce *a = look->announce;
    for (size_t i = 0; i < found->count; i++) {
        const struct telling telling = {.event = &found->events[i],
                                        .key = key,
                                        .model = look->model,
                                        .detour = detour,
                                        .store = a->store,
                                        .live = a->live,
                                        .since_ns = a->looked_ns,
                                        .now_ns = look->times.now_ns};
        telling_log(&telling);
        if (is_wanted(look->model, telling.event->kind)) {
            char *content = telling_json(&telling);
            look->no_memory = look->no_memory || content == NULL;
            add_messages(look, telling.event->kind, content);
            free(content);
        }
    }
}

/* Durable before it is sent. What cannot be kept is sent all the same. */
static void send_all(struct look *look)
{
    struct announce *a = look->announce;
    bool keep = a->store != NULL && look->model->webhook_count > 0;
    enum err err = ERR_NONE;
    if (keep && look->mark_count + look->message_count > 0) {
        err = store_tell(a->store, look->marks, look->mark_count, look->messages,
                         look->message_count);
    }
    if (err != ERR_NONE) {
        log_error("cannot store what is told of detours: %s", err_why(err));
    }
    a->kept = keep ? err == ERR_NONE : a->kept;
    outbox_send(&a->outbox, look->messages, look->message_count, keep && err == ERR_NONE);
}

/* ---- looking ---- */

static void add_mark(struct look *look, struct span key, const struct event_mark *mark)
{
    struct store_mark *out = &look->marks[look->mark_count];
    *out = (struct store_mark){.key = key};
    if (mark != NULL && mark->told) {
        event_mark_encode(mark, look->mark_bytes[look->mark_count]);
        out->value = span_of(look->mark_bytes[look->mark_count], event_mark_bytes);
    }
    look->mark_count++;
}

static bool same_mark(const struct event_mark *a, const struct event_mark *b)
{
    uint8_t left[event_mark_bytes];
    uint8_t right[event_mark_bytes];
    event_mark_encode(a, left);
    event_mark_encode(b, right);
    return a->told == b->told && (!a->told || memcmp(left, right, sizeof(left)) == 0);
}

static void look_at(struct look *look, const struct model_detour *detour)
{
    struct announce *a = look->announce;
    struct event_look found;
    const char *text =
        arena_printf(&look->fresh.arena, "%.*s/%.*s",
                     SPAN_ARG(look->model->sites[detour->site].name), SPAN_ARG(detour->rule.name));
    if (text == NULL) {
        look->no_memory = true;
        return;
    }
    struct span key = span_cstr(text);
    struct told *known = find_told(&a->told, key);
    const struct event_mark nothing = {0};
    const struct event_mark *last = known != NULL ? &known->mark : &nothing;
    look->times.due_ns = known != NULL               ? known->opens_ns
                         : a->looked_ns == INT64_MIN ? SCHEDULE_EVER
                                                     : SCHEDULE_NEVER;
    if (a->looked) {
        event_look(&detour->schedule, last, &look->times, &found);
    } else {
        event_look_first(&detour->schedule, &look->times, &found);
    }
    if (known != NULL) {
        known->seen = true;
    }
    if ((!a->kept && found.mark.told) || !same_mark(last, &found.mark)) {
        add_mark(look, key, &found.mark);
    }
    look->fresh.items[look->fresh.count++] =
        (struct told){.key = key, .mark = found.mark, .opens_ns = found.opens_ns};
    look->next_ns = found.next_ns < look->next_ns ? found.next_ns : look->next_ns;
    add_events(look, key, detour, &found);
}

/* Those that are there no more. */
static void look_at_gone(struct look *look)
{
    struct announce *a = look->announce;
    for (size_t i = 0; i < a->told.count; i++) {
        struct told *told = &a->told.items[i];
        struct event_look found;
        if (!told->seen && told->mark.told) {
            event_look(NULL, &told->mark, &look->times, &found);
            add_mark(look, told->key, NULL);
            add_events(look, told->key, NULL, &found);
        }
    }
}

static bool look_begin(struct look *look)
{
    size_t most = look->model->detour_count + look->announce->told.count + 1;
    arena_init(&look->fresh.arena, 0);
    look->fresh.items = arena_array(&look->fresh.arena, most, sizeof(*look->fresh.items));
    look->marks = arena_array(&look->fresh.arena, most, sizeof(*look->marks));
    look->mark_bytes = arena_array(&look->fresh.arena, most, sizeof(*look->mark_bytes));
    return look->fresh.items != NULL && look->marks != NULL && look->mark_bytes != NULL;
}

void announce_look(struct announce *a)
{
    if (*a->current == NULL || !a->begun) {
        return;
    }
    struct look look = {.announce = a, .model = (*a->current)->model, .next_ns = SCHEDULE_NEVER};
    look.times = (struct event_times){.now_ns = clock_wall_ns(),
                                      .ending_ns = look.model->ending_s * NS_PER_SECOND};
    if (!look_begin(&look)) {
        arena_fini(&look.fresh.arena);
        log_error("cannot look for events: out of memory");
        return;
    }
    for (size_t i = 0; i < look.model->detour_count; i++) {
        look_at(&look, &look.model->detours[i]);
    }
    look_at_gone(&look);
    if (!a->kept) {
        look.marks[look.mark_count++] = (struct store_mark){.key = looked_key, .value = SPAN("1")};
    }
    if (look.no_memory) {
        log_error("not all events can be told: out of memory");
    }
    send_all(&look);
    qsort(look.fresh.items, look.fresh.count, sizeof(*look.fresh.items), compare_told);
    arena_fini(&a->told.arena);
    a->told = look.fresh;
    a->looked = true;
    a->looked_ns = look.times.now_ns;
    alarm_set(&a->alarm, look.next_ns);
}

/* ---- what was refused ---- */

static bool is_change_of_detour(enum admin_operation operation)
{
    return operation == ADMIN_PUT_DETOUR || operation == ADMIN_DELETE_DETOUR ||
           operation == ADMIN_DELETE_ALL || operation == ADMIN_EXTEND_DETOUR ||
           operation == ADMIN_REVERT_CHANGE;
}

/* So that a script that goes wrong leaves room for what matters. */
static bool is_too_often(struct announce *a, int64_t now_ns)
{
    int64_t since_ns = now_ns - a->refused_since_ns;
    if (since_ns < 0 || since_ns > refused_pause_s * NS_PER_SECOND) {
        a->refused_since_ns = now_ns;
        a->refused = 0;
    }
    a->refused++;
    if (a->refused == refused_max + 1) {
        log_warning("more than %d changes were refused within a minute; the next ones are not told",
                    refused_max);
    }
    return a->refused > refused_max;
}

void announce_refused(struct announce *a, const struct admin_call *call,
                      const struct admin_result *result)
{
    if (!a->begun || *a->current == NULL || call->dry_run || result->status < 400 ||
        !is_change_of_detour(call->operation) || is_too_often(a, clock_wall_ns())) {
        return;
    }
    struct look look = {.announce = a, .model = (*a->current)->model};
    look.times.now_ns = clock_wall_ns();
    telling_refused_log(call, result);
    if (!is_wanted(look.model, EVENT_REFUSED)) {
        return;
    }
    arena_init(&look.fresh.arena, 0);
    char *content = telling_refused_json(call, result, look.times.now_ns);
    add_messages(&look, EVENT_REFUSED, content);
    if (content == NULL || look.no_memory) {
        log_error("a refused change cannot be told");
    }
    bool kept = a->kept;
    send_all(&look);
    a->kept = kept; /* no mark was looked at */
    free(content);
    arena_fini(&look.fresh.arena);
}

/* ---- beginning ---- */

/* What stands in the store since the last process. */
static enum err read_marks(struct announce *a)
{
    struct store_mark *marks;
    size_t count = 0;
    arena_fini(&a->told.arena);
    enum err err = store_marks(a->store, &a->told.arena, &marks, &count);
    struct told *items =
        err == ERR_NONE ? arena_array(&a->told.arena, count + 1, sizeof(*items)) : NULL;
    a->told.items = items;
    a->told.count = 0;
    if (items == NULL) {
        return err != ERR_NONE ? err : ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        if (span_eq(marks[i].key, looked_key)) {
            a->looked = true;
            a->kept = true;
        } else if (event_mark_decode(marks[i].value, &items[a->told.count].mark)) {
            items[a->told.count].opens_ns = SCHEDULE_EVER;
            items[a->told.count++].key = marks[i].key;
        }
    }
    qsort(items, a->told.count, sizeof(*items), compare_told);
    return ERR_NONE;
}

/* Nobody is told any more, and so what was told before is of no use to those who come later. */
static void forget_marks(struct announce *a)
{
    struct store_mark *marks = calloc(a->told.count + 1, sizeof(*marks));
    if (marks == NULL) {
        return;
    }
    for (size_t i = 0; i < a->told.count; i++) {
        marks[i].key = a->told.items[i].key;
    }
    marks[a->told.count].key = looked_key;
    if (store_tell(a->store, marks, a->told.count + 1, NULL, 0) == ERR_NONE) {
        a->kept = false;
    }
    free(marks);
}

void announce_begin(struct announce *a, struct store *store, struct live *live)
{
    enum err err = ERR_NONE;
    outbox_set_receivers(&a->outbox, *a->current);
    if (a->store == NULL && store != NULL) {
        a->store = store;
        a->live = live;
        err = read_marks(a);
        enum err opened = outbox_open(&a->outbox, store);
        err = err == ERR_NONE ? opened : err;
    }
    if (err != ERR_NONE) {
        log_error("cannot read what was told of detours: %s", err_why(err));
    }
    if (a->kept && (*a->current)->model->webhook_count == 0) {
        forget_marks(a);
        a->looked = a->begun; /* else those marks are old */
        a->told.count = a->begun ? a->told.count : 0;
    }
    a->begun = true;
}

/* ---- life ---- */

static void on_alarm(void *context)
{
    announce_look(context);
}

enum err announce_new(struct ev_loop *loop, struct configuration *const *current,
                      struct announce **out)
{
    struct announce *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return ERR_MEMORY;
    }
    a->current = current;
    a->looked_ns = INT64_MIN;
    a->alarm.fd = -1;
    arena_init(&a->told.arena, 0);
    enum err err = outbox_init(&a->outbox, loop);
    if (err == ERR_NONE) {
        err = alarm_init(&a->alarm, loop, on_alarm, a);
    }
    if (err != ERR_NONE) {
        announce_free(&a);
        return err;
    }
    alarm_yield(&a->alarm);
    *out = a;
    return ERR_NONE;
}

void announce_free(struct announce **announce)
{
    struct announce *a = *announce;
    if (a != NULL) {
        outbox_fini(&a->outbox);
        alarm_fini(&a->alarm);
        arena_fini(&a->told.arena);
        free(a);
        *announce = NULL;
    }
}

const uint64_t *announce_counts(const struct announce *announce)
{
    return announce->outbox.counts;
}

const struct webhooks *announce_webhooks(struct announce *announce)
{
    outbox_settle(&announce->outbox);
    return announce->outbox.webhooks;
}
