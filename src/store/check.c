/* SPDX-License-Identifier: MIT */
/* Is the file sound? LMDB trusts what it maps: a damaged page ends the process that reads
 * it, or lets it go round for ever. So a child does it first, and what becomes of the child
 * is the answer. Every record is read, its checksum is compared, it must also be found
 * by its key, and the sums must be those that were written with the last change. */
#include "store/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { check_seconds_max = 20 };

struct verdict {
    enum err err;
    int error; /* errno */
    char why[store_reason_bytes / 2];
};

static enum err bad(struct verdict *verdict, enum err err, const char *why)
{
    verdict->err = err;
    verdict->error = errno;
    snprintf(verdict->why, sizeof(verdict->why), "%s", why);
    return err;
}

/* ---- in the child: LMDB's own ---- */

/* The file begins with two pages that each say where everything is, as of the last change and
 * of the one before. LMDB takes the one with the larger number, so a smaller number in the
 * newer one would take the last change back in silence. */
enum { meta_psize_at = 40, meta_flags_at = 44, meta_number_at = 144 };

static uint64_t meta_read(int fd, off_t at, size_t bytes)
{
    uint64_t value = 0;
    return pread(fd, &value, bytes, at) == (ssize_t)bytes ? value : UINT64_MAX;
}

/* Of the table of free pages, which no call tells; above them stand flags of the environment. */
static bool free_flags_are_sound(uint64_t flags)
{
    return (flags & 0x7f) == MDB_INTEGERKEY;
}

static bool metas_are_sound(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return true; /* LMDB will say why */
    }
    uint64_t page_bytes = meta_read(fd, meta_psize_at, 4);
    bool good = page_bytes >= 512 && page_bytes <= 65536;
    if (good) {
        uint64_t even = meta_read(fd, meta_number_at, 8);
        uint64_t odd = meta_read(fd, (off_t)page_bytes + meta_number_at, 8);
        good = even % 2 == 0 && odd % 2 == 1 && (odd == even + 1 || odd + 1 == even) &&
               free_flags_are_sound(meta_read(fd, meta_flags_at, 2)) &&
               free_flags_are_sound(meta_read(fd, (off_t)page_bytes + meta_flags_at, 2));
    }
    close(fd);
    return good;
}

static bool fits_the_map(struct store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    return mdb_env_info(store->env, &info) == 0 && mdb_env_stat(store->env, &stat) == 0 &&
           info.me_last_pgno < store_map_bytes_max / stat.ms_psize;
}

/* A list of free pages: how many, then their numbers, falling. */
static bool is_free_list(const MDB_val *value, size_t last_page)
{
    const size_t *list = value->mv_data;
    size_t above = last_page + 1;
    if (value->mv_size < sizeof(size_t) || value->mv_size % sizeof(size_t) != 0 ||
        list[0] >= value->mv_size / sizeof(size_t)) {
        return false;
    }
    for (size_t i = 1; i <= list[0]; i++) {
        if (list[i] < 2 || list[i] >= above) {
            return false;
        }
        above = list[i];
    }
    return true;
}

enum { free_table = 0, names_table = 1 }; /* as mdb_stat(1) counts */

/* A table that became one of sorted duplicates is read in another way. */
static bool flags_are_sound(struct store *store, MDB_txn *txn)
{
    unsigned flags = 0;
    bool good = mdb_env_get_flags(store->env, &flags) == 0 && (flags & MDB_FIXEDMAP) == 0 &&
                mdb_dbi_flags(txn, names_table, &flags) == 0 && flags == 0;
    for (enum store_table i = 0; i < store->table_count && good; i++) {
        good = mdb_dbi_flags(txn, store->tables[i], &flags) == 0 && flags == 0;
    }
    return good;
}

static bool free_pages_are_sound(struct store *store, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_envinfo info;
    MDB_val key;
    MDB_val value;
    int code = mdb_env_info(store->env, &info);
    if (code != 0 || mdb_cursor_open(txn, free_table, &cursor) != 0) {
        return false;
    }
    for (code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); code == 0;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        if (key.mv_size != sizeof(size_t) || !is_free_list(&value, info.me_last_pgno)) {
            code = MDB_CORRUPTED;
            break;
        }
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND;
}

static enum err check_format(struct store *store, MDB_txn *txn, struct verdict *verdict)
{
    MDB_val key = val_of_span(store_key_format);
    MDB_val value;
    MDB_dbi names;
    MDB_stat stat;
    int code = mdb_get(txn, store->tables[TABLE_META], &key, &value);
    if (code != 0 || value.mv_size != 4) {
        return bad(verdict, ERR_SYNTAX, "it does not say its format");
    }
    const uint8_t *bytes = value.mv_data;
    uint32_t format =
        bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    if (format > store_format) {
        snprintf(verdict->why, sizeof(verdict->why), "its format is %u, and this program knows %d",
                 format, store_format);
        return verdict->err = ERR_RANGE;
    }
    enum store_table wanted = format == 1 ? TABLES_OF_FORMAT_1 : TABLES;
    if (format == 0 || store->table_count != wanted || mdb_dbi_open(txn, NULL, 0, &names) != 0 ||
        mdb_stat(txn, names, &stat) != 0 || stat.ms_entries != wanted) {
        return bad(verdict, ERR_SYNTAX, "it has other tables than it should have");
    }
    return ERR_NONE;
}

/* ---- in the child: records ---- */

struct sums {
    struct codec_totals kept;
    struct codec_totals counted; /* next: of the newest change, plus one */
};

static bool is_change(struct sums *sums, const struct table_walk *walk)
{
    struct store_change change;
    uint64_t number;
    bool good = codec_decode_number(walk->key, &number) &&
                codec_decode_change(walk->record, &change) &&
                (sums->counted.history_count == 0 || number == sums->counted.next);
    if (good) {
        sums->counted.next = number + 1;
        sums->counted.history_count++;
        sums->counted.history_bytes += walk->sealed_bytes;
    }
    return good;
}

static bool is_override(struct sums *sums, const struct table_walk *walk)
{
    struct store_override item;
    sums->counted.override_count++;
    sums->counted.override_bytes += walk->sealed_bytes;
    return walk->key.len <= store_key_bytes_max && codec_decode_override(walk->record, &item) &&
           item.number < sums->kept.next;
}

static bool is_record(struct sums *sums, const struct table_walk *walk)
{
    struct codec_token token;
    struct store_message message;
    uint64_t number;
    switch (walk->table) {
    case TABLE_META:
        return span_eq(walk->key, store_key_totals) &&
               codec_decode_totals(walk->record, &sums->kept);
    case TABLE_OVERRIDES:
        return is_override(sums, walk);
    case TABLE_CHANGES:
        return is_change(sums, walk);
    case TABLE_SECRETS:
        return walk->key.len <= store_name_bytes_max && walk->record.len == store_secret_bytes;
    case TABLE_MARKS:
        return walk->key.len <= store_key_bytes_max && walk->record.len <= store_mark_bytes_max;
    case TABLE_MESSAGES:
        return codec_decode_number(walk->key, &number) &&
               codec_decode_message(walk->record, &message);
    default:
        return walk->key.len <= store_name_bytes_max && codec_decode_token(walk->record, &token);
    }
}

/* The way down to a record by its key is another one than that from its neighbour. */
static bool is_found(struct store *store, MDB_txn *txn, const struct table_walk *walk)
{
    struct span record;
    return table_find(store, txn, walk->table, walk->key, &record) == ERR_NONE &&
           record.ptr == walk->record.ptr;
}

static bool table_is_sound(struct store *store, MDB_txn *txn, enum store_table table,
                           struct sums *sums)
{
    struct table_walk walk;
    size_t wanted = 0;
    size_t count = 0;
    bool more = true;
    if (table_count(store, txn, table, &wanted) != ERR_NONE ||
        table_walk_begin(&walk, store, txn, table) != ERR_NONE) {
        return false;
    }
    bool good = true;
    while (good) {
        enum err err = table_walk_next(&walk, &more);
        if (err == ERR_NONE && !more) {
            break;
        }
        count++;
        /* The format has no checksum: it is read before anybody knows of one. */
        bool is_format = table == TABLE_META && span_eq(walk.key, store_key_format);
        good = count <= wanted && is_found(store, txn, &walk) == !is_format &&
               (is_format || (err == ERR_NONE && is_record(sums, &walk)));
    }
    table_walk_end(&walk);
    return good && count == wanted;
}

static bool sums_agree(const struct sums *sums)
{
    const struct codec_totals *kept = &sums->kept;
    const struct codec_totals *counted = &sums->counted;
    return kept->history_count == counted->history_count &&
           kept->history_bytes == counted->history_bytes &&
           kept->override_count == counted->override_count &&
           kept->override_bytes == counted->override_bytes &&
           (kept->history_count == 0 || kept->next == counted->next);
}

static enum err check_all(struct store *store, MDB_txn *txn, void *context)
{
    struct verdict *verdict = context;
    struct sums sums = {0};
    enum err err = check_format(store, txn, verdict);
    if (err != ERR_NONE) {
        return err;
    }
    if (!flags_are_sound(store, txn)) {
        return bad(verdict, ERR_SYNTAX, "its tables are of another kind");
    }
    if (!fits_the_map(store) || !free_pages_are_sound(store, txn)) {
        return bad(verdict, ERR_SYNTAX, "its pages are counted wrongly");
    }
    for (enum store_table table = TABLE_META; table < store->table_count; table++) {
        if (!table_is_sound(store, txn, table, &sums)) {
            char why[64];
            snprintf(why, sizeof(why), "a record among its %s is wrong", store_table_names[table]);
            return bad(verdict, ERR_SYNTAX, why);
        }
    }
    return sums_agree(&sums) ? ERR_NONE : bad(verdict, ERR_SYNTAX, "a record is missing");
}

/* A process that may open and map files in general fails at this one. */
static enum err judge_opening(struct verdict *verdict, enum err err)
{
    static const int of_machine[] = {EACCES, EPERM, EIO, EMFILE, ENFILE, EROFS, ENOENT};
    if (err == ERR_NOTFOUND) {
        return bad(verdict, ERR_SYNTAX, "it is a file of another program");
    }
    for (size_t i = 0; err == ERR_IO && i < sizeof(of_machine) / sizeof(*of_machine); i++) {
        if (errno == of_machine[i]) {
            return bad(verdict, ERR_IO, "");
        }
    }
    return bad(verdict, ERR_SYNTAX, "its first pages make no sense");
}

static void check_open(struct store *store, struct verdict *verdict)
{
    enum err err = environment_open(store, MDB_RDONLY | MDB_NOLOCK);
    if (err != ERR_NONE) {
        judge_opening(verdict, err);
        return;
    }
    err = environment_read(store, check_all, verdict);
    if (err != ERR_NONE && verdict->err == ERR_NONE) {
        bad(verdict, err, "it cannot be read");
    }
    environment_close(store);
}

static void check_here(const char *path, struct verdict *verdict)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        bad(verdict, ERR_MEMORY, "");
        return;
    }
    snprintf(store->path, sizeof(store->path), "%s", path);
    if (metas_are_sound(path)) {
        check_open(store, verdict);
    } else {
        bad(verdict, ERR_SYNTAX, "its first pages make no sense");
    }
    free(store);
}

/* ---- the child ---- */

static void become_expendable(pid_t parent)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};
    const struct rlimit none = {0};
    sigset_t nothing;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it shares the lock on the folder */
    if (getppid() != parent) {
        _exit(1);
    }
    setrlimit(RLIMIT_CORE, &none);
    for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++) {
        signal(deadly[i], SIG_DFL);
    }
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    alarm(check_seconds_max);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC); /* LMDB's last words */
    if (nowhere >= 0) {
        dup2(nowhere, STDERR_FILENO);
    }
}

static _Noreturn void child_main(const char *path, pid_t parent, int out)
{
    struct verdict verdict = {0};
    become_expendable(parent);
    check_here(path, &verdict);
    ssize_t n = write(out, &verdict, sizeof(verdict));
    _exit(n == (ssize_t)sizeof(verdict) ? 0 : 1);
}

/* ---- the parent ---- */

static bool receive(int in, struct verdict *out)
{
    ssize_t n;
    do {
        n = read(in, out, sizeof(*out)); /* less than PIPE_BUF: it comes whole */
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*out);
}

static void judge_end(int status, struct verdict *verdict)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    *verdict = (struct verdict){.err = number == SIGKILL ? ERR_MEMORY : ERR_SYNTAX};
    if (number == SIGALRM) {
        snprintf(verdict->why, sizeof(verdict->why), "reading it was not done after %d seconds",
                 check_seconds_max);
    } else {
        snprintf(verdict->why, sizeof(verdict->why), "whoever reads it dies (%s)",
                 number != 0 ? strsignal(number) : "of an error");
    }
}

static void wait_for(pid_t child, int in, struct verdict *verdict)
{
    int status = 0;
    bool told = receive(in, verdict);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!told || !WIFEXITED(status)) {
        judge_end(status, verdict);
    }
}

enum err check_file(const char *path, char why[store_reason_bytes])
{
    struct verdict verdict;
    int ends[2];
    static_assert(sizeof(verdict) <= 4096, "PIPE_BUF");
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return ERR_IO;
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        child_main(path, parent, ends[1]);
    }
    int error = errno;
    close(ends[1]);
    if (child > 0) {
        wait_for(child, ends[0], &verdict);
    }
    close(ends[0]);
    errno = error;
    if (child < 0) {
        return ERR_IO;
    }
    errno = verdict.error;
    snprintf(why, store_reason_bytes, "%s", verdict.why);
    return verdict.err;
}
