/* SPDX-License-Identifier: MIT */
/* Did Detour send this client? A verifier of signed tickets: detour-tickets(7).
 *
 *   cc -o tickets tickets.c -lcrypto
 *   tickets KEY_FILE METHOD HOST TARGET        exit 0: the ticket is good
 */
#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { code_bytes = 32, code_digits = 64, expiry_digits_max = 18, signed_bytes_max = 16384 };

struct asked {
    const char *method;
    const char *host;   /* the field, as it was sent; the caller knows it for one of its own */
    const char *target; /* likewise, with its query */
};

/* The value of the parameter, up to the next '&' or the end; NULL: there is none, or two. */
static const char *find_ticket(const char *target, const char *param)
{
    const char *found = NULL;
    size_t len = strlen(param);
    const char *at = strchr(target, '?');
    while (at != NULL) {
        at++;
        if (strncmp(at, param, len) == 0 && at[len] == '=') {
            if (found != NULL) {
                return NULL;
            }
            found = at + len + 1;
        }
        at = strchr(at, '&');
    }
    return found;
}

/* "%2F" or "%5C", of which many a server makes slashes: the path would be another than the one that
 * Detour has looked at. */
static bool has_hidden_slash(const char *target)
{
    const char *end = target + strcspn(target, "?");
    for (const char *at = target; (at = strchr(at, '%')) != NULL && at < end; at++) {
        if (strncasecmp(at, "%2f", 3) == 0 || strncasecmp(at, "%5c", 3) == 0) {
            return true;
        }
    }
    return false;
}

/* What was signed. 0: it is too long. */
static size_t signed_text(const struct asked *asked, const char *expiry, int expiry_len, char *out)
{
    const char *method = strcmp(asked->method, "HEAD") == 0 ? "GET" : asked->method;
    int path_len = (int)strcspn(asked->target, "?");
    int len = snprintf(out, signed_bytes_max, "%s\n%s\n%.*s\n%.*s", method, asked->host, path_len,
                       asked->target, expiry_len, expiry);
    if (len < 0 || len >= signed_bytes_max) {
        return 0;
    }
    char *host = out + strlen(method) + 1;
    for (size_t i = 0; host[i] != '\n'; i++) {
        host[i] = (char)tolower((unsigned char)host[i]);
    }
    return (size_t)len;
}

static bool has_code(const char *key, const char *text, size_t len, const char *digits)
{
    unsigned char code[EVP_MAX_MD_SIZE];
    char hex[code_digits + 1];
    unsigned code_len = 0;
    if (HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)text, len, code,
             &code_len) == NULL ||
        code_len != code_bytes) {
        return false;
    }
    for (int i = 0; i < code_bytes; i++) {
        snprintf(hex + 2 * i, 3, "%02x", code[i]);
    }
    return CRYPTO_memcmp(hex, digits, code_digits) == 0; /* not memcmp: its time would tell */
}

/* keys: one, or two while one follows the other; the last one is NULL. */
static bool ticket_good(const char *const *keys, const struct asked *asked, const char *param,
                        time_t now)
{
    char text[signed_bytes_max];
    const char *ticket = find_ticket(asked->target, param);
    if (ticket == NULL || has_hidden_slash(asked->target)) {
        return false;
    }
    size_t expiry_len = strspn(ticket, "0123456789");
    const char *digits = ticket + expiry_len + 1;
    if (expiry_len == 0 || expiry_len > expiry_digits_max || ticket[expiry_len] != '-' ||
        strcspn(digits, "&") != code_digits || atoll(ticket) <= (long long)now) {
        return false;
    }
    size_t len = signed_text(asked, ticket, (int)expiry_len, text);
    bool good = false;
    for (size_t i = 0; len > 0 && keys[i] != NULL; i++) {
        good = has_code(keys[i], text, len, digits) || good;
    }
    return good;
}

int main(int argc, char **argv)
{
    static char lines[2][256];
    const char *keys[3] = {NULL};
    FILE *file = argc == 5 ? fopen(argv[1], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: tickets KEY_FILE METHOD HOST TARGET\n");
        return 2;
    }
    for (int i = 0; i < 2 && fgets(lines[i], sizeof(lines[i]), file) != NULL;) {
        lines[i][strcspn(lines[i], "\n")] = '\0';
        if (lines[i][0] != '\0') { /* an empty line is a key that everybody knows */
            keys[i] = lines[i];
            i++;
        }
    }
    fclose(file);
    const struct asked asked = {.method = argv[2], .host = argv[3], .target = argv[4]};
    bool good = ticket_good(keys, &asked, "ticket", time(NULL));
    OPENSSL_cleanse(lines, sizeof(lines));
    puts(good ? "good" : "refused");
    return good ? 0 : 1;
}
