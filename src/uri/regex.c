/* SPDX-License-Identifier: MIT */
/* Expressions compiled and run by PCRE2, whose interpreter tells of each item that it
 * comes to, so that what a match costs is counted as it goes. */
#include "uri/regex.h"
#include "uri/regex_dialect.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <pcre2.h>
#include <stdlib.h>

enum {
    heap_kib_max = 512, /* of the interpreter's frames: some 3000 choices left open */
    bytes_of_a_reference = 64,
    bytes_of_a_step = 16,  /* a scan of so many bytes costs as much as an item */
    calls_of_a_step = 16,  /* PCRE2's own limit, behind the one that is meant */
    priming_bytes = 16384, /* enough to fill the frames */
};

struct regex {
    pcre2_code *code;
    bool refers; /* has a reference to a group */
};

/* What a match needs and keeps between matches. There is one for the process, made with
 * its first expression and never freed: matches do not overlap, since a process has one
 * thread that matches, and ten thousand expressions need no ten thousand stacks. */
static struct {
    pcre2_general_context *general;
    pcre2_compile_context *compiling;
    pcre2_match_context *context;
    pcre2_match_data *data;
    bool matching;
} engine;

/* The budget of the match that runs. */
struct meter {
    uint32_t left;
    uint32_t price; /* of one item */
    size_t at;      /* where in the subject the last item was */
};

/* ---- the engine ---- */

/* Fails rather than allocates while a match runs. */
static void *engine_malloc(size_t size, void *data)
{
    (void)data;
    return engine.matching ? NULL : malloc(size);
}

static void engine_release(void *memory, void *data)
{
    (void)data;
    free(memory);
}

/* Before each item of the expression: it costs one step, and the bytes that were gone
 * over since the last, be it forwards or back, their share. */
static int charge(pcre2_callout_block *block, void *data)
{
    struct meter *meter = data;
    size_t at = block->current_position;
    size_t moved = at > meter->at ? at - meter->at : meter->at - at;
    size_t cost = meter->price + moved / bytes_of_a_step;
    meter->at = at;
    if (cost > meter->left) {
        meter->left = 0;
        return PCRE2_ERROR_CALLOUT;
    }
    meter->left -= (uint32_t)cost;
    return 0;
}

/* Lets the frames grow to their limit now, so that they need not while requests wait. */
static bool engine_prime(void)
{
    int error;
    size_t offset;
    static const char expression[] = "^(?:a|b)*c";
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)expression, sizeof(expression) - 1, 0, &error,
                                     &offset, engine.compiling);
    char *subject = malloc(priming_bytes);
    int result = PCRE2_ERROR_NOMEMORY;
    if (code != NULL && subject != NULL) {
        memset(subject, 'a', priming_bytes);
        result = pcre2_match(code, (PCRE2_SPTR)subject, priming_bytes, 0, 0, engine.data,
                             engine.context);
    }
    free(subject);
    pcre2_code_free(code);
    return result != PCRE2_ERROR_NOMEMORY;
}

static void engine_fini(void)
{
    pcre2_match_data_free(engine.data);
    pcre2_match_context_free(engine.context);
    pcre2_compile_context_free(engine.compiling);
    pcre2_general_context_free(engine.general);
    memset(&engine, 0, sizeof(engine));
}

static bool engine_init(void)
{
    if (engine.data != NULL) {
        return true;
    }
    engine.general = pcre2_general_context_create(engine_malloc, engine_release, NULL);
    if (engine.general != NULL) {
        engine.compiling = pcre2_compile_context_create(engine.general);
        engine.context = pcre2_match_context_create(engine.general);
        engine.data = pcre2_match_data_create(regex_captures_max + 1, engine.general);
    }
    if (engine.compiling == NULL || engine.context == NULL || engine.data == NULL) {
        engine_fini();
        return false;
    }
    /* So that '.' stops at the line ends at which JavaScript's does, within ASCII. */
    pcre2_set_newline(engine.compiling, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_heap_limit(engine.context, heap_kib_max);
    if (!engine_prime()) {
        engine_fini();
        return false;
    }
    return true;
}

/* ---- compiling ---- */

static enum err compile(struct span text, struct regex **out, const char **reason)
{
    static char message[160];
    const uint32_t options = PCRE2_UTF | PCRE2_AUTO_CALLOUT | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF;
    int error;
    size_t offset;
    struct regex *regex = malloc(sizeof(*regex));
    if (regex == NULL) {
        return ERR_MEMORY;
    }
    regex->code = pcre2_compile(text.ptr, text.len, options, &error, &offset, engine.compiling);
    if (regex->code != NULL) {
        uint32_t reference = 0;
        pcre2_pattern_info(regex->code, PCRE2_INFO_BACKREFMAX, &reference);
        regex->refers = reference > 0;
        *out = regex;
        return ERR_NONE;
    }
    free(regex);
    if (error == PCRE2_ERROR_HEAP_FAILED) {
        return ERR_MEMORY;
    }
    pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof(message));
    *reason = message;
    return ERR_SYNTAX;
}

enum err regex_compile(struct span source, struct regex **out, const char **reason)
{
    if (source.len > regex_source_max) {
        *reason = "too long";
        return ERR_SYNTAX;
    }
    size_t cap = regex_translated_max(source.len);
    uint8_t *memory = malloc(cap);
    if (memory == NULL || !engine_init()) {
        free(memory);
        return ERR_MEMORY;
    }
    struct buffer text = buffer_over(memory, cap);
    enum err err = regex_translate(source, &text, reason);
    if (err == ERR_NONE) {
        err = compile(buffer_span(&text), out, reason);
    }
    free(memory);
    return err;
}

void regex_free(struct regex **regex)
{
    if (*regex != NULL) {
        pcre2_code_free((*regex)->code);
        free(*regex);
        *regex = NULL;
    }
}

/* ---- matching ---- */

static void copy_groups(int found, size_t *groups, size_t group_max)
{
    const size_t *ends = pcre2_get_ovector_pointer(engine.data);
    for (size_t i = 0; i < group_max; i++) {
        bool there = i < (size_t)found && ends[2 * i] != PCRE2_UNSET;
        groups[2 * i] = there ? ends[2 * i] : SIZE_MAX;
        groups[2 * i + 1] = there ? ends[2 * i + 1] : SIZE_MAX;
    }
}

/* A subject that is not UTF-8 is none that an expression was written for. */
static bool is_no_match(int result)
{
    return result == PCRE2_ERROR_NOMATCH ||
           (result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21);
}

/* A reference that fails has compared as many bytes as the group has, and no item tells. */
static uint32_t price_of_item(const struct regex *regex, struct span subject)
{
    return regex->refers ? 1 + (uint32_t)(subject.len / bytes_of_a_reference) : 1;
}

enum match regex_match(const struct regex *regex, struct span subject, struct regex_budget *budget,
                       size_t *groups, size_t group_max)
{
    if (budget->steps == 0) {
        return MATCH_LIMIT;
    }
    struct meter meter = {.left = budget->steps, .price = price_of_item(regex, subject)};
    uint32_t calls =
        budget->steps < UINT32_MAX / calls_of_a_step ? budget->steps * calls_of_a_step : UINT32_MAX;
    assert(!engine.matching);
    engine.matching = true;
    pcre2_set_match_limit(engine.context, calls);
    pcre2_set_callout(engine.context, charge, &meter);
    int result =
        pcre2_match(regex->code, subject.ptr, subject.len, 0, 0, engine.data, engine.context);
    engine.matching = false;
    budget->steps = meter.left;
    if (result > 0) {
        copy_groups(result, groups, group_max);
        return MATCH_YES;
    }
    if (is_no_match(result)) {
        return MATCH_NO;
    }
    budget->steps = 0;
    return MATCH_LIMIT;
}
