/* SPDX-License-Identifier: MIT */
/* The block of places: what was put in is found, and a block that lies is refused. */
#include "geo/geo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

enum { ranges = 3000 };

static uint32_t v4_key(uint32_t i)
{
    return i * 1000003u + 77u;
}

/* Ranges of both families, of which each third is nowhere. */
static uint8_t *make(size_t *len_out)
{
    uint8_t *bytes;
    struct geo_build *build = geo_build_new();
    assert_non_null(build);
    for (uint32_t i = 0; i < ranges; i++) {
        uint32_t index = 0;
        struct geo_place place = {.latitude = (float)(i % 90), .longitude = 7, .located = 1};
        if (i % 3 != 0) {
            assert_int_equal(geo_build_place(build, &place, &index), ERR_NONE);
        }
        assert_int_equal(geo_build_v4(build, v4_key(i), index), ERR_NONE);
        assert_int_equal(geo_build_v6(build, (uint64_t)v4_key(i) << 32, index), ERR_NONE);
    }
    assert_int_equal(geo_build_make(build, 5, &bytes, len_out), ERR_NONE);
    geo_build_free(&build);
    return bytes;
}

static const struct geo_place *at_v4(const struct geo_head *geo, uint32_t key)
{
    const uint8_t address[16] = {
        [10] = 0xff,          [11] = 0xff,         [12] = (uint8_t)(key >> 24),
        (uint8_t)(key >> 16), (uint8_t)(key >> 8), (uint8_t)key};
    return geo_find(geo, address);
}

static const struct geo_place *at_v6(const struct geo_head *geo, uint64_t key)
{
    uint8_t address[16] = {[15] = 1};
    for (int i = 0; i < 8; i++) {
        address[i] = (uint8_t)(key >> (56 - 8 * i));
    }
    return geo_find(geo, address);
}

static void expect(const struct geo_place *place, uint32_t i)
{
    assert_int_equal(place->located, i % 3 != 0);
    if (i % 3 != 0) {
        assert_true(place->latitude == (float)(i % 90));
    }
}

static void what_was_put_in_is_found(void **state)
{
    size_t len;
    uint8_t *bytes = make(&len);
    const struct geo_head *geo = geo_verify(span_of(bytes, len));
    assert_non_null(geo);
    assert_int_equal(geo->built_s, 5);
    assert_true(geo->place_count <= 91);
    assert_int_equal(at_v4(geo, 0)->located, 0);
    assert_int_equal(at_v6(geo, 0)->located, 0);
    for (uint32_t i = 0; i < ranges; i++) {
        expect(at_v4(geo, v4_key(i)), i);
        expect(at_v4(geo, v4_key(i + 1) - 1), i);
        expect(at_v6(geo, (uint64_t)v4_key(i) << 32), i);
        expect(at_v6(geo, ((uint64_t)v4_key(i + 1) << 32) - 1), i);
    }
    assert_int_equal(at_v4(NULL, 1)->located, 0);
    free(bytes);
}

static void neighbours_become_one(void **state)
{
    size_t len;
    uint8_t *bytes;
    uint32_t index;
    const struct geo_place place = {.latitude = 1, .located = 1};
    struct geo_build *build = geo_build_new();
    assert_int_equal(geo_build_place(build, &place, &index), ERR_NONE);
    for (uint32_t i = 1; i < 5000; i++) {
        assert_int_equal(geo_build_v4(build, i, index), ERR_NONE);
    }
    assert_int_equal(geo_build_v4(build, 4999, 0), ERR_NONE); /* said anew */
    assert_int_equal(geo_build_v4(build, 4, 0), ERR_RANGE);
    assert_int_equal(geo_build_make(build, 0, &bytes, &len), ERR_NONE);
    const struct geo_head *geo = geo_verify(span_of(bytes, len));
    assert_non_null(geo);
    assert_in_range(geo->v4.count, 2, 3);
    free(bytes);
    geo_build_free(&build);
}

/* Each byte of a block wrong once: it is refused, or all of it can still be read. */
static void any_byte_may_be_wrong(void **state)
{
    size_t len;
    uint8_t *bytes = make(&len);
    uint8_t *copy = malloc(len);
    size_t hash_at = offsetof(struct geo_head, head_hash);
    size_t refused = 0;
    for (size_t i = 0; i < len; i += i < sizeof(struct geo_head) ? 1 : 61) {
        memcpy(copy, bytes, len);
        copy[i] ^= 0x41;
        struct geo_head *head = (struct geo_head *)copy;
        if (i < hash_at) {
            head->head_hash = 0;
            head->head_hash = XXH3_64bits(head, sizeof(*head));
        }
        const struct geo_head *geo = geo_verify(span_of(copy, len));
        refused += geo == NULL;
        for (uint32_t k = 0; geo != NULL && k < 64; k++) {
            at_v4(geo, k << 26);
            at_v6(geo, (uint64_t)k << 58);
        }
    }
    assert_true(refused > 100);
    assert_null(geo_open(span_of(bytes, len - 1)));
    assert_null(geo_open(span_of(bytes, 8)));
    free(copy);
    free(bytes);
}

static void distances_are_those_of_the_sphere(void **state)
{
    static const struct {
        double from[2];
        double to[2];
        double km;
    } cases[] = {
        {{52.52, 13.405}, {48.8566, 2.3522}, 877.5},
        {{0, 0}, {0, 180}, 20015.1},
        {{40.7128, -74.006}, {51.5074, -0.1278}, 5570.2},
        {{10, 179.9}, {10, -179.9}, 21.9},
        {{7, 7}, {7, 7}, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        float a[3], b[3];
        double sum = 0;
        geo_point(cases[i].from[0], cases[i].from[1], a);
        geo_point(cases[i].to[0], cases[i].to[1], b);
        for (int k = 0; k < 3; k++) {
            sum += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
        }
        assert_true(fabs(geo_chord_km(sum) - cases[i].km) < 1);
    }
}

static void countries_have_continents(void **state)
{
    static const char *const known[] = {"DEEU", "USNA", "JPAS", "BRSA", "AUOC", "ZAAF", "AQAN"};
    uint8_t out[2];
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        assert_true(geo_continent_of((const uint8_t *)known[i], out));
        assert_memory_equal(out, known[i] + 2, 2);
        assert_true(geo_continent_known(out));
    }
    assert_false(geo_continent_of((const uint8_t *)"ZZ", out));
    assert_false(geo_continent_of((const uint8_t *)"de", out));
    assert_false(geo_continent_known((const uint8_t *)"XX"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_in_is_found),
        cmocka_unit_test(neighbours_become_one),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(distances_are_those_of_the_sphere),
        cmocka_unit_test(countries_have_continents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
