/* SPDX-License-Identifier: MIT */
/* Where a server is, and whom it serves: `at`, `schemes`, `family`, `countries`, `continents` and
 * `exclude`; and the file that says where clients are. */
#include "config/pool.h"

#include "geo/geo.h"

enum { areas_max = 512, geo_path_bytes_max = 4000, fraction_digits = 6 };

bool read_millionths(struct load *load, const struct node *node, int64_t min, int64_t max,
                     const char *wanted, int64_t *out)
{
    struct span text = node->text;
    bool negative = text.len > 0 && text.ptr[0] == '-';
    int64_t value = 0;
    int digits = 0;
    int behind = -1; /* the point */
    bool good = node->kind == NODE_SCALAR;
    for (size_t i = negative; i < text.len && good; i++) {
        uint8_t c = text.ptr[i];
        if (c == '.' && behind < 0 && digits > 0) {
            behind = 0;
            continue;
        }
        good = c >= '0' && c <= '9' && digits < 12 && behind < fraction_digits;
        value = value * 10 + (c - '0');
        digits++;
        behind += behind >= 0;
    }
    for (int i = behind > 0 ? behind : 0; i < fraction_digits; i++) {
        value *= 10;
    }
    value = negative ? -value : value;
    if (!good || digits == 0 || behind == 0 || value < min || value > max) {
        return read_refuse(load, node, wanted);
    }
    *out = value;
    return true;
}

bool read_at(struct load *load, const struct node *node, struct model_server *out)
{
    static const char wanted[] = "a latitude and a longitude in degrees, like [52.52, 13.40]";
    int64_t degrees[2] = {0};
    size_t count = 0;
    if (node->kind != NODE_LIST || list_count(node) != 2) {
        return read_refuse(load, node, wanted);
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        int64_t most = count == 0 ? 90000000 : 180000000;
        if (!read_millionths(load, item, -most, most,
                             count == 0 ? "a latitude from -90 to 90"
                                        : "a longitude from -180 to 180",
                             &degrees[count])) {
            return false;
        }
        count++;
    }
    out->located = true;
    out->latitude = (double)degrees[0] / 1e6;
    out->longitude = (double)degrees[1] / 1e6;
    return true;
}

struct word {
    const char *text;
    uint32_t bit;
};

static bool read_words(struct load *load, const struct node *node, const struct word words[2],
                       const char *wanted, uint32_t *bits)
{
    uint32_t found = 0;
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        uint32_t bit = node_is_word(item, words[0].text)   ? words[0].bit
                       : node_is_word(item, words[1].text) ? words[1].bit
                                                           : 0;
        if (bit == 0) {
            return read_refuse(load, item, wanted);
        }
        found |= bit;
    }
    if (found == 0) {
        return read_refuse(load, node, wanted);
    }
    *bits = (*bits & ~(words[0].bit | words[1].bit)) | found;
    return true;
}

/* The URL with the other scheme. */
static bool make_other_url(struct load *load, const struct node *node, struct span scheme,
                           struct model_server *out)
{
    bool secure = span_eq(scheme, SPAN("https"));
    struct span rest = span_from(out->url, scheme.len);
    struct span authority = span_from(rest, 3);
    size_t host = 0;
    while (host < authority.len && authority.ptr[host] != '/') {
        host++;
    }
    bool port = host > 0 && memchr(authority.ptr, ':', host) != NULL &&
                (authority.ptr[0] != '[' || authority.ptr[host - 1] != ']');
    if (port) {
        problems_error(load->problems, node->place,
                       "the URL %.*s names a port, which serves one scheme; list that alone, or "
                       "make two servers",
                       SHOW(out->url));
        return false;
    }
    out->other_url = load_printf(load, "%s%.*s", secure ? "http" : "https", SPAN_ARG(rest));
    return out->other_url.len > 0;
}

bool read_schemes(struct load *load, const struct node *node, struct span scheme,
                  struct model_server *out)
{
    static const struct word words[2] = {{"http", REACH_HTTP}, {"https", REACH_HTTPS}};
    if (!read_words(load, node, words, "http, https or both", &out->reach)) {
        return false;
    }
    uint32_t own = span_eq(scheme, SPAN("https")) ? REACH_HTTPS : REACH_HTTP;
    if ((out->reach & own) == 0) {
        problems_error(load->problems, node->place,
                       "the URL %.*s is one of %.*s, which `schemes` does not list; they must "
                       "agree",
                       SHOW(out->url), SHOW(scheme));
        return false;
    }
    bool both = (out->reach & REACH_HTTP) != 0 && (out->reach & REACH_HTTPS) != 0;
    return !both || make_other_url(load, node, scheme, out);
}

bool read_family(struct load *load, const struct node *node, struct model_server *out)
{
    static const struct word words[2] = {{"ipv4", REACH_IPV4}, {"ipv6", REACH_IPV6}};
    return read_words(load, node, words, "ipv4, ipv6 or both", &out->reach);
}

static bool read_codes(struct load *load, const struct node *node, bool continent, bool exclude,
                       struct model_area *areas, size_t *count)
{
    for (const struct node *item = node != NULL ? list_first(node) : NULL; item != NULL;
         item = list_next(node, item)) {
        struct model_area area = {.continent = continent, .exclude = exclude};
        uint8_t of[2];
        bool good = item->kind == NODE_SCALAR && item->text.len == 2;
        if (good) {
            memcpy(area.code, item->text.ptr, 2);
            good = continent ? geo_continent_known(area.code) : geo_continent_of(area.code, of);
        }
        if (!good) {
            return read_refuse(load, item,
                               continent ? "one of AF, AN, AS, EU, NA, OC and SA"
                                         : "a country of ISO 3166-1, like DE; in capitals, and in "
                                           "quotes where YAML would read a truth value: \"NO\"");
        }
        if (*count == areas_max) {
            return read_refuse(load, node, "at most 512 countries and continents");
        }
        areas[(*count)++] = area;
    }
    return true;
}

bool read_areas(struct load *load, const struct node *countries, const struct node *continents,
                const struct node *exclude, struct model_server *out)
{
    static const char *const keys[] = {"countries", "continents"};
    const struct node *at[2] = {NULL, NULL};
    size_t count = 0;
    if (exclude != NULL && !read_map(load, exclude, "`exclude`", keys, 2, at)) {
        return false;
    }
    size_t room = (countries != NULL ? list_count(countries) : 0) +
                  (continents != NULL ? list_count(continents) : 0) +
                  (at[0] != NULL ? list_count(at[0]) : 0) + (at[1] != NULL ? list_count(at[1]) : 0);
    struct model_area *areas = load_alloc(load, room + 1, sizeof(*areas));
    if (areas == NULL || !read_codes(load, countries, false, false, areas, &count) ||
        !read_codes(load, continents, true, false, areas, &count) ||
        !read_codes(load, at[0], false, true, areas, &count) ||
        !read_codes(load, at[1], true, true, areas, &count)) {
        return false;
    }
    out->areas = areas;
    out->area_count = count;
    return true;
}

static bool read_geo_file(struct load *load, const struct node *node, struct model_geo_file *out)
{
    struct span text;
    if (!read_string(load, node, &text)) {
        return false;
    }
    if (text.len > geo_path_bytes_max || memchr(text.ptr, 0, text.len) != NULL) {
        return read_refuse(load, node, "the path of an MMDB file");
    }
    *out = (struct model_geo_file){.path = text, .place = node->place};
    return true;
}

bool read_geo(struct load *load, const struct node *node)
{
    static const char *const keys[] = {"file"};
    const struct node *at[1];
    if (!read_map(load, node, "`geo`", keys, 1, at)) {
        return false;
    }
    if (at[0] == NULL) {
        problems_error(load->problems, node->place,
                       "`geo` needs a `file`, like `file: /var/lib/GeoIP/GeoLite2-City.mmdb`");
        return false;
    }
    size_t count = list_count(at[0]);
    if (count == 0 || count > model_geo_files_max) {
        return read_refuse(load, at[0], "1 to 4 MMDB files");
    }
    struct model_geo_file *files = load_alloc(load, count, sizeof(*files));
    size_t read = 0;
    for (const struct node *item = list_first(at[0]); files != NULL && item != NULL;
         item = list_next(at[0], item)) {
        if (!read_geo_file(load, item, &files[read])) {
            return false;
        }
        read++;
    }
    load->model->geo = files;
    load->model->geo_count = read;
    return files != NULL;
}
