/* SPDX-License-Identifier: MIT */
/* Goes over the trees of MMDB files once, from the lowest address to the highest. The file may
 * say anything: each step is counted, and each record looked at by libmaxminddb. */
#include "geo/mmdb.h"

#include <errno.h>
#include <math.h>
#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>

enum {
    steps_max = 1 << 28,
    known_slots = 1 << 18,
    v6_bits = 64, /* of an IPv6 address, that are looked at */
    v4_at = 96,   /* where the IPv4 addresses hang in a tree for both */
};

struct known {
    uint32_t offset; /* of the record, and 1 */
    uint32_t place;
};

struct walk {
    MMDB_s mmdb;
    struct geo_build *build;
    struct known *known; /* places of records that were read lately */
    uint32_t v4_node;    /* where IPv4 begins; node_count: it has no node of its own */
    uint32_t steps;
    uint64_t built_s; /* when the latest of the files was */
    enum err err;
};

/* A child of a node. */
struct record {
    uint64_t value;
    uint8_t type;
    MMDB_entry_s entry;
};

/* ---- one record ---- */

static bool number_of(const MMDB_entry_data_s *data, double *out)
{
    char text[32];
    char *end;
    if (data->type == MMDB_DATA_TYPE_DOUBLE) {
        *out = data->double_value;
        return isfinite(*out);
    }
    if (data->type == MMDB_DATA_TYPE_FLOAT) {
        *out = (double)data->float_value;
        return isfinite(*out);
    }
    if (data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size == 0 ||
        data->data_size >= sizeof(text)) {
        return false;
    }
    memcpy(text, data->utf8_string, data->data_size);
    text[data->data_size] = 0;
    *out = strtod(text, &end);
    return *end == 0 && isfinite(*out);
}

static bool find(MMDB_entry_s *entry, const char *const *path, MMDB_entry_data_s *out)
{
    return MMDB_aget_value(entry, out, path) == MMDB_SUCCESS && out->has_data;
}

static bool find_number(MMDB_entry_s *entry, const char *const *nested, const char *const *flat,
                        double *out)
{
    MMDB_entry_data_s data;
    return (find(entry, nested, &data) || find(entry, flat, &data)) && number_of(&data, out);
}

static void find_code(MMDB_entry_s *entry, const char *const *nested, const char *const *flat,
                      uint8_t out[2])
{
    MMDB_entry_data_s data;
    if ((find(entry, nested, &data) || find(entry, flat, &data)) &&
        data.type == MMDB_DATA_TYPE_UTF8_STRING && data.data_size == 2) {
        for (int i = 0; i < 2; i++) {
            char c = data.utf8_string[i];
            out[i] = (uint8_t)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        }
    }
}

static struct geo_place place_of(MMDB_entry_s *entry)
{
    static const char *const latitude[] = {"location", "latitude", NULL};
    static const char *const longitude[] = {"location", "longitude", NULL};
    static const char *const country[] = {"country", "iso_code", NULL};
    static const char *const continent[] = {"continent", "code", NULL};
    static const char *const flat_latitude[] = {"latitude", NULL};
    static const char *const flat_longitude[] = {"longitude", NULL};
    static const char *const flat_country[] = {"country_code", NULL};
    static const char *const flat_continent[] = {"continent_code", NULL};
    struct geo_place place = {0};
    double degrees[2];
    if (find_number(entry, latitude, flat_latitude, &degrees[0]) &&
        find_number(entry, longitude, flat_longitude, &degrees[1]) && fabs(degrees[0]) <= 90 &&
        fabs(degrees[1]) <= 180) {
        place.latitude = (float)degrees[0];
        place.longitude = (float)degrees[1];
        place.located = 1;
    }
    find_code(entry, country, flat_country, place.country);
    find_code(entry, continent, flat_continent, place.continent);
    if (place.continent[0] == 0) {
        geo_continent_of(place.country, place.continent);
    }
    return place;
}

static uint32_t place_index(struct walk *walk, MMDB_entry_s *entry)
{
    uint32_t index = 0;
    struct known *known = &walk->known[(entry->offset * 2654435761u) >> 14];
    if (known->offset == entry->offset + 1) {
        return known->place;
    }
    struct geo_place place = place_of(entry);
    enum err err = geo_build_place(walk->build, &place, &index);
    if (err != ERR_NONE) {
        walk->err = err;
        return 0;
    }
    *known = (struct known){.offset = entry->offset + 1, .place = index};
    return index;
}

/* ---- the tree ---- */

static struct record child(struct walk *walk, uint32_t node, unsigned bit)
{
    MMDB_search_node_s found;
    if (++walk->steps > steps_max) {
        walk->err = ERR_LIMIT;
    }
    if (walk->err != ERR_NONE || MMDB_read_node(&walk->mmdb, node, &found) != MMDB_SUCCESS) {
        walk->err = walk->err == ERR_NONE ? ERR_SYNTAX : walk->err;
        return (struct record){.type = MMDB_RECORD_TYPE_EMPTY};
    }
    return bit == 0 ? (struct record){.value = found.left_record,
                                      .type = found.left_record_type,
                                      .entry = found.left_record_entry}
                    : (struct record){.value = found.right_record,
                                      .type = found.right_record_type,
                                      .entry = found.right_record_entry};
}

static void add(struct walk *walk, unsigned bits, uint64_t key, struct record *record)
{
    if (record->type == MMDB_RECORD_TYPE_INVALID) {
        walk->err = ERR_SYNTAX;
    }
    if (walk->err != ERR_NONE) {
        return;
    }
    uint32_t place = record->type == MMDB_RECORD_TYPE_DATA ? place_index(walk, &record->entry) : 0;
    if (walk->err == ERR_NONE) {
        walk->err = bits == 32 ? geo_build_v4(walk->build, (uint32_t)key, place)
                               : geo_build_v6(walk->build, key, place);
    }
}

/* An IPv6 network that is smaller than all that is told apart counts by its beginning. */
static struct record leftmost(struct walk *walk, struct record record)
{
    for (unsigned depth = v6_bits; depth < 128 && record.type == MMDB_RECORD_TYPE_SEARCH_NODE;
         depth++) {
        record = child(walk, (uint32_t)record.value, 0);
    }
    return record;
}

/* All addresses whose first `depth` of `bits` bits are those of key. The IPv4 addresses hang in
 * the IPv6 tree at more than one place (6to4, Teredo), and are not gone over again there. */
static void walk_below(struct walk *walk, struct record record, unsigned bits, unsigned depth,
                       uint64_t key)
{
    if (walk->err != ERR_NONE) {
        return;
    }
    bool node = record.type == MMDB_RECORD_TYPE_SEARCH_NODE;
    if (node && bits == v6_bits && record.value == walk->v4_node) {
        record = (struct record){.type = MMDB_RECORD_TYPE_EMPTY};
        node = false;
    }
    if (node && depth == bits) {
        static const struct record empty = {.type = MMDB_RECORD_TYPE_EMPTY};
        record = key == 0 ? empty : leftmost(walk, record);
        node = record.type == MMDB_RECORD_TYPE_SEARCH_NODE;
        walk->err = node ? ERR_SYNTAX : walk->err;
    }
    if (!node) {
        add(walk, bits, key, &record);
        return;
    }
    for (unsigned bit = 0; bit < 2; bit++) {
        struct record below = child(walk, (uint32_t)record.value, bit);
        walk_below(walk, below, bits, depth + 1, key | (uint64_t)bit << (bits - 1 - depth));
    }
}

static struct record root(void)
{
    return (struct record){.value = 0, .type = MMDB_RECORD_TYPE_SEARCH_NODE};
}

/* Families that an earlier file knows are left alone. *new_out: it knew one that none did. */
static enum err walk_tree(struct walk *walk, bool *new_out)
{
    struct record v4 = root();
    bool had_v4 = geo_build_has_v4(walk->build);
    bool had_v6 = geo_build_has_v6(walk->build);
    bool both = walk->mmdb.metadata.ip_version == 6;
    for (unsigned depth = 0; both && depth < v4_at && v4.type == MMDB_RECORD_TYPE_SEARCH_NODE;
         depth++) {
        v4 = child(walk, (uint32_t)v4.value, 0);
    }
    walk->v4_node = v4.type == MMDB_RECORD_TYPE_SEARCH_NODE ? (uint32_t)v4.value
                                                            : walk->mmdb.metadata.node_count;
    if (!had_v4) {
        walk_below(walk, v4, 32, 0, 0);
    }
    if (both && !had_v6) {
        walk_below(walk, root(), v6_bits, 0, 0);
    }
    *new_out = geo_build_has_v4(walk->build) != had_v4 || geo_build_has_v6(walk->build) != had_v6;
    return walk->err;
}

/* ---- the files ---- */

static enum err open_fault(int status, const char **why_out)
{
    switch (status) {
    case MMDB_FILE_OPEN_ERROR:
    case MMDB_IO_ERROR:
        *why_out = strerror(errno);
        return ERR_IO;
    case MMDB_OUT_OF_MEMORY_ERROR:
        *why_out = "out of memory";
        return ERR_MEMORY;
    case MMDB_INVALID_METADATA_ERROR:
        *why_out = "it is not an MMDB file";
        return ERR_SYNTAX;
    default:
        *why_out = "it is not an MMDB file, or a broken one";
        return ERR_SYNTAX;
    }
}

static const char *walk_fault(enum err err)
{
    switch (err) {
    case ERR_MEMORY:
        return "out of memory";
    case ERR_LIMIT:
        return "it holds more networks or places than there is room for";
    default:
        return "it is broken: a network or a record cannot be read";
    }
}

static enum err walk_file(struct walk *walk, const char *path, bool first, const char **why_out)
{
    bool is_new;
    errno = 0;
    int status = MMDB_open(path, MMDB_MODE_MMAP, &walk->mmdb);
    if (status != MMDB_SUCCESS) {
        return open_fault(status, why_out);
    }
    memset(walk->known, 0, known_slots * sizeof(*walk->known));
    enum err err = walk_tree(walk, &is_new);
    if (err != ERR_NONE) {
        *why_out = walk_fault(err);
    } else if (!is_new && !first) {
        *why_out = "the files before it know a place of each address that it knows; take it away";
        err = ERR_RANGE;
    }
    walk->built_s = walk->mmdb.metadata.build_epoch > walk->built_s
                        ? walk->mmdb.metadata.build_epoch
                        : walk->built_s;
    MMDB_close(&walk->mmdb);
    return err;
}

enum err geo_load_mmdb(const char *const *paths, size_t count, uint8_t **bytes_out, size_t *len_out,
                       struct geo_fault *fault_out)
{
    struct walk walk = {.build = geo_build_new(),
                        .known = calloc(known_slots, sizeof(*walk.known))};
    enum err err = walk.build != NULL && walk.known != NULL ? ERR_NONE : ERR_MEMORY;
    struct geo_fault fault = {.why = "out of memory"};
    for (size_t i = 0; i < count && err == ERR_NONE; i++) {
        fault.file = i;
        err = walk_file(&walk, paths[i], i == 0, &fault.why);
    }
    if (err == ERR_NONE) {
        fault.why = "out of memory";
        err = geo_build_make(walk.build, walk.built_s, bytes_out, len_out);
    }
    geo_build_free(&walk.build);
    free(walk.known);
    if (err != ERR_NONE) {
        *fault_out = fault;
    }
    return err;
}
