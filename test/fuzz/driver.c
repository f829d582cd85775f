/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over the files of a corpus folder, so that the corpus is a test. Each
 * file is one line of TAP; a target that breaks a promise aborts. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    uint8_t *whole = malloc(FILE_BYTES_MAX);
    size_t len = whole == NULL ? 0 : fread(whole, 1, FILE_BYTES_MAX, file);
    int bad = whole == NULL || ferror(file);
    fclose(file);
    if (!bad) {
        /* Exactly as long as the input, so that the address sanitizer sees an overrun. */
        uint8_t *exact = malloc(len > 0 ? len : 1);
        bad = exact == NULL;
        if (!bad) {
            memcpy(exact, whole, len);
            LLVMFuzzerTestOneInput(exact, len);
        }
        free(exact);
    }
    free(whole);
    return bad ? -1 : 0;
}

static int is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    struct dirent **names = NULL;
    int count = scandir(argv[1], &names, is_seed, alphasort);
    if (count <= 0) {
        fprintf(stderr, "%s: %s\n", argv[1], count < 0 ? strerror(errno) : "no files");
        return 1;
    }
    /* The empty input belongs to every corpus and needs no file. */
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    int failed = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], names[i]->d_name);
        int bad = run_file(path) != 0;
        printf("%sok %d - %s\n", bad ? "not " : "", i + 1, names[i]->d_name);
        fflush(stdout);
        failed += bad;
        free(names[i]);
    }
    free(names);
    printf("1..%d\n", count);
    return failed > 0;
}
