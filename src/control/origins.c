/* SPDX-License-Identifier: MIT */
/* Origins, as control knows them. */
#include "control/origins.h"

void origins_ports(const struct model *model, struct buffer *out)
{
    uint32_t next = 1;
    while (next <= UINT16_MAX) {
        uint32_t least = UINT32_MAX;
        for (size_t i = 0; i < model->origin_count; i++) {
            uint32_t port = model->origins[i].port;
            least = port >= next && port < least ? port : least;
        }
        if (least == UINT32_MAX) {
            return;
        }
        if (out->len > 0) {
            buffer_byte(out, ',');
        }
        buffer_decimal(out, least);
        next = least + 1;
    }
}
