/* SPDX-License-Identifier: MIT */
/* What the files of the URL parser share. https://url.spec.whatwg.org/ */
#pragma once

#include "uri/url.h"

#include "base/buffer.h"

/* The sets of https://url.spec.whatwg.org/#percent-encoded-bytes */
enum url_set {
    URL_SET_C0,
    URL_SET_FRAGMENT,
    URL_SET_QUERY,
    URL_SET_SPECIAL_QUERY,
    URL_SET_PATH,
    URL_SET_USERINFO,
};

/* Appends text with the bytes of the set percent-encoded; '%' stays. */
void url_put(struct buffer *out, struct span text, enum url_set set);
/* The same into memory of its own; ptr is NULL when there is none. */
struct span url_encode(struct arena *arena, struct span text, enum url_set set);

/* -1: not a special scheme; else its default port, 0 for file. */
int32_t url_special_port(struct span scheme);

/* A letter and ':' or '|'. */
bool url_drive_letter(struct span text);
/* Whether text begins with one that is followed by a separator or the end. */
bool url_starts_with_drive_letter(struct span text);

/* The host parser. ERR_SYNTAX: not a host. *out lives in arena and may be empty. */
enum err url_host_parse(struct span text, bool special, struct arena *arena, struct span *out);

/* Writes the segments of text behind those that path holds already, dot segments
 * resolved. text: from the path's beginning to its '?', '#' or end. */
void url_path_put(struct buffer *path, struct span text, struct span scheme);
/* Takes the last segment away, except a drive letter of a file URL. */
void url_path_shorten(struct buffer *path, struct span scheme);
