#include "store_bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/random.h"

#define ROWS 440

void bench_directory(char ret[BENCH_DIRECTORY_MAX]) {
        snprintf(ret, BENCH_DIRECTORY_MAX, "/tmp/metergate-store-XXXXXX");
        if (!mkdtemp(ret))
                abort();
}

void bench_directory_remove(const char *directory) {
        char path[400];
        struct dirent *e;
        DIR *dir = opendir(directory);

        while (dir && (e = readdir(dir))) {
                snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
                if (e->d_name[0] != '.' && remove(path) < 0)
                        bench_directory_remove(path);
        }
        if (dir)
                closedir(dir);
        rmdir(directory);
}

int bench_open(const struct store_options *options, struct store **ret, char error[STORE_ERROR_MAX]) {
        struct store *s = NULL;
        int r;

        r = store_open(options, &s, error);
        if (r < 0)
                return r;
        while ((r = store_step(s)) > 0)
                ;
        if (r < 0) {
                snprintf(error, STORE_ERROR_MAX, "%s", store_error(s));
                store_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

void bench_page_make(const struct store *s, const struct bench_page *p, uint8_t *page) {
        int64_t values[ROWS] = { (int64_t) p->salt };
        const int64_t *streams[] = { values };
        const uint16_t lengths[] = { ROWS };
        struct chunk chunk = { .schema = (uint16_t) p->slot, .n_rows = ROWS, .n_streams = 1, .streams = streams,
                               .lengths = lengths };
        struct page_header header = {
                .tier = (uint8_t) p->tier, .seq = store_next_seq(s, p->tier), .version = p->version, .n_values = ROWS,
                .n_rows = ROWS, .t_min = p->tick, .t_max = p->tick + ROWS, .reserved = p->reserved,
        };
        uint64_t random = random_seed(p->salt);
        struct page_writer w;

        for (unsigned i = 1; i < ROWS; i++)
                values[i] = (int64_t) ((uint64_t) random_below(&random, UINT32_MAX) << 32 | i);
        for (unsigned t = 0; t < TIER_COUNT; t++)
                header.synced[t] = store_synced(s, t);
        page_begin(&w, page);
        if (!page_add(&w, &chunk))
                abort();
        page_finish(&w, &header);
}

int bench_append(struct store *s, const struct bench_page *p) {
        uint8_t page[PAGE_BYTES];

        bench_page_make(s, p, page);
        return store_append(s, page);
}

uint64_t bench_page_salt(const uint8_t *page) {
        struct chunk_reader chunk;
        struct stream_reader stream;
        int64_t value;

        page_chunks(&chunk, page);
        if (!page_next_chunk(&chunk) || !stream_open(&stream, &chunk, 0) || stream_next(&stream, &value) != 1)
                abort();
        return (uint64_t) value;
}

struct schema bench_schema(const char *meter) {
        struct schema s = { .hold_ticks = 600, .n_columns = 1, .columns = { { .key = "power_w", .decimals = 1 } } };

        snprintf(s.meter, sizeof s.meter, "%s", meter);
        return s;
}
