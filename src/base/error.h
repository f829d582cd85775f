/* SPDX-License-Identifier: MIT */
/* The kinds of failure that code here tells apart. What an operator will read
 * goes into a struct problem beside it (base/problem.h). */
#pragma once

enum err {
    ERR_NONE = 0,
    ERR_MEMORY,   /* an allocation failed */
    ERR_LIMIT,    /* a named maximum was met */
    ERR_SYNTAX,   /* the input is not of the form it should have */
    ERR_RANGE,    /* well formed, but outside what is allowed */
    ERR_NOTFOUND, /* nothing there by that name */
    ERR_IO,       /* a system call failed; errno says why */
    ERR_CLOSED,   /* the other end has gone */
    ERR_AGAIN,    /* nothing to do now, try later */
};

/* A short phrase: "out of memory". Never NULL. */
const char *err_text(enum err err);
/* The same, but of ERR_IO what errno says, which must still be what the failure left. */
const char *err_why(enum err err);
