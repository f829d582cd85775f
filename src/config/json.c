/* SPDX-License-Identifier: MIT */
/* The core types of YAML are those of JSON. */
#include "config/json.h"

#include "config/model.h"
#include "config/read.h"

static json_t *json_of_scalar(const struct node *node)
{
    uint64_t number;
    if (node->plain && (node_is_word(node, "true") || node_is_word(node, "false"))) {
        return json_boolean(node->text.ptr[0] == 't');
    }
    bool counted = node->text.len == 1 || node->text.ptr[0] != '0';
    if (node->plain && counted && span_decimal(node->text, INT64_MAX, &number)) {
        return json_integer((json_int_t)number);
    }
    return json_stringn((const char *)node->text.ptr, node->text.len);
}

json_t *node_to_json(const struct node *node)
{
    if (node->kind == NODE_NULL) {
        return json_null();
    }
    if (node->kind == NODE_SCALAR) {
        return json_of_scalar(node);
    }
    json_t *out = node->kind == NODE_MAP ? json_object() : json_array();
    for (const struct node *item = node->first; item != NULL && out != NULL; item = item->next) {
        json_t *value = node_to_json(item);
        int failed = node->kind == NODE_MAP
                         ? json_object_setn_new(out, (const char *)item->key->text.ptr,
                                                item->key->text.len, value)
                         : json_array_append_new(out, value);
        if (failed != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

json_t *model_text_to_json(struct span text)
{
    struct arena scratch;
    struct problems problems;
    arena_init(&scratch, 0);
    problems_init(&problems, &scratch, "");
    const struct node *root = yaml_read(text, &scratch, &problems);
    json_t *json = root != NULL ? node_to_json(root) : NULL;
    arena_fini(&scratch);
    return json;
}
