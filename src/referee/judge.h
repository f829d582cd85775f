/* SPDX-License-Identifier: MIT */
/* From what was seen of a client to what is to be said of it. No state, no I/O. */
#pragma once

#include "referee/case.h"

enum {
    sightings_max = 64, /* of one case; loops go on for longer and are only counted */
    finding_text_max = 160,
    said_url_max = 512,
};

/* A request of the client. */
struct sighting {
    uint8_t step;
    uint8_t place;  /* enum case_place */
    uint8_t method; /* enum method */
    char method_name[request_method_bytes_max + 1];
    uint64_t content_bytes;
    bool content_wrong;  /* other bytes than it was told to send */
    bool content_fields; /* Content-Type and others that describe content */
    bool authorization;
    bool proxy_authorization;
    bool cookie; /* any */
    bool expect; /* 100-continue, with content */
    bool host;   /* Host is the one that the case gave */
    bool referer;
    bool referer_unclean; /* with userinfo or fragment */
    bool referer_secure;  /* a URL of https */
    int64_t at_ms;        /* when it came, by a clock that nobody sets */
};

/* What the client, or who drives it, told of the end: see POST /say. */
struct said {
    bool any;
    uint16_t status; /* 0: an error */
    char url[said_url_max];
};

struct evidence {
    const struct test_case *test;
    struct sighting sightings[sightings_max];
    uint32_t count; /* of all, those that are not kept included */
    struct said said;
};

enum verdict {
    VERDICT_UNSEEN,   /* not tried, or not to be told from here */
    VERDICT_STANDARD, /* as the standard says */
    VERDICT_ALLOWED,  /* the standard leaves it to the client */
    VERDICT_WRONG,
};
enum { verdict_count = VERDICT_WRONG + 1 };

struct finding {
    enum verdict verdict;
    char text[finding_text_max]; /* what was seen */
};

/* "unseen", "standard", "allowed", "wrong". */
const char *verdict_name(enum verdict verdict);

void judge(const struct evidence *evidence, struct finding *out);

/* The rules, for the table. */
void judge_method(const struct evidence *evidence, struct finding *out);
void judge_authorization(const struct evidence *evidence, struct finding *out);
void judge_proxy_authorization(const struct evidence *evidence, struct finding *out);
void judge_cookie(const struct evidence *evidence, struct finding *out);
void judge_host(const struct evidence *evidence, struct finding *out);
void judge_loop(const struct evidence *evidence, struct finding *out);
void judge_cookie_loop(const struct evidence *evidence, struct finding *out);
void judge_hops(const struct evidence *evidence, struct finding *out);
void judge_early(const struct evidence *evidence, struct finding *out);
void judge_kept_never(const struct evidence *evidence, struct finding *out);
void judge_kept_perhaps(const struct evidence *evidence, struct finding *out);
void judge_stays(const struct evidence *evidence, struct finding *out);
void judge_may_stay(const struct evidence *evidence, struct finding *out);
void judge_several(const struct evidence *evidence, struct finding *out);
void judge_empty(const struct evidence *evidence, struct finding *out);
void judge_arrives(const struct evidence *evidence, struct finding *out);
void judge_mended(const struct evidence *evidence, struct finding *out);
void judge_userinfo(const struct evidence *evidence, struct finding *out);
void judge_referer(const struct evidence *evidence, struct finding *out);
void judge_referrer_policy(const struct evidence *evidence, struct finding *out);
void judge_downgraded_referer(const struct evidence *evidence, struct finding *out);
void judge_fragment(const struct evidence *evidence, struct finding *out);
void judge_retry_after(const struct evidence *evidence, struct finding *out);
