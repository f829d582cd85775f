/* SPDX-License-Identifier: MIT */
/* Reads the HTML of pages, and says what is wrong with it. */
#include "control/files/pages.h"

#include "base/utf8.h"
#include "control/files/named.h"
#include "page/wait.h"

static size_t count_marks(struct span html)
{
    const struct span mark = SPAN(WAIT_MARK);
    size_t count = 0;
    for (size_t at = span_find(html, 0, mark.ptr[0]); at < html.len;
         at = span_find(html, at + 1, mark.ptr[0])) {
        count += span_starts(span_from(html, at), mark);
    }
    return count;
}

static bool is_utf8(struct span text)
{
    uint32_t point;
    for (size_t at = 0; at < text.len;) {
        size_t len = utf8_decode(text, at, &point);
        if (len == 0 || point == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

/* What is wrong with the HTML, with the mend; NULL: nothing. */
static const char *fault_of(struct span html)
{
    if (!is_utf8(html)) {
        return "is not UTF-8; save it as that";
    }
    size_t marks = count_marks(html);
    if (marks == 0) {
        return "has no " WAIT_MARK ", so nobody would be taken back; put it into the <head>, "
               "where the script is to stand";
    }
    return marks > 1 ? "has " WAIT_MARK " more than once; keep the one in the <head>" : NULL;
}

static bool load_file(struct configuration *c, const struct model_page *page)
{
    uint8_t room[wait_html_max + 1];
    struct buffer text = buffer_over(room, sizeof(room));
    const char *path = named_path(&c->arena, c->problems.file, page->file);
    if (!named_read(c, path, page->file_place, &text)) {
        return false;
    }
    *page->html = arena_copy(&c->arena, buffer_span(&text));
    if (page->html->ptr == NULL) {
        problems_error(&c->problems, page->file_place, "cannot read %s: %s", path,
                       err_text(ERR_MEMORY));
        return false;
    }
    const char *fault = fault_of(*page->html);
    if (fault != NULL) {
        problems_error(&c->problems, page->file_place, "%s %s", path, fault);
    }
    return fault == NULL;
}

bool pages_load(struct configuration *c)
{
    bool good = true;
    for (size_t i = 0; i < c->model->page_count; i++) {
        if (c->model->pages[i].file.len > 0) {
            good = load_file(c, &c->model->pages[i]) && good;
        }
    }
    return good;
}
