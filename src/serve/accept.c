/* SPDX-License-Identifier: MIT */
/* Listening sockets: accepts in bounded turns, and stands still instead of spinning when
 * there are no descriptors left. */
#include "serve/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Of a listener that is given up: the largest queue that Linux keeps by default. */
enum { accepts_at_the_end_max = 4096 };

static const double retry_s = 0.25;

/* A unix socket's peers have no address: they stay "::". */
static void read_peer(const struct sockaddr_storage *address, struct client *out)
{
    *out = (struct client){0};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        memset(out->address + 10, 0xff, 2);
        memcpy(out->address + 12, &v4->sin_addr, 4);
        out->port = ntohs(v4->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        memcpy(out->address, &v6->sin6_addr, 16);
        out->port = ntohs(v6->sin6_port);
    }
}

bool server_peer_user(const struct serve_request *asked, uint32_t *uid_out)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (asked->listener->address.any.sa_family != AF_UNIX ||
        getsockopt(asked->conn->io.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    *uid_out = peer.uid;
    return true;
}

/* The one that has been waiting for this longest, for as long at least; NULL: none. */
static struct conn *longest(struct server *server, enum wait wait, uint32_t least_ms)
{
    struct conn *oldest = wait_empty(server, wait) ? NULL : wait_first(server, wait);
    bool enough = oldest != NULL && (uint32_t)(server->now_ms - oldest->since_ms) >= least_ms;
    return enough ? oldest : NULL;
}

/* Who asks an API asks at once, and few may: so silence gives way at once there, or whoever
 * opens connections and says nothing would lock the operator out. What has begun to speak
 * gets a second; what waits for an answer of ours stays. */
static struct conn *unwanted(struct server *server)
{
    static const enum wait begun[] = {WAIT_LINGER, WAIT_BODY, WAIT_HEADER};
    bool api = server->content_max > 0;
    struct conn *found = longest(server, WAIT_IDLE, api ? 0 : reclaim_idle_ms);
    for (size_t i = 0; api && found == NULL && i < sizeof(begun) / sizeof(*begun); i++) {
        found = longest(server, begun[i], reclaim_idle_ms);
    }
    return found;
}

/* A connection that nobody misses gives way to a new one. */
static bool reclaim(struct server *server)
{
    struct conn *conn = unwanted(server);
    if (conn != NULL) {
        conn_close(conn);
    }
    return conn != NULL;
}

static void open_spare(struct server *server)
{
    if (server->spare_fd < 0) {
        server->spare_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    }
}

static void pause_accepting(struct server *server)
{
    for (struct acceptor *each = server->acceptors; each != NULL; each = each->next) {
        ev_io_stop(server->loop, &each->io);
    }
    server->retry.repeat = retry_s;
    ev_timer_again(server->loop, &server->retry);
}

void accept_resume(struct server *server)
{
    if (!ev_is_active(&server->retry)) {
        return;
    }
    ev_timer_stop(server->loop, &server->retry);
    for (struct acceptor *each = server->acceptors; each != NULL; each = each->next) {
        if (!each->closed) {
            ev_io_start(server->loop, &each->io);
        }
    }
}

void accept_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct server *server = timer->data;
    (void)loop;
    (void)revents;
    open_spare(server);
    accept_resume(server);
}

/* Refuses one connection with the spare descriptor, so that its client does not wait in
 * vain, then stands still until a descriptor is free or the timer says to try. */
static void refuse_one(struct acceptor *acceptor)
{
    struct server *server = acceptor->server;
    if (server->spare_fd >= 0) {
        close(server->spare_fd);
        server->spare_fd = -1;
        int fd = accept4(acceptor->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            close(fd);
            counter_add(&server->counters->connections_refused, 1);
        }
        open_spare(server);
    }
    pause_accepting(server);
}

/* After a failed accept4. True: it is worth another try. */
static bool accept_failed(struct acceptor *acceptor)
{
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        if (reclaim(acceptor->server)) {
            return true;
        }
        refuse_one(acceptor);
        return false;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT:
        pause_accepting(acceptor->server);
        return false;
    default:
        return true; /* the connection failed before it was accepted: accept(2) */
    }
}

/* False: nobody waits any more, or nobody can be accepted. */
static bool accept_one(struct acceptor *acceptor)
{
    struct server *server = acceptor->server;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t address_len = sizeof(address);
    int fd = accept4(acceptor->io.fd, (struct sockaddr *)&address, &address_len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return accept_failed(acceptor);
    }
    if (server->connection_count >= server->limits.connections_max && !reclaim(server)) {
        close(fd);
        counter_add(&server->counters->connections_refused, 1);
        return true;
    }
    struct client peer;
    read_peer(&address, &peer);
    conn_open(acceptor, fd, &peer);
    return true;
}

static void accept_upto(struct acceptor *acceptor, unsigned count)
{
    server_wake(acceptor->server);
    while (count > 0 && accept_one(acceptor)) {
        count--;
    }
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)revents;
    /* An accept that finds nobody costs almost as much as one that does, so it is one a
     * turn (measured: 15 % less CPU a connection than until EAGAIN). A turn in which much
     * else waits takes more, or the queue would grow while the turns do. */
    unsigned count = 1 + ev_pending_count(loop) / 8;
    accept_upto((struct acceptor *)io, count < accepts_per_turn ? count : accepts_per_turn);
}

static struct acceptor *find_acceptor(struct server *server, const struct listener *listener)
{
    for (struct acceptor *each = server->acceptors; each != NULL; each = each->next) {
        if (!each->closed && strcmp(each->listener.text, listener->text) == 0) {
            return each;
        }
    }
    return NULL;
}

enum err server_listen(struct server *server, const struct listener *listener, int fd)
{
    struct acceptor *known = find_acceptor(server, listener);
    if (known != NULL || server->draining) {
        close(fd);
        if (known != NULL) {
            known->listener = *listener;
        }
        return known != NULL ? ERR_NONE : ERR_CLOSED;
    }
    struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
    if (acceptor == NULL) {
        close(fd);
        return ERR_MEMORY;
    }
    acceptor->server = server;
    acceptor->listener = *listener;
    acceptor->next = server->acceptors;
    server->acceptors = acceptor;
    ev_io_init(&acceptor->io, on_acceptable, fd, EV_READ);
    ev_io_start(server->loop, &acceptor->io);
    open_spare(server);
    return ERR_NONE;
}

void acceptor_release(struct acceptor *acceptor)
{
    if (!acceptor->closed || acceptor->conn_count > 0) {
        return;
    }
    struct acceptor **at = &acceptor->server->acceptors;
    while (*at != acceptor) {
        at = &(*at)->next;
    }
    *at = acceptor->next;
    free(acceptor);
}

static void end_acceptor(struct acceptor *acceptor)
{
    accept_upto(acceptor, accepts_at_the_end_max);
    ev_io_stop(acceptor->server->loop, &acceptor->io);
    if (!acceptor->server->sockets_shared) {
        close(acceptor->io.fd);
    }
    acceptor->closed = true;
    acceptor_release(acceptor);
}

void server_unlisten(struct server *server, const struct listener *listener)
{
    struct acceptor *acceptor = find_acceptor(server, listener);
    if (acceptor != NULL) {
        end_acceptor(acceptor);
    }
}

static struct acceptor *find_open(struct server *server)
{
    struct acceptor *each = server->acceptors;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): acceptor_release takes out what it frees */
    while (each != NULL && each->closed) {
        each = each->next;
    }
    return each;
}

void accept_end(struct server *server)
{
    for (struct acceptor *each = find_open(server); each != NULL; each = find_open(server)) {
        end_acceptor(each);
    }
    ev_timer_stop(server->loop, &server->retry);
}
