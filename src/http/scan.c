/* SPDX-License-Identifier: MIT */
/* The class of each octet. */
#include "http/scan.h"

enum {
    V = OCTET_VALUE | OCTET_TARGET | OCTET_PATH,
    T = V | OCTET_TOKEN,
};

const uint8_t octet_classes[256] = {
    ['\t'] = OCTET_VALUE,
    [' '] = OCTET_VALUE,
    ['!'] = T,
    ['"'] = V,
    ['#'] = OCTET_TOKEN | OCTET_VALUE,
    ['$' ... '\''] = T,
    ['(' ... ')'] = V,
    ['*' ... '+'] = T,
    [','] = V,
    ['-' ... '.'] = T,
    ['/'] = V,
    ['0' ... '9'] = T,
    [':' ... '>'] = V,
    ['?'] = OCTET_VALUE | OCTET_TARGET,
    ['@'] = V,
    ['A' ... 'Z'] = T,
    ['[' ... ']'] = V,
    ['^' ... 'z'] = T,
    ['{'] = V,
    ['|'] = T,
    ['}'] = V,
    ['~'] = T,
    [0x80 ... 0xff] = V,
};
