/* SPDX-License-Identifier: MIT */
/* The content of a request: out of memory, a file, or a pipe that is waited for on the loop. */
#include "walk/internal.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static size_t take_memory(struct walk *walk, char *out, size_t room)
{
    struct span left = span_from(walk->source.memory, (size_t)walk->offset);
    size_t len = left.len < room ? left.len : room;
    memcpy(out, left.ptr, len);
    return len;
}

static size_t wait_for_pipe(struct walk *walk)
{
    if (!ev_is_active(&walk->pipe)) {
        ev_io_set(&walk->pipe, walk->source.fd, EV_READ);
        ev_io_start(walk->walker->loop, &walk->pipe);
    }
    return CURL_READFUNC_PAUSE;
}

static size_t take_file(struct walk *walk, char *out, size_t room)
{
    ssize_t n;
    struct pollfd ready = {.fd = walk->source.fd, .events = POLLIN};
    if (walk->source_once && poll(&ready, 1, 0) == 0) {
        return wait_for_pipe(walk);
    }
    do {
        n = walk->source_once ? read(walk->source.fd, out, room)
                              : pread(walk->source.fd, out, room, walk->offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0 || (n == 0 && walk->source.bytes > walk->offset)) {
        walk->body_failed = true;
        return CURL_READFUNC_ABORT;
    }
    return (size_t)n;
}

/* Over HTTP/1.1 libcurl has waited before it asks for content. */
static bool awaits_100(const struct walk *walk)
{
    return walk->expects && walk->interim_count == 0 && walk->state != head_final &&
           ev_time() - walk->connected < expect_wait_ms / 1000.0;
}

static size_t wait_for_100(struct walk *walk)
{
    if (!ev_is_active(&walk->expect)) {
        ev_timer_set(&walk->expect, expect_wait_ms / 1000.0, 0);
        ev_timer_start(walk->walker->loop, &walk->expect);
    }
    return CURL_READFUNC_PAUSE;
}

/* CURLOPT_READFUNCTION */
static size_t take(char *out, size_t size, size_t count, void *context)
{
    struct walk *walk = context;
    size_t room = size * count;
    if (walk->stopped) { /* content that is delivered is still read */
        return walk->verdict->action == DETOUR_DELIVER ? CURL_READFUNC_PAUSE : CURL_READFUNC_ABORT;
    }
    if (awaits_100(walk)) {
        return wait_for_100(walk);
    }
    walk->walker->uploading = walk;
    walk->rest = (struct span){0};
    walk->body_begun = true;
    size_t len = walk->source.fd < 0 ? take_memory(walk, out, room) : take_file(walk, out, room);
    if (len <= room) {
        walk->offset += (int64_t)len;
        walk->body_whole = len == 0 || walk->offset == walk->source.bytes;
    }
    return len;
}

/* CURLOPT_SEEKFUNCTION: libcurl sends a request once more when a connection that it had kept was
 * closed in the meantime. */
static int seek(void *context, curl_off_t offset, int origin)
{
    struct walk *walk = context;
    if (walk->source_once || origin != SEEK_SET || offset < 0) {
        return CURL_SEEKFUNC_FAIL;
    }
    walk->offset = offset;
    walk->body_whole = false;
    return CURL_SEEKFUNC_OK;
}

static void go_on(struct walk *walk)
{
    if (walk->sending && !walk->stopped) {
        curl_easy_pause(walk->easy, CURLPAUSE_CONT);
    }
    loop_turn(walk->walker);
}

static void on_pipe(struct ev_loop *loop, ev_io *pipe, int events)
{
    ev_io_stop(loop, pipe);
    go_on(pipe->data);
}

/* Behind a final head libcurl has stopped sending, and only waits for the pause to end. */
static void on_expect(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct walk *walk = timer->data;
    walk->expects = false;
    if (walk->sending) {
        curl_easy_pause(walk->easy, CURLPAUSE_CONT);
    }
    loop_turn(walk->walker);
}

/* Not within libcurl's call. */
void upload_heard(struct walk *walk)
{
    bool pipe_waits = walk->stopped && ev_is_active(&walk->pipe);
    if (pipe_waits) { /* for what nobody wants any more */
        ev_io_stop(walk->walker->loop, &walk->pipe);
    }
    if (pipe_waits || ev_is_active(&walk->expect)) {
        ev_timer_stop(walk->walker->loop, &walk->expect);
        ev_timer_set(&walk->expect, 0, 0);
        ev_timer_start(walk->walker->loop, &walk->expect);
    }
}

/* CURLOPT_PREREQFUNCTION */
static int note_connected(void *context, char *address, char *own_address, int port, int own_port)
{
    struct walk *walk = context;
    walk->connected = ev_time();
    return CURL_PREREQFUNC_OK;
}

void upload_expect(struct walk *walk, bool expects)
{
    walk->expects = expects;
    walk->connected = 0;
    curl_easy_setopt(walk->easy, CURLOPT_PREREQFUNCTION, expects ? note_connected : NULL);
    curl_easy_setopt(walk->easy, CURLOPT_PREREQDATA, walk);
}

void upload_set_callbacks(struct walk *walk)
{
    ev_io_init(&walk->pipe, on_pipe, -1, EV_READ);
    walk->pipe.data = walk;
    ev_timer_init(&walk->expect, on_expect, 0, 0);
    walk->expect.data = walk;
    curl_easy_setopt(walk->easy, CURLOPT_READFUNCTION, take);
    curl_easy_setopt(walk->easy, CURLOPT_READDATA, walk);
    curl_easy_setopt(walk->easy, CURLOPT_SEEKFUNCTION, seek);
    curl_easy_setopt(walk->easy, CURLOPT_SEEKDATA, walk);
}
