/* SPDX-License-Identifier: MIT */
/* Exchanges over HTTP/2: one for each stream (RFC 9113). */
#include "serve/passing.h"

bool exchange2_open(struct exchange *exchange)
{
    exchange->stream = h2_pass(exchange->conn->h2, exchange);
    return exchange->stream != NULL;
}

void exchange2_run(struct exchange *exchange)
{
    h2_stream_run(exchange->stream);
}
