/* SPDX-License-Identifier: MIT */
/* The listening sockets: for each TCP address one for each worker (SO_REUSEPORT), so that
 * the queue of a worker that died waits for its successor; one for all workers for a unix
 * socket; one for metrics and one for the admin API, which are control's. A set is changed
 * in two steps, so that a refusal changes nothing: prepared beside the one in force, then
 * put into force or abandoned. */
#pragma once

#include "base/error.h"
#include "net/listener.h"

#include <assert.h>
#include <stddef.h>

enum {
    sockets_max = listeners_max + 2,
    sockets_reason_max = listener_text_max + 128,
    sockets_text_max = sockets_max * (listener_line_max + 1),
};

enum socket_use { SOCKET_WORKERS, SOCKET_METRICS, SOCKET_ADMIN };

struct socket_entry {
    struct listener listener;
    enum socket_use use;
    bool borrowed; /* the descriptors are those of the set in force */
    uint32_t fd_count;
    int *fds;
};

struct socket_set {
    size_t count;
    struct socket_entry entries[sockets_max];
};

/* Opens what `current` has not got already. text: lines as in MESSAGE_LISTEN. On failure
 * nothing stays open, and reason is "cannot listen on http://…: address already in use". */
enum err sockets_prepare(const struct socket_set *current, struct span text, uint32_t workers,
                         struct socket_set *out, char reason[sockets_reason_max]);
/* Closes what is not in `next`, which is moved into *current. */
void sockets_commit(struct socket_set *current, struct socket_set *next);
/* Closes what was opened for a set that did not come into force. */
void sockets_abandon(struct socket_set *set);
/* Closes all of a set that is in force, and removes the files of unix sockets. */
void sockets_close(struct socket_set *set);

/* The descriptor of a listener of control's; -1: there is none. */
int sockets_own_fd(const struct socket_set *set, enum socket_use use);
/* What one worker listens on: lines as in MESSAGE_LISTEN and a descriptor for each; gives
 * their count. */
size_t sockets_of_worker(const struct socket_set *set, uint32_t worker, struct span *text_out,
                         char text_room[sockets_text_max], int fds[listeners_max]);
