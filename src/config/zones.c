/* SPDX-License-Identifier: MIT */
/* /usr/share/zoneinfo: one file for each zone, and the list of all of them. */
#include "config/zones.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char zone_folder[] = "/usr/share/zoneinfo";

static bool name_is_safe(struct span name)
{
    if (name.len == 0 || name.len > zone_name_bytes_max || name.ptr[0] == '/') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool word = ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '+' || c == '-';
        if (!word && c != '/') { /* no dot at all, and so no ".." */
            return false;
        }
    }
    return true;
}

static enum err file_read(const char *path, struct arena *arena, struct span *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : ERR_IO;
    }
    struct stat about;
    uint8_t *bytes = NULL;
    ssize_t got = -1;
    bool fits =
        fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size <= zone_file_bytes_max;
    if (fits) {
        bytes = arena_alloc(arena, (size_t)about.st_size);
        got = bytes != NULL ? read(fd, bytes, (size_t)about.st_size) : -1;
    }
    close(fd);
    if (!fits) {
        return ERR_NOTFOUND;
    }
    if (got < 0) {
        return bytes == NULL ? ERR_MEMORY : ERR_IO;
    }
    *out = span_of(bytes, (size_t)got);
    return ERR_NONE;
}

/* By opening it: the sandbox of control lets nobody ask in another way. */
static bool folder_is_there(void)
{
    int fd = open(zone_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static enum err zone_load(struct arena *arena, struct span name, const struct zone **out)
{
    char *path = arena_printf(arena, "%s/%.*s", zone_folder, SPAN_ARG(name));
    if (path == NULL) {
        return ERR_MEMORY;
    }
    struct span file;
    enum err err = file_read(path, arena, &file);
    if (err == ERR_NOTFOUND && !folder_is_there()) {
        return ERR_IO;
    }
    if (err != ERR_NONE) {
        return err;
    }
    err = zone_decode(file, arena, out);
    return err == ERR_SYNTAX ? ERR_NOTFOUND : err;
}

enum err zones_find(struct zones *zones, struct span name, const struct zone **out)
{
    if (!name_is_safe(name)) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < zones->count; i++) {
        if (span_eq(zones->items[i].name, name)) {
            *out = zones->items[i].zone;
            return ERR_NONE;
        }
    }
    const struct zone *zone;
    enum err err = zone_load(zones->arena, name, &zone);
    if (err != ERR_NONE) {
        return err;
    }
    if (zones->count < zones_max) {
        zones->items[zones->count].name = arena_copy(zones->arena, name);
        zones->items[zones->count].zone = zone;
        zones->count += zones->items[zones->count].name.ptr != NULL ? 1 : 0;
    }
    *out = zone;
    return ERR_NONE;
}

/* ---- the list ---- */

enum { zone_names_max = 2000 };

/* The lines of tzdata.zi that name one: "Z Europe/Berlin ...", "L Europe/Berlin Atlantic/X". */
static struct span zone_of_line(struct span line)
{
    size_t first = span_find(line, 0, ' ');
    size_t second = span_find(line, first + 1, ' ');
    if (line.len < 4 || first != 1 || (line.ptr[0] != 'Z' && line.ptr[0] != 'L')) {
        return (struct span){0};
    }
    return line.ptr[0] == 'Z' ? span_slice(line, 2, second)
                              : span_from(line, second < line.len ? second + 1 : second);
}

const struct span *zones_list(struct arena *arena, size_t *count_out)
{
    struct span text;
    size_t count = 0;
    char *path = arena_printf(arena, "%s/tzdata.zi", zone_folder);
    struct span *names = arena_array(arena, zone_names_max, sizeof(*names));
    if (path == NULL || names == NULL || file_read(path, arena, &text) != ERR_NONE) {
        return NULL;
    }
    for (size_t at = 0; at < text.len && count < zone_names_max;) {
        size_t end = span_find(text, at, '\n');
        struct span name = zone_of_line(span_slice(text, at, end));
        if (name.len > 0) {
            names[count++] = name;
        }
        at = end + 1;
    }
    *count_out = count;
    return names;
}
