/* SPDX-License-Identifier: MIT */
/* Sockets of the benchmarks' programs, in clear or over TLS by plain OpenSSL; both ends. A
 * fault that is no connection's own ends the program. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One connection. All zero: none. */
struct wire {
    int fd;
    SSL *ssl;             /* NULL: clear */
    SSL_SESSION *session; /* of a client: the last ticket that came, for the next connection */
    const void *later;    /* what waits for the handshake's end */
    size_t later_len;
};

_Noreturn void die(const char *what);

void watch(int epoll, int fd, void *data);

/* With Detour's socket options, so that a comparison is about the program. */
int wire_listen(uint16_t port);
/* pem: certificate and key. */
SSL_CTX *wire_server_tls(const char *pem);
/* False: nobody waits. tls: NULL for clear. */
bool wire_accept(struct wire *wire, int listener, SSL_CTX *tls);

/* Offers this protocol (ALPN), TLS 1.3 and one cipher suite, so that all servers do the same
 * work. */
SSL_CTX *wire_client_tls(const char *protocol);
/* resume: with the session that the wire holds from an earlier connection. */
void wire_connect(struct wire *wire, uint16_t port, SSL_CTX *tls, bool resume);

/* 0: the end. -1: nothing is there. Goes on with a handshake. */
ssize_t wire_recv(struct wire *wire, void *bytes, size_t room);
/* False: the peer does not take all of it. What waits for a handshake must stay in place. */
bool wire_send(struct wire *wire, const void *bytes, size_t len);
void wire_close(struct wire *wire);
