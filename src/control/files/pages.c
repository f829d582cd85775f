/* SPDX-License-Identifier: MIT */
/* Files of pages, and of origins' authorities.
 *
 * A block: the length of the text and the count of files, the length of each file, then the
 * text and the files, one after the other. It goes from one process of this program to the
 * next one of the same program, so numbers stand as they are in memory. */
#include "control/files/pages.h"

#include "base/utf8.h"
#include "control/files/named.h"
#include "control/origins.h"
#include "page/wait.h"

/* ---- one file ---- */

static size_t count_marks(struct span html)
{
    const struct span mark = SPAN(WAIT_MARK);
    size_t count = 0;
    for (size_t at = span_find(html, 0, mark.ptr[0]); at < html.len;
         at = span_find(html, at + 1, mark.ptr[0])) {
        count += span_starts(span_from(html, at), mark);
    }
    return count;
}

static bool is_utf8(struct span text)
{
    uint32_t point;
    for (size_t at = 0; at < text.len;) {
        size_t len = utf8_decode(text, at, &point);
        if (len == 0 || point == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

/* What is wrong with the HTML, with the mend; NULL: nothing. */
static const char *fault_of(struct span html)
{
    if (!is_utf8(html)) {
        return "is not UTF-8; save it as that";
    }
    size_t marks = count_marks(html);
    if (marks == 0) {
        return "has no " WAIT_MARK ", so nobody would be taken back; put it into the <head>, "
               "where the script is to stand";
    }
    return marks > 1 ? "has " WAIT_MARK " more than once; keep the one in the <head>" : NULL;
}

static bool load_file(struct configuration *c, const struct model_page *page)
{
    uint8_t room[wait_html_max + 1];
    struct buffer text = buffer_over(room, sizeof(room));
    const char *path = named_path(&c->arena, c->problems.file, page->file);
    if (!named_read(c, path, page->file_place, &text)) {
        return false;
    }
    *page->html = arena_copy(&c->arena, buffer_span(&text));
    if (page->html->ptr == NULL) {
        problems_error(&c->problems, page->file_place, "cannot read %s: %s", path,
                       err_text(ERR_MEMORY));
        return false;
    }
    const char *fault = fault_of(*page->html);
    if (fault != NULL) {
        problems_error(&c->problems, page->file_place, "%s %s", path, fault);
    }
    return fault == NULL;
}

/* The same text names the same files in the same order. */
static bool take_kept(struct configuration *c)
{
    size_t next = 0;
    for (size_t i = 0; i < c->model->page_count; i++) {
        const struct model_page *page = &c->model->pages[i];
        if (page->file.len > 0 && next < c->kept_count) {
            *page->html = c->kept[next++];
        }
    }
    for (size_t i = 0; i < c->model->origin_count; i++) {
        const struct model_origin *origin = &c->model->origins[i];
        if (origins_have_file(origin) && next < c->kept_count) {
            origin->live->authorities = c->kept[next++];
        }
    }
    return true;
}

bool pages_load(struct configuration *c)
{
    bool good = true;
    if (c->kept != NULL) {
        return take_kept(c);
    }
    for (size_t i = 0; i < c->model->page_count; i++) {
        if (c->model->pages[i].file.len > 0) {
            good = load_file(c, &c->model->pages[i]) && good;
        }
    }
    return good;
}

/* ---- the block ---- */

static bool is_file(const struct model_page *page)
{
    return page->file.len > 0;
}

static void put_length(struct buffer *out, size_t len)
{
    uint64_t number = len;
    buffer_put(out, span_of(&number, sizeof(number)));
}

static size_t count_files(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->page_count; i++) {
        count += is_file(&model->pages[i]);
    }
    for (size_t i = 0; i < model->origin_count; i++) {
        count += origins_have_file(&model->origins[i]);
    }
    return count;
}

static size_t packed_bytes(const struct configuration *c)
{
    size_t bytes = 2 * sizeof(uint64_t) + c->text.len;
    for (size_t i = 0; i < c->model->page_count; i++) {
        if (is_file(&c->model->pages[i])) {
            bytes += sizeof(uint64_t) + c->model->pages[i].html->len;
        }
    }
    for (size_t i = 0; i < c->model->origin_count; i++) {
        if (origins_have_file(&c->model->origins[i])) {
            bytes += sizeof(uint64_t) + c->model->origins[i].live->authorities.len;
        }
    }
    return bytes;
}

enum err pages_pack(struct configuration *c, struct span *out)
{
    const struct model *model = c->model;
    size_t bytes = packed_bytes(c);
    if (bytes > config_bytes_max) {
        return ERR_LIMIT;
    }
    uint8_t *room = arena_alloc(&c->arena, bytes);
    if (room == NULL) {
        return ERR_MEMORY;
    }
    struct buffer block = buffer_over(room, bytes);
    put_length(&block, c->text.len);
    put_length(&block, count_files(model));
    for (size_t i = 0; i < model->page_count; i++) {
        if (is_file(&model->pages[i])) {
            put_length(&block, model->pages[i].html->len);
        }
    }
    for (size_t i = 0; i < model->origin_count; i++) {
        if (origins_have_file(&model->origins[i])) {
            put_length(&block, model->origins[i].live->authorities.len);
        }
    }
    buffer_put(&block, c->text);
    for (size_t i = 0; i < model->page_count; i++) {
        if (is_file(&model->pages[i])) {
            buffer_put(&block, *model->pages[i].html);
        }
    }
    for (size_t i = 0; i < model->origin_count; i++) {
        if (origins_have_file(&model->origins[i])) {
            buffer_put(&block, model->origins[i].live->authorities);
        }
    }
    *out = buffer_span(&block);
    return ERR_NONE;
}

/* Takes len bytes off the front. False: there are not so many. */
static bool take(struct span *rest, uint64_t len, struct span *out)
{
    if (len > rest->len) {
        return false;
    }
    *out = span_slice(*rest, 0, (size_t)len);
    *rest = span_from(*rest, (size_t)len);
    return true;
}

static bool take_length(struct span *rest, uint64_t *out)
{
    struct span bytes;
    bool good = take(rest, sizeof(*out), &bytes);
    if (good) {
        memcpy(out, bytes.ptr, sizeof(*out));
    }
    return good;
}

enum err pages_unpack(struct configuration *c)
{
    struct span rest = c->text;
    struct span text;
    uint64_t text_len, count;
    if (!take_length(&rest, &text_len) || !take_length(&rest, &count) ||
        count > model_pages_max + model_origins_max) {
        return ERR_SYNTAX;
    }
    struct span lengths;
    struct span *kept = arena_array(&c->arena, (size_t)count + 1, sizeof(*kept));
    if (kept == NULL) {
        return ERR_MEMORY;
    }
    if (!take(&rest, count * sizeof(uint64_t), &lengths) || !take(&rest, text_len, &text)) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t len;
        if (!take_length(&lengths, &len) || !take(&rest, len, &kept[i])) {
            return ERR_SYNTAX;
        }
    }
    c->text = text;
    c->kept = kept;
    c->kept_count = (size_t)count;
    return ERR_NONE;
}
