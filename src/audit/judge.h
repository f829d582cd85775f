/* SPDX-License-Identifier: MIT */
/* What is wrong with a walk, against what was expected of it. No I/O. */
#pragma once

#include "audit/list.h"
#include "walk/walk.h"

enum audit_finding {
    audit_failed,      /* no answer */
    audit_refused,     /* a redirect that cannot be followed */
    audit_loop,        /* back where it was */
    audit_no_redirect, /* one was expected */
    audit_target,      /* it ends elsewhere */
    audit_status,      /* the first answer's */
    audit_temporary,   /* permanent was expected */
    audit_permanent,   /* temporary was expected */
    audit_hops,        /* more redirects than hops_max */
    audit_bad_end,     /* 4xx or 5xx at the end */
    audit_home,        /* at the home page, where something else was expected */
    audit_downgrade,   /* https to http */
    audit_credentials, /* a secret that leaves its origin, or stands in a Location */
    audit_hosts,       /* over a host that is neither the source's nor the last one's */
    audit_finding_count,
};

enum { audit_allowed_max = 64 };

/* What leads from a URL like `from` to one like `to` is meant; '*' stands for any text. */
struct audit_pair {
    struct span from;
    struct span to;
};

struct audit_rules {
    uint32_t hops_max; /* redirects */
    const struct audit_pair *allowed;
    size_t allowed_count;
};

struct audit_hop {
    struct span url; /* with its fragment */
    uint16_t status; /* 0: no answer */
    bool loop;
    bool downgrade;
    bool credentials; /* notes say so */
};

struct audit_seen {
    const struct audit_hop *hops;
    size_t hop_count;
    enum walk_outcome outcome;
    enum detour_reason reason;
};

/* Bits 1 << audit_finding; 0: as expected. */
uint32_t audit_judge(const struct audit_rules *rules, const struct audit_row *row,
                     const struct audit_seen *seen);

/* "target", "loop", …: for programs. */
const char *audit_finding_name(enum audit_finding finding);
/* "ends elsewhere" */
const char *audit_finding_text(enum audit_finding finding);

/* Whether the text is like the pattern, in which '*' stands for any text. */
bool audit_matches(struct span pattern, struct span text);
