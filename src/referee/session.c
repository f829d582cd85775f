/* SPDX-License-Identifier: MIT */
/* A short list of sessions. */
#include "referee/session.h"

#include <assert.h>
#include <stdlib.h>

bool session_key_valid(struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = key.ptr[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_') {
            return false;
        }
    }
    return key.len > 0 && key.len <= session_key_max;
}

struct session *session_find(struct sessions *sessions, struct span key)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (span_eq(span_cstr(sessions->list[i]->key), key)) {
            return sessions->list[i];
        }
    }
    return NULL;
}

/* A place in the list; NULL: every session is in the middle of something. */
static struct session **room(struct sessions *sessions)
{
    struct session **oldest = NULL;
    if (sessions->count < sessions_max) {
        return &sessions->list[sessions->count++];
    }
    for (size_t i = 0; i < sessions->count; i++) {
        struct session **at = &sessions->list[i];
        assert(*at != NULL);
        if ((*at)->visits == 0 && (oldest == NULL || (*at)->used < (*oldest)->used)) {
            oldest = at;
        }
    }
    if (oldest != NULL) {
        free(*oldest);
    }
    return oldest;
}

static enum err session_new(struct sessions *sessions, struct span key, struct session **out)
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return ERR_MEMORY;
    }
    struct session **at = room(sessions);
    if (at == NULL) {
        free(session);
        return ERR_LIMIT;
    }
    memcpy(session->key, key.ptr, key.len);
    for (size_t i = 0; i < test_case_count; i++) {
        session->evidence[i].test = &test_cases[i];
    }
    *at = session;
    *out = session;
    return ERR_NONE;
}

enum err session_for(struct sessions *sessions, struct span key, struct session **out)
{
    struct session *found = session_find(sessions, key);
    enum err err = found == NULL ? session_new(sessions, key, &found) : ERR_NONE;
    if (err == ERR_NONE) {
        found->used = ++sessions->clock;
        *out = found;
    }
    return err;
}

void sessions_fini(struct sessions *sessions)
{
    while (sessions->count > 0) {
        free(sessions->list[--sessions->count]);
    }
}

void session_name(struct session *session, struct span name)
{
    size_t len = name.len < session_client_max ? name.len : session_client_max;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = name.ptr[i];
        session->client[i] = (char)(c >= ' ' && c < 0x7F ? c : '?');
    }
    session->client[len] = '\0';
}
