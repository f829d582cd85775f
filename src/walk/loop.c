/* SPDX-License-Identifier: MIT */
/* The glue between libcurl's sockets and timer and libev's, which saves system calls: a watcher
 * that is stopped and started again within one turn of the loop costs none, and libcurl does so
 * between two requests on one connection. */
#include "walk/internal.h"

#include "walk/address.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* libcurl opens and closes those of its resolver without a word. */
struct watched {
    ev_io *io;  /* NULL: this descriptor was never watched */
    bool ours;  /* libcurl tells when it opens and closes it */
    bool known; /* the kernel's list of the loop holds it */
};

static void on_socket_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct walker *walker = io->data;
    int running;
    int action = ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
                 ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(walker->multi, io->fd, action, &running);
    loop_turn(walker);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct walker *walker = timer->data;
    walker->due = true;
    loop_turn(walker);
}

static bool make_watched(struct walker *walker, size_t index)
{
    if (index >= walker->watched_count) {
        size_t count = index * 2 + 16;
        struct watched *watched = realloc(walker->watched, count * sizeof(*watched));
        if (watched == NULL) {
            return false;
        }
        memset(watched + walker->watched_count, 0,
               (count - walker->watched_count) * sizeof(*watched));
        walker->watched = watched;
        walker->watched_count = count;
    }
    struct watched *watched = &walker->watched[index];
    if (watched->io == NULL) {
        watched->io = calloc(1, sizeof(*watched->io));
        if (watched->io == NULL) {
            return false;
        }
        ev_io_init(watched->io, on_socket_event, (int)index, 0);
        watched->io->data = walker;
    }
    return true;
}

/* CURLMOPT_SOCKETFUNCTION. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *per_socket)
{
    struct walker *walker = context;
    if (!make_watched(walker, (size_t)fd)) {
        return -1;
    }
    struct watched *watched = &walker->watched[fd];
    ev_io_stop(walker->loop, watched->io);
    if (what == CURL_POLL_REMOVE) {
        return 0;
    }
    int events =
        ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0);
    if (watched->ours && watched->known) {
        ev_io_modify(watched->io, events);
    } else {
        ev_io_set(watched->io, fd, events);
    }
    watched->known = true;
    ev_io_start(walker->loop, watched->io);
    return 0;
}

/* CURLOPT_OPENSOCKETFUNCTION: the address is the one that is connected to, whatever name, hop or
 * answer of a name server led there. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct walk *walk = context;
    struct walker *walker = walk->walker;
    if (walker->options.no_private && !address_is_public(&address->addr)) {
        walk->refused_address = true;
        errno = EACCES;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && make_watched(walker, (size_t)fd)) {
        walker->watched[fd].ours = true;
        walker->watched[fd].known = false;
    }
    return fd;
}

/* CURLOPT_CLOSESOCKETFUNCTION. */
static int close_socket(void *context, curl_socket_t fd)
{
    struct walker *walker = context;
    if ((size_t)fd < walker->watched_count && walker->watched[fd].io != NULL) {
        ev_io_stop(walker->loop, walker->watched[fd].io);
        walker->watched[fd].ours = false;
    }
    if (walker->uploading != NULL) {
        rescue_read(walker->uploading, fd);
    }
    if (fd == walker->taken) {
        walker->taken = -1;
        return 0;
    }
    return close(fd);
}

/* A handle that leaves takes a connection along that was opened for nothing but its socket, and
 * whoever is asked to close that may as well keep it. */
int loop_take_socket(struct walk *walk)
{
    struct walker *walker = walk->walker;
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(walk->easy, CURLINFO_ACTIVESOCKET, &fd);
    walker->taken = fd;
    walk_release(walk);
    bool taken = fd >= 0 && walker->taken < 0;
    walker->taken = -1;
    return taken ? fd : -1;
}

void loop_set_callbacks(struct walk *walk)
{
    curl_easy_setopt(walk->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(walk->easy, CURLOPT_OPENSOCKETDATA, walk);
    curl_easy_setopt(walk->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(walk->easy, CURLOPT_CLOSESOCKETDATA, walk->walker);
}

/* CURLMOPT_TIMERFUNCTION. */
static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct walker *walker = context;
    walker->due = timeout_ms == 0;
    ev_timer_stop(walker->loop, &walker->timer);
    if (timeout_ms >= 0) {
        ev_timer_set(&walker->timer, (double)timeout_ms / 1000, 0);
        ev_timer_start(walker->loop, &walker->timer);
    }
    return 0;
}

static void collect(struct walker *walker)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(walker->multi, &left)) != NULL) {
        struct walk *walk = NULL;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE) {
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&walk);
            walk_done(walk, code);
        }
    }
}

/* What a walk sends next goes out at once, within the same turn of the loop. */
void loop_turn(struct walker *walker)
{
    int running;
    collect(walker);
    while (walker->ready.first != NULL || walker->due) {
        /* Only those that are ready now: an answer out of a store may make more of them. */
        struct walk *last = walker->ready.last;
        while (last != NULL) {
            struct walk *walk = queue_pop(&walker->ready);
            bool end = walk == last;
            walk_advance(walk);
            if (end) {
                break;
            }
        }
        if (walker->due) {
            walker->due = false;
            curl_multi_socket_action(walker->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        collect(walker);
    }
}

static void on_turn(struct ev_loop *loop, ev_timer *turn, int events)
{
    loop_turn(turn->data);
}

void loop_init(struct walker *walker)
{
    ev_timer_init(&walker->timer, on_timer, 0, 0);
    walker->timer.data = walker;
    ev_timer_init(&walker->turn, on_turn, 0, 0);
    walker->turn.data = walker;
    walker->taken = -1;
    curl_multi_setopt(walker->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(walker->multi, CURLMOPT_SOCKETDATA, walker);
    curl_multi_setopt(walker->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(walker->multi, CURLMOPT_TIMERDATA, walker);
}

void loop_fini(struct walker *walker)
{
    ev_timer_stop(walker->loop, &walker->timer);
    ev_timer_stop(walker->loop, &walker->turn);
    for (size_t i = 0; i < walker->watched_count; i++) {
        if (walker->watched[i].io != NULL) {
            ev_io_stop(walker->loop, walker->watched[i].io);
            free(walker->watched[i].io);
        }
    }
    free(walker->watched);
}
