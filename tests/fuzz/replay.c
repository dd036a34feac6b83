/* Runs a fuzz target without a fuzzer: each file of its seed folder (or each file and folder named on the command
 * line) as it is, then every prefix of it, then with each byte changed in several ways. One TAP result for each file.
 * FUZZ_STEP=N takes only every Nth prefix and position, for runs below valgrind. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define SEED_MAX (64 * 1024)
#define POSITIONS_MAX 4096  /* of a large seed only so many are tried, evenly spread */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned tests, failures;
static size_t step_factor = 1;

/* Each input in a block of exactly its size, so that a read past the end is seen. */
static void feed(const uint8_t *data, size_t size) {
        uint8_t *copy;

        copy = malloc(size > 0 ? size : 1);
        if (!copy)
                abort();
        if (size > 0)
                memcpy(copy, data, size);
        (void) LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

static size_t feed_variants(uint8_t *data, size_t size) {
        static const uint8_t masks[] = { 0x01, 0x80, 0xff };
        size_t inputs = 1, step = (size / POSITIONS_MAX + 1) * step_factor;

        feed(data, size);
        for (size_t i = 0; i < size; i += step) {
                feed(data, i);
                for (size_t m = 0; m < ELEMENTS(masks); m++) {
                        data[i] ^= masks[m];
                        feed(data, size);
                        data[i] ^= masks[m];
                }
                inputs += 1 + ELEMENTS(masks);
        }
        return inputs;
}

static void replay_file(const char *path) {
        static uint8_t data[SEED_MAX];
        size_t size;
        FILE *f;

        tests++;
        f = fopen(path, "rb");
        if (!f) {
                failures++;
                printf("not ok %u - %s: %s\n", tests, path, strerror(errno));
                return;
        }
        size = fread(data, 1, sizeof data, f);
        fclose(f);
        printf("ok %u - %s: %zu inputs\n", tests, strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
               feed_variants(data, size));
}

static int not_hidden(const struct dirent *entry) {
        return entry->d_name[0] != '.';
}

static void replay(const char *path) {
        struct dirent **entries;
        struct stat st;
        char *child;
        int n;

        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
                replay_file(path);
                return;
        }
        n = scandir(path, &entries, not_hidden, alphasort);
        for (int i = 0; i < n; i++) {
                if (asprintf(&child, "%s/%s", path, entries[i]->d_name) < 0)
                        abort();
                replay(child);
                free(child);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
}

int main(int argc, char **argv) {
        const char *name = program_invocation_short_name, *step = getenv("FUZZ_STEP");
        char folder[4096];

        if (step && atoi(step) > 0)
                step_factor = (size_t) atoi(step);
        if (strncmp(name, "fuzz_", 5) == 0)
                name += 5;
        snprintf(folder, sizeof folder, "%s/tests/fuzz/seeds/%s", TOP_SRCDIR, name);
        if (argc < 2)
                replay(folder);
        for (int i = 1; i < argc; i++)
                replay(argv[i]);
        if (tests == 0) {
                printf("not ok 1 - no seeds in %s\n", folder);
                tests = failures = 1;
        }
        printf("1..%u\n", tests);
        return failures > 0;
}
