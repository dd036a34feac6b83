/* Packs a trace, CSV on stdin with Unix seconds in its first column, into raw pages as the history does for a meter
 * of those columns, reads everything back, and prints "VALUES BYTES DECODED BUILD": values of the trace, bytes of the
 * pages, values that went through the decoder (times too), and whether counting its instructions would tell anything.
 * Fails when something comes back changed. */
#include <stdio.h>
#include <stdlib.h>

#include "history/page.h"

#if defined __OPTIMIZE__ && !defined __SANITIZE_ADDRESS__
#define BUILD "optimised"
#else
#define BUILD "other"
#endif

enum { COLUMNS_MAX = 16, ROWS_MAX = 100000, LINE_SIZE = 512 };

struct trace {
        unsigned n_columns;
        size_t n_rows;
        int64_t ticks[ROWS_MAX];
        int64_t columns[COLUMNS_MAX][ROWS_MAX];
};

static struct trace trace;

static void fail(const char *why) {
        fprintf(stderr, "trace_pages: %s\n", why);
        exit(1);
}

/* Two rows of one tick: the second one moves to the next, as in the history. */
static void read_trace(void) {
        char line[LINE_SIZE], *p;

        if (!fgets(line, sizeof line, stdin))
                fail("nothing to read");
        while (fgets(line, sizeof line, stdin) && trace.n_rows < ROWS_MAX) {
                size_t i = trace.n_rows++;

                trace.ticks[i] = strtoll(line, &p, 10) * TICKS_PER_S;
                if (i > 0 && trace.ticks[i] <= trace.ticks[i - 1])
                        trace.ticks[i] = trace.ticks[i - 1] + 1;
                for (trace.n_columns = 0; *p == ',' && trace.n_columns < COLUMNS_MAX; trace.n_columns++)
                        trace.columns[trace.n_columns][i] = strtoll(p + 1, &p, 10);
        }
}

/* The page of rows first .. first + n - 1. False when they do not fit. */
static bool pack(size_t first, size_t n, struct page_writer *w, uint8_t *page) {
        static int64_t ticks[PAGE_ROWS_MAX], numbers[PAGE_ROWS_MAX], masks[PAGE_ROWS_MAX];
        const int64_t *streams[RAW_COLUMNS + COLUMNS_MAX] = { ticks, numbers, masks };
        uint16_t lengths[RAW_COLUMNS + COLUMNS_MAX];
        struct chunk chunk = { .n_rows = (uint16_t) n, .n_streams = RAW_COLUMNS + trace.n_columns,
                               .streams = streams, .lengths = lengths };

        for (size_t i = 0; i < n; i++) {
                ticks[i] = trace.ticks[first + i] - trace.ticks[first];
                numbers[i] = (int64_t) i;
                masks[i] = (1 << trace.n_columns) - 1;
        }
        for (unsigned c = 0; c < trace.n_columns; c++)
                streams[RAW_COLUMNS + c] = trace.columns[c] + first;
        for (unsigned s = 0; s < chunk.n_streams; s++)
                lengths[s] = (uint16_t) n;
        page_begin(w, page);
        return page_add(w, &chunk);
}

/* Makes the page of as many rows from first on as it takes, and returns how many they are. */
static size_t fill(size_t first, uint8_t *page, size_t *ret_bytes) {
        size_t fits = 0, too_many = trace.n_rows - first + 1;
        struct page_writer w;

        if (too_many > PAGE_ROWS_MAX + 1)
                too_many = PAGE_ROWS_MAX + 1;
        while (too_many - fits > 1) {
                size_t n = (fits + too_many) / 2;

                if (pack(first, n, &w, page))
                        fits = n;
                else
                        too_many = n;
        }
        if (fits == 0 || !pack(first, fits, &w, page))
                fail("a row does not fit");
        page_finish(&w, &(struct page_header) {
                .n_rows = (uint32_t) fits, .n_values = (uint32_t) fits * trace.n_columns,
                .t_min = trace.ticks[first], .t_max = trace.ticks[first + fits - 1] });
        *ret_bytes = first + fits < trace.n_rows ? PAGE_BYTES : PAGE_BYTES - page_room(&w);
        return fits;
}

static void compare(const struct chunk_reader *chunk, unsigned stream, const int64_t *values, int64_t base) {
        struct stream_reader s;
        int64_t v;

        if (!stream_open(&s, chunk, stream))
                fail("a stream is missing");
        for (unsigned i = 0; i < chunk->n_rows; i++)
                if (stream_next(&s, &v) != 1 || v + base != values[i])
                        fail("a value has changed");
        if (stream_next(&s, &v) != 0)
                fail("a stream does not end");
}

/* Returns the number of values decoded. */
static size_t check(const uint8_t *page, size_t first, size_t n) {
        struct chunk_reader chunk;
        struct page_header h;

        if (!page_read_header(page, &h) || h.n_rows != n)
                fail("not a good page");
        page_chunks(&chunk, page);
        if (!page_next_chunk(&chunk) || chunk.n_rows != n || chunk.n_streams != RAW_COLUMNS + trace.n_columns)
                fail("not the chunk");
        compare(&chunk, RAW_TICK, trace.ticks + first, h.t_min);
        for (unsigned c = 0; c < trace.n_columns; c++)
                compare(&chunk, RAW_COLUMNS + c, trace.columns[c] + first, 0);
        return n * (1 + trace.n_columns);
}

int main(void) {
        static uint8_t page[PAGE_BYTES];
        size_t bytes = 0, decoded = 0, page_bytes;

        read_trace();
        for (size_t first = 0, n; first < trace.n_rows; first += n) {
                n = fill(first, page, &page_bytes);
                bytes += page_bytes;
                decoded += check(page, first, n);
        }
        printf("%zu %zu %zu " BUILD "\n", trace.n_rows * trace.n_columns, bytes, decoded);
        return 0;
}
