/* SPDX-License-Identifier: MIT */
/* Sets of listening sockets, changed in two steps. */
#include "supervisor/sockets.h"

#include "base/buffer.h"
#include "net/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert((size_t)sockets_text_max <= message_text_max, "all lines fit into a message");

static enum err decode_line(struct span line, struct socket_entry *out)
{
    static const char *const prefixes[] = {
        [SOCKET_METRICS] = "metrics ", [SOCKET_ADMIN] = "admin "};
    *out = (struct socket_entry){.use = SOCKET_WORKERS};
    for (enum socket_use use = SOCKET_METRICS; use <= SOCKET_ADMIN; use++) {
        if (span_starts(line, span_cstr(prefixes[use]))) {
            out->use = use;
            line = span_from(line, strlen(prefixes[use]));
        }
    }
    return listener_decode(line, &out->listener);
}

static const struct socket_entry *find_same(const struct socket_set *set,
                                            const struct socket_entry *wanted)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct socket_entry *entry = &set->entries[i];
        if (entry->use == wanted->use &&
            listener_same_address(&entry->listener, &wanted->listener)) {
            return entry;
        }
    }
    return NULL;
}

static bool any_overlaps(const struct socket_set *set, const struct listener *listener)
{
    for (size_t i = 0; i < set->count; i++) {
        if (listener_overlaps(&set->entries[i].listener, listener)) {
            return true;
        }
    }
    return false;
}

static void close_entry(struct socket_entry *entry)
{
    for (uint32_t i = 0; i < entry->fd_count; i++) {
        close(entry->fds[i]);
    }
    free(entry->fds);
    entry->fds = NULL;
    entry->fd_count = 0;
}

/* Opens `count` sockets; errno says why not. */
static enum err open_entry(struct socket_entry *entry, uint32_t count)
{
    entry->fds = calloc(count, sizeof(*entry->fds));
    if (entry->fds == NULL) {
        errno = ENOMEM;
        return ERR_IO;
    }
    for (uint32_t i = 0; i < count; i++) {
        enum err err = listener_open(&entry->listener, &entry->fds[i]);
        if (err != ERR_NONE) {
            int why = errno;
            close_entry(entry);
            errno = why;
            return err;
        }
        entry->fd_count++;
    }
    return ERR_NONE;
}

/* Who may connect may change things: the owner and the group, nobody else. */
static void restrict_entry(const struct socket_entry *entry)
{
    if (entry->listener.address.any.sa_family == AF_UNIX) {
        chmod(entry->listener.address.local.sun_path, 0660);
    }
}

static void say_why(const struct listener *listener, int why, char reason[sockets_reason_max])
{
    snprintf(reason, sockets_reason_max, "cannot listen on %s: %s", listener->text, strerror(why));
}

static enum err prepare_entry(const struct socket_set *current, struct socket_set *next,
                              struct socket_entry *entry, uint32_t workers)
{
    const struct socket_entry *same = find_same(current, entry);
    if (same != NULL) {
        entry->borrowed = true;
        entry->fds = same->fds;
        entry->fd_count = same->fd_count;
        return ERR_NONE;
    }
    /* Beside a socket of our own, such as 127.0.0.1 beside 0.0.0.0 of the same port, a
     * probe would find us ourselves. */
    if (!any_overlaps(current, &entry->listener) && !any_overlaps(next, &entry->listener)) {
        enum err err = listener_probe(&entry->listener);
        if (err != ERR_NONE) {
            return err;
        }
    }
    bool shared = entry->use != SOCKET_WORKERS || entry->listener.address.any.sa_family == AF_UNIX;
    enum err err = open_entry(entry, shared ? 1 : workers);
    if (err == ERR_NONE && entry->use == SOCKET_ADMIN) {
        restrict_entry(entry);
    }
    return err;
}

static enum err prepare_line(const struct socket_set *current, struct span line, uint32_t workers,
                             struct socket_set *next, char reason[sockets_reason_max])
{
    struct socket_entry *entry = &next->entries[next->count];
    if (next->count == sockets_max || decode_line(line, entry) != ERR_NONE) {
        snprintf(reason, sockets_reason_max, "cannot listen on all addresses: %s",
                 next->count == sockets_max ? "there are too many" : "one is not understood");
        return ERR_SYNTAX;
    }
    enum err err = prepare_entry(current, next, entry, workers);
    if (err != ERR_NONE) {
        say_why(&entry->listener, errno, reason);
        return err;
    }
    next->count++;
    return ERR_NONE;
}

enum err sockets_prepare(const struct socket_set *current, struct span text, uint32_t workers,
                         struct socket_set *out, char reason[sockets_reason_max])
{
    *out = (struct socket_set){0};
    while (text.len > 0) {
        size_t end = span_find(text, 0, '\n');
        struct span line = span_slice(text, 0, end);
        text = span_from(text, end < text.len ? end + 1 : end);
        enum err err = prepare_line(current, line, workers, out, reason);
        if (err != ERR_NONE) {
            sockets_abandon(out);
            return err;
        }
    }
    return ERR_NONE;
}

void sockets_abandon(struct socket_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (!set->entries[i].borrowed) {
            close_entry(&set->entries[i]);
            listener_remove(&set->entries[i].listener);
        }
    }
    set->count = 0;
}

void sockets_commit(struct socket_set *current, struct socket_set *next)
{
    for (size_t i = 0; i < current->count; i++) {
        if (find_same(next, &current->entries[i]) == NULL) {
            close_entry(&current->entries[i]);
            listener_remove(&current->entries[i].listener);
        }
    }
    for (size_t i = 0; i < next->count; i++) {
        next->entries[i].borrowed = false;
    }
    *current = *next;
    next->count = 0;
}

void sockets_close(struct socket_set *set)
{
    struct socket_set none = {0};
    sockets_commit(set, &none);
}

int sockets_own_fd(const struct socket_set *set, enum socket_use use)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->entries[i].use == use) {
            return set->entries[i].fds[0];
        }
    }
    return -1;
}

size_t sockets_of_worker(const struct socket_set *set, uint32_t worker, struct span *text_out,
                         char text_room[sockets_text_max], int fds[listeners_max])
{
    struct buffer text = buffer_over(text_room, sockets_text_max);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct socket_entry *entry = &set->entries[i];
        if (entry->use != SOCKET_WORKERS || count == listeners_max) {
            continue;
        }
        char line[listener_line_max];
        buffer_put(&text, span_of(line, listener_encode(&entry->listener, line)));
        buffer_byte(&text, '\n');
        fds[count++] = entry->fds[entry->fd_count == 1 ? 0 : worker];
    }
    *text_out = buffer_span(&text);
    return count;
}
