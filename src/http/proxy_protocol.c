/* SPDX-License-Identifier: MIT */
/* PROXY headers: a line of text (version 1) or a block with lengths (version 2). */
#include "http/proxy_protocol.h"

#include "base/cidr.h"

enum {
    v2_fixed_bytes = 16,
    v2_inet_bytes = 12,
    v2_inet6_bytes = 36,
    v2_unix_bytes = 216,
    tlv_header_bytes = 3,
    tlv_ssl = 0x20,
    tlv_ssl_bytes_min = 5,
    tlv_ssl_client_tls = 0x01,
};

/* Takes what stands before the next space off *rest. False: no space follows. */
static bool take_word(struct span *rest, struct span *word)
{
    size_t space = span_find(*rest, 0, ' ');
    if (space == rest->len) {
        return false;
    }
    *word = span_slice(*rest, 0, space);
    *rest = span_from(*rest, space + 1);
    return true;
}

/* Decimal without leading zeros, as the document asks. */
static bool parse_port(struct span text, uint16_t *port)
{
    uint64_t number;
    if ((text.len > 1 && text.ptr[0] == '0') || !span_decimal(text, 65535, &number)) {
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

static bool parse_address(struct span text, bool v6, uint8_t out[16])
{
    bool colon = span_find(text, 0, ':') < text.len;
    return colon == v6 && address_parse(text, out);
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443"; line is without "PROXY " and CRLF. */
static bool parse_v1(struct span line, struct client *client)
{
    struct span family;
    struct span source;
    struct span destination;
    struct span source_port;
    struct client found = *client;
    uint8_t ignored[16];
    uint16_t ignored_port;
    if (span_starts(line, SPAN("UNKNOWN"))) {
        return line.len == 7 || line.ptr[7] == ' ';
    }
    if (!take_word(&line, &family) || !take_word(&line, &source) ||
        !take_word(&line, &destination) || !take_word(&line, &source_port)) {
        return false;
    }
    bool v6 = span_eq(family, SPAN("TCP6"));
    if ((!v6 && !span_eq(family, SPAN("TCP4"))) || !parse_address(source, v6, found.address) ||
        !parse_address(destination, v6, ignored) || !parse_port(source_port, &found.port) ||
        !parse_port(line, &ignored_port)) {
        return false;
    }
    *client = found;
    return true;
}

static enum proxy_result decode_v1(struct span bytes, size_t *used, struct client *client)
{
    struct span prefix = SPAN("PROXY ");
    struct span seen =
        bytes.len > proxy_v1_bytes_max ? span_slice(bytes, 0, proxy_v1_bytes_max) : bytes;
    size_t lf = span_find(seen, 0, '\n');
    if (lf == seen.len) {
        return seen.len == proxy_v1_bytes_max ? PROXY_BAD : PROXY_MORE;
    }
    if (lf < prefix.len + 1 || seen.ptr[lf - 1] != '\r' ||
        !parse_v1(span_slice(seen, prefix.len, lf - 1), client)) {
        return PROXY_BAD;
    }
    *used = lf + 1;
    return PROXY_DONE;
}

static size_t big_endian_16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* Type, length, value, until the block ends. */
static bool read_tlvs(struct span tlvs, struct client *client)
{
    while (tlvs.len > 0) {
        if (tlvs.len < tlv_header_bytes) {
            return false;
        }
        size_t len = big_endian_16(tlvs.ptr + 1);
        if (len > tlvs.len - tlv_header_bytes) {
            return false;
        }
        struct span value = span_slice(tlvs, tlv_header_bytes, tlv_header_bytes + len);
        if (tlvs.ptr[0] == tlv_ssl) {
            if (value.len < tlv_ssl_bytes_min) {
                return false;
            }
            client->secure |= (value.ptr[0] & tlv_ssl_client_tls) != 0;
        }
        tlvs = span_from(tlvs, tlv_header_bytes + len);
    }
    return true;
}

/* block: what follows the fixed part, complete. */
static bool parse_v2(uint8_t family, struct span block, struct client *client)
{
    static const size_t address_bytes[] = {0, v2_inet_bytes, v2_inet6_bytes, v2_unix_bytes};
    struct client found = *client;
    uint8_t kind = family >> 4;
    if (kind > 3 || (family & 0x0f) > 2 || block.len < address_bytes[kind]) {
        return false;
    }
    if (kind == 1) {
        address_from_v4(block.ptr, found.address);
        found.port = (uint16_t)big_endian_16(block.ptr + 8);
    } else if (kind == 2) {
        memcpy(found.address, block.ptr, 16);
        found.port = (uint16_t)big_endian_16(block.ptr + 32);
    } else if (kind == 0) {
        return true; /* unspecified: whatever follows is not for us */
    }
    if (!read_tlvs(span_from(block, address_bytes[kind]), &found)) {
        return false;
    }
    *client = found;
    return true;
}

static enum proxy_result decode_v2(struct span bytes, size_t *used, struct client *client)
{
    /* Each octet is judged as soon as it is there: a length must not be waited for when
     * the command before it is unknown. */
    if (bytes.len > 12 && (bytes.ptr[12] >> 4 != 2 || (bytes.ptr[12] & 0x0f) > 1)) {
        return PROXY_BAD;
    }
    if (bytes.len < v2_fixed_bytes) {
        return PROXY_MORE;
    }
    size_t len = big_endian_16(bytes.ptr + 14);
    if (v2_fixed_bytes + len > proxy_v2_bytes_max) {
        return PROXY_BAD;
    }
    if (bytes.len < v2_fixed_bytes + len) {
        return PROXY_MORE;
    }
    bool local = (bytes.ptr[12] & 0x0f) == 0;
    struct span block = span_slice(bytes, v2_fixed_bytes, v2_fixed_bytes + len);
    if (!local && !parse_v2(bytes.ptr[13], block, client)) {
        return PROXY_BAD;
    }
    *used = v2_fixed_bytes + len;
    return PROXY_DONE;
}

/* Whether bytes and signature agree as far as both go. */
static bool agrees(struct span bytes, struct span signature)
{
    size_t len = bytes.len < signature.len ? bytes.len : signature.len;
    return span_eq(span_slice(bytes, 0, len), span_slice(signature, 0, len));
}

enum proxy_result proxy_decode(struct span bytes, size_t *used, struct client *client)
{
    struct span v2 = SPAN("\r\n\r\n\0\r\nQUIT\n");
    if (bytes.len == 0) {
        return PROXY_MORE;
    }
    if (agrees(bytes, v2)) {
        return decode_v2(bytes, used, client);
    }
    return agrees(bytes, SPAN("PROXY ")) ? decode_v1(bytes, used, client) : PROXY_BAD;
}
