/* SPDX-License-Identifier: MIT */
/* An address to listen on: "http://0.0.0.0:8307", "https://[::]:8443",
 * "http://unix:/run/detour/http.sock", with options. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    listener_text_max = 256,
    listeners_max = 64, /* of one configuration, metrics not counted; as many as a message
                         * carries descriptors */
};

/* Where a subrequest says what it is about (http/subrequest.h has the same, in that order). */
enum listener_original {
    LISTENER_ORIGINAL_ANY,
    LISTENER_ORIGINAL_FORWARDED,
    LISTENER_ORIGINAL_URL,
    LISTENER_ORIGINAL_PATH,
};

/* What is answered there. All 0: requests as they come, and "nothing to do" is 204. */
struct listener_answer {
    bool decision;          /* requests are a proxy's questions about other ones */
    uint8_t original;       /* enum listener_original */
    uint16_t pass_status;   /* that means "nothing to do"; 0: 204 */
    uint16_t detour_status; /* of all other answers of a decision; 0: their own */
};

struct listener {
    char text[listener_text_max]; /* as configured; what names it */
    bool proxy_protocol;          /* every connection begins with a PROXY header */
    bool secure;                  /* https: TLS, behind the PROXY header if there is one */
    struct listener_answer answer;
    socklen_t address_len;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } address;
};

/* "https://" makes it secure; a port that is not given is the scheme's. ERR_SYNTAX: *reason
 * says why (static text). A name other than "localhost" is not looked up: an address is
 * asked for. */
enum err listener_parse(struct span text, struct listener *out, const char **reason);

/* One line of text for a message, without a newline, and back. */
enum { listener_line_max = listener_text_max + 32 };
size_t listener_encode(const struct listener *listener, char out[listener_line_max]);
enum err listener_decode(struct span line, struct listener *out);

/* Whether they are one address; options may differ. */
bool listener_same_address(const struct listener *a, const struct listener *b);
/* Whether one covers the other: the same, or one is the wildcard address of the same
 * family and port. */
bool listener_overlaps(const struct listener *a, const struct listener *b);

/* Whether somebody already listens there: binds once without SO_REUSEPORT and closes.
 * ERR_IO: errno says why (EADDRINUSE, EACCES; EEXIST: a file that is no socket stands in
 * the place of a unix socket). A unix socket that nobody listens on any more is removed. */
enum err listener_probe(const struct listener *listener);

/* A non-blocking, close-on-exec listening socket, with SO_REUSEPORT for TCP, and the
 * options that accepted connections inherit (TCP_NODELAY). IPv6 sockets take IPv6 only.
 * ERR_IO: errno says why. */
enum err listener_open(const struct listener *listener, int *fd_out);

/* Removes the file of a unix socket; nothing for the others. */
void listener_remove(const struct listener *listener);
