/* SPDX-License-Identifier: MIT */
/* Reading certificates, saying what is wrong with them, sealing them. */
#include "control/certificates.h"

#include "base/clock.h"
#include "control/confine.h"
#include "control/publish.h"
#include "tls/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    file_bytes_max = 128 * 1024,
    day_s = 24 * 3600,
    soon_s = 14 * day_s, /* or a quarter of its life, if that is less */
    date_text_max = 32,
};

/* One file's bytes. Three of them are what a certificate is made of. */
struct file {
    size_t len;
    uint8_t bytes[file_bytes_max + 1];
};
struct files {
    struct file parts[3]; /* by enum tls_part */
};

const char *certificates_path(struct arena *arena, const char *config_path, struct span path)
{
    const char *slash = strrchr(config_path, '/');
    int folder_len = path.ptr[0] == '/' || slash == NULL ? 0 : (int)(slash - config_path) + 1;
    return arena_printf(arena, "%.*s%.*s", folder_len, config_path, SPAN_ARG(path));
}

static enum err read_whole(int fd, struct file *out)
{
    out->len = 0;
    for (;;) {
        ssize_t n = read(fd, out->bytes + out->len, sizeof(out->bytes) - out->len);
        if (n < 0 && errno != EINTR) {
            return ERR_IO;
        }
        if (n == 0) {
            return ERR_NONE;
        }
        out->len += n > 0 ? (size_t)n : 0;
        if (out->len == sizeof(out->bytes)) {
            return ERR_LIMIT;
        }
    }
}

/* O_NONBLOCK: a pipe that stands in its place holds nobody up. */
static enum err read_path(const char *path, struct file *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return ERR_IO;
    }
    enum err err = read_whole(fd, out);
    int why = errno;
    close(fd);
    errno = why;
    return err;
}

static bool read_part(struct configuration *c, struct span path, struct place place,
                      struct file *out)
{
    const char *full = certificates_path(&c->arena, c->problems.file, path);
    enum err err = full != NULL ? read_path(full, out) : ERR_MEMORY;
    if (err == ERR_NONE) {
        return true;
    }
    const char *why = err == ERR_IO      ? control_why(c, errno)
                      : err == ERR_LIMIT ? "it is larger than 128 KiB"
                                         : err_text(err);
    problems_error(&c->problems, place, "cannot read %s: %s", full != NULL ? full : "a file", why);
    return false;
}

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

static bool make(struct configuration *c, const struct model_certificate *named,
                 const struct files *files, struct tls_certificate **out)
{
    struct span texts[3];
    for (size_t i = 0; i < 3; i++) {
        texts[i] = span_of(files->parts[i].bytes, files->parts[i].len);
    }
    struct tls_fault fault;
    enum err err = tls_certificate_new(texts[TLS_PART_CERTIFICATE], texts[TLS_PART_KEY],
                                       texts[TLS_PART_OCSP], out, &fault);
    if (err == ERR_NONE) {
        return true;
    }
    if (err != ERR_SYNTAX) {
        problems_error(&c->problems, named->certificate_place, "cannot use the certificate: %s",
                       err_text(err));
        return false;
    }
    const struct span paths[] = {named->certificate, named->key, named->ocsp};
    const struct place places[] = {named->certificate_place, named->key_place, named->ocsp_place};
    problems_error(&c->problems, places[fault.part], "cannot use %.*s: %s",
                   SPAN_ARG(paths[fault.part]), fault.reason);
    return false;
}

static bool load_one(struct configuration *c, const struct model_certificate *named,
                     struct files *files, struct tls_certificate **out)
{
    struct file *parts = files->parts;
    parts[TLS_PART_OCSP].len = 0;
    bool good =
        read_part(c, named->certificate, named->certificate_place, &parts[TLS_PART_CERTIFICATE]);
    good = read_part(c, named->key, named->key_place, &parts[TLS_PART_KEY]) && good;
    if (named->ocsp.len > 0) {
        good = read_part(c, named->ocsp, named->ocsp_place, &parts[TLS_PART_OCSP]) && good;
    }
    return good && make(c, named, files, out);
}

static bool load_all(struct configuration *c, int64_t now_s)
{
    struct files *files = malloc(sizeof(*files));
    c->certificates = calloc(c->model->certificate_count, sizeof(*c->certificates));
    if (files == NULL || c->certificates == NULL) {
        free(files);
        problems_error(&c->problems, (struct place){0}, "out of memory");
        return false;
    }
    bool good = true;
    c->certificate_count = c->model->certificate_count;
    for (size_t i = 0; i < c->certificate_count; i++) {
        good = load_one(c, &c->model->certificates[i], files, &c->certificates[i]) && good;
    }
    tls_wipe(files, sizeof(*files));
    free(files);
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
    material->pair_count = c->certificate_count;
    for (size_t i = 0; i < c->certificate_count; i++) {
        material->pairs[i] = tls_certificate_pair(c->certificates[i]);
        if (tls_certificate_ocsp_until_s(c->certificates[i]) <= clock_wall_ns() / NS_PER_SECOND) {
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

enum err certificates_rotate(int fd, int *fd_out)
{
    struct span block;
    struct tls_material *material = calloc(1, sizeof(*material));
    if (material == NULL) {
        return ERR_MEMORY;
    }
    enum err err = map(fd, &block);
    if (err == ERR_NONE) {
        err = tls_material_decode(block, material);
        if (err == ERR_NONE) {
            err = add_ticket_key(material);
        }
        if (err == ERR_NONE) {
            err = seal(material, fd_out);
        }
        unmap(block);
    }
    free_material(material);
    return err;
}
