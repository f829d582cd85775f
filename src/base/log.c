/* SPDX-License-Identifier: MIT */
/* Formats a line into a buffer and writes it with one system call, so that lines
 * of several processes do not mix. */
#include "base/log.h"

#include "base/clock.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { line_bytes_max = 2048, patience_ms = 10, lines_patience_ms = 1000 };

static const char *role_name = "detour";

void log_role(const char *role)
{
    role_name = role;
}

static size_t put_prefix(char *line, size_t size, const char *level)
{
    int64_t now = clock_wall_ns();
    time_t seconds = (time_t)(now / NS_PER_SECOND);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char stamp[32];
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    int length = snprintf(line, size, "%s.%03dZ %s: %s: ", stamp,
                          (int)(now % NS_PER_SECOND / 1000000), role_name, level);
    return (size_t)length;
}

static void escape_controls(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = '?';
        }
    }
}

/* A pipe that nobody empties must not stop the process: the line is lost instead. */
static bool may_write(int64_t wait_ms)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, wait_ms > 0 ? (int)wait_ms : 0) != 0;
}

static void log_line(const char *level, const char *format, va_list args)
{
    char line[line_bytes_max];
    size_t start = put_prefix(line, sizeof(line), level);
    int length = vsnprintf(line + start, sizeof(line) - start, format, args);
    size_t end = start + (length < 0 ? 0 : (size_t)length);
    if (end > sizeof(line) - 2) {
        end = sizeof(line) - 2;
    }
    escape_controls(line, end);
    line[end] = '\n';
    if (may_write(patience_ms)) {
        ssize_t ignored = write(STDERR_FILENO, line, end + 1);
        (void)ignored; /* there is nowhere left to complain */
    }
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line("info", format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line("warning", format, args);
    va_end(args);
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line("error", format, args);
    va_end(args);
}

/* What a pipe takes at once if it takes anything; whole lines, where one fits. */
static struct span first_piece(struct span lines)
{
    struct span piece = span_slice(lines, 0, lines.len < PIPE_BUF ? lines.len : PIPE_BUF);
    const uint8_t *end = memrchr(piece.ptr, '\n', piece.len);
    return end != NULL ? span_of(piece.ptr, (size_t)(end + 1 - piece.ptr)) : piece;
}

bool log_lines(struct span lines)
{
    int64_t until_ms = clock_monotonic_ns() / 1000000 + lines_patience_ms;
    while (lines.len > 0 && may_write(until_ms - clock_monotonic_ns() / 1000000)) {
        struct span piece = first_piece(lines);
        ssize_t written = write(STDERR_FILENO, piece.ptr, piece.len);
        if (written <= 0) {
            break;
        }
        lines = span_from(lines, (size_t)written);
    }
    return lines.len == 0;
}
