/* SPDX-License-Identifier: MIT */
/* Addresses to listen on: from text, to text, and to sockets. */
#include "net/listener.h"

#include "base/buffer.h"
#include "base/cidr.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    backlog = 4096, /* the kernel clips it to net.core.somaxconn */
    port_http = 80,
    port_https = 443,
};

static enum err set_unix(struct span path, struct listener *out, const char **reason)
{
    if (path.len == 0 || path.ptr[0] != '/') {
        *reason = "the path of a unix socket begins with a slash: http://unix:/run/detour.sock";
        return ERR_SYNTAX;
    }
    if (path.len >= sizeof(out->address.local.sun_path)) {
        *reason = "the path of a unix socket has at most 107 bytes";
        return ERR_SYNTAX;
    }
    out->address.local.sun_family = AF_UNIX;
    memcpy(out->address.local.sun_path, path.ptr, path.len);
    out->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return ERR_NONE;
}

static void set_v4(const uint8_t bytes[4], uint16_t port, struct listener *out)
{
    out->address.v4.sin_family = AF_INET;
    out->address.v4.sin_port = htons(port);
    memcpy(&out->address.v4.sin_addr, bytes, 4);
    out->address_len = sizeof(out->address.v4);
}

static void set_v6(const uint8_t bytes[16], uint16_t port, struct listener *out)
{
    out->address.v6.sin6_family = AF_INET6;
    out->address.v6.sin6_port = htons(port);
    memcpy(&out->address.v6.sin6_addr, bytes, 16);
    out->address_len = sizeof(out->address.v6);
}

/* Splits host and port; the host keeps its brackets. */
static bool split_port(struct span authority, uint16_t scheme_port, struct span *host,
                       uint16_t *port)
{
    size_t host_end = 0;
    if (authority.len > 0 && authority.ptr[0] == '[') {
        host_end = span_find(authority, 0, ']') + 1;
        if (host_end > authority.len) {
            return false;
        }
    } else {
        host_end = span_find(authority, 0, ':');
    }
    *host = span_slice(authority, 0, host_end);
    *port = scheme_port;
    if (host_end == authority.len) {
        return true;
    }
    uint64_t number = 0;
    if (authority.ptr[host_end] != ':' ||
        !span_decimal(span_from(authority, host_end + 1), 65535, &number) || number == 0) {
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

static enum err set_tcp(struct span authority, struct listener *out, const char **reason)
{
    static const uint8_t localhost[4] = {127, 0, 0, 1};
    struct span host;
    uint16_t port;
    uint8_t bytes[16];
    if (!split_port(authority, out->secure ? port_https : port_http, &host, &port)) {
        *reason = "a port from 1 to 65535 belongs at the end: http://127.0.0.1:8307";
        return ERR_SYNTAX;
    }
    if (span_eq_ci(host, SPAN("localhost"))) {
        set_v4(localhost, port, out);
        return ERR_NONE;
    }
    bool brackets = host.len > 2 && host.ptr[0] == '[';
    struct span address = brackets ? span_slice(host, 1, host.len - 1) : host;
    bool colons = span_find(address, 0, ':') < address.len;
    if (brackets != colons || !address_parse(address, bytes)) {
        *reason =
            "an address is wanted, such as 0.0.0.0, [::] or 127.0.0.1; names are not looked up";
        return ERR_SYNTAX;
    }
    if (address_is_v4(bytes)) {
        set_v4(bytes + 12, port, out);
    } else {
        set_v6(bytes, port, out);
    }
    return ERR_NONE;
}

enum err listener_parse(struct span text, struct listener *out, const char **reason)
{
    struct listener listener = {.secure = span_starts(text, SPAN("https://"))};
    if (!listener.secure && !span_starts(text, SPAN("http://"))) {
        *reason = "a listener begins with http:// or https://, as in http://0.0.0.0:8307";
        return ERR_SYNTAX;
    }
    if (text.len >= listener_text_max || memchr(text.ptr, 0, text.len) != NULL ||
        memchr(text.ptr, ' ', text.len) != NULL || memchr(text.ptr, '\n', text.len) != NULL) {
        *reason = "a listener has at most 255 bytes and no space in it";
        return ERR_SYNTAX;
    }
    struct span rest = span_from(text, strlen(listener.secure ? "https://" : "http://"));
    bool local = span_starts(rest, SPAN("unix:"));
    if (!local && rest.len > 0 && rest.ptr[rest.len - 1] == '/') {
        rest.len--;
        text.len--;
    }
    memcpy(listener.text, text.ptr, text.len);
    enum err err = local ? set_unix(span_from(rest, strlen("unix:")), &listener, reason)
                         : set_tcp(rest, &listener, reason);
    if (err == ERR_NONE) {
        *out = listener;
    }
    return err;
}

static const struct span proxy_suffix = {(const uint8_t *)" proxy", 6};

/* " answer D O PPP SSS": of fixed length, so that it can be told from the end of a path. */
static const struct span answer_word = {(const uint8_t *)" answer ", 8};
enum { answer_suffix_bytes = 19 };

static bool answers_plainly(const struct listener_answer *answer)
{
    return !answer->decision && answer->pass_status == 0;
}

static void put_three(struct buffer *out, uint16_t number)
{
    buffer_byte(out, (uint8_t)('0' + number / 100 % 10));
    buffer_byte(out, (uint8_t)('0' + number / 10 % 10));
    buffer_byte(out, (uint8_t)('0' + number % 10));
}

static void put_answer(struct buffer *out, const struct listener_answer *answer)
{
    buffer_put(out, answer_word);
    buffer_byte(out, answer->decision ? '1' : '0');
    buffer_byte(out, ' ');
    buffer_byte(out, (uint8_t)('0' + answer->original));
    buffer_byte(out, ' ');
    put_three(out, answer->pass_status);
    buffer_byte(out, ' ');
    put_three(out, answer->detour_status);
}

/* Takes the suffix off *line. False: there is one, and it is no good. */
static bool take_answer(struct span *line, struct listener_answer *out)
{
    uint64_t original;
    uint64_t pass;
    uint64_t detour;
    if (line->len < answer_suffix_bytes) {
        return true;
    }
    size_t from = line->len - answer_suffix_bytes;
    struct span text = span_from(*line, from);
    if (!span_starts(text, answer_word)) {
        return true;
    }
    text = span_from(text, answer_word.len);
    if (!span_decimal(span_slice(text, 2, 3), LISTENER_ORIGINAL_PATH, &original) ||
        !span_decimal(span_slice(text, 4, 7), 599, &pass) ||
        !span_decimal(span_slice(text, 8, 11), 599, &detour)) {
        return false;
    }
    *out = (struct listener_answer){.decision = text.ptr[0] == '1',
                                    .original = (uint8_t)original,
                                    .pass_status = (uint16_t)pass,
                                    .detour_status = (uint16_t)detour};
    line->len = from;
    return true;
}

size_t listener_encode(const struct listener *listener, char out[listener_line_max])
{
    struct buffer line = buffer_over((uint8_t *)out, listener_line_max);
    buffer_put(&line, span_cstr(listener->text));
    if (listener->proxy_protocol) {
        buffer_put(&line, proxy_suffix);
    }
    if (!answers_plainly(&listener->answer)) {
        put_answer(&line, &listener->answer);
    }
    return line.len;
}

enum err listener_decode(struct span line, struct listener *out)
{
    const char *reason;
    struct listener_answer answer = {0};
    if (!take_answer(&line, &answer)) {
        return ERR_SYNTAX;
    }
    bool proxy = span_ends(line, proxy_suffix);
    if (proxy) {
        line.len -= proxy_suffix.len;
    }
    enum err err = listener_parse(line, out, &reason);
    if (err == ERR_NONE) {
        out->proxy_protocol = proxy;
        out->answer = answer;
    }
    return err;
}

bool listener_same_address(const struct listener *a, const struct listener *b)
{
    return a->address_len == b->address_len &&
           memcmp(&a->address, &b->address, a->address_len) == 0;
}

bool listener_overlaps(const struct listener *a, const struct listener *b)
{
    if (listener_same_address(a, b)) {
        return true;
    }
    if (a->address.any.sa_family != b->address.any.sa_family) {
        return false;
    }
    if (a->address.any.sa_family == AF_INET) {
        return a->address.v4.sin_port == b->address.v4.sin_port &&
               (a->address.v4.sin_addr.s_addr == 0 || b->address.v4.sin_addr.s_addr == 0);
    }
    return a->address.any.sa_family == AF_INET6 &&
           a->address.v6.sin6_port == b->address.v6.sin6_port &&
           (IN6_IS_ADDR_UNSPECIFIED(&a->address.v6.sin6_addr) ||
            IN6_IS_ADDR_UNSPECIFIED(&b->address.v6.sin6_addr));
}

static enum err fail_closed(int fd)
{
    int why = errno;
    close(fd);
    errno = why;
    return ERR_IO;
}

static bool set_flag(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof(on)) == 0;
}

static enum err bound_socket(const struct listener *listener, bool shared, int *fd_out)
{
    int family = listener->address.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ERR_IO;
    }
    bool tcp = family != AF_UNIX;
    if ((tcp && !set_flag(fd, SOL_SOCKET, SO_REUSEADDR)) ||
        (tcp && shared && !set_flag(fd, SOL_SOCKET, SO_REUSEPORT)) ||
        (tcp && !set_flag(fd, IPPROTO_TCP, TCP_NODELAY)) ||
        (family == AF_INET6 && !set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
        bind(fd, &listener->address.any, listener->address_len) != 0) {
        return fail_closed(fd);
    }
    *fd_out = fd;
    return ERR_NONE;
}

/* A file that nobody listens behind was left by a process that was killed. */
static enum err probe_unix(const struct listener *listener)
{
    const char *path = listener->address.local.sun_path;
    struct stat st;
    if (lstat(path, &st) != 0) {
        return errno == ENOENT ? ERR_NONE : ERR_IO;
    }
    errno = EEXIST;
    if (!S_ISSOCK(st.st_mode)) {
        return ERR_IO;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ERR_IO;
    }
    int result = connect(fd, &listener->address.any, listener->address_len);
    int why = errno;
    close(fd);
    if (result == 0 || why == EAGAIN) {
        errno = EADDRINUSE;
        return ERR_IO;
    }
    if (why == ECONNREFUSED && unlink(path) == 0) {
        return ERR_NONE;
    }
    errno = why == ECONNREFUSED ? errno : why;
    return ERR_IO;
}

enum err listener_probe(const struct listener *listener)
{
    if (listener->address.any.sa_family == AF_UNIX) {
        return probe_unix(listener);
    }
    int fd;
    enum err err = bound_socket(listener, false, &fd);
    if (err == ERR_NONE) {
        close(fd);
    }
    return err;
}

enum err listener_open(const struct listener *listener, int *fd_out)
{
    int fd;
    enum err err = bound_socket(listener, true, &fd);
    if (err != ERR_NONE) {
        return err;
    }
    if (listen(fd, backlog) != 0) {
        return fail_closed(fd);
    }
    *fd_out = fd;
    return ERR_NONE;
}

void listener_remove(const struct listener *listener)
{
    if (listener->address.any.sa_family == AF_UNIX) {
        unlink(listener->address.local.sun_path);
    }
}
