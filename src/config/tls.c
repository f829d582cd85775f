/* SPDX-License-Identifier: MIT */
/* The certificates that the file names, and whether somebody needs them. */
#include "config/tls.h"

#include "config/read.h"

enum { certificates_max = 1024, file_path_bytes_max = 4000 };

static bool read_path(struct load *load, const struct node *node, struct span *out,
                      struct place *place_out)
{
    struct span path;
    if (!read_string(load, node, &path)) {
        return false;
    }
    if (path.len > file_path_bytes_max || path.ptr[path.len - 1] == '/') {
        return read_refuse(load, node, "the path of a file");
    }
    *out = path;
    *place_out = node->place;
    return true;
}

static bool read_certificate(struct load *load, const struct node *node,
                             struct model_certificate *out)
{
    static const char *const keys[] = {"cert", "key", "ocsp"};
    const struct node *at[3];
    if (!read_map(load, node, "a certificate", keys, 3, at)) {
        return false;
    }
    if (at[0] == NULL) {
        problems_error(load->problems, node->place,
                       "a certificate needs `cert`, the path of a PEM file, like `cert: "
                       "tls/shop.pem`");
        return false;
    }
    bool good = read_path(load, at[0], &out->certificate, &out->certificate_place);
    out->key = out->certificate;
    out->key_place = out->certificate_place;
    good = (at[1] == NULL || read_path(load, at[1], &out->key, &out->key_place)) && good;
    return (at[2] == NULL || read_path(load, at[2], &out->ocsp, &out->ocsp_place)) && good;
}

static void read_certificates(struct load *load, const struct node *list)
{
    size_t wanted = list_count(list);
    if (!read_is_list(load, list)) {
        return;
    }
    if (wanted > certificates_max) {
        read_refuse(load, list, "a list of at most 1024 certificates");
        return;
    }
    struct model_certificate *items = load_alloc(load, wanted + 1, sizeof(*items));
    if (items == NULL) {
        return;
    }
    size_t count = 0;
    for (const struct node *item = list_first(list); item != NULL; item = list_next(list, item)) {
        count += read_certificate(load, item, &items[count]);
    }
    load->model->certificates = items;
    load->model->certificate_count = count;
}

static const struct listener *first_secure(const struct model *model)
{
    for (size_t i = 0; i < model->listener_count; i++) {
        if (model->listeners[i].secure) {
            return &model->listeners[i];
        }
    }
    return NULL;
}

void read_tls(struct load *load, const struct node *listen, const struct node *tls)
{
    static const char *const keys[] = {"certificates"};
    const struct node *at[1] = {NULL};
    size_t errors = load->problems->error_count;
    if (tls != NULL && read_map(load, tls, "`tls`", keys, 1, at) && at[0] != NULL) {
        read_certificates(load, at[0]);
    }
    if (load->problems->error_count > errors) {
        return;
    }
    const struct listener *secure = first_secure(load->model);
    if (secure != NULL && load->model->certificate_count == 0) {
        problems_error(load->problems, tls != NULL ? tls->place : listen->place,
                       "%s needs a certificate; add `tls: {certificates: [{cert: shop.pem, key: "
                       "shop.key}]}`",
                       secure->text);
    } else if (secure == NULL && tls != NULL) {
        problems_warning(load->problems, tls->place,
                         "nobody listens on https, so the certificates are not used; add a "
                         "listener like https://0.0.0.0:8443, or take `tls` out");
    }
}
