/* SPDX-License-Identifier: MIT */
/* Sockets of the benchmarks' programs, in clear or over TLS. */
#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, PROTOCOL_BYTES_MAX = 32 };

_Noreturn void die(const char *what)
{
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(2);
}

void watch(int epoll, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
}

int wire_listen(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) {
        die("listen");
    }
    return fd;
}

/* The client's first wish that we know: the only one that our clients have. */
static int select_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
                           const unsigned char *offered, unsigned offered_len, void *unused)
{
    *chosen = offered + 1;
    *chosen_len = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

/* Tuned where it pays: one ticket, no session cache, records read ahead, and no search for
 * a chain in the trust store. */
SSL_CTX *wire_server_tls(const char *pem)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, pem) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, pem, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(tls, 1) != 1) {
        die(pem);
    }
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(tls, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_alpn_select_cb(tls, select_protocol, NULL);
    return tls;
}

static void wire_init(struct wire *wire, int fd, SSL_CTX *tls)
{
    wire->fd = fd;
    wire->ssl = NULL;
    wire->later_len = 0;
    if (tls != NULL) {
        wire->ssl = SSL_new(tls);
        if (wire->ssl == NULL || SSL_set_fd(wire->ssl, fd) != 1) {
            die("SSL_new");
        }
    }
}

bool wire_accept(struct wire *wire, int listener, SSL_CTX *tls)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    wire_init(wire, fd, tls);
    if (tls != NULL) {
        SSL_set_accept_state(wire->ssl);
    }
    return true;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct wire *wire = SSL_get_app_data(ssl);
    SSL_SESSION_free(wire->session);
    wire->session = session;
    return 1;
}

SSL_CTX *wire_client_tls(const char *protocol)
{
    unsigned char offer[PROTOCOL_BYTES_MAX];
    size_t len = strlen(protocol);
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    assert(len < sizeof offer);
    offer[0] = (unsigned char)len;
    memcpy(offer + 1, protocol, len);
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(tls, "X25519") != 1 ||
        SSL_CTX_set_alpn_protos(tls, offer, (unsigned)len + 1) != 0) {
        die("SSL_CTX_new");
    }
    SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls, keep_session);
    return tls;
}

/* Source addresses change, so that ports that wait in TIME_WAIT never run out. */
static int connect_to(uint16_t port)
{
    static uint32_t turn;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn++ % 64);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        die("connect");
    }
    return fd;
}

/* A copy, since the library lets none be used twice, and not every server gives a new one
 * when it resumes (h2o does not). */
static void offer_session(const struct wire *wire)
{
    SSL_SESSION *copy = SSL_SESSION_dup(wire->session);
    if (copy == NULL || SSL_set_session(wire->ssl, copy) != 1) {
        die("SSL_set_session");
    }
    SSL_SESSION_free(copy);
}

void wire_connect(struct wire *wire, uint16_t port, SSL_CTX *tls, bool resume)
{
    wire_init(wire, connect_to(port), tls);
    if (tls == NULL) {
        return;
    }
    if (SSL_set_app_data(wire->ssl, wire) != 1 ||
        SSL_set_tlsext_host_name(wire->ssl, "localhost") != 1) {
        die("SSL_set_tlsext_host_name");
    }
    if (resume) {
        offer_session(wire);
    }
    SSL_set_connect_state(wire->ssl);
    (void)SSL_do_handshake(wire->ssl);
}

static bool send_sealed(struct wire *wire, const void *bytes, size_t len)
{
    size_t written;
    return SSL_write_ex(wire->ssl, bytes, len, &written) == 1 && written == len;
}

static ssize_t recv_sealed(struct wire *wire, uint8_t *bytes, size_t room)
{
    size_t len = 0;
    size_t got = 0;
    int error = SSL_ERROR_NONE;
    do {
        if (SSL_read_ex(wire->ssl, bytes + len, room - len, &got) == 1) {
            len += got;
        } else {
            error = SSL_get_error(wire->ssl, 0);
        }
        if (wire->later_len > 0 && SSL_is_init_finished(wire->ssl)) {
            if (!send_sealed(wire, wire->later, wire->later_len)) {
                die("SSL_write_ex");
            }
            wire->later_len = 0;
        }
    } while (error == SSL_ERROR_NONE && SSL_has_pending(wire->ssl));
    if (len > 0) {
        return (ssize_t)len;
    }
    return error == SSL_ERROR_WANT_READ ? -1 : 0;
}

ssize_t wire_recv(struct wire *wire, void *bytes, size_t room)
{
    if (wire->ssl != NULL) {
        return recv_sealed(wire, bytes, room);
    }
    ssize_t got = recv(wire->fd, bytes, room, 0);
    return got < 0 && errno != EAGAIN ? 0 : got;
}

bool wire_send(struct wire *wire, const void *bytes, size_t len)
{
    if (wire->ssl == NULL) {
        return send(wire->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
    }
    if (!SSL_is_init_finished(wire->ssl)) {
        wire->later = bytes;
        wire->later_len = len;
        return true;
    }
    return send_sealed(wire, bytes, len);
}

/* A session whose connection was not shut down would not be continued by the library. */
void wire_close(struct wire *wire)
{
    if (wire->ssl != NULL) {
        SSL_set_shutdown(wire->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(wire->ssl);
    wire->ssl = NULL;
    close(wire->fd);
    wire->fd = -1;
}
