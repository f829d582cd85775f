/* SPDX-License-Identifier: MIT */
/* Pages of ours. */
#include "compile/parts.h"

#include "page/wait.h"

#include <assert.h>

static_assert((int)snap_title_bytes_max == (int)wait_title_max &&
                  (int)snap_title_bytes_max == (int)model_title_bytes_max,
              "titles");
static_assert((int)snap_html_bytes_max == (int)wait_html_max &&
                  (int)snap_html_bytes_max == (int)model_html_bytes_max,
              "the HTML of a page");

/* The mark is there once, as whoever read the file has seen to. */
static size_t find_mark(struct span html)
{
    const struct span mark = SPAN(WAIT_MARK);
    size_t at = span_find(html, 0, mark.ptr[0]);
    while (at < html.len && !span_starts(span_from(html, at), mark)) {
        at = span_find(html, at + 1, mark.ptr[0]);
    }
    return at;
}

static struct snap_page compile_page(struct compile *compile, const struct model_page *from)
{
    struct block *block = &compile->block;
    struct snap_page page = {.name = block_text(block, from->name),
                             .title = block_text(block, from->title),
                             .in_place = from->in_place};
    size_t mark = find_mark(*from->html);
    if (mark < from->html->len) {
        page.before = block_text(block, span_slice(*from->html, 0, mark));
        page.after = block_text(block, span_from(*from->html, mark + strlen(WAIT_MARK)));
    }
    return page;
}

struct snap_list compile_pages(struct compile *compile)
{
    const struct model *model = compile->model;
    struct snap_list list =
        block_array(&compile->block, model->page_count, sizeof(struct snap_page));
    for (size_t i = 0; i < model->page_count; i++) {
        struct snap_page page = compile_page(compile, &model->pages[i]);
        block_set(&compile->block, list, i, &page, sizeof(page));
    }
    return list;
}
