/* SPDX-License-Identifier: MIT */
/* A subrequest: a proxy's question about another request, which it goes on with or does not,
 * as the answer says. What is read here is the other request, the original one. No I/O.
 *
 * Only a trusted proxy is heard, and of what it sends only the fields that it writes itself:
 * the others it may have let pass as the client sent them. So a listener should know which
 * fields those are; while it does not, a subrequest with those of two forms is refused, since
 * one of them is a client's invention.
 *
 *   form       method              host and scheme               path and query
 *   forwarded  X-Forwarded-Method  X-Forwarded-Host and -Proto   X-Forwarded-Uri
 *   url        X-Original-Method   in X-Original-URL, or else    X-Original-URL
 *                                  as for forwarded
 *   path       its own             its own Host; the scheme as   its own, behind
 *                                  X-Forwarded-Proto says        SUBREQUEST_BASE
 *
 * Who the client is stands in X-Forwarded-For or Forwarded for all of them, and host and scheme
 * may stand in Forwarded (http/forwarded.h). Everything else, cookies for example, is as in the
 * subrequest, which a proxy makes of the original's fields. It has no content for us. */
#pragma once

#include "http/forwarded.h"

#define SUBREQUEST_BASE "/.well-known/detour/decide"

enum subrequest_form {
    SUBREQUEST_ANY, /* whichever is there; two of them are refused */
    SUBREQUEST_FORWARDED,
    SUBREQUEST_URL,
    SUBREQUEST_PATH,
};

enum subrequest_result {
    SUBREQUEST_READ,
    SUBREQUEST_UNTRUSTED, /* whoever asks is no trusted proxy */
    SUBREQUEST_MISSING,   /* it does not say what it is about, or not all of it */
    SUBREQUEST_DIFFERS,   /* two of a field, two forms, or two families of forwarded fields */
    SUBREQUEST_BAD,       /* the original is no request: 400 to whoever sent it */
};

struct subrequest {
    struct request request; /* the original; spans into the subrequest */
    struct client client;
    bool has_host;           /* said by the form itself: what was forwarded is not heard */
    uint8_t host_lower[255]; /* of a host that was not in lower case */
};

/* asked, peer: the subrequest and whose connection it came over. *out means something after
 * SUBREQUEST_READ only. */
enum subrequest_result subrequest_read(const struct request *asked, const struct client *peer,
                                       const struct forwarded_trust *trust,
                                       enum subrequest_form form, struct subrequest *out);
