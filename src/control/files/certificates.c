/* SPDX-License-Identifier: MIT */
/* Reading certificates, saying what is wrong with them, sealing them. */
#include "control/files/certificates.h"

#include "base/clock.h"
#include "control/files/named.h"
#include "control/publish.h"
#include "tls/certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum {
    file_bytes_max = 128 * 1024,
    part_count = TLS_PART_OCSP + 1,
    day_s = 24 * 3600,
    soon_s = 14 * day_s, /* or a quarter of its life, if that is less */
    date_text_max = 32,
};

/* A file of a certificate: where it is named, and what is in it. */
struct part {
    struct span path; /* empty: none is */
    struct place place;
    struct buffer text;
    uint8_t bytes[file_bytes_max + 1];
};

static void date_text(int64_t time_s, char out[date_text_max])
{
    struct tm parts;
    time_t time = (time_t)time_s;
    if (gmtime_r(&time, &parts) == NULL ||
        strftime(out, date_text_max, "%Y-%m-%d %H:%M UTC", &parts) == 0) {
        snprintf(out, date_text_max, "an unknown time");
    }
}

static void look_at_dates(struct configuration *c, const struct model_certificate *named,
                          const struct tls_certificate *made, int64_t now_s)
{
    char date[date_text_max];
    int64_t from_s = tls_certificate_from_s(made);
    int64_t until_s = tls_certificate_until_s(made);
    int64_t quarter_s = (until_s - from_s) / 4;
    date_text(now_s < from_s ? from_s : until_s, date);
    if (now_s < from_s) {
        problems_warning(&c->problems, named->certificate_place,
                         "the certificate is not valid before %s", date);
    } else if (now_s >= until_s) {
        problems_warning(&c->problems, named->certificate_place,
                         "the certificate was over on %s, so clients refuse it; renew it", date);
    } else if (until_s - now_s < (quarter_s < soon_s ? quarter_s : soon_s)) {
        problems_warning(&c->problems, named->certificate_place,
                         "the certificate is over on %s; renew it", date);
    }
    if (now_s >= tls_certificate_ocsp_until_s(made)) {
        date_text(tls_certificate_ocsp_until_s(made), date);
        problems_warning(&c->problems, named->ocsp_place,
                         "the OCSP response was over on %s and is not stapled; fetch a new one",
                         date);
    }
}

static void look_at_names(struct configuration *c, size_t index)
{
    const struct place place = c->model->certificates[index].certificate_place;
    const struct tls_certificate *made = c->certificates[index];
    if (tls_certificate_name_count(made) == 0 && index > 0) {
        problems_warning(&c->problems, place,
                         "the certificate has no DNS name in its subjectAltName, so nobody gets "
                         "it; make it anew with one");
        return;
    }
    for (size_t i = 0; i < index; i++) {
        if (tls_certificate_repeats(made, c->certificates[i])) {
            problems_warning(&c->problems, place,
                             "the certificate of line %u has the same names and the same kind of "
                             "key, so nobody gets this one; take one out",
                             c->model->certificates[i].certificate_place.line);
            return;
        }
    }
}

static bool make(struct configuration *c, const struct part *parts, struct tls_certificate **out)
{
    struct tls_fault fault;
    enum err err = tls_certificate_new(buffer_span(&parts[TLS_PART_CERTIFICATE].text),
                                       buffer_span(&parts[TLS_PART_KEY].text),
                                       buffer_span(&parts[TLS_PART_OCSP].text), out, &fault);
    if (err == ERR_SYNTAX) {
        const struct part *part = &parts[fault.part];
        problems_error(&c->problems, part->place, "cannot use %.*s: %s", SPAN_ARG(part->path),
                       fault.reason);
    } else if (err != ERR_NONE) {
        problems_error(&c->problems, parts[TLS_PART_CERTIFICATE].place,
                       "cannot use the certificate: %s", err_text(err));
    }
    return err == ERR_NONE;
}

static bool read_part(struct configuration *c, struct part *part, struct span path,
                      struct place place)
{
    part->path = path;
    part->place = place;
    part->text = buffer_over(part->bytes, sizeof(part->bytes));
    return path.len == 0 ||
           named_read(c, named_path(&c->arena, c->problems.file, path), place, &part->text);
}

static bool load_one(struct configuration *c, const struct model_certificate *named,
                     struct part *parts, struct tls_certificate **out)
{
    bool good =
        read_part(c, &parts[TLS_PART_CERTIFICATE], named->certificate, named->certificate_place);
    good = read_part(c, &parts[TLS_PART_KEY], named->key, named->key_place) && good;
    good = read_part(c, &parts[TLS_PART_OCSP], named->ocsp, named->ocsp_place) && good;
    return good && make(c, parts, out);
}

static bool load_all(struct configuration *c, int64_t now_s)
{
    struct part *parts = malloc(part_count * sizeof(*parts));
    c->certificates = calloc(c->model->certificate_count, sizeof(*c->certificates));
    if (parts == NULL || c->certificates == NULL) {
        free(parts);
        problems_error(&c->problems, (struct place){0}, "out of memory");
        return false;
    }
    bool good = true;
    c->certificate_count = c->model->certificate_count;
    for (size_t i = 0; i < c->certificate_count; i++) {
        good = load_one(c, &c->model->certificates[i], parts, &c->certificates[i]) && good;
    }
    tls_wipe(parts, part_count * sizeof(*parts));
    free(parts);
    for (size_t i = 0; good && i < c->certificate_count; i++) {
        look_at_dates(c, &c->model->certificates[i], c->certificates[i], now_s);
        look_at_names(c, i);
    }
    return good;
}

static bool is_covered(const struct configuration *c, struct span host)
{
    for (size_t i = 0; i < c->certificate_count; i++) {
        if (tls_certificate_covers(c->certificates[i], host)) {
            return true;
        }
    }
    return false;
}

/* A site without a secure listener for its clients may be meant; so this only warns, and
 * once for each site. Addresses are no names that a client could ask for. */
static void look_at_site(struct configuration *c, const struct model_site *site)
{
    struct span first = {0};
    size_t count = 0;
    for (size_t i = 0; i < site->host_count; i++) {
        struct span host = site->hosts[i];
        bool address =
            host.ptr[0] == '[' || (host.ptr[host.len - 1] >= '0' && host.ptr[host.len - 1] <= '9');
        if (!address && !is_covered(c, host)) {
            first = count++ == 0 ? host : first;
        }
    }
    if (count == 1) {
        problems_warning(&c->problems, site->place,
                         "no certificate covers %.*s; clients that ask for it over https get the "
                         "first one, and refuse it",
                         SPAN_ARG(first));
    } else if (count > 1) {
        problems_warning(&c->problems, site->place,
                         "no certificate covers %.*s and %zu more of its hosts; clients that ask "
                         "for them over https get the first one, and refuse it",
                         SPAN_ARG(first), count - 1);
    }
}

static bool has_secure(const struct model *model)
{
    for (size_t i = 0; i < model->listener_count; i++) {
        if (model->listeners[i].secure) {
            return true;
        }
    }
    return false;
}

bool certificates_load(struct configuration *c, int64_t now_ns)
{
    if (c->model->certificate_count == 0) {
        return true;
    }
    bool good = load_all(c, now_ns / NS_PER_SECOND);
    for (size_t i = 0; good && has_secure(c->model) && i < c->model->site_count; i++) {
        look_at_site(c, &c->model->sites[i]);
    }
    problems_sort(&c->problems);
    return good;
}

void certificates_free(struct configuration *c)
{
    for (size_t i = 0; i < c->certificate_count; i++) {
        tls_certificate_free(&c->certificates[i]);
    }
    free(c->certificates);
    c->certificates = NULL;
    c->certificate_count = 0;
}

static enum err seal(const struct tls_material *material, int *fd_out)
{
    size_t len = tls_material_bytes(material);
    uint8_t *room = malloc(len);
    if (room == NULL) {
        return ERR_MEMORY;
    }
    struct buffer block = buffer_over(room, len);
    tls_material_encode(material, &block);
    enum err err = publish_sealed("detour-certificates", buffer_span(&block), fd_out);
    int why = errno;
    tls_wipe(room, len);
    free(room);
    errno = why;
    return err;
}

/* The memfd's block, mapped; to be given back to unmap. */
static enum err map(int fd, struct span *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ERR_IO;
    }
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return ERR_IO;
    }
    *out = span_of(bytes, (size_t)st.st_size);
    return ERR_NONE;
}

static void unmap(struct span block)
{
    munmap((void *)(uintptr_t)block.ptr, block.len);
}

/* Ticket keys in front of whatever is there already. */
static enum err add_ticket_key(struct tls_material *material)
{
    struct tls_ticket_key *keys = material->ticket_keys;
    size_t kept = material->ticket_key_count;
    kept = kept < tls_ticket_keys_max ? kept : tls_ticket_keys_max - 1;
    memmove(keys + 1, keys, kept * sizeof(*keys));
    material->ticket_key_count = kept + 1;
    return tls_ticket_key_new(&keys[0]);
}

static enum err take_ticket_keys(struct tls_material *material, int fd)
{
    struct span block;
    enum err err = map(fd, &block);
    if (err != ERR_NONE) {
        return err;
    }
    err = tls_material_decode(block, material);
    unmap(block);
    return err;
}

static void add_pairs(const struct configuration *c, struct tls_material *material)
{
    int64_t now_s = clock_wall_ns() / NS_PER_SECOND;
    material->pair_count = c->certificate_count;
    for (size_t i = 0; i < c->certificate_count; i++) {
        material->pairs[i] = tls_certificate_pair(c->certificates[i]);
        if (now_s >= tls_certificate_ocsp_until_s(c->certificates[i])) {
            material->pairs[i].ocsp = span_of(NULL, 0);
        }
    }
}

static void free_material(struct tls_material *material)
{
    tls_wipe(material, sizeof(*material));
    free(material);
}

enum err certificates_seal(const struct configuration *c, int previous_fd, int *fd_out)
{
    if (c->certificate_count == 0) {
        *fd_out = -1;
        return ERR_NONE;
    }
    struct tls_material *material = calloc(1, sizeof(*material));
    if (material == NULL) {
        return ERR_MEMORY;
    }
    enum err err =
        previous_fd >= 0 ? take_ticket_keys(material, previous_fd) : add_ticket_key(material);
    if (err == ERR_NONE) {
        add_pairs(c, material);
        err = seal(material, fd_out);
    }
    free_material(material);
    return err;
}

/* The pairs stay in the block. */
static enum err rotate(struct span block, struct tls_material *material, int *fd_out)
{
    enum err err = tls_material_decode(block, material);
    if (err == ERR_NONE) {
        err = add_ticket_key(material);
    }
    return err == ERR_NONE ? seal(material, fd_out) : err;
}

enum err certificates_rotate(int fd, int *fd_out)
{
    struct span block;
    struct tls_material *material = calloc(1, sizeof(*material));
    if (material == NULL) {
        return ERR_MEMORY;
    }
    enum err err = map(fd, &block);
    if (err == ERR_NONE) {
        err = rotate(block, material, fd_out);
        unmap(block);
    }
    free_material(material);
    return err;
}
