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

/* CURLOPT_READFUNCTION: it is called only when content may leave, so not while Expect waits. */
static size_t take(char *out, size_t size, size_t count, void *context)
{
    struct walk *walk = context;
    size_t room = size * count;
    if (walk->stopped) {
        return CURL_READFUNC_PAUSE;
    }
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

static void on_pipe(struct ev_loop *loop, ev_io *pipe, int events)
{
    struct walk *walk = pipe->data;
    ev_io_stop(loop, pipe);
    if (walk->sending && !walk->stopped) {
        curl_easy_pause(walk->easy, CURLPAUSE_CONT);
    }
    loop_turn(walk->walker);
}

void upload_set_callbacks(struct walk *walk)
{
    ev_io_init(&walk->pipe, on_pipe, -1, EV_READ);
    walk->pipe.data = walk;
    curl_easy_setopt(walk->easy, CURLOPT_READFUNCTION, take);
    curl_easy_setopt(walk->easy, CURLOPT_READDATA, walk);
    curl_easy_setopt(walk->easy, CURLOPT_SEEKFUNCTION, seek);
    curl_easy_setopt(walk->easy, CURLOPT_SEEKDATA, walk);
}
