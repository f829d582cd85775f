/* SPDX-License-Identifier: MIT */
/* Files of certificates in PEM: an origin's own, or the system's. */
#include "control/files/authorities.h"

#include "control/files/named.h"
#include "snapshot/snapshot.h"

#include <stdlib.h>
#include <unistd.h>

/* Where systems keep them; the first that there is. */
static const char *const system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
};

bool authorities_are_own(const struct model_origin *origin)
{
    return origin->ca.len > 0;
}

static bool is_verified(const struct model_origin *origin)
{
    return origin->secure && origin->verify;
}

static bool has_certificate(struct span text)
{
    const struct span begin = SPAN("-----BEGIN CERTIFICATE-----");
    for (size_t at = span_find(text, 0, '-'); at < text.len; at = span_find(text, at + 1, '-')) {
        if (span_starts(span_from(text, at), begin)) {
            return true;
        }
    }
    return false;
}

/* Reads a file into the configuration's arena. False: a problem was added. */
static bool read_file(struct configuration *c, const char *path, struct place place,
                      struct span *out)
{
    uint8_t *room = malloc(snap_authorities_bytes_max);
    struct buffer text = buffer_over(room, snap_authorities_bytes_max);
    bool good = room != NULL && named_read(c, path, place, &text);
    if (good) {
        *out = arena_copy(&c->arena, buffer_span(&text));
    }
    free(room);
    return good && out->ptr != NULL;
}

static bool read_own(struct configuration *c, const struct model_origin *origin)
{
    const char *path = (const char *)origin->live->ca_path.ptr;
    if (!read_file(c, path, origin->ca_place, &origin->live->authorities)) {
        return false;
    }
    if (!has_certificate(origin->live->authorities)) {
        problems_error(&c->problems, origin->ca_place,
                       "%s holds no certificate in PEM, so nobody could be believed; name the "
                       "authority's file",
                       path);
        return false;
    }
    return true;
}

/* SSL_CERT_FILE is what other programs of the system go by, too. */
static const char *system_file(void)
{
    const char *named = getenv("SSL_CERT_FILE");
    if (named != NULL && named[0] != 0) {
        return named;
    }
    for (size_t i = 0; i < sizeof(system_files) / sizeof(system_files[0]); i++) {
        if (access(system_files[i], R_OK) == 0) {
            return system_files[i];
        }
    }
    return NULL;
}

static void read_system(struct configuration *c, const struct model_origin *origin,
                        struct span *out)
{
    const char *path = system_file();
    size_t errors = c->problems.error_count;
    bool good = path != NULL && read_file(c, path, origin->place, out) && has_certificate(*out);
    if (!good && c->problems.error_count == errors) {
        problems_warning(&c->problems, origin->place,
                         "this system has no authorities that certificates could come from, so no "
                         "connection to %.*s can be made; install ca-certificates, or name a file "
                         "with `ca`",
                         SPAN_ARG(origin->url));
        *out = (struct span){0};
    }
}

bool authorities_load(struct configuration *c)
{
    struct span system = {0};
    size_t errors = c->problems.error_count;
    for (size_t i = 0; i < c->model->origin_count; i++) {
        const struct model_origin *origin = &c->model->origins[i];
        if (authorities_are_own(origin)) {
            const char *path = named_path(&c->arena, c->problems.file, origin->ca);
            origin->live->ca_path = path != NULL ? span_cstr(path) : (struct span){0};
            if (origin->live->authorities.ptr == NULL) {
                read_own(c, origin);
            }
        } else if (is_verified(origin)) {
            if (system.ptr == NULL) {
                read_system(c, origin, &system);
            }
            origin->live->authorities = system;
        }
    }
    return c->problems.error_count == errors;
}
