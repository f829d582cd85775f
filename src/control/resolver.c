/* SPDX-License-Identifier: MIT */
/* A thread for each lookup that is under way. What a thread needs is its own, and what it
 * finds it hands over through a list; so it may end whenever it likes, also when nobody waits
 * for it any more. */
#include "control/resolver.h"

#include "base/cidr.h"
#include "base/log.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

enum { name_bytes_max = 253 };

static const double first_retry_s = 1;

/* One question, on its way there and back. */
struct lookup {
    struct handover *handover;
    struct lookup *next;
    char name[name_bytes_max + 1];
    int failure; /* of getaddrinfo; 0: none */
    struct origin_address addresses[origin_addresses_max];
    size_t count;
};

/* Where threads leave what they found. Lives as long as anybody has it. */
struct handover {
    pthread_mutex_t lock;
    struct lookup *done;
    uint32_t owners;      /* threads, and the resolver */
    struct ev_loop *loop; /* NULL: nobody waits any more */
    ev_async bell;
};

struct name {
    struct name *next;
    char text[name_bytes_max + 1];
    double interval_s;
    double retry_s; /* after a failure; then twice as long each time */
    ev_tstamp due_at;
    bool asking;
    bool settled; /* there was an answer */
    bool failing;
    bool wanted; /* of the set that is told */
    struct origin_address addresses[origin_addresses_max];
    size_t count;
};

struct resolver {
    struct ev_loop *loop;
    void (*changed)(void *context);
    void *context;
    struct handover *handover;
    ev_timer timer;
    struct name *names;
    size_t name_count;
    size_t asking_count;
};

/* ---- the thread's side ---- */

static bool holds(const struct lookup *lookup, const struct origin_address *address)
{
    for (size_t i = 0; i < lookup->count; i++) {
        const struct origin_address *known = &lookup->addresses[i];
        if (memcmp(known->bytes, address->bytes, sizeof(known->bytes)) == 0 &&
            known->scope == address->scope) {
            return true;
        }
    }
    return false;
}

static void take_address(struct lookup *lookup, const struct sockaddr *from)
{
    struct origin_address address = {0};
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)from;
        address_from_v4((const uint8_t *)&v4->sin_addr, address.bytes);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)from;
        memcpy(address.bytes, &v6->sin6_addr, sizeof(address.bytes));
        address.scope = v6->sin6_scope_id;
    } else {
        return;
    }
    if (lookup->count < origin_addresses_max && !holds(lookup, &address)) {
        lookup->addresses[lookup->count++] = address;
    }
}

static void look_up(struct lookup *lookup)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    lookup->failure = getaddrinfo(lookup->name, NULL, &hints, &found);
    if (lookup->failure != 0) {
        return;
    }
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        take_address(lookup, each->ai_addr);
    }
    freeaddrinfo(found);
    lookup->failure = lookup->count > 0 ? 0 : EAI_NONAME;
}

/* One owner less; whoever is the last frees it, with what nobody took. The lock is held. */
static void let_go(struct handover *handover)
{
    bool last = --handover->owners == 0;
    pthread_mutex_unlock(&handover->lock);
    if (!last) {
        return;
    }
    while (handover->done != NULL) {
        struct lookup *next = handover->done->next;
        free(handover->done);
        handover->done = next;
    }
    pthread_mutex_destroy(&handover->lock);
    free(handover);
}

static void *run_lookup(void *context)
{
    struct lookup *lookup = context;
    struct handover *handover = lookup->handover;
    look_up(lookup);
    pthread_mutex_lock(&handover->lock);
    lookup->next = handover->done;
    handover->done = lookup;
    if (handover->loop != NULL) {
        ev_async_send(handover->loop, &handover->bell);
    }
    let_go(handover);
    return NULL;
}

static bool start_thread(struct lookup *lookup)
{
    pthread_t thread;
    pthread_attr_t detached;
    if (pthread_attr_init(&detached) != 0) {
        return false;
    }
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    bool good = pthread_create(&thread, &detached, run_lookup, lookup) == 0;
    pthread_attr_destroy(&detached);
    return good;
}

/* ---- the loop's side ---- */

static struct name *find(const struct resolver *resolver, struct span text)
{
    for (struct name *each = resolver->names; each != NULL; each = each->next) {
        if (span_eq(span_cstr(each->text), text)) {
            return each;
        }
    }
    return NULL;
}

static bool start_lookup(struct resolver *resolver, const struct name *name)
{
    struct handover *handover = resolver->handover;
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL) {
        return false;
    }
    lookup->handover = handover;
    memcpy(lookup->name, name->text, sizeof(lookup->name));
    pthread_mutex_lock(&handover->lock);
    handover->owners++;
    pthread_mutex_unlock(&handover->lock);
    if (start_thread(lookup)) {
        return true;
    }
    pthread_mutex_lock(&handover->lock);
    handover->owners--; /* never the last: the resolver has it */
    pthread_mutex_unlock(&handover->lock);
    free(lookup);
    return false;
}

/* Asks for those that are due, and sets the timer for the next one. */
static void go_on(struct resolver *resolver)
{
    ev_tstamp now = ev_now(resolver->loop);
    ev_tstamp next = now + 3600;
    for (struct name *name = resolver->names; name != NULL; name = name->next) {
        if (!name->wanted) {
            continue; /* one that is only remembered, or about to be forgotten */
        }
        bool due = !name->asking && name->due_at <= now;
        if (due && resolver->asking_count < resolver_lookups_max) {
            name->asking = start_lookup(resolver, name);
            resolver->asking_count += name->asking;
            name->due_at = now + first_retry_s; /* of one that could not start */
        }
        /* One that waits for a thread is looked at when a lookup ends. */
        bool waits = name->asking || name->due_at <= now;
        next = !waits && name->due_at < next ? name->due_at : next;
    }
    ev_timer_stop(resolver->loop, &resolver->timer);
    ev_timer_set(&resolver->timer, next - now, 0);
    ev_timer_start(resolver->loop, &resolver->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    go_on(timer->data);
}

static bool has_address(const struct name *name, const struct origin_address *address)
{
    for (size_t i = 0; i < name->count; i++) {
        if (memcmp(&name->addresses[i], address, sizeof(*address)) == 0) {
            return true;
        }
    }
    return false;
}

/* Name servers answer in another order each time, which is no change. */
static bool same_addresses(const struct name *name, const struct lookup *lookup)
{
    bool same = name->count == lookup->count;
    for (size_t i = 0; same && i < lookup->count; i++) {
        same = has_address(name, &lookup->addresses[i]);
    }
    return same;
}

static void say_addresses(const struct name *name)
{
    char list[origin_addresses_max * (address_text_max + 2)];
    size_t used = 0;
    for (size_t i = 0; i < name->count; i++) {
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s", i > 0 ? ", " : "");
        used += address_format(name->addresses[i].bytes, list + used);
    }
    log_info("%s is at %.*s", name->text, (int)used, list);
}

/* Gives whether there is something new. */
static bool hear_failure(struct name *name, const struct lookup *lookup)
{
    bool first = !name->settled;
    if (!name->failing) {
        log_error(
            "cannot look up %s (%s): %s", name->text, gai_strerror(lookup->failure),
            name->count > 0
                ? "going on with the addresses that it had"
                : "nothing can be passed on to it, and no probe reaches it, until that works");
    }
    name->failing = true;
    name->due_at += name->retry_s;
    name->retry_s = name->retry_s * 2 < name->interval_s ? name->retry_s * 2 : name->interval_s;
    return first;
}

static bool hear_addresses(struct name *name, const struct lookup *lookup)
{
    bool changed = !same_addresses(name, lookup);
    if (changed) {
        memcpy(name->addresses, lookup->addresses, sizeof(name->addresses));
        name->count = lookup->count;
    }
    if (changed || name->failing) {
        say_addresses(name);
    }
    name->failing = false;
    name->retry_s = first_retry_s < name->interval_s ? first_retry_s : name->interval_s;
    name->due_at += name->interval_s;
    return changed;
}

/* A name that nobody wants any more is gone already. */
static bool hear(struct resolver *resolver, const struct lookup *lookup)
{
    struct name *name = find(resolver, span_cstr(lookup->name));
    resolver->asking_count--;
    if (name == NULL || !name->asking) {
        return false;
    }
    name->asking = false;
    name->due_at = ev_now(resolver->loop);
    bool changed = lookup->failure != 0 ? hear_failure(name, lookup) : hear_addresses(name, lookup);
    name->settled = true;
    return changed;
}

static void on_bell(struct ev_loop *loop, ev_async *bell, int events)
{
    struct resolver *resolver = bell->data;
    struct handover *handover = resolver->handover;
    bool changed = false;
    pthread_mutex_lock(&handover->lock);
    struct lookup *done = handover->done;
    handover->done = NULL;
    pthread_mutex_unlock(&handover->lock);
    while (done != NULL) {
        struct lookup *next = done->next;
        changed = hear(resolver, done) || changed;
        free(done);
        done = next;
    }
    go_on(resolver);
    if (changed) {
        resolver->changed(resolver->context);
    }
}

enum err resolver_new(struct ev_loop *loop, void (*changed)(void *context), void *context,
                      struct resolver **out)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    struct handover *handover = calloc(1, sizeof(*handover));
    if (resolver == NULL || handover == NULL || pthread_mutex_init(&handover->lock, NULL) != 0) {
        free(resolver);
        free(handover);
        return ERR_MEMORY;
    }
    handover->owners = 1;
    handover->loop = loop;
    *resolver = (struct resolver){
        .loop = loop, .changed = changed, .context = context, .handover = handover};
    ev_async_init(&handover->bell, on_bell);
    handover->bell.data = resolver;
    ev_async_start(loop, &handover->bell);
    ev_timer_init(&resolver->timer, on_timer, 0, 0);
    resolver->timer.data = resolver;
    *out = resolver;
    return ERR_NONE;
}

static void free_names(struct resolver *resolver, bool all)
{
    struct name **at = &resolver->names;
    while (*at != NULL) {
        struct name *name = *at;
        if (!all && name->wanted) {
            at = &name->next;
            continue;
        }
        *at = name->next;
        free(name);
        resolver->name_count--;
    }
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *freed = *resolver;
    if (freed == NULL) {
        return;
    }
    *resolver = NULL;
    ev_timer_stop(freed->loop, &freed->timer);
    ev_async_stop(freed->loop, &freed->handover->bell);
    free_names(freed, true);
    pthread_mutex_lock(&freed->handover->lock);
    freed->handover->loop = NULL;
    let_go(freed->handover);
    free(freed);
}

void resolver_begin(struct resolver *resolver)
{
    for (struct name *name = resolver->names; name != NULL; name = name->next) {
        name->wanted = false;
    }
}

static enum err get(struct resolver *resolver, struct span text, struct name **out)
{
    struct name *name = find(resolver, text);
    if (name == NULL) {
        if (text.len > name_bytes_max || resolver->name_count == resolver_names_max) {
            return ERR_LIMIT;
        }
        name = calloc(1, sizeof(*name));
        if (name == NULL) {
            return ERR_MEMORY;
        }
        memcpy(name->text, text.ptr, text.len);
        name->due_at = ev_now(resolver->loop);
        name->next = resolver->names;
        resolver->names = name;
        resolver->name_count++;
    }
    *out = name;
    return ERR_NONE;
}

enum err resolver_remember(struct resolver *resolver, struct span text,
                           const struct origin_address *addresses, size_t count)
{
    struct name *name;
    enum err err = get(resolver, text, &name);
    if (err == ERR_NONE && name->count == 0) {
        name->count = count < origin_addresses_max ? count : origin_addresses_max;
        memcpy(name->addresses, addresses, name->count * sizeof(addresses[0]));
    }
    return err;
}

enum err resolver_want(struct resolver *resolver, struct span text, uint32_t interval_ms)
{
    struct name *name;
    enum err err = get(resolver, text, &name);
    if (err != ERR_NONE) {
        return err;
    }
    name->wanted = true;
    name->interval_s = (double)interval_ms / 1000;
    name->retry_s = first_retry_s < name->interval_s ? first_retry_s : name->interval_s;
    go_on(resolver);
    return ERR_NONE;
}

void resolver_end(struct resolver *resolver)
{
    free_names(resolver, false);
}

bool resolver_settled(const struct resolver *resolver)
{
    for (const struct name *name = resolver->names; name != NULL; name = name->next) {
        if (name->wanted && !name->settled) {
            return false;
        }
    }
    return true;
}

bool resolver_was_told(const struct resolver *resolver, struct span text)
{
    const struct name *name = find(resolver, text);
    return name != NULL && name->settled;
}

size_t resolver_find(const struct resolver *resolver, struct span text,
                     struct origin_address out[origin_addresses_max])
{
    const struct name *name = find(resolver, text);
    if (name == NULL) {
        return 0;
    }
    memcpy(out, name->addresses, name->count * sizeof(out[0]));
    return name->count;
}
