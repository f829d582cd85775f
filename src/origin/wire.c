/* SPDX-License-Identifier: MIT */
/* One connection to an origin: opened, sealed where need be, read and written. */
#include "origin/internal.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { parts_max = 3 };

struct stash *stash_new(struct span bytes)
{
    struct stash *stash = malloc(sizeof(*stash) + bytes.len);
    if (stash != NULL) {
        stash->len = bytes.len;
        stash->used = 0;
        memcpy(stash->bytes, bytes.ptr, bytes.len);
    }
    return stash;
}

void wire_watch(struct wire *wire, bool reading)
{
    bool writing = wire->unsent != NULL || wire->full;
    int events = (reading && !wire->ended ? EV_READ : 0) | (writing && !wire->dead ? EV_WRITE : 0);
    if (wire->state != WIRE_READY) {
        events |= wire->state == WIRE_CONNECTING ? EV_WRITE : EV_READ;
    }
    if ((wire->io.events & (EV_READ | EV_WRITE)) == events && ev_is_active(&wire->io)) {
        return;
    }
    ev_io_stop(wire->origin->set->loop, &wire->io);
    ev_io_set(&wire->io, wire->io.fd, events);
    if (events != 0) {
        ev_io_start(wire->origin->set->loop, &wire->io);
    }
}

static bool is_reading(const struct wire *wire)
{
    return ev_is_active(&wire->io) && (wire->io.events & EV_READ) != 0;
}

void wire_break(struct wire *wire)
{
    wire->dead = true;
    shutdown(wire->io.fd, SHUT_RDWR);
}

/* Behind what is kept already. */
static void keep(struct wire *wire, struct span bytes)
{
    struct span left = stash_left(wire->unsent);
    struct stash *stash = malloc(sizeof(*stash) + left.len + bytes.len);
    if (stash == NULL) {
        wire_break(wire);
    } else {
        stash->len = left.len + bytes.len;
        stash->used = 0;
        if (left.len > 0) {
            memcpy(stash->bytes, left.ptr, left.len);
        }
        memcpy(stash->bytes + left.len, bytes.ptr, bytes.len);
    }
    free(wire->unsent);
    wire->unsent = stash;
}

/* How much the socket took of it. */
static size_t took(struct wire *wire, ssize_t sent)
{
    if (sent >= 0) {
        return (size_t)sent;
    }
    wire->dead |= errno != EAGAIN && errno != EINTR;
    return 0;
}

static void send_raw(struct wire *wire, struct span bytes)
{
    size_t sent = 0;
    if (wire->dead || bytes.len == 0) {
        return;
    }
    if (wire->unsent == NULL) {
        sent = took(wire, write(wire->io.fd, bytes.ptr, bytes.len));
    }
    if (sent < bytes.len && !wire->dead) {
        keep(wire, span_from(bytes, sent));
        wire_watch(wire, is_reading(wire));
    }
}

static void send_sealed(struct wire *wire, struct span plain)
{
    struct origins *set = wire->origin->set;
    struct buffer out = buffer_over(set->sealed, sizeof(set->sealed));
    if (tls_failure(wire->tls) != NULL || tls_send(wire->tls, plain, &out) != TLS_OK) {
        wire_break(wire);
        return;
    }
    send_raw(wire, buffer_span(&out));
}

static void send_parts_sealed(struct wire *wire, const struct span *parts, size_t count)
{
    struct origins *set = wire->origin->set;
    struct buffer plain = buffer_over(set->plain, sizeof(set->plain));
    for (size_t i = 0; i < count; i++) {
        buffer_put(&plain, parts[i]);
    }
    assert(!plain.full);
    send_sealed(wire, buffer_span(&plain));
}

static void send_parts_clear(struct wire *wire, const struct span *parts, size_t count)
{
    struct iovec vectors[parts_max];
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        vectors[i] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
    }
    if (wire->unsent == NULL) {
        sent = took(wire, writev(wire->io.fd, vectors, (int)count));
    }
    for (size_t i = 0; i < count && !wire->dead; i++) {
        size_t gone = sent < parts[i].len ? sent : parts[i].len;
        sent -= gone;
        if (gone < parts[i].len) {
            keep(wire, span_from(parts[i], gone));
        }
    }
    if (wire->unsent != NULL) {
        wire_watch(wire, is_reading(wire));
    }
}

void wire_send(struct wire *wire, const struct span *parts, size_t count)
{
    assert(count > 0 && count <= parts_max);
    if (wire->dead) {
        return;
    }
    if (wire->tls != NULL) {
        send_parts_sealed(wire, parts, count);
    } else {
        send_parts_clear(wire, parts, count);
    }
}

size_t wire_send_some(struct wire *wire, struct span bytes)
{
    if (wire->dead || !wire_ready(wire)) {
        return 0;
    }
    if (wire->tls != NULL) {
        size_t len = bytes.len < seal_bytes ? bytes.len : seal_bytes;
        send_sealed(wire, span_slice(bytes, 0, len));
        return len;
    }
    size_t sent = took(wire, write(wire->io.fd, bytes.ptr, bytes.len));
    if (sent < bytes.len && !wire->dead) {
        wire->full = true;
        wire_watch(wire, is_reading(wire));
    }
    return sent;
}

static void end_now(struct wire *wire)
{
    wire->ending = false;
    if (!wire->dead) {
        shutdown(wire->io.fd, SHUT_WR);
    }
}

/* Sends what is kept. True: nothing is any more. */
static bool flush(struct wire *wire)
{
    wire->full = false;
    if (wire->unsent != NULL) {
        struct span left = stash_left(wire->unsent);
        size_t sent = wire->dead ? left.len : took(wire, write(wire->io.fd, left.ptr, left.len));
        wire->unsent->used += sent;
        if (wire->dead || sent == left.len) {
            free(wire->unsent);
            wire->unsent = NULL;
        }
    }
    if (wire->unsent == NULL && wire->ending) {
        end_now(wire);
    }
    wire_watch(wire, is_reading(wire));
    return wire->unsent == NULL;
}

void wire_end(struct wire *wire)
{
    struct origins *set = wire->origin->set;
    if (wire->tls != NULL) {
        struct buffer out = buffer_over(set->sealed, sizeof(set->sealed));
        tls_close(wire->tls, &out);
        send_raw(wire, buffer_span(&out));
    }
    if (wire->unsent != NULL) {
        wire->ending = true;
    } else {
        end_now(wire);
    }
}

/* Opens what came sealed, to behind the held_len bytes of set->in. */
static size_t open_sealed(struct wire *wire, size_t held_len, struct span cipher)
{
    struct origins *set = wire->origin->set;
    struct buffer plain = buffer_over(set->in + held_len, sizeof(set->in) - held_len);
    struct buffer out = buffer_over(set->sealed, sizeof(set->sealed));
    enum tls_result result = tls_receive(wire->tls, cipher, &plain, &out);
    send_raw(wire, buffer_span(&out));
    wire->ended |= result != TLS_OK;
    wire->cut |= result == TLS_FAILED;
    return plain.len;
}

size_t wire_read(struct wire *wire, size_t held_len, size_t max, bool *again)
{
    struct origins *set = wire->origin->set;
    uint8_t *to = wire->tls != NULL ? set->sealed_in : set->in + held_len;
    ssize_t got = recv(wire->io.fd, to, max, 0);
    *again = got == (ssize_t)max;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    bool failed = wire->tls != NULL && tls_failure(wire->tls) != NULL; /* when it sent */
    if (got <= 0 || failed) {
        wire->ended = true;
        wire->cut = got < 0 || wire->tls != NULL;
        return 0;
    }
    return wire->tls != NULL ? open_sealed(wire, held_len, span_of(to, (size_t)got)) : (size_t)got;
}

/* Over TLS a ticket may come late. */
bool wire_silent(struct wire *wire)
{
    uint8_t byte;
    bool again = false;
    if (wire->tls != NULL) {
        return wire_read(wire, 0, read_bytes, &again) == 0 && !again && !wire->ended && !wire->dead;
    }
    return recv(wire->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EINTR);
}

static void ready(struct wire *wire)
{
    wire->state = WIRE_READY;
    if (wire->address < wire->origin->address_count) {
        wire->origin->good = wire->address;
    }
    wire_watch(wire, true);
    pass_connected(wire->pass);
}

/* What the origin says of the handshake; nothing to begin with. */
static void shake_hands(struct wire *wire, struct span cipher)
{
    size_t plain_len = open_sealed(wire, 0, cipher);
    if (wire->ended || wire->dead || plain_len > 0) {
        const char *why = tls_failure(wire->tls);
        origin_tell(wire->origin, "no TLS with", why != NULL ? why : "it ended the handshake");
        pass_unconnected(wire->pass, false);
    } else if (tls_established(wire->tls)) {
        ready(wire);
    } else {
        wire_watch(wire, true);
    }
}

static void begin_tls(struct wire *wire)
{
    struct tls_client *client = wire->origin->tls;
    wire->tls = client != NULL ? tls_stream_connect(client) : NULL;
    if (wire->tls == NULL) {
        origin_tell(wire->origin, "no TLS with",
                    client != NULL ? "out of memory" : "there are no authorities to verify it by");
        pass_unconnected(wire->pass, false);
        return;
    }
    wire->state = WIRE_HANDSHAKE;
    shake_hands(wire, (struct span){0});
}

static void connected(struct wire *wire)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(wire->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        origin_tell(wire->origin, "no connection to", strerror(error != 0 ? error : errno));
        pass_unconnected(wire->pass, false);
    } else if (wire->origin->tls_wanted) {
        begin_tls(wire);
    } else {
        ready(wire);
    }
}

static void on_handshake(struct wire *wire, int events)
{
    uint8_t *bytes = wire->origin->set->sealed_in;
    if ((events & EV_WRITE) != 0) {
        flush(wire);
    }
    if ((events & EV_READ) == 0) {
        return;
    }
    ssize_t got = recv(wire->io.fd, bytes, read_bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    wire->ended = got <= 0;
    if (wire->ended) {
        origin_tell(wire->origin, "no TLS with", "it closed the connection");
        pass_unconnected(wire->pass, false);
    } else {
        shake_hands(wire, span_of(bytes, (size_t)got));
    }
}

static void on_idle(struct wire *wire)
{
    if (!wire_silent(wire)) {
        wire_close(wire);
    }
}

static void on_wire(struct ev_loop *loop, ev_io *io, int events)
{
    struct wire *wire = (struct wire *)(void *)io;
    struct pass *pass = wire->pass;
    if (wire->state == WIRE_CONNECTING) {
        connected(wire);
    } else if (wire->state == WIRE_HANDSHAKE) {
        on_handshake(wire, events);
    } else if (pass == NULL) {
        on_idle(wire);
    } else {
        if ((events & EV_WRITE) != 0 && flush(wire)) {
            upload_go_on(pass);
        }
        if ((events & EV_READ) != 0) {
            answer_read(pass);
        }
    }
}

/* -1: it failed at once. */
static int begin_connection(const struct snap_address *address)
{
    union snap_socket_address to;
    socklen_t len = snapshot_socket_address(address, &to);
    int on = 1;
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
               sizeof(on)); /* heads and content follow closely */
    if (connect(fd, &to.any, len) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

struct wire *wire_open(struct origin *origin, uint32_t address)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    int fd = wire != NULL ? begin_connection(&origin->addresses[address]) : -1;
    if (fd < 0) {
        origin_tell(origin, "no connection to", strerror(errno));
        free(wire);
        return NULL;
    }
    wire->origin = origin;
    wire->address = address;
    wire->moves = origin->moves;
    chain_add(&origin->busy, &wire->chain);
    origin->wire_count++;
    origin->set->wire_count++;
    sweep_add(origin->set);
    ev_io_init(&wire->io, on_wire, fd, EV_WRITE);
    ev_io_start(origin->set->loop, &wire->io);
    return wire;
}

void wire_close(struct wire *wire)
{
    struct origin *origin = wire->origin;
    ev_io_stop(origin->set->loop, &wire->io);
    close(wire->io.fd);
    tls_stream_free(&wire->tls);
    free(wire->unsent);
    chain_remove(&wire->chain);
    origin->idle_count -= wire->pass == NULL;
    origin->wire_count--;
    origin->set->wire_count--;
    sweep_remove(origin->set);
    free(wire);
}
