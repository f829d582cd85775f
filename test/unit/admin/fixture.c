/* SPDX-License-Identifier: MIT */
/* The API under test, its backend and its clients. */
#include "fixture.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the backend ---- */

#define STATE                                                                                   \
    "{\"site\":\"shop\",\"name\":\"a\",\"state\":\"active\",\"source\":\"live\",\"share\":100," \
    "\"overrides_file\":false,\"overdue\":false,\"opened\":\"2026-12-01T01:00:00Z\","           \
    "\"closes\":null,\"opens\":null,\"change\":7,\"detour\":{\"to\":\"https://a/\"}}"
#define CHANGED                                                                                    \
    "{\"number\":7,\"time\":\"2026-12-01T01:00:00Z\",\"subject\":\"detour\",\"key\":\"shop/a\","   \
    "\"cause\":\"command\",\"who\":{\"via\":\"socket\",\"uid\":0,\"name\":\"root\"},"              \
    "\"reverts\":null,\"owner\":\"\",\"why\":\"\",\"before\":{\"kind\":\"none\",\"detour\":null}," \
    "\"after\":{\"kind\":\"off\",\"detour\":null}}"

#define SERVER                                                                           \
    "{\"pool\":\"eu\",\"name\":\"a\",\"url\":\"https://a\",\"weight\":1,\"priority\":1," \
    "\"state\":\"drain\",\"operator\":{\"wants\":\"drain\",\"share\":20,"                \
    "\"since\":\"2026-12-01T01:00:00Z\",\"drained\":false,\"source\":\"live\","          \
    "\"overrides_file\":true,\"change\":7,\"owner\":\"ops\",\"why\":\"disk\"},"          \
    "\"server\":{\"url\":\"https://a\"}}"

#define TOKEN "{\"name\":\"ci\",\"scope\":\"read\",\"created\":\"2026-12-01T01:00:00Z\""

const char *good_body(int operation)
{
    static const char *const bodies[ADMIN_OPERATIONS] = {
        [ADMIN_LIST_DETOURS] = "{\"generation\":1,\"detours\":[" STATE "]}",
        [ADMIN_GET_DETOUR] = STATE,
        [ADMIN_PUT_DETOUR] = STATE,
        [ADMIN_DELETE_DETOUR] = STATE,
        [ADMIN_DELETE_ALL] = "{\"off\":[" STATE "],\"dry_run\":true}",
        [ADMIN_EXTEND_DETOUR] = STATE,
        [ADMIN_LINK_DETOUR] = "{\"site\":\"shop\",\"name\":\"a\",\"url\":\"http://a/"
                              "\",\"parameter\":\"p\",\"value\":\"v\","
                              "\"expires\":\"2026-12-01T01:00:00Z\"}",
        [ADMIN_LIST_CHANGES] = "{\"changes\":[" CHANGED "],\"next\":null}",
        [ADMIN_GET_CHANGE] = CHANGED,
        [ADMIN_REVERT_CHANGE] = "null",
        [ADMIN_LIST_SITES] = "{\"sites\":[{\"name\":\"shop\",\"hosts\":[\"shop.example\"],"
                             "\"routes\":1,\"detours\":0}]}",
        [ADMIN_GET_EXISTENCE] = "{\"pool\":\"eu\",\"path\":\"/x\",\"servers\":[{\"name\":\"a\","
                                "\"known\":\"yes\",\"for\":9}]}",
        [ADMIN_LIST_POOLS] = "{\"pools\":[{\"name\":\"eu\",\"panic\":false,\"servers\":[]}]}",
        [ADMIN_STATUS] =
            "{\"version\":\"0\",\"generation\":1,\"workers\":{\"count\":2,\"acknowledged\":true},"
            "\"configuration\":{\"file\":\"f\",\"loaded\":\"2026-12-01T01:00:00Z\",\"ok\":true},"
            "\"store\":{\"path\":null,\"changes\":0},\"detours\":{\"planned\":0,\"active\":0,"
            "\"held\":0,"
            "\"over\":0,\"live\":0,\"off\":0,\"unfit\":0},\"webhooks\":[]}",
        [ADMIN_DIFF] = "{\"changes\":[{\"what\":\"added\",\"resource\":\"site\",\"name\":\"a\"}]}",
        [ADMIN_RELOAD] = "{\"generation\":2}",
        [ADMIN_LIST_TOKENS] = "{\"tokens\":[" TOKEN "}]}",
        [ADMIN_PUT_TOKEN] = TOKEN ",\"token\":\"detour_x\"}",
        [ADMIN_DELETE_TOKEN] = TOKEN "}",
        [ADMIN_GET_SERVER] = SERVER,
        [ADMIN_PUT_SERVER] = SERVER,
        [ADMIN_PATCH_SERVER] = SERVER,
        [ADMIN_DELETE_SERVER] = "null",
        [ADMIN_READY] = "{\"ready\":true}",
    };
    return bodies[operation];
}

static void keep(struct span *at, char *room, size_t size)
{
    assert_true(at->len < size);
    memcpy(room, at->ptr != NULL ? at->ptr : (const uint8_t *)"", at->len);
    room[at->len] = 0;
    *at = span_cstr(room);
}

static void note(struct fixture *f, const struct admin_call *call)
{
    f->calls++;
    f->call = *call;
    keep(&f->call.site, f->site, sizeof(f->site));
    keep(&f->call.name, f->name, sizeof(f->name));
    keep(&f->call.pool, f->pool, sizeof(f->pool));
    keep(&f->call.server, f->member, sizeof(f->member));
    keep(&f->call.owner, f->owner, sizeof(f->owner));
    keep(&f->call.why, f->why, sizeof(f->why));
    keep(&f->call.text, f->text, sizeof(f->text));
    keep(&f->call.actor.token, f->token, sizeof(f->token));
    free(f->content);
    f->content = call->content != NULL ? json_dumps(call->content, JSON_COMPACT) : NULL;
    f->call.content = NULL;
}

static void fill(const char *name, int operation, struct admin_result *result)
{
    result->status = strcmp(name, "new") == 0 ? 201 : 200;
    bool tagged = operation == ADMIN_GET_DETOUR || operation == ADMIN_PUT_DETOUR ||
                  operation == ADMIN_DELETE_DETOUR || operation == ADMIN_EXTEND_DETOUR ||
                  (operation >= ADMIN_GET_SERVER && operation <= ADMIN_DELETE_SERVER);
    result->etag = tagged ? 7 : 0;
    if (strcmp(name, "nobody") == 0) {
        *result = (struct admin_result){0};
    } else if (strcmp(name, "missing") == 0) {
        result->body = json_object();
        admin_refuse(result, 404, "there is no detour %s", name);
    } else if (strcmp(name, "taken") == 0) {
        admin_refuse(result, 409, "the name is taken");
    } else if (strcmp(name, "full") == 0) {
        admin_refuse(result, 507, "the disk is full");
    } else if (strcmp(name, "odd") == 0) {
        admin_refuse(result, 503, "\xff\xc3");
        result->retry_after_s = 5;
    } else if (strcmp(name, "broken") == 0) {
        admin_refuse(result, 422, "2 errors");
        result->problems = json_pack("[s, s]", "to is missing", "until is missing");
    } else if (operation == ADMIN_EXPORT) {
        result->text = strdup("sites: []\n");
    } else if (strcmp(name, "silent") != 0) {
        result->body = json_loads(good_body(operation), JSON_DECODE_ANY, NULL);
        assert_non_null(result->body);
    }
}

static bool call_backend(void *context, const struct admin_call *call,
                         struct admin_pending *pending, struct admin_result *result)
{
    struct fixture *f = context;
    note(f, call);
    f->pending = pending;
    if (strcmp(f->name, "later") == 0) {
        return false;
    }
    if (strcmp(f->name, "sooner") == 0) {
        finish_later(f, "done");
        return false;
    }
    f->pending = NULL;
    fill(f->member[0] != 0 ? f->member : f->name, (int)call->operation, result);
    return true;
}

void finish_later(struct fixture *f, const char *name)
{
    struct admin_result result = {0};
    fill(name, (int)f->call.operation, &result);
    admin_answer(&f->pending, &result);
    assert_null(f->pending);
}

static bool know_token(void *context, struct span token, struct span *name_out, bool *may_write_out)
{
    struct fixture *f = context;
    f->tokens++;
    *may_write_out = span_eq(token, SPAN("writer"));
    *name_out = *may_write_out ? SPAN("ops") : SPAN("watch");
    return *may_write_out || span_eq(token, SPAN("reader"));
}

/* ---- the server ---- */

static const struct serve_limits limits = {
    .header_timeout_ms = 10000,
    .idle_timeout_ms = 60000,
    .write_timeout_ms = 10000,
    .linger_bytes = 65536,
    .linger_idle_ms = 2000,
    .linger_time_ms = 2000,
    .connections_max = 64,
};

static void listen_on(struct fixture *f, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &f->listener.address.any, f->listener.address_len), 0);
    assert_int_equal(listen(fd, 16), 0);
    if (family != AF_UNIX) {
        assert_int_equal(getsockname(fd, &f->listener.address.any, &f->listener.address_len), 0);
    }
    f->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    f->admin = admin_new(&(struct admin_backend){f, call_backend, know_token});
    assert_non_null(f->admin);
    assert_int_equal(server_new(f->loop, &limits, admin_handle, f->admin, NULL, &f->server),
                     ERR_NONE);
    server_want_content(f->server, serve_content_bytes_max);
    assert_int_equal(server_listen(f->server, &f->listener, fd), ERR_NONE);
}

void fixture_init_tcp(struct fixture *f, const char *address, bool secure)
{
    memset(f, 0, sizeof(*f));
    f->listener.address.v4.sin_family = AF_INET;
    f->listener.address_len = sizeof(f->listener.address.v4);
    assert_int_equal(inet_pton(AF_INET, address, &f->listener.address.v4.sin_addr), 1);
    listen_on(f, AF_INET);
    f->listener.secure = secure;
}

void fixture_init(struct fixture *f, bool local)
{
    if (!local) {
        fixture_init_tcp(f, "127.0.0.1", false);
        return;
    }
    memset(f, 0, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/test_admin.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    struct sockaddr_un *address = &f->listener.address.local;
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof(address->sun_path), "%s/socket", f->folder);
    f->listener.address_len = sizeof(*address);
    listen_on(f, AF_UNIX);
}

void fixture_fini(struct fixture *f)
{
    server_free(&f->server);
    if (f->pending != NULL) { /* an answer that nobody hears any more */
        struct admin_result result = {.status = 200};
        admin_answer(&f->pending, &result);
    }
    admin_free(&f->admin);
    ev_loop_destroy(f->loop);
    free(f->content);
    if (f->folder[0] != 0) {
        unlink(f->listener.address.local.sun_path);
        rmdir(f->folder);
    }
}

void fixture_turn_ms(struct fixture *f, int ms)
{
    int64_t end = clock_monotonic_ns() + ms * INT64_C(1000000);
    do {
        ev_run(f->loop, EVRUN_NOWAIT);
        usleep(200);
    } while (clock_monotonic_ns() < end);
}

/* ---- clients ---- */

int client_open(struct fixture *f)
{
    int fd = socket(f->listener.address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &f->listener.address.any, f->listener.address_len), 0);
    return fd;
}

static void send_all(struct fixture *f, int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) {
            return; /* the server has closed; the test looks at what it reads */
        }
        bytes += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
        ev_run(f->loop, EVRUN_NOWAIT);
    }
}

void client_send(struct fixture *f, int fd, const char *head, const char *content)
{
    char text[20000];
    size_t len = 0;
    bool local = f->listener.address.any.sa_family == AF_UNIX;
    unsigned port = local ? 80 : ntohs(f->listener.address.v4.sin_port);
    for (; *head != 0; head++) {
        assert_true(len + 16 < sizeof(text));
        if (head[0] == '$' && head[1] == 'P') {
            len += (size_t)sprintf(text + len, "%u", port);
            head++;
        } else {
            text[len++] = *head;
        }
    }
    len += (size_t)snprintf(text + len, sizeof(text) - len, "Connection: close\r\n");
    if (content != NULL) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "Content-Length: %zu\r\n",
                                strlen(content));
    }
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
    assert_true(len < sizeof(text));
    send_all(f, fd, text, len);
    if (content != NULL) {
        send_all(f, fd, content, strlen(content));
    }
}

struct reply_text *client_read(struct fixture *f, int fd)
{
    static struct reply_text reply;
    reply.len = 0;
    int64_t end = clock_monotonic_ns() + 20 * NS_PER_SECOND; /* never, on a busy machine */
    while (clock_monotonic_ns() < end) {
        ev_run(f->loop, EVRUN_NOWAIT);
        ssize_t got = recv(fd, reply.bytes + reply.len, reply_bytes_max - reply.len, MSG_DONTWAIT);
        if (got > 0) {
            reply.len += (size_t)got;
        } else if (got == 0 || errno != EAGAIN) {
            break;
        } else {
            usleep(100);
        }
    }
    close(fd);
    reply.bytes[reply.len] = 0;
    reply.status = reply.len > 12 ? (unsigned)strtoul(reply.bytes + 9, NULL, 10) : 0;
    char *gap = strstr(reply.bytes, "\r\n\r\n");
    reply.body = gap != NULL ? gap + 4 : reply.bytes + reply.len;
    return &reply;
}

struct reply_text *exchange(struct fixture *f, const char *head, const char *content)
{
    int fd = client_open(f);
    client_send(f, fd, head, content);
    return client_read(f, fd);
}
