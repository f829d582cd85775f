/* SPDX-License-Identifier: MIT */
/* Certificates from their files into sealed memfds, and the ticket keys that stay. */
#include "control/files/certificates.h"
#include "control/files/named.h"

#include "../tls/rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static struct rig_pair pairs[2];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_pair(const char *name, const struct rig_pair *pair)
{
    char file[64];
    char *chain = rig_pem_chain(pair);
    char *key = rig_pem_key(pair);
    snprintf(file, sizeof(file), "%s.pem", name);
    write_file(file, chain);
    snprintf(file, sizeof(file), "%s.key", name);
    write_file(file, key);
    free(chain);
    free(key);
}

static int set_up(void **state)
{
    strcpy(folder, "/tmp/detour-certificates-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    pairs[0] = rig_pair_new(RIG_EC, "DNS:a.example", -3600, 86400 * 90);
    pairs[1] = rig_pair_new(RIG_EC, "DNS:b.example", -86400 * 80, 86400 * 10);
    write_pair("a", &pairs[0]);
    write_pair("b", &pairs[1]);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"a.pem", "a.key", "b.pem", "b.key"};
    char path[128];
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
    rig_pair_free(&pairs[0]);
    rig_pair_free(&pairs[1]);
    return 0;
}

static struct configuration *load(const char *certificates)
{
    static char file[128];
    char text[1024];
    snprintf(file, sizeof(file), "%s/detour.yaml", folder);
    snprintf(text, sizeof(text),
             "listen: [https://127.0.0.1:8443]\n"
             "tls: {certificates: [%s]}\n"
             "sites:\n"
             "  - {name: s, hosts: [a.example, 192.0.2.1, '*', c.example, d.example]}\n",
             certificates);
    struct configuration *c = configuration_new(file);
    c->text = arena_copy(&c->arena, span_cstr(text));
    assert_true(configuration_load(c, NULL, (int64_t)time(NULL) * 1000000000));
    return c;
}

static void assert_warns(const struct configuration *c, uint32_t line, const char *text)
{
    for (size_t i = 0; i < c->problems.count; i++) {
        if (c->problems.items[i].place.line == line &&
            strstr(c->problems.items[i].text, text) != NULL) {
            return;
        }
    }
    fail_msg("no problem of line %u says %s", line, text);
}

static struct tls_material *material_of(int fd)
{
    static uint8_t block[1 << 20];
    ssize_t len = pread(fd, block, sizeof(block), 0);
    struct tls_material *material = calloc(1, sizeof(*material));
    assert_true(len > 0);
    assert_int_equal(tls_material_decode(span_of(block, (size_t)len), material), ERR_NONE);
    return material;
}

static void test_seal(void **state)
{
    struct configuration *c = load("{cert: a.pem, key: a.key}, {cert: b.pem, key: b.key}");
    int64_t now_ns = (int64_t)time(NULL) * 1000000000;
    int fd;
    assert_true(certificates_load(c, now_ns));
    assert_warns(c, 2, "the certificate is over on ");
    assert_warns(c, 4, "no certificate covers c.example and 1 more");
    assert_int_equal(c->problems.count, 2);
    assert_int_equal(certificates_seal(c, -1, &fd), ERR_NONE);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL),
                     F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL);
    struct tls_material *material = material_of(fd);
    assert_int_equal(material->ticket_key_count, 1);
    assert_int_equal(material->pair_count, 2);
    assert_true(span_eq(material->pairs[1].key, rig_tls_pair(&pairs[1]).key));
    free(material);
    close(fd);
    configuration_free(&c);
}

/* Keys of tickets outlive a reload; a rotation puts a new one in front of at most two. */
static void test_ticket_keys(void **state)
{
    struct configuration *c = load("{cert: a.pem, key: a.key}");
    struct tls_material *seen[5];
    int fds[5];
    assert_true(certificates_load(c, (int64_t)time(NULL) * 1000000000));
    assert_int_equal(certificates_seal(c, -1, &fds[0]), ERR_NONE);
    assert_int_equal(certificates_seal(c, fds[0], &fds[1]), ERR_NONE);
    certificates_free(c); /* to rotate, only the memfd is needed */
    for (size_t i = 2; i < 5; i++) {
        assert_int_equal(certificates_rotate(fds[i - 1], &fds[i]), ERR_NONE);
    }
    for (size_t i = 0; i < 5; i++) {
        seen[i] = material_of(fds[i]);
        assert_int_equal(seen[i]->pair_count, 1);
    }
    const size_t size = sizeof(struct tls_ticket_key);
    assert_memory_equal(seen[0]->ticket_keys, seen[1]->ticket_keys, size);
    static const size_t counts[] = {1, 1, 2, 3, 3};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(seen[i]->ticket_key_count, counts[i]);
    }
    for (size_t i = 2; i < 5; i++) {
        assert_memory_not_equal(&seen[i]->ticket_keys[0], &seen[i - 1]->ticket_keys[0], size);
        assert_memory_equal(&seen[i]->ticket_keys[1], &seen[i - 1]->ticket_keys[0],
                            (counts[i] - 1) * size);
    }
    for (size_t i = 0; i < 5; i++) {
        free(seen[i]);
        close(fds[i]);
    }
    configuration_free(&c);
}

static void test_nothing_to_seal(void **state)
{
    int fd = 7;
    struct configuration *c = configuration_new("detour.yaml");
    c->text = SPAN("sites: [{name: s, hosts: [a.example]}]\n");
    assert_true(configuration_load(c, NULL, 0));
    assert_true(certificates_load(c, 0));
    assert_int_equal(certificates_seal(c, -1, &fd), ERR_NONE);
    assert_int_equal(fd, -1);
    configuration_free(&c);
}

static void test_all_problems_at_once(void **state)
{
    struct configuration *c =
        load("{cert: a.pem, key: b.key}, {cert: none.pem, key: none.key}, {cert: /tmp}");
    assert_false(certificates_load(c, (int64_t)time(NULL) * 1000000000));
    assert_int_equal(c->problems.error_count, 5);
    configuration_free(&c);
}

static void test_paths(void **state)
{
    static const struct {
        const char *config;
        const char *path;
        const char *found;
    } cases[] = {
        {"detour.yaml", "a.pem", "a.pem"},
        {"/etc/detour/detour.yaml", "tls/a.pem", "/etc/detour/tls/a.pem"},
        {"conf/detour.yaml", "../a.pem", "conf/../a.pem"},
        {"/etc/detour/detour.yaml", "/srv/a.pem", "/srv/a.pem"},
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_string_equal(named_path(&arena, cases[i].config, span_cstr(cases[i].path)),
                            cases[i].found);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_ticket_keys),
        cmocka_unit_test(test_nothing_to_seal),
        cmocka_unit_test(test_all_problems_at_once),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
