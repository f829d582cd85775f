/* SPDX-License-Identifier: MIT */
/* A response, the same for every version of HTTP. Spans live until it is encoded. */
#pragma once

#include "http/request.h"

enum { response_fields_max = 40 };

struct response {
    uint16_t status;
    struct span location;     /* empty: none */
    struct span content_type; /* empty: no content */
    struct span body;
    bool close; /* this answer is the last one on its connection */
    size_t field_count;
    struct field fields[response_fields_max]; /* beside Date, Location, Content-*, Connection */
};

/* Makes it an empty one. The fields are left as they are: they are many. */
static inline void response_clear(struct response *response)
{
    response->status = 0;
    response->location = (struct span){0};
    response->content_type = (struct span){0};
    response->body = (struct span){0};
    response->close = false;
    response->field_count = 0;
}

static inline void response_add(struct response *response, struct span name, struct span value)
{
    if (response->field_count < response_fields_max) {
        response->fields[response->field_count++] = (struct field){.name = name, .value = value};
    }
}
