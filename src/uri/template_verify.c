/* SPDX-License-Identifier: MIT */
/* Looks at a block that may be anything, and says whether it is a template: offsets,
 * counts and bytes, and that each part lies in the component it says. */
#include "uri/template_block.h"

static bool place_ok(const struct template *t, uint32_t at, uint32_t len)
{
    size_t bytes_at = sizeof(*t) + t->part_count * sizeof(struct template_part) +
                      t->var_count * sizeof(struct template_name);
    return at >= bytes_at && at <= t->size && len <= t->size - at;
}

static bool uri_bytes(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!escape_is(text.ptr[i], ESCAPE_LOCATION) ||
            (text.ptr[i] == '%' && !escape_at(text, i))) {
            return false;
        }
    }
    return true;
}

/* skip: bytes at its beginning that end no component. */
static bool literal_ok(const struct template *t, const struct template_part *part, size_t skip,
                       enum template_zone *zone)
{
    if (!place_ok(t, part->at, part->len) || part->len < skip || part->len == 0) {
        return false;
    }
    struct span text = template_bytes(t, part->at, part->len);
    for (size_t i = skip; i < text.len; i++) {
        enum template_zone next = template_zone_step(*zone, text.ptr[i]);
        if (next != *zone && i > 0) {
            return false;
        }
        *zone = next;
    }
    return uri_bytes(text) && part->zone == *zone;
}

static bool variable_ok(const struct template *t, const struct template_part *part, bool open,
                        enum template_zone *zone)
{
    if (part->op >= OPERATOR_COUNT || part->var >= t->var_count || part->first > 1 ||
        part->last > 1 || (part->first == 1) == open) {
        return false;
    }
    *zone = template_zone_variable(*zone, part->op);
    return part->zone == *zone;
}

/* expression: whether one has begun and not ended. */
static bool parts_ok(const struct template *t)
{
    size_t skip = 0;
    enum template_zone zone = ZONE_PATH;
    if (t->part_count > 0 && t->parts[0].kind == PART_LITERAL) {
        if (!place_ok(t, t->parts[0].at, t->parts[0].len)) {
            return false;
        }
        zone = template_first_zone(template_bytes(t, t->parts[0].at, t->parts[0].len), &skip);
    }
    bool open = false;
    bool has_query = false;
    for (size_t i = 0; i < t->part_count; i++) {
        const struct template_part *part = &t->parts[i];
        bool ok = part->kind == PART_LITERAL
                      ? !open && literal_ok(t, part, i == 0 ? skip : 0, &zone)
                      : part->kind == PART_VARIABLE && variable_ok(t, part, open, &zone);
        if (!ok || part->source_at >= t->source_len) {
            return false;
        }
        open = part->kind == PART_VARIABLE && part->last == 0;
        has_query |= part->zone == ZONE_QUERY;
    }
    return !open && has_query == t->has_query;
}

static bool names_ok(const struct template *t)
{
    for (size_t i = 0; i < t->var_count; i++) {
        const struct template_name *name = &template_names(t)[i];
        if (!place_ok(t, name->at, name->len) ||
            !template_name_ok(template_bytes(t, name->at, name->len))) {
            return false;
        }
    }
    return true;
}

bool template_verify(const void *block, size_t len)
{
    const struct template *t = block;
    if (len < sizeof(*t) || (uintptr_t)block % 8 != 0 || t->size != len || len % 8 != 0) {
        return false;
    }
    size_t table =
        t->part_count * sizeof(struct template_part) + t->var_count * sizeof(struct template_name);
    return t->part_count <= template_parts_max && t->var_count <= template_vars_max &&
           table <= len - sizeof(*t) && t->has_query <= 1 && t->source_len <= template_bytes_max &&
           place_ok(t, t->source_at, t->source_len) && names_ok(t) && parts_ok(t);
}
