/* SPDX-License-Identifier: MIT */
/* Lines are begun in their order while there is room; those that got no answer come again after a
 * while, twice as long each time. */
#include "audit/run.h"

#include <stdlib.h>
#include <strings.h>

/* A line on its way, or waiting for another try. */
struct flight {
    struct run *run;
    struct flight *next; /* of the idle ones */
    size_t row;
    uint16_t tries;
    bool status_again; /* 429 or 5xx that pass */
    int64_t retry_after_s;
    ev_timer timer;
    struct arena arena;
    struct audit_hop *hops;
    size_t hop_count;
    size_t hop_capacity;
    int64_t total_us;
};

struct run {
    const struct audit_list *list;
    const struct audit_options *options;
    struct arena *arena;
    struct audit_result *results;
    struct ev_loop *loop;
    struct walker *walker;
    struct flight *idle;
    size_t next_row;
    size_t done;
    size_t faulty;
    size_t waiting;
    ev_timer tick; /* of the progress bar */
    unsigned seed;
    bool out_of_memory;
};

static void fill(struct run *run);

static void stop(struct run *run)
{
    run->out_of_memory = true;
    ev_break(run->loop, EVBREAK_ALL);
}

/* ---- what is seen on the way ---- */

static void on_sending(void *context, const struct detour_next *next)
{
    struct flight *flight = context;
    struct audit_hop *hops = arena_grow(&flight->arena, flight->hops, flight->hop_count,
                                        &flight->hop_capacity, sizeof(*hops));
    struct span url = arena_copy(&flight->arena, span_of(next->url->href.ptr, next->url->href.len));
    if (hops == NULL || url.ptr == NULL) {
        stop(flight->run);
        return;
    }
    flight->hops = hops;
    hops[flight->hop_count++] = (struct audit_hop){.url = url};
}

static void read_notes(struct audit_hop *hop, const struct detour_verdict *verdict)
{
    for (size_t i = 0; i < verdict->note_count; i++) {
        switch (verdict->notes[i].kind) {
        case DETOUR_NOTE_LOOP:
            hop->loop = true;
            break;
        case DETOUR_NOTE_DOWNGRADE:
            hop->downgrade = true;
            break;
        case DETOUR_NOTE_CREDENTIALS_DROPPED: /* the next client may keep them */
        case DETOUR_NOTE_CREDENTIALS_SENT:
        case DETOUR_NOTE_SECRET_SENT:
        case DETOUR_NOTE_USERINFO_DROPPED:
            hop->credentials = true;
            break;
        default:
            break;
        }
    }
}

/* Retry-After in seconds (RFC 9110, 10.2.3); of a date nothing is made. */
static int64_t retry_after(const struct walk_head *head)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct detour_field *field = &head->fields[i];
        if (field->name.len == 11 && strncasecmp(field->name.ptr, "Retry-After", 11) == 0 &&
            field->value.len < 10) {
            int64_t seconds = 0;
            for (size_t k = 0; k < field->value.len; k++) {
                if (!ascii_is_digit((uint8_t)field->value.ptr[k])) {
                    return 0;
                }
                seconds = seconds * 10 + (field->value.ptr[k] - '0');
            }
            return seconds;
        }
    }
    return 0;
}

static void on_hop(void *context, const struct walk_hop *seen)
{
    struct flight *flight = context;
    if (flight->hop_count == 0) {
        return;
    }
    struct audit_hop *hop = &flight->hops[flight->hop_count - 1];
    uint16_t status = seen->head.status;
    hop->status = status;
    flight->status_again = status == 429 || (status >= 502 && status <= 504);
    flight->retry_after_s = flight->status_again ? retry_after(&seen->head) : 0;
    if (seen->verdict != NULL) {
        read_notes(hop, seen->verdict);
    }
}

/* ---- results ---- */

static const char *reason_of(struct run *run, const struct walk_end *end)
{
    if (end->outcome == walk_failed) {
        return arena_printf(run->arena, "%s", end->text);
    }
    return end->reason != DETOUR_REASON_NONE ? detour_reason_text(end->reason) : NULL;
}

/* The hops move into the memory that lasts. */
static const struct audit_hop *keep_hops(struct run *run, const struct flight *flight)
{
    struct audit_hop *hops = arena_array(run->arena, flight->hop_count, sizeof(*hops));
    for (size_t i = 0; hops != NULL && i < flight->hop_count; i++) {
        hops[i] = flight->hops[i];
        hops[i].url = arena_copy(run->arena, hops[i].url);
        if (hops[i].url.ptr == NULL) {
            return NULL;
        }
    }
    return hops;
}

static void free_flight(struct run *run, struct flight *flight)
{
    flight->next = run->idle;
    run->idle = flight;
}

static void settle(struct flight *flight, const struct walk_end *end)
{
    struct run *run = flight->run;
    const struct audit_seen seen = {.hops = flight->hops,
                                    .hop_count = flight->hop_count,
                                    .outcome = end->outcome,
                                    .reason = end->reason};
    struct audit_result *result = &run->results[flight->row];
    *result = (struct audit_result){
        .findings = audit_judge(run->options->rules, &run->list->rows[flight->row], &seen),
        .done = true,
        .outcome = (uint8_t)end->outcome,
        .tries = flight->tries,
        .reason = reason_of(run, end),
        .hops = keep_hops(run, flight),
        .hop_count = flight->hop_count,
        .total_us = end->total_us,
    };
    if (result->hops == NULL) {
        stop(run);
    }
    run->done++;
    run->faulty += result->findings != 0;
    free_flight(run, flight);
    if (run->done == run->list->count) {
        ev_break(run->loop, EVBREAK_ALL);
    }
}

/* ---- tries ---- */

static bool may_come_again(const struct flight *flight, const struct walk_end *end)
{
    switch (end->outcome) {
    case walk_delivered:
        return flight->status_again;
    case walk_failed:
        return end->failure != walk_failure_private && end->failure != walk_failure_tls &&
               end->failure != walk_failure_wait && end->failure != walk_failure_memory;
    default:
        return false;
    }
}

/* Doubled for each try, and up to a half more by chance, so that not all come at once. */
static double delay_s(struct run *run, const struct flight *flight)
{
    double delay = run->options->retry_delay_ms / 1000.0;
    for (uint16_t i = 1; i < flight->tries && delay < audit_retry_wait_max_s; i++) {
        delay *= 2;
    }
    delay *= 1 + (double)rand_r(&run->seed) / RAND_MAX / 2;
    delay = delay > (double)flight->retry_after_s ? delay : (double)flight->retry_after_s;
    return delay < audit_retry_wait_max_s ? delay : audit_retry_wait_max_s;
}

static void on_done(void *context, const struct walk_end *end)
{
    struct flight *flight = context;
    struct run *run = flight->run;
    if (flight->tries <= run->options->retries && may_come_again(flight, end)) {
        ev_timer_set(&flight->timer, delay_s(run, flight), 0);
        ev_timer_start(run->loop, &flight->timer);
        run->waiting++;
    } else {
        settle(flight, end);
    }
    fill(run);
}

static void begin(struct flight *flight)
{
    struct run *run = flight->run;
    const struct audit_options *options = run->options;
    const struct span *source = &run->list->rows[flight->row].source;
    const struct detour_request request = {.size = sizeof(request),
                                           .method = options->method,
                                           .url = {(const char *)source->ptr, source->len},
                                           .fields = options->fields,
                                           .field_count = options->field_count};
    const struct walk_listener listener = {
        .sending = on_sending, .hop = on_hop, .done = on_done, .brief = true, .context = flight};
    arena_reset(&flight->arena);
    flight->hops = NULL;
    flight->hop_count = flight->hop_capacity = 0;
    flight->status_again = false;
    flight->retry_after_s = 0;
    flight->tries++;
    if (walker_start(run->walker, &request, NULL, &listener) != ERR_NONE) {
        stop(run);
    }
}

static bool has_room(const struct run *run)
{
    return walker_count(run->walker) < run->options->walker->at_once_max;
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct flight *flight = timer->data;
    struct run *run = flight->run;
    if (!has_room(run)) {
        ev_timer_set(timer, 0.05, 0);
        ev_timer_start(loop, timer);
        return;
    }
    run->waiting--;
    begin(flight);
}

static struct flight *new_flight(struct run *run)
{
    struct flight *flight = run->idle;
    if (flight != NULL) {
        run->idle = flight->next;
    } else {
        flight = calloc(1, sizeof(*flight));
        if (flight == NULL) {
            return NULL;
        }
        flight->run = run;
        arena_init(&flight->arena, 0);
        ev_timer_init(&flight->timer, on_retry, 0, 0);
        flight->timer.data = flight;
    }
    flight->tries = 0;
    return flight;
}

static void fill(struct run *run)
{
    while (!run->out_of_memory && run->next_row < run->list->count &&
           run->waiting < audit_waiting_max && has_room(run)) {
        struct flight *flight = new_flight(run);
        if (flight == NULL) {
            stop(run);
            return;
        }
        flight->row = run->next_row++;
        begin(flight);
    }
}

/* ---- the progress bar ---- */

enum { bar_width = 30 };

static void draw(struct run *run)
{
    size_t filled = run->done * bar_width / run->list->count;
    fprintf(run->options->progress, "\r[%.*s%.*s] %zu of %zu, %zu with faults\033[K", (int)filled,
            "##############################", (int)(bar_width - filled),
            "                              ", run->done, run->list->count, run->faulty);
    fflush(run->options->progress);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    draw(timer->data);
}

static void progress_init(struct run *run)
{
    ev_timer_init(&run->tick, on_tick, 0.2, 0.2);
    run->tick.data = run;
    if (run->options->progress != NULL) {
        ev_timer_start(run->loop, &run->tick);
    }
}

static void progress_fini(struct run *run)
{
    ev_timer_stop(run->loop, &run->tick);
    if (run->options->progress != NULL) {
        fputs("\r\033[K", run->options->progress);
        fflush(run->options->progress);
    }
}

/* ---- all of it ---- */

static void walk_all(struct run *run)
{
    progress_init(run);
    fill(run);
    if (run->list->count > 0 && !run->out_of_memory) {
        ev_run(run->loop, 0);
    }
    progress_fini(run);
}

static void free_flights(struct run *run)
{
    while (run->idle != NULL) {
        struct flight *flight = run->idle;
        run->idle = flight->next;
        arena_fini(&flight->arena);
        free(flight);
    }
}

enum err audit_run(const struct audit_list *list, const struct audit_options *options,
                   struct arena *arena, struct audit_result **out)
{
    struct run run = {.list = list, .options = options, .arena = arena, .seed = 1};
    run.results = arena_array(arena, list->count + 1, sizeof(*run.results));
    run.loop = ev_loop_new(EVFLAG_AUTO);
    enum err err = run.results == NULL || run.loop == NULL ? ERR_MEMORY : ERR_NONE;
    if (err == ERR_NONE) {
        err = walker_new(run.loop, options->walker, &run.walker);
    }
    if (err == ERR_NONE) {
        walk_all(&run);
        err = run.out_of_memory ? ERR_MEMORY : ERR_NONE;
        walker_free(&run.walker);
    }
    free_flights(&run);
    if (run.loop != NULL) {
        ev_loop_destroy(run.loop);
    }
    if (err == ERR_NONE) {
        *out = run.results;
    }
    return err;
}
