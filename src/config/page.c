/* SPDX-License-Identifier: MIT */
/* The pages: map, and what names one of them. */
#include "config/rule.h"

enum page_key { PAGE_TITLE, PAGE_FILE, PAGE_IN_PLACE, PAGE_KEYS };
static const char *const page_keys[PAGE_KEYS] = {"title", "file", "in_place"};

enum { page_path_bytes_max = 4000 };

static bool read_title(struct load *load, const struct node *node, struct span *out)
{
    if (!read_string(load, node, out)) {
        return false;
    }
    if (out->len > model_title_bytes_max) {
        return read_refuse(load, node, "a title of at most 256 bytes");
    }
    return true;
}

static bool read_file(struct load *load, const struct node *node, struct model_page *page)
{
    if (!read_string(load, node, &page->file)) {
        return false;
    }
    page->file_place = node->place;
    if (page->file.len > page_path_bytes_max || page->file.ptr[page->file.len - 1] == '/' ||
        memchr(page->file.ptr, 0, page->file.len) != NULL) {
        return read_refuse(load, node, "the path of an HTML file");
    }
    return true;
}

static bool read_one(struct load *load, const struct node *node, struct model_page *page)
{
    const struct node *at[PAGE_KEYS];
    if (node->kind == NODE_NULL) {
        return true; /* all of it ours */
    }
    if (!read_map(load, node, "a page", page_keys, PAGE_KEYS, at)) {
        return false;
    }
    bool good = at[PAGE_TITLE] == NULL || read_title(load, at[PAGE_TITLE], &page->title);
    good = (at[PAGE_FILE] == NULL || read_file(load, at[PAGE_FILE], page)) && good;
    if (at[PAGE_TITLE] != NULL && at[PAGE_FILE] != NULL) {
        problems_warning(load->problems, at[PAGE_TITLE]->key->place,
                         "`title` is not looked at where `file` brings the whole page; take it "
                         "away");
    }
    return (at[PAGE_IN_PLACE] == NULL || read_bool(load, at[PAGE_IN_PLACE], &page->in_place)) &&
           good;
}

bool read_pages(struct load *load, const struct node *node)
{
    bool good = true;
    uint32_t taken;
    if (node->kind == NODE_NULL) {
        return true;
    }
    if (node->kind != NODE_MAP || node->count > model_pages_max) {
        return read_refuse(load, node, "a map of at most 1000 pages by their names");
    }
    load->pages = load_alloc(load, node->count, sizeof(*load->pages));
    struct span *html = load_alloc(load, node->count, sizeof(*html));
    if (load->pages == NULL || html == NULL) {
        return false;
    }
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        struct model_page *page = &load->pages[load->page_count];
        *page = (struct model_page){.place = item->key->place, .html = &html[load->page_count]};
        good = read_name(load, item->key, &page->name) && good;
        good = read_one(load, item, page) && good;
        enum err err = names_add(&load->page_names, page->name, (uint32_t)load->page_count, &taken);
        load->no_memory = load->no_memory || err == ERR_MEMORY;
        load->page_count++;
    }
    return good;
}

static bool report_page(struct load *load, const struct node *node)
{
    struct span *names = load_scratch(load, load->page_count, sizeof(*names));
    for (size_t i = 0; names != NULL && i < load->page_count; i++) {
        names[i] = load->pages[i].name;
    }
    const char *hint = names != NULL ? load_hint(load, node->text, names, load->page_count) : "";
    problems_error(load->problems, node->place, "there is no page `%.*s`%s", SHOW(node->text),
                   hint[0] != 0 ? hint
                                : "; declare it under `pages:`, or write the absolute URL of a "
                                  "page elsewhere, like https://status.example.com/");
    return false;
}

bool read_page(struct load *load, const struct node *node, struct model_action *out)
{
    if (node->kind == NODE_SCALAR &&
        (span_starts(node->text, SPAN("http://")) || span_starts(node->text, SPAN("https://")))) {
        out->kind = ACTION_PAGE;
        return read_page_url(load, node, &out->to);
    }
    if (node->kind != NODE_SCALAR || node->text.len == 0) {
        return read_refuse(load, node,
                           "the name of a page of `pages`, or the absolute URL of one elsewhere, "
                           "like https://status.example.com/");
    }
    out->kind = ACTION_WAIT;
    return names_find(&load->page_names, node->text, &out->page) || report_page(load, node);
}
