/* SPDX-License-Identifier: MIT */
/* Questions to the admin API by libcurl. */
#include "cli/admin_client.h"

#include "cli/show.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    connect_timeout_ms = 5000,
    answer_timeout_ms = 60000, /* a command returns when every worker has acknowledged */
    answer_bytes_max = 128 << 20,
    token_bytes_max = 4096,
};

struct admin_client {
    const char *command;
    bool json;
    struct arena arena;
    struct admin_address address;
    const char *token; /* NULL: none */
    CURL *curl;
    char why[CURL_ERROR_SIZE];
};

/* ---- the token ---- */

static int read_token_file(const char *command, const char *path, struct arena *arena,
                           const char **out)
{
    char *bytes = show_need(arena_alloc(arena, token_bytes_max + 1));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, bytes, token_bytes_max) : -1;
    int why = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (len < 0) {
        return complain(command, "cannot read the token in %s: %s", path, strerror(why));
    }
    bytes[len] = 0;
    *out = bytes;
    return exit_ok;
}

/* What stands in a header must not end it. */
static bool token_is_good(const char *token)
{
    for (const char *c = token; *c != 0; c++) {
        if (*c <= ' ' || *c == 0x7F) {
            return false;
        }
    }
    return token[0] != 0;
}

/* A unix socket wants none: the kernel says who asks. */
static int find_token(struct admin_client *client, const char *file)
{
    const char *text = getenv("DETOUR_TOKEN");
    const char *from = file != NULL ? file : "DETOUR_TOKEN";
    if (client->address.path != NULL) {
        return exit_ok;
    }
    if (file != NULL) {
        int status = read_token_file(client->command, file, &client->arena, &text);
        if (status != exit_ok) {
            return status;
        }
    }
    if (text == NULL || text[0] == 0) {
        return complain(client->command,
                        "%s wants a token: give --token-file FILE or set DETOUR_TOKEN; on the "
                        "server, over its unix socket, `detour token add NAME --scope write` makes "
                        "one",
                        client->address.shown);
    }
    struct span trimmed = span_cstr(text);
    while (trimmed.len > 0 && strchr(" \t\r\n", trimmed.ptr[trimmed.len - 1]) != NULL) {
        trimmed.len--;
    }
    client->token = show_printf(&client->arena, "%.*s", SPAN_ARG(span_trim(trimmed)));
    if (!token_is_good(client->token)) {
        return complain(client->command, "%s holds no token: one is a word like detour_2f6c…",
                        from);
    }
    return exit_ok;
}

/* ---- open and close ---- */

int admin_client_open(const char *command, const struct admin_where *where, bool json,
                      struct admin_client **out)
{
    struct admin_client *client = show_need(calloc(1, sizeof(*client)));
    client->command = command;
    client->json = json;
    arena_init(&client->arena, 0);
    int status = admin_address_find(command, where, &client->arena, &client->address);
    if (status == exit_ok) {
        status = find_token(client, where->token_file);
    }
    if (status == exit_ok) {
        bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
        client->curl = show_need(ready ? curl_easy_init() : NULL);
    } else {
        admin_client_close(&client);
    }
    *out = client;
    return status;
}

void admin_client_close(struct admin_client **client)
{
    if (*client == NULL) {
        return;
    }
    curl_easy_cleanup((*client)->curl);
    arena_fini(&(*client)->arena);
    free(*client);
    *client = NULL;
}

struct arena *admin_client_arena(struct admin_client *client)
{
    return &client->arena;
}

/* ---- the question ---- */

static const char *encoded(struct admin_client *client, const char *text)
{
    char *bytes = show_need(curl_easy_escape(client->curl, text, (int)strlen(text)));
    const char *kept = show_printf(&client->arena, "%s", bytes);
    curl_free(bytes);
    return kept;
}

static const char *with_parameter(struct admin_client *client, const char *url, const char *name,
                                  const char *value)
{
    if (value == NULL) {
        return url;
    }
    return show_printf(&client->arena, "%s%c%s=%s", url, strchr(url, '?') != NULL ? '&' : '?', name,
                       encoded(client, value));
}

static const char *url_of(struct admin_client *client, const struct admin_question *question)
{
    struct arena *arena = &client->arena;
    const char *url = show_printf(arena, "%s%s", client->address.url, question->path);
    for (size_t i = 0; i < 3 && question->segments[i] != NULL; i++) {
        url = show_printf(arena, "%s/%s", url, encoded(client, question->segments[i]));
    }
    if (question->query != NULL) {
        url = show_printf(arena, "%s?%s", url, question->query);
    }
    url = with_parameter(client, url, "dry_run", question->dry_run ? "true" : NULL);
    url = with_parameter(client, url, "owner", question->owner);
    return with_parameter(client, url, "why", question->why);
}

static void add_field(struct curl_slist **fields, const char *text)
{
    *fields = show_need(curl_slist_append(*fields, text));
}

static struct curl_slist *fields_of(struct admin_client *client,
                                    const struct admin_question *question)
{
    struct curl_slist *fields = NULL;
    add_field(&fields, "Expect:"); /* 100-continue would only make a round of it */
    add_field(&fields, "Accept: application/json, application/problem+json, text/yaml");
    if (question->content != NULL) {
        add_field(&fields, "Content-Type: application/json");
    } else if (question->yaml.ptr != NULL) {
        add_field(&fields, "Content-Type: text/yaml");
    } else {
        add_field(&fields, "Content-Type:"); /* libcurl would call it a form */
    }
    if (question->match != NULL) {
        add_field(&fields, show_printf(&client->arena, "If-Match: %s", question->match));
    }
    if (question->if_new) {
        add_field(&fields, "If-None-Match: *");
    }
    if (client->token != NULL) {
        add_field(&fields, show_printf(&client->arena, "Authorization: Bearer %s", client->token));
    }
    return fields;
}

static void set_content(CURL *curl, const struct admin_question *question, const char *json)
{
    struct span content = json != NULL ? span_cstr(json) : question->yaml;
    const char *method = question->method != NULL ? question->method : "GET";
    bool none = content.ptr == NULL;
    if (!none || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)content.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, none ? "" : (const char *)content.ptr);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct admin_reply *reply = context;
    size_t len = size * count;
    if (len > answer_bytes_max - reply->len) {
        return 0;
    }
    reply->text = show_need(realloc(reply->text, reply->len + len + 1));
    memcpy(reply->text + reply->len, bytes, len);
    reply->len += len;
    reply->text[reply->len] = 0;
    return len;
}

static size_t take_field(char *bytes, size_t size, size_t count, void *context)
{
    struct admin_reply *reply = context;
    struct span line = span_of(bytes, size * count);
    size_t colon = span_find(line, 0, ':');
    if (colon < line.len && span_eq_ci(span_slice(line, 0, colon), SPAN("ETag"))) {
        struct span value = span_from(line, colon + 1);
        while (value.len > 0 && strchr("\r\n", value.ptr[value.len - 1]) != NULL) {
            value.len--;
        }
        snprintf(reply->etag, sizeof(reply->etag), "%.*s", SPAN_ARG(span_trim(value)));
    }
    return line.len;
}

static void set_up(struct admin_client *client, struct admin_reply *reply)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl); /* connections stay */
    client->why[0] = 0;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->why);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)answer_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "detour/" DETOUR_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_field);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
    if (client->address.path != NULL) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->address.path);
    }
}

/* ---- what went wrong ---- */

/* libcurl does not tell of every failed connect why; the file does. */
static int connect_errno(const struct admin_client *client)
{
    long code = 0;
    curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &code);
    if (code == 0 && client->address.path != NULL && access(client->address.path, W_OK) != 0) {
        code = errno;
    }
    return (int)code;
}

static int could_not_connect(const struct admin_client *client)
{
    const char *shown = client->address.shown;
    int code = connect_errno(client);
    switch (code) {
    case ENOENT:
    case ECONNREFUSED:
        return complain(client->command,
                        "nobody listens on %s%s; is `detour serve` running? -c FILE or "
                        "DETOUR_ADMIN says where it listens",
                        shown, code == ENOENT ? ", there is no such file" : "");
    case EACCES:
    case EPERM:
        return complain(client->command,
                        "no permission to use %s; ask as its owner or as somebody of its group",
                        shown);
    default:
        return complain(client->command, "cannot reach %s: %s", shown,
                        code != 0 ? strerror(code) : client->why);
    }
}

static int no_answer(const struct admin_client *client, CURLcode result)
{
    const char *why = client->why[0] != 0 ? client->why : curl_easy_strerror(result);
    double connected_after = 0;
    curl_easy_getinfo(client->curl, CURLINFO_CONNECT_TIME, &connected_after);
    switch (result) {
    case CURLE_COULDNT_CONNECT:
        return could_not_connect(client);
    case CURLE_OPERATION_TIMEDOUT:
        if (connected_after > 0) {
            return complain(client->command,
                            "%s has not answered for %d seconds; `detour history` says whether "
                            "it was done",
                            client->address.shown, answer_timeout_ms / 1000);
        }
        return complain(client->command, "cannot reach %s: %s", client->address.shown, why);
    case CURLE_WRITE_ERROR:
        return complain(client->command, "the answer of %s is too large", client->address.shown);
    default:
        return complain(client->command, "%s: %s", client->address.shown, why);
    }
}

/* ---- the answer ---- */

static bool is_json_type(const char *type)
{
    return type != NULL && (strstr(type, "application/json") == type ||
                            strstr(type, "application/problem+json") == type);
}

static int print_problem(struct admin_client *client, const struct admin_reply *reply)
{
    struct arena *arena = &client->arena;
    const char *detail = show_member(arena, reply->json, "detail");
    const char *title = show_member(arena, reply->json, "title");
    const json_t *errors = json_object_get(reply->json, "errors");
    size_t i;
    json_t *item;
    json_array_foreach(errors, i, item)
    {
        const char *text = json_string_value(item);
        complain(client->command, "%s", show_clean(arena, text != NULL ? text : ""));
    }
    if (json_array_size(errors) == 0) {
        const char *text = detail[0] != 0 ? detail : title;
        complain(client->command, "%s", show_clean(arena, text));
    }
    return exit_errors;
}

static int refused(struct admin_client *client, const struct admin_reply *reply)
{
    if (!json_is_object(reply->json)) {
        return complain(client->command, "%s answers %ld, and not as Detour's admin API does",
                        client->address.shown, reply->status);
    }
    if (!client->json) {
        return print_problem(client, reply);
    }
    admin_print_json(client, reply);
    return exit_errors;
}

static int judge(struct admin_client *client, const struct admin_question *question,
                 struct admin_reply *reply)
{
    const char *type = NULL;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
    if (is_json_type(type) && reply->text != NULL) {
        reply->json = json_loadb(reply->text, reply->len, JSON_DECODE_ANY, NULL);
    }
    if (reply->status == 404 && question->may_miss && reply->json != NULL) {
        return exit_ok;
    }
    if (reply->status < 200 || reply->status > 299) {
        return refused(client, reply);
    }
    bool yaml = type != NULL && strstr(type, "text/yaml") == type;
    if (reply->json == NULL && !yaml) {
        return complain(client->command, "%s does not answer as Detour's admin API does",
                        client->address.shown);
    }
    return exit_ok;
}

int admin_ask(struct admin_client *client, const struct admin_question *question,
              struct admin_reply *out)
{
    *out = (struct admin_reply){0};
    char *json =
        question->content != NULL ? show_need(json_dumps(question->content, JSON_COMPACT)) : NULL;
    set_up(client, out);
    struct curl_slist *fields = fields_of(client, question);
    curl_easy_setopt(client->curl, CURLOPT_URL, url_of(client, question));
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, fields);
    set_content(client->curl, question, json);
    CURLcode result = curl_easy_perform(client->curl);
    int status = result == CURLE_OK ? judge(client, question, out) : no_answer(client, result);
    curl_slist_free_all(fields);
    free(json);
    return status;
}

void admin_reply_fini(struct admin_reply *reply)
{
    json_decref(reply->json);
    free(reply->text);
    *reply = (struct admin_reply){0};
}

const char *admin_reply_change(struct admin_client *client, const struct admin_reply *reply)
{
    struct span tag = span_cstr(reply->etag);
    bool quoted = tag.len > 2 && tag.ptr[0] == '"' && tag.ptr[tag.len - 1] == '"';
    return quoted ? show_printf(&client->arena, "%.*s", (int)tag.len - 2, reply->etag + 1) : "";
}

bool admin_print_json(const struct admin_client *client, const struct admin_reply *reply)
{
    if (!client->json) {
        return false;
    }
    json_dumpf(reply->json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
    return true;
}
