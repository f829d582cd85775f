/* SPDX-License-Identifier: MIT */
/* The probes, and the glue between libcurl's sockets and timer and libev's. */
#include "health/health.h"

#include "base/arena.h"
#include "base/log.h"
#include "health/hysteresis.h"

#include <curl/curl.h>
#include <stdlib.h>

enum { probes_at_once_max = 512 };

struct probe {
    struct health *health;
    struct health_target target;
    struct arena arena;   /* its strings */
    const char *question; /* the whole URL */
    struct hysteresis state;
    ev_timer turn;
    CURL *request; /* NULL: not asking now */
    char reason[CURL_ERROR_SIZE];
};

struct health {
    struct ev_loop *loop;
    struct servers_map *servers;
    CURLM *multi;
    ev_timer timer; /* libcurl's */
    struct probe **probes;
    size_t probe_count;
};

/* A socket that libcurl waits for. */
struct waiting {
    ev_io io;
    struct health *health;
};

static void set_state(struct probe *probe, bool up)
{
    struct servers_map *servers = probe->health->servers;
    uint32_t weight_ppm = server_live_weight_ppm(&servers_live(servers)[probe->target.slot]);
    servers_set(servers, probe->target.slot, up ? SERVER_UP : SERVER_DOWN, weight_ppm);
}

static void hear(struct probe *probe, bool success, const char *why)
{
    const struct health_target *target = &probe->target;
    if (!hysteresis_hear(&probe->state, success, target->fall, target->rise)) {
        return;
    }
    set_state(probe, success);
    if (success) {
        log_info("server %.*s is up", SPAN_ARG(target->identity));
    } else {
        log_warning("server %.*s is down: %s", SPAN_ARG(target->identity), why);
    }
}

static void end_request(struct probe *probe)
{
    if (probe->request != NULL) {
        curl_multi_remove_handle(probe->health->multi, probe->request);
        curl_easy_cleanup(probe->request);
        probe->request = NULL;
    }
}

/* A redirect is an answer too, and not the one that was hoped for: 2xx alone is healthy. */
static void finish(struct probe *probe, CURLcode result)
{
    char why[CURL_ERROR_SIZE + 64];
    long status = 0;
    curl_easy_getinfo(probe->request, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_OK || result == CURLE_WRITE_ERROR) {
        snprintf(why, sizeof(why), "%s answered %ld", probe->question, status);
    } else {
        snprintf(why, sizeof(why), "%s: %s", probe->question,
                 probe->reason[0] != 0 ? probe->reason : curl_easy_strerror(result));
        status = 0;
    }
    end_request(probe);
    hear(probe, status >= 200 && status < 300, why);
}

static void collect(struct health *health)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(health->multi, &left)) != NULL) {
        struct probe *probe = NULL;
        CURLcode result = message->data.result;
        if (message->msg == CURLMSG_DONE) {
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&probe);
            finish(probe, result);
        }
    }
}

static void on_socket_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct waiting *waiting = io->data;
    struct health *health = waiting->health;
    int running;
    int action = ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
                 ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(health->multi, io->fd, action, &running);
    collect(health);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct health *health = timer->data;
    int running;
    curl_multi_socket_action(health->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(health);
}

/* libcurl asks for a socket to be watched (CURLMOPT_SOCKETFUNCTION). */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *per_socket)
{
    struct health *health = context;
    struct waiting *waiting = per_socket;
    if (waiting != NULL) {
        ev_io_stop(health->loop, &waiting->io);
    }
    if (what == CURL_POLL_REMOVE) {
        free(waiting);
        return 0;
    }
    if (waiting == NULL) {
        waiting = calloc(1, sizeof(*waiting));
        if (waiting == NULL) {
            return -1;
        }
        waiting->health = health;
        curl_multi_assign(health->multi, fd, waiting);
    }
    int events =
        ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0);
    ev_io_init(&waiting->io, on_socket_event, fd, events);
    waiting->io.data = waiting;
    ev_io_start(health->loop, &waiting->io);
    return 0;
}

/* libcurl asks to be called after a time (CURLMOPT_TIMERFUNCTION). */
static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct health *health = context;
    ev_timer_stop(health->loop, &health->timer);
    if (timeout_ms >= 0) {
        ev_timer_set(&health->timer, (double)timeout_ms / 1000, 0);
        ev_timer_start(health->loop, &health->timer);
    }
    return 0;
}

/* The status is all that counts: the body is not read. */
static size_t refuse_body(char *bytes, size_t size, size_t count, void *context)
{
    return 0;
}

static CURL *make_request(struct probe *probe)
{
    CURL *request = curl_easy_init();
    if (request == NULL) {
        return NULL;
    }
    probe->reason[0] = 0;
    curl_easy_setopt(request, CURLOPT_URL, probe->question);
    curl_easy_setopt(request, CURLOPT_PRIVATE, probe);
    curl_easy_setopt(request, CURLOPT_ERRORBUFFER, probe->reason);
    curl_easy_setopt(request, CURLOPT_WRITEFUNCTION, refuse_body);
    curl_easy_setopt(request, CURLOPT_TIMEOUT_MS, (long)probe->target.timeout_ms);
    curl_easy_setopt(request, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(request, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(request, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(request, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(request, CURLOPT_PROXY, "");
    curl_easy_setopt(request, CURLOPT_USERAGENT, "detour/" DETOUR_VERSION " (health)");
    return request;
}

static void on_turn(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct probe *probe = timer->data;
    if (probe->request != NULL) {
        return; /* the last question is still under way; its timeout ends it */
    }
    probe->request = make_request(probe);
    if (probe->request == NULL ||
        curl_multi_add_handle(probe->health->multi, probe->request) != CURLM_OK) {
        log_error("cannot probe %s: out of memory", probe->question);
        curl_easy_cleanup(probe->request);
        probe->request = NULL;
    }
}

enum err health_new(struct ev_loop *loop, struct servers_map *servers, struct health **out)
{
    struct health *health = calloc(1, sizeof(*health));
    if (health == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(health);
        return ERR_MEMORY;
    }
    health->loop = loop;
    health->servers = servers;
    health->multi = curl_multi_init();
    if (health->multi == NULL) {
        free(health);
        return ERR_MEMORY;
    }
    ev_timer_init(&health->timer, on_timer, 0, 0);
    health->timer.data = health;
    curl_multi_setopt(health->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(health->multi, CURLMOPT_SOCKETDATA, health);
    curl_multi_setopt(health->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(health->multi, CURLMOPT_TIMERDATA, health);
    curl_multi_setopt(health->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)probes_at_once_max);
    *out = health;
    return ERR_NONE;
}

static void probe_free(struct probe **probe)
{
    if (*probe == NULL) {
        return;
    }
    ev_timer_stop((*probe)->health->loop, &(*probe)->turn);
    end_request(*probe);
    arena_fini(&(*probe)->arena);
    free(*probe);
    *probe = NULL;
}

void health_free(struct health **health)
{
    if (*health == NULL) {
        return;
    }
    for (size_t i = 0; i < (*health)->probe_count; i++) {
        probe_free(&(*health)->probes[i]);
    }
    free((*health)->probes);
    curl_multi_cleanup((*health)->multi);
    ev_timer_stop((*health)->loop, &(*health)->timer);
    free(*health);
    *health = NULL;
}

/* Spread over the interval, so that a thousand targets are not asked in one instant. */
static double first_turn(const struct health_target *target)
{
    return (double)target->interval_ms / 1000 * ((double)rand() / RAND_MAX);
}

static bool copy_target(struct probe *probe, const struct health_target *target)
{
    probe->target = *target;
    probe->target.identity = arena_copy(&probe->arena, target->identity);
    probe->target.url = arena_copy(&probe->arena, target->url);
    probe->target.path = arena_copy(&probe->arena, target->path);
    probe->question =
        arena_printf(&probe->arena, "%.*s%.*s", SPAN_ARG(target->url), SPAN_ARG(target->path));
    return probe->target.identity.ptr != NULL && probe->target.url.ptr != NULL &&
           probe->target.path.ptr != NULL && probe->question != NULL;
}

static struct probe *probe_new(struct health *health, const struct health_target *target)
{
    struct probe *probe = calloc(1, sizeof(*probe));
    if (probe == NULL) {
        return NULL;
    }
    probe->health = health;
    arena_init(&probe->arena, 0);
    if (!copy_target(probe, target)) {
        arena_fini(&probe->arena);
        free(probe);
        return NULL;
    }
    struct server_live *live = servers_live(health->servers);
    probe->state.up = server_live_state(&live[target->slot]) != SERVER_DOWN;
    ev_timer_init(&probe->turn, on_turn, first_turn(target), (double)target->interval_ms / 1000);
    probe->turn.data = probe;
    ev_timer_start(health->loop, &probe->turn);
    return probe;
}

static bool same_question(const struct health_target *a, const struct health_target *b)
{
    return span_eq(a->identity, b->identity) && span_eq(a->url, b->url) &&
           span_eq(a->path, b->path) && a->slot == b->slot && a->interval_ms == b->interval_ms &&
           a->timeout_ms == b->timeout_ms && a->fall == b->fall && a->rise == b->rise;
}

/* Takes the probe of a target out of the old set, if it is there. */
static struct probe *take_probe(struct health *health, const struct health_target *target)
{
    for (size_t i = 0; i < health->probe_count; i++) {
        struct probe *probe = health->probes[i];
        if (probe != NULL && same_question(&probe->target, target)) {
            health->probes[i] = NULL;
            return probe;
        }
    }
    return NULL;
}

static bool is_probed(const struct health_target *targets, size_t count, uint32_t slot)
{
    for (size_t i = 0; i < count; i++) {
        if (targets[i].slot == slot) {
            return true;
        }
    }
    return false;
}

static void drop_old(struct health *health, const struct health_target *targets, size_t count)
{
    for (size_t i = 0; i < health->probe_count; i++) {
        struct probe *probe = health->probes[i];
        if (probe != NULL && !is_probed(targets, count, probe->target.slot)) {
            set_state(probe, true);
        }
        probe_free(&health->probes[i]);
    }
    free(health->probes);
}

enum err health_set(struct health *health, const struct health_target *targets, size_t count)
{
    struct probe **probes = calloc(count > 0 ? count : 1, sizeof(struct probe *));
    if (probes == NULL) {
        return ERR_MEMORY;
    }
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        struct probe *probe = take_probe(health, &targets[i]);
        probe = probe != NULL ? probe : probe_new(health, &targets[i]);
        if (probe != NULL) {
            probes[made++] = probe;
        }
    }
    drop_old(health, targets, count);
    health->probes = probes;
    health->probe_count = made;
    return made == count ? ERR_NONE : ERR_MEMORY;
}
