/* SPDX-License-Identifier: MIT */
/* A block: the length of the text and the count of files, the length of each file, then the
 * text and the files, one after the other. */
#include "control/files/kept.h"

#include "base/packed.h"
#include "control/files/authorities.h"

enum { number_bytes = 8 };

static size_t places_max(const struct model *model)
{
    return model->page_count + model->origin_count;
}

/* Where a file's content stands; NULL: there is none at this place. */
static struct span *place_of(const struct model *model, size_t place)
{
    if (place < model->page_count) {
        const struct model_page *page = &model->pages[place];
        return page->file.len > 0 ? page->html : NULL;
    }
    const struct model_origin *origin = &model->origins[place - model->page_count];
    return authorities_are_own(origin) ? &origin->live->authorities : NULL;
}

void kept_fill(const struct configuration *c)
{
    size_t next = 0;
    for (size_t i = 0; i < places_max(c->model); i++) {
        struct span *file = place_of(c->model, i);
        if (file != NULL && next < c->kept_count) {
            *file = c->kept[next++];
        }
    }
}

static void put_lengths(struct buffer *out, const struct model *model)
{
    for (size_t i = 0; i < places_max(model); i++) {
        const struct span *file = place_of(model, i);
        if (file != NULL) {
            packed_put_number(out, file->len, number_bytes);
        }
    }
}

static void put_files(struct buffer *out, const struct model *model)
{
    for (size_t i = 0; i < places_max(model); i++) {
        const struct span *file = place_of(model, i);
        if (file != NULL) {
            buffer_put(out, *file);
        }
    }
}

enum err kept_pack(struct configuration *c, struct span *out)
{
    size_t count = 0;
    size_t bytes = 2 * number_bytes + c->text.len;
    for (size_t i = 0; i < places_max(c->model); i++) {
        const struct span *file = place_of(c->model, i);
        count += file != NULL;
        bytes += file != NULL ? number_bytes + file->len : 0;
    }
    if (bytes > config_bytes_max) {
        return ERR_LIMIT;
    }
    uint8_t *room = arena_alloc(&c->arena, bytes);
    if (room == NULL) {
        return ERR_MEMORY;
    }
    struct buffer block = buffer_over(room, bytes);
    packed_put_number(&block, c->text.len, number_bytes);
    packed_put_number(&block, count, number_bytes);
    put_lengths(&block, c->model);
    buffer_put(&block, c->text);
    put_files(&block, c->model);
    *out = buffer_span(&block);
    return ERR_NONE;
}

enum err kept_unpack(struct configuration *c)
{
    struct packed rest = {.rest = c->text};
    uint64_t text_len = packed_take_number(&rest, number_bytes);
    uint64_t count = packed_take_number(&rest, number_bytes);
    if (rest.bad || count > model_pages_max + model_origins_max) {
        return ERR_SYNTAX;
    }
    struct packed lengths = {.rest = packed_take(&rest, count * number_bytes)};
    struct span text = packed_take(&rest, text_len);
    struct span *kept = arena_array(&c->arena, (size_t)count + 1, sizeof(*kept));
    if (kept == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        kept[i] = packed_take(&rest, packed_take_number(&lengths, number_bytes));
    }
    if (rest.bad) {
        return ERR_SYNTAX;
    }
    c->text = text;
    c->kept = kept;
    c->kept_count = (size_t)count;
    return ERR_NONE;
}
