/* Any bytes as a page, with its checksum made right so that the rest is reached: every chunk, every stream. What was
 * read is coded again and has to come back. The same bytes then are a schema's page. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/little_endian.h"
#include "history/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AT_CRC = 4, AT_SIGNED = 8 };

/* In a block of its own, so that a step outside is seen. */
static uint8_t *make_page(const char *magic, const uint8_t *data, size_t size) {
        uint8_t *page = calloc(1, PAGE_BYTES);

        if (!page)
                abort();
        memcpy(page, data, size < PAGE_BYTES ? size : PAGE_BYTES);
        memcpy(page, magic, 4);
        put_le32(page + AT_CRC, crc32c(page + AT_SIGNED, PAGE_BYTES - AT_SIGNED));
        return page;
}

static void code_again(const int64_t *values, size_t n) {
        uint8_t block[CODEC_BLOCK_MAX];
        int64_t again[CODEC_BLOCK];
        size_t len = codec_encode(values, n, block, sizeof block);

        assert(len > 0);
        assert(codec_decode(block, len, n, again) == (ssize_t) len);
        assert(memcmp(again, values, n * sizeof again[0]) == 0);
}

static void read_stream(const struct chunk_reader *chunk, unsigned stream) {
        struct stream_reader s;
        unsigned n = 0;
        int64_t v;

        if (!stream_open(&s, chunk, stream))
                return;
        for (; stream_next(&s, &v) > 0; n++)
                if (s.at == 1)
                        code_again(s.values, s.n);
        assert(n <= chunk->n_rows);
}

static void read_page(const uint8_t *page) {
        struct page_header header;
        struct chunk_reader chunk;
        unsigned n_rows = 0;

        if (!page_read_header(page, &header))
                return;
        assert(header.tier < TIER_COUNT && header.n_rows <= PAGE_ROWS_MAX);
        page_chunks(&chunk, page);
        while (page_next_chunk(&chunk)) {
                n_rows += chunk.n_rows;
                assert(chunk.next <= PAGE_BYTES && chunk.n_streams <= STREAMS_MAX);
                for (unsigned i = 0; i < chunk.n_streams; i++)
                        read_stream(&chunk, i);
        }
        assert(n_rows == header.n_rows);
}

/* A good one is written as it was read, but for what nothing reads. */
static void read_schema(const uint8_t *page) {
        uint8_t copy[PAGE_BYTES];
        struct schema s, again;

        if (!schema_read(page, &s))
                return;
        schema_write(&s, copy);
        assert(schema_read(copy, &again) && schema_equal(&s, &again));
        assert(s.n_columns == 0 || schema_find(&s, s.columns[0].key) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *page;

        page = make_page("HPG1", data, size);
        read_page(page);
        free(page);
        page = make_page("HSC1", data, size);
        read_schema(page);
        free(page);
        return 0;
}
