/* SPDX-License-Identifier: MIT */
/* What a wait page is made of: HTML of ours or of the operator's, the script that takes the
 * reader back, what the script asks for, and the policy that holds the browser to it. Pure. */
#pragma once

#include "base/buffer.h"
#include "page/language.h"

/* Where they stand, on each host: behind it comes a ticket. */
#define WAIT_BASE "/.well-known/detour/"
#define WAIT_PAGE WAIT_BASE "wait/"
#define WAIT_STATUS WAIT_BASE "status/"

/* What stands in an operator's HTML where the script is to be. */
#define WAIT_MARK "{{detour}}"

#define WAIT_NEVER INT64_MAX

enum {
    wait_title_max = 256,
    wait_reason_max = 1024,         /* what is longer is cut off */
    wait_html_max = 64 * 1024,      /* of an operator's page */
    wait_page_bytes_max = 96 * 1024 /* room that wait_page_write never uses up */
};

struct wait_page {
    const struct words *words;
    struct span title; /* empty: one of ours */
    struct span reason;
    struct span before; /* an operator's HTML before and after its mark; both empty: ours */
    struct span after;
    struct span target; /* what target_is_local takes */
    struct span ticket; /* empty: there is no key; the page cannot ask then */
    int64_t from_ns;    /* when it began; INT64_MIN: not known */
    int64_t until_ns;   /* when it is expected to end; WAIT_NEVER: not known */
    int64_t now_ns;
    uint32_t jitter; /* any number, another one for each reader */
};

/* Appends the page. */
void wait_page_write(const struct wait_page *page, struct buffer *out);
/* Appends what the script asks for, as JSON. */
void wait_status_write(bool over, int64_t until_ns, struct buffer *out);
/* Appends the answer for who has sent a form: that nothing was lost nor done. */
void wait_sent_write(const struct words *words, struct buffer *out);

/* Appends the Content-Security-Policy of a page; own: of the operator's HTML, which may bring
 * styles of its own, and pictures and fonts of the same host. */
void wait_policy_write(bool own, struct buffer *out);

/* Seconds to wait that are at least wanted, and some more, so that not all come back at once:
 * up to a quarter, at least 4 and at most 60. */
int64_t wait_jittered_s(int64_t wanted_s, uint32_t jitter);
