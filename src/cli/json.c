/* SPDX-License-Identifier: MIT */
/* Text as JSON, also where it is not UTF-8. */
#include "cli/json.h"

#include <stdlib.h>

static json_t *from_latin1(struct span text)
{
    char *utf8 = malloc(text.len * 2 + 1);
    size_t len = 0;
    if (utf8 == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x80) {
            utf8[len++] = (char)c;
        } else {
            utf8[len++] = (char)(0xC0 | c >> 6);
            utf8[len++] = (char)(0x80 | (c & 0x3F));
        }
    }
    json_t *string = json_stringn(utf8, len);
    free(utf8);
    return string;
}

json_t *json_text(struct span text)
{
    const char *bytes = text.len > 0 ? (const char *)text.ptr : "";
    json_t *string = json_stringn(bytes, text.len);
    return string != NULL ? string : from_latin1(text);
}

json_t *json_text_or_null(struct span text)
{
    return text.len > 0 ? json_text(text) : json_null();
}
