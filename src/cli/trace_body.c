/* SPDX-License-Identifier: MIT */
/* -d, --data-binary, -F and -T: the content of a request, as curl makes it of them. */
#include "cli/options.h"
#include "cli/show.h"
#include "cli/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char command[] = "trace";

/* Text that grows in an arena. */
struct growing {
    struct arena *arena;
    uint8_t *bytes;
    size_t len;
    size_t cap;
};

static uint8_t *room_for(struct growing *text, size_t len)
{
    if (len > text->cap - text->len) {
        size_t cap = text->cap * 2 + len + 4096;
        uint8_t *bytes = show_need(arena_alloc(text->arena, cap));
        if (text->len > 0) {
            memcpy(bytes, text->bytes, text->len);
        }
        text->bytes = bytes;
        text->cap = cap;
    }
    return text->bytes + text->len;
}

static void put(struct growing *text, struct span bytes)
{
    if (bytes.len > 0) {
        memcpy(room_for(text, bytes.len), bytes.ptr, bytes.len);
        text->len += bytes.len;
    }
}

static void put_text(struct growing *text, const char *cstring)
{
    put(text, span_cstr(cstring));
}

static int read_all(int fd, const char *path, struct growing *out)
{
    for (;;) {
        ssize_t n = read(fd, room_for(out, 65536), 65536);
        if (n < 0 && errno != EINTR) {
            return complain(command, "cannot read %s: %s", path, strerror(errno));
        }
        if (n == 0) {
            return exit_ok;
        }
        out->len += n > 0 ? (size_t)n : 0;
        if (out->len > trace_body_bytes_max) {
            return complain(command, "%s is longer than %d MiB; send it with -T", path,
                            trace_body_bytes_max >> 20);
        }
    }
}

static int put_file(const char *path, struct growing *out)
{
    if (strcmp(path, "-") == 0) {
        return read_all(STDIN_FILENO, "standard input", out);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return complain(command, "cannot read %s: %s", path, strerror(errno));
    }
    int status = read_all(fd, path, out);
    close(fd);
    return status;
}

/* ---- -d and --data-binary ---- */

/* What -d reads from a file loses its line ends and NULs, as with curl. */
static void strip(struct growing *text, size_t from)
{
    size_t to = from;
    for (size_t i = from; i < text->len; i++) {
        uint8_t c = text->bytes[i];
        if (c != '\r' && c != '\n' && c != 0) {
            text->bytes[to++] = c;
        }
    }
    text->len = to;
}

static int put_data(const struct option_list *list, bool binary, struct growing *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];
        if (out->len > 0) {
            put_text(out, "&");
        }
        size_t from = out->len;
        if (item[0] != '@') {
            put_text(out, item);
            continue;
        }
        if (put_file(item + 1, out) != exit_ok) {
            return exit_could_not_run;
        }
        if (!binary) {
            strip(out, from);
        }
    }
    return exit_ok;
}

/* ---- -F: multipart/form-data (RFC 7578) ---- */

/* In a name, quotes and line ends are percent-encoded, as browsers do. */
static void put_quoted(struct growing *out, struct span text)
{
    put_text(out, "\"");
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '"') {
            put_text(out, "%22");
        } else if (c == '\r') {
            put_text(out, "%0D");
        } else if (c == '\n') {
            put_text(out, "%0A");
        } else {
            put(out, span_of(&c, 1));
        }
    }
    put_text(out, "\"");
}

struct part {
    struct span name;
    struct span value;
    struct span type;
    struct span filename;
};

/* Takes ";type=…" and ";filename=…" off a value. */
static void take_parameters(struct part *part)
{
    size_t end = span_find(part->value, 0, ';');
    struct span rest = span_from(part->value, end);
    part->value = span_slice(part->value, 0, end);
    while (rest.len > 0) {
        rest = span_from(rest, 1);
        size_t next = span_find(rest, 0, ';');
        struct span parameter = span_slice(rest, 0, next);
        if (span_starts(parameter, SPAN("type="))) {
            part->type = span_from(parameter, 5);
        } else if (span_starts(parameter, SPAN("filename="))) {
            part->filename = span_from(parameter, 9);
        }
        rest = span_from(rest, next);
    }
}

static struct span last_segment(struct span path)
{
    size_t from = 0;
    for (size_t i = 0; i < path.len; i++) {
        from = path.ptr[i] == '/' ? i + 1 : from;
    }
    return span_from(path, from);
}

static int put_part(const char *item, const char *boundary, struct growing *out)
{
    struct span text = span_cstr(item);
    size_t equals = span_find(text, 0, '=');
    if (equals == text.len) {
        return complain(command, "-F %s: NAME=VALUE is wanted", item);
    }
    struct part part = {.name = span_slice(text, 0, equals), .value = span_from(text, equals + 1)};
    bool file = span_starts(part.value, SPAN("@"));
    bool content = file || span_starts(part.value, SPAN("<"));
    take_parameters(&part);
    put_text(out, "--");
    put_text(out, boundary);
    put_text(out, "\r\nContent-Disposition: form-data; name=");
    put_quoted(out, part.name);
    if (file || part.filename.ptr != NULL) {
        put_text(out, "; filename=");
        put_quoted(out, part.filename.ptr != NULL ? part.filename
                                                  : last_segment(span_from(part.value, 1)));
    }
    if (file && part.type.ptr == NULL) {
        part.type = SPAN("application/octet-stream");
    }
    if (part.type.ptr != NULL) {
        put_text(out, "\r\nContent-Type: ");
        put(out, part.type);
    }
    put_text(out, "\r\n\r\n");
    if (content) {
        const char *path = show_printf(out->arena, "%.*s", SPAN_ARG(span_from(part.value, 1)));
        if (put_file(path, out) != exit_ok) {
            return exit_could_not_run;
        }
    } else {
        put(out, part.value);
    }
    put_text(out, "\r\n");
    return exit_ok;
}

static int put_form(const struct option_list *list, struct growing *out, const char **type_out)
{
    uint64_t random[2] = {0};
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return complain(command, "no random numbers: %s", strerror(errno));
    }
    const char *boundary =
        show_printf(out->arena, "------------------------%016llx%016llx",
                    (unsigned long long)random[0], (unsigned long long)random[1]);
    for (size_t i = 0; i < list->count; i++) {
        if (put_part(list->items[i], boundary, out) != exit_ok) {
            return exit_could_not_run;
        }
    }
    put_text(out, "--");
    put_text(out, boundary);
    put_text(out, "--\r\n");
    *type_out = show_printf(out->arena, "multipart/form-data; boundary=%s", boundary);
    return exit_ok;
}

/* ---- -T ---- */

static int open_upload(const char *path, struct trace_body *out)
{
    struct stat st;
    bool standard = strcmp(path, "-") == 0 || strcmp(path, ".") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return complain(command, "cannot read %s: %s", path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return complain(command, "cannot read %s: %s", path, strerror(EISDIR));
    }
    bool regular = S_ISREG(st.st_mode) && (!standard || lseek(fd, 0, SEEK_CUR) == 0);
    out->kind = regular ? DETOUR_BODY_REPLAYABLE : DETOUR_BODY_ONCE;
    out->source = (struct walk_source){.fd = fd, .bytes = regular ? st.st_size : -1};
    out->method = "PUT";
    return exit_ok;
}

/* ---- all of it ---- */

static void in_memory(struct trace_body *out, const struct growing *text)
{
    out->kind = DETOUR_BODY_REPLAYABLE;
    out->source = (struct walk_source){
        .fd = -1, .memory = span_of(text->bytes, text->len), .bytes = (int64_t)text->len};
    out->method = "POST";
}

int trace_body_read(const struct trace_data *data, struct arena *arena, struct trace_body *out)
{
    struct trace_body body = {.source.fd = -1};
    struct growing text = {.arena = arena};
    bool plain = data->data->count + data->binary->count > 0;
    bool form = data->form->count > 0;
    int status = exit_ok;
    if (plain + form + (data->upload != NULL) > 1) {
        return complain(command, "-d, -F and -T cannot stand together: each is the content");
    }
    if (data->upload != NULL) {
        status = open_upload(data->upload, &body);
    } else if (form) {
        status = put_form(data->form, &text, &body.content_type);
        in_memory(&body, &text);
    } else if (plain) {
        status = put_data(data->data, false, &text);
        status = status == exit_ok ? put_data(data->binary, true, &text) : status;
        body.content_type = "application/x-www-form-urlencoded";
        in_memory(&body, &text);
    }
    if (status == exit_ok) {
        *out = body;
    }
    return status;
}
