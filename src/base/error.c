/* SPDX-License-Identifier: MIT */
/* A phrase for each kind of failure. */
#include "base/error.h"

#include <errno.h>
#include <string.h>

const char *err_text(enum err err)
{
    switch (err) {
    case ERR_NONE:
        return "no error";
    case ERR_MEMORY:
        return "out of memory";
    case ERR_LIMIT:
        return "a limit was reached";
    case ERR_SYNTAX:
        return "not well formed";
    case ERR_RANGE:
        return "out of range";
    case ERR_NOTFOUND:
        return "not found";
    case ERR_IO:
        return "input or output failed";
    case ERR_CLOSED:
        return "closed by the other end";
    case ERR_AGAIN:
        return "nothing to do now";
    }
    return "unknown error";
}

const char *err_why(enum err err)
{
    return err == ERR_IO ? strerror(errno) : err_text(err);
}
