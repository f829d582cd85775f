/* SPDX-License-Identifier: MIT */
/* What the files of decide/ share: one request on its way to a decision. */
#pragma once

#include "decide/decide.h"

/* A request while it is decided. */
struct asked {
    struct decide_context *context;
    const struct snapshot *snapshot;
    const struct request *request;
    const struct snap_site *site;
    int64_t now_ns;
    struct path path; /* normalised */
    bool returning;   /* it is decided what a ticket's URL gets; see wait.c */
    struct regex_budget budget;
    struct decision *decision;
};

/* A rule that matched, with what its patterns captured. */
struct matched {
    const struct snap_rule *rule;
    struct pattern_groups path_groups; /* count 0: the rule has no pattern for the path */
    struct pattern_groups host_groups;
};

/* Begins with a rule that has captured nothing. The places of groups stay as they are: they
 * are large, and whatever matches fills them. */
static inline void matched_init(struct matched *matched, const struct snap_rule *rule)
{
    matched->rule = rule;
    matched->path_groups.count = 0;
    matched->host_groups.count = 0;
}

/* match.c: the first rule of the set that matches and whose share the client is in.
 * MATCH_YES: *rule_out, and whether its `rest` is what this client gets. MATCH_LIMIT: the
 * regex budget is spent. */
enum match match_ruleset(struct asked *asked, const struct snap_ruleset *set,
                         struct matched *matched, uint32_t *rule_out, bool *rest_out);

/* match.c: whether a rule is about this path, whoever asks: no condition is looked at, and a
 * rule for some hosts only is about none. */
enum match match_path(struct asked *asked, const struct snap_rule *rule);

/* match.c: each variable in the authority of the action's target has one of the values
 * that the rule lists for it. */
bool labels_listed(const struct asked *asked, const struct matched *matched,
                   const struct snap_action *action);

/* apply.c: carries out an action of the matched rule. */
void apply_action(struct asked *asked, const struct matched *matched,
                  const struct snap_action *action);

/* Makes what was built the decision's Location, or refuses the request. The finished Location is
 * looked at once more, as a stranger would. */
void accept_location(struct asked *asked, enum location_result result, const struct buffer *built,
                     struct span authority);
/* What of the request's query goes along. */
struct span kept_query(const struct asked *asked, const struct matched *matched);
/* Whether a person's browser asks: it wants to see something, and its GET swallows nothing. */
bool person_reads(const struct request *request);
/* The 503 for who is not shown a page. */
void refuse_others(struct asked *asked, const struct matched *matched,
                   const struct snap_action *action);
/* Seconds after which to try again. */
int64_t retry_after(const struct asked *asked, const struct matched *matched,
                    const struct snap_action *action);

/* decide.c: detours, https, routes, the default. */
void decide_by_rules(struct asked *asked);

/* wait.c */
/* Shows a page of ours, or refuses. */
__attribute__((cold, noinline)) void apply_wait(struct asked *asked, const struct matched *matched,
                                                const struct snap_action *action);
/* A request below /.well-known/detour/. */
__attribute__((cold, noinline)) void decide_wait(struct asked *asked);

/* A path, with the request's query, as a Location without a host; empty: they make none, or
 * one that is too long for a ticket. */
struct span wait_local_target(struct asked *asked, struct span path);

/* link.c */
/* A request whose URL carries a good link of an active detour of this site is answered. False:
 * it carries none. */
__attribute__((cold, noinline)) bool decide_link(struct asked *asked);
/* Whether the client has the cookie of a good link of this detour. */
__attribute__((cold, noinline)) bool link_bypasses(const struct asked *asked,
                                                   const struct snap_rule *rule);

/* pool.c */

/* A request that a pool is to serve. */
struct pooled {
    struct asked *asked;
    const struct matched *matched;
    const struct snap_action *action;
    struct pool_client client;
    bool lacks; /* somebody could serve it, but nobody is known to have what is asked for */
    bool stays; /* the client's cookie holds it to another one than it is sent to this time */
};

/* The path to append to a server's URL: as sent, without what the route matched. */
struct span pool_path(const struct pooled *pooled);
/* Whether the client's cookie says so already, or the pool has none. server: an index into the
 * snapshot's. */
bool pool_holds(const struct pooled *pooled, uint32_t server);

/* exists.c: the server for the client, as pool_choose; where the pool says so, one that is known
 * to have what is asked for. pooled->client avoids the others afterwards, if it matters. */
uint32_t choose_existing(struct pooled *pooled);
/* exists.c: after the fallback of a pool. */
void tell_lack(const struct pooled *pooled);

/* The Location that leads this client to a server of the pool, an index into the snapshot's;
 * still to be looked at with accept_location, or location_check. out may hold bytes already. */
enum location_result pool_location(const struct pooled *pooled, uint32_t server, struct buffer *out,
                                   struct span *authority_out);

/* Sends the client to a server of the action's pool, or to its fallback. */
void apply_pool(struct asked *asked, const struct matched *matched,
                const struct snap_action *action);

/* avoid.c */

/* Whom the client says that it cannot reach goes into pooled->client. False: it has been
 * everywhere, and is refused. */
bool avoid_heed(struct pooled *pooled);
/* The query without the parameter in which a client says whom it cannot reach. */
struct span avoid_query(const struct pooled *pooled, struct span query);
/* Puts the parameter on the Location that begins at `from`, where the pool has it carried: the
 * servers that the client was sent to so far, and this one; SNAP_NONE: the last resort. False:
 * there is no room. */
bool avoid_carry(const struct pooled *pooled, uint32_t server, size_t from, struct buffer *out);
/* Whether the client says that it cannot reach the host of a Location. */
bool avoid_names(const struct pooled *pooled, struct span location);

/* sign.c */

/* Puts the pool's signed ticket (signing/ticket.h) on the URL that begins at `from` in the buffer,
 * for the method with which the client will ask there after `status`. Each URL of a server that a
 * client is given comes by here, last of all that is added to it. Does nothing for a pool that
 * signs nothing; who decides without keys takes what the client calls a ticket out. False: there
 * is no room. */
bool sign_url(const struct asked *asked, const struct snap_pool *pool, uint16_t status, size_t from,
              struct buffer *url);
/* The latest max_age of an answer with a ticket: half of its ttl, so that who is given it by a
 * cache has the other half to use it. -1 stays -1. */
int64_t sign_max_age_s(const struct snap_pool *pool, int64_t max_age_s);

/* alternatives.c */

/* Whether the client asks to be told where the pool would send it, and the pool tells it. */
bool wants_to_be_told(struct asked *asked, const struct snap_pool *pool);
/* Where else the client could go than to the server that its Location leads to. */
void name_alternatives(const struct pooled *pooled, uint32_t chosen);

/* regex_set.c */
const struct regex *regex_set_at(const struct regex_set *set, uint32_t regex);

/* A hash of who asks, for shares and pools: equal for all ports of one address. */
uint64_t client_hash(const struct client *client, uint64_t salt);
