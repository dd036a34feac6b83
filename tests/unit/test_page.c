/* Pages and schemas: what goes in comes out, what does not fit leaves the page alone, and a damaged one is refused,
 * or read without leaving its bounds where its checksum is right all the same. METERGATE_SEED repeats a run,
 * METERGATE_ROUNDS makes it longer. */
#include "history/page.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "base/little_endian.h"
#include "from_environment.h"

enum { CHUNKS_MAX = 8, CHUNK_STREAMS_MAX = 12 };

static uint64_t random_state;
static unsigned rounds;

static uint64_t next_random(void) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- checksum ---- */

static void test_checksum(void **state) {
        uint8_t bytes[64];

        (void) state;
        assert_int_equal(crc32c((const uint8_t *) "123456789", 9), 0xe3069283);
        assert_int_equal(crc32c(NULL, 0), 0);
        memset(bytes, 0, sizeof bytes);
        assert_int_equal(crc32c(bytes, 32), 0x8a9136aa);    /* RFC 3720, B.4 */
        memset(bytes, 0xff, sizeof bytes);
        assert_int_equal(crc32c(bytes, 32), 0x62a8ab43);
        for (uint8_t i = 0; i < 32; i++)
                bytes[i] = i;
        assert_int_equal(crc32c(bytes, 32), 0x46dd794e);
}

/* ---- pages ---- */

struct rows {
        uint16_t schema, n_rows;
        unsigned n_streams;
        uint16_t lengths[CHUNK_STREAMS_MAX];
        const int64_t *streams[CHUNK_STREAMS_MAX];
        int64_t values[CHUNK_STREAMS_MAX][PAGE_ROWS_MAX];
};

static struct rows all_rows[CHUNKS_MAX];

/* Streams of any kind: quiet, noisy or wild, as long as there are rows, shorter or empty. */
static void make_rows(struct rows *r) {
        r->schema = (uint16_t) next_random();
        r->n_rows = (uint16_t) (1 + next_random() % (next_random() % 4 == 0 ? 2000 : 150));
        r->n_streams = (unsigned) (next_random() % (CHUNK_STREAMS_MAX + 1));
        for (unsigned s = 0; s < r->n_streams; s++) {
                unsigned width = (unsigned) (next_random() % (next_random() % 4 == 0 ? 64 : 8));
                uint64_t value = next_random() % 100000;

                r->lengths[s] = next_random() % 2 ? r->n_rows : (uint16_t) (next_random() % (r->n_rows + 1u));
                r->streams[s] = r->values[s];
                for (uint16_t i = 0; i < r->lengths[s]; i++)
                        r->values[s][i] = (int64_t) (value + (width > 0 ? next_random() >> (64 - width) : 0));
        }
}

static struct chunk as_chunk(const struct rows *r) {
        return (struct chunk) { .schema = r->schema, .n_rows = r->n_rows, .n_streams = r->n_streams,
                                .streams = r->streams, .lengths = r->lengths };
}

static void check_chunk(const struct chunk_reader *chunk, const struct rows *r) {
        struct stream_reader s;
        int64_t v;

        assert_int_equal(chunk->schema, r->schema);
        assert_int_equal(chunk->n_rows, r->n_rows);
        assert_int_equal(chunk->n_streams, r->n_streams);
        for (unsigned i = 0; i < r->n_streams; i++) {
                assert_true(stream_open(&s, chunk, i));
                assert_int_equal(s.left, r->lengths[i]);
                for (uint16_t k = 0; k < r->lengths[i]; k++) {
                        assert_int_equal(stream_next(&s, &v), 1);
                        assert_true(v == r->values[i][k]);
                }
                assert_int_equal(stream_next(&s, &v), 0);
                assert_int_equal(stream_next(&s, &v), 0);
        }
        assert_false(stream_open(&s, chunk, r->n_streams));
}

static const struct page_header some_header = {
        .tier = TIER_QUARTER, .flags = PAGE_FLAG_UNSYNCED, .seq = 0x123456789a, .version = 0xfedcba98,
        .n_values = 70000, .first_number = 0xabcdef012345, .t_min = -5, .t_max = INT64_C(17000000000),
        .synced = { UINT64_C(1) << 40, 2, UINT64_MAX }, .reserved = UINT64_C(1) << 63,
};

static void check_header(const struct page_header *h, const struct page_header *expected) {
        assert_int_equal(h->tier, expected->tier);
        assert_int_equal(h->flags, expected->flags);
        assert_int_equal(h->seq, expected->seq);
        assert_int_equal(h->version, expected->version);
        assert_int_equal(h->n_values, expected->n_values);
        assert_int_equal(h->first_number, expected->first_number);
        assert_int_equal(h->n_rows, expected->n_rows);
        assert_true(h->t_min == expected->t_min && h->t_max == expected->t_max);
        assert_memory_equal(h->synced, expected->synced, sizeof h->synced);
        assert_int_equal(h->reserved, expected->reserved);
}

/* As many random chunks as fit, CHUNKS_MAX at most; returns how many they are. */
static unsigned make_page(uint8_t *page, struct page_header *header) {
        struct page_writer w;
        unsigned n = 0;

        *header = some_header;
        page_begin(&w, page);
        for (; n < CHUNKS_MAX; n++) {
                uint8_t before[PAGE_BYTES];
                size_t room = page_room(&w);
                struct chunk chunk;

                make_rows(&all_rows[n]);
                chunk = as_chunk(&all_rows[n]);
                memcpy(before, page, PAGE_BYTES);
                if (!page_add(&w, &chunk)) {
                        assert_memory_equal(page, before, PAGE_BYTES);
                        assert_int_equal(page_room(&w), room);
                        break;
                }
                assert_true(page_room(&w) < room);
                header->n_rows += all_rows[n].n_rows;
        }
        page_finish(&w, header);
        return n;
}

static void test_pages_come_back(void **state) {
        uint8_t *page = malloc(PAGE_BYTES);     /* of exactly that size */

        (void) state;
        assert_non_null(page);
        for (unsigned round = 0; round < rounds; round++) {
                struct page_header made, header;
                struct chunk_reader chunk;
                unsigned n = make_page(page, &made);

                assert_true(page_read_header(page, &header));
                check_header(&header, &made);
                page_get_header(page, &header);
                check_header(&header, &made);
                page_chunks(&chunk, page);
                for (unsigned i = 0; i < n; i++) {
                        assert_true(page_next_chunk(&chunk));
                        check_chunk(&chunk, &all_rows[i]);
                }
                assert_false(page_next_chunk(&chunk));
                assert_false(page_next_chunk(&chunk));
        }
        free(page);
}

/* What stands in files: the places of the header's fields and of a chunk's never change. */
static void test_known_page(void **state) {
        static const uint8_t expected_chunk[] = {
                0x34, 0x12, 3, 0, 19, 0, CODEC_ID, 3,       /* schema, rows, bytes, codec, streams */
                3 << 1, 0 << 1 | 1, 0, 3 << 1 | 1, 2,       /* as many as rows; none; two */
                0x20, 0x00, 0x14, 0x01, 0x0d, 0x02 };
        static const int64_t ticks[] = { 0, 10, 20 }, values[] = { -7, -6 };
        static const int64_t *const streams[] = { ticks, values, values };
        static const uint16_t lengths[] = { 3, 0, 2 };
        struct page_header header = some_header;
        uint8_t page[PAGE_BYTES];
        struct page_writer w;

        (void) state;
        page_begin(&w, page);
        assert_int_equal(page_room(&w), PAGE_BYTES - 88);
        assert_true(page_add(&w, &(struct chunk) { 0x1234, 3, 3, streams, lengths }));
        header.n_rows = 3;
        page_finish(&w, &header);
        assert_memory_equal(page, "HPG1", 4);
        assert_int_equal(get_le32(page + 4), crc32c(page + 8, PAGE_BYTES - 8));
        assert_int_equal(get_le64(page + 8), header.seq);
        assert_int_equal(get_le32(page + 16), header.version);
        assert_memory_equal(page + 20, ((uint8_t[]) { TIER_QUARTER, PAGE_FLAG_UNSYNCED, 1, 0, 88 + 19, 0, 3, 0 }), 8);
        assert_int_equal(get_le32(page + 28), header.n_values);
        assert_int_equal(get_le64(page + 32), header.first_number);
        assert_true((int64_t) get_le64(page + 40) == header.t_min && (int64_t) get_le64(page + 48) == header.t_max);
        assert_int_equal(get_le64(page + 72), header.synced[2]);
        assert_int_equal(get_le64(page + 80), header.reserved);
        assert_memory_equal(page + 88, expected_chunk, sizeof expected_chunk);
}

static void test_rows_of_a_page_are_bounded(void **state) {
        uint8_t page[PAGE_BYTES];
        struct page_writer w;

        (void) state;
        page_begin(&w, page);
        assert_true(page_add(&w, &(struct chunk) { .n_rows = PAGE_ROWS_MAX - 1 }));
        assert_false(page_add(&w, &(struct chunk) { .n_rows = 2 }));
        assert_true(page_add(&w, &(struct chunk) { .n_rows = 1 }));
        assert_false(page_add(&w, &(struct chunk) { .n_rows = 1 }));
}

static void test_widest_chunk(void **state) {
        static const int64_t row = 1;
        static const int64_t *streams[STREAMS_MAX];
        static uint16_t lengths[STREAMS_MAX];
        struct page_header header = { .n_rows = 1 };
        struct chunk_reader chunk;
        struct stream_reader s;
        uint8_t page[PAGE_BYTES];
        struct page_writer w;
        int64_t v;

        (void) state;
        for (unsigned i = 0; i < STREAMS_MAX; i++) {
                streams[i] = &row;
                lengths[i] = i % 2;
        }
        page_begin(&w, page);
        assert_true(page_add(&w, &(struct chunk) { 5, 1, STREAMS_MAX, streams, lengths }));
        page_finish(&w, &header);
        assert_true(page_read_header(page, &header));
        page_chunks(&chunk, page);
        assert_true(page_next_chunk(&chunk));
        assert_int_equal(chunk.n_streams, STREAMS_MAX);
        for (unsigned i = 0; i < STREAMS_MAX; i++) {
                assert_true(stream_open(&s, &chunk, i));
                assert_int_equal(stream_next(&s, &v), i % 2);
        }
}

/* ---- damage ---- */

static void test_flipped_bits_are_refused(void **state) {
        uint8_t page[PAGE_BYTES];
        struct page_header header;

        (void) state;
        make_page(page, &header);
        for (size_t bit = 0; bit < 8 * PAGE_BYTES; bit++) {
                page[bit / 8] ^= (uint8_t) (1u << bit % 8);
                assert_false(page_read_header(page, &header));
                page[bit / 8] ^= (uint8_t) (1u << bit % 8);
        }
        assert_true(page_read_header(page, &header));
        memset(page, 0, PAGE_BYTES);
        assert_false(page_read_header(page, &header));
}

/* Everything that can be read of a page is read. */
static void read_all(const uint8_t *page) {
        struct page_header header;
        struct chunk_reader chunk;
        unsigned n_rows = 0;

        if (!page_read_header(page, &header))
                return;
        page_chunks(&chunk, page);
        while (page_next_chunk(&chunk)) {
                n_rows += chunk.n_rows;
                for (unsigned i = 0; i < chunk.n_streams; i++) {
                        struct stream_reader s;
                        unsigned n = 0;
                        int64_t v;

                        if (stream_open(&s, &chunk, i))
                                while (stream_next(&s, &v) > 0)
                                        n++;
                        assert_true(n <= chunk.n_rows);
                }
        }
        assert_int_equal(n_rows, header.n_rows);
        assert_true(n_rows <= PAGE_ROWS_MAX);
}

/* A wrong page that is signed all the same. */
static void test_damage_with_a_right_checksum(void **state) {
        uint8_t *page = malloc(PAGE_BYTES);
        struct page_header header;

        (void) state;
        assert_non_null(page);
        for (unsigned round = 0; round < 20 * rounds; round++) {
                if (round % 100 == 0)
                        make_page(page, &header);
                for (unsigned i = 0; i < 1 + round % 4; i++) {
                        size_t area = next_random() % 2 ? 120 : PAGE_BYTES - 8;

                        page[8 + next_random() % area] = (uint8_t) next_random();
                }
                put_le32(page + 4, crc32c(page + 8, PAGE_BYTES - 8));
                read_all(page);
        }
        free(page);
}

/* ---- schemas ---- */

static const struct schema some_schema = {
        .meter = "main", .serial = 77, .hold_ticks = 600, .era = 2, .era_start = INT64_C(17000000000), .n_columns = 3,
        .columns = { { "voltage_v", COLUMN_GAUGE, 3 }, { "energy_import_kwh", COLUMN_COUNTER, 6 },
                     { "l1.power_w", COLUMN_GAUGE, 3 } },
};

static void test_schemas_come_back(void **state) {
        struct schema widest = { .serial = UINT64_MAX, .hold_ticks = UINT32_MAX, .era_start = -1,
                                 .n_columns = SCHEMA_COLUMNS_MAX };
        uint8_t page[PAGE_BYTES];
        struct schema s;

        (void) state;
        memset(widest.meter, 'm', SCHEMA_METER_MAX);
        for (unsigned i = 0; i < SCHEMA_COLUMNS_MAX; i++) {
                memset(widest.columns[i].key, 'a' + (int) i % 26, SCHEMA_KEY_MAX);
                widest.columns[i].kind = i % 2;
        }
        for (unsigned i = 0; i < 2; i++) {
                const struct schema *written = i == 0 ? &some_schema : &widest;

                schema_write(written, page);
                assert_true(schema_read(page, &s));
                assert_true(schema_equal(&s, written));
                assert_true(s.serial == written->serial && s.era == written->era);
                assert_true(s.era_start == written->era_start);
                assert_int_equal(s.hold_ticks, written->hold_ticks);
        }
}

static void test_damaged_schemas_are_refused(void **state) {
        uint8_t page[PAGE_BYTES];
        struct schema s;

        (void) state;
        schema_write(&some_schema, page);
        for (size_t bit = 0; bit < 8 * PAGE_BYTES; bit++) {
                page[bit / 8] ^= (uint8_t) (1u << bit % 8);
                assert_false(schema_read(page, &s));
                page[bit / 8] ^= (uint8_t) (1u << bit % 8);
        }
        for (unsigned round = 0; round < 20 * rounds; round++) {
                schema_write(&some_schema, page);
                memset(page + 8 + next_random() % 200, (int) next_random(), 1 + next_random() % 60);
                put_le32(page + 4, crc32c(page + 8, PAGE_BYTES - 8));
                if (!schema_read(page, &s))
                        continue;
                assert_true(s.n_columns <= SCHEMA_COLUMNS_MAX && strlen(s.meter) <= SCHEMA_METER_MAX);
                for (unsigned i = 0; i < s.n_columns; i++)
                        assert_in_range(strlen(s.columns[i].key), 1, SCHEMA_KEY_MAX);
        }
}

static void test_schemas_that_differ(void **state) {
        struct schema other = some_schema;

        (void) state;
        other.serial++;
        other.era++;
        other.era_start++;
        assert_true(schema_equal(&some_schema, &other));
        other.hold_ticks++;
        assert_false(schema_equal(&some_schema, &other));
        other = some_schema;
        other.columns[2].decimals++;
        assert_false(schema_equal(&some_schema, &other));
        other = some_schema;
        other.n_columns--;
        assert_false(schema_equal(&some_schema, &other));
        other = some_schema;
        strcpy(other.meter, "garage");
        assert_false(schema_equal(&some_schema, &other));
        assert_int_equal(schema_find(&some_schema, "l1.power_w"), 2);
        assert_int_equal(schema_find(&some_schema, "power_w"), -1);
}

static void test_places_of_streams(void **state) {
        const struct schema *s = &some_schema;

        (void) state;
        assert_int_equal(page_column_stream(s, TIER_RAW, 0), RAW_COLUMNS);
        assert_int_equal(page_column_stream(s, TIER_RAW, 2), RAW_COLUMNS + 3);
        assert_int_equal(page_stream_count(s, TIER_RAW), RAW_COLUMNS + 4);
        assert_int_equal(page_column_stream(s, TIER_MINUTE, 2), TIER_COLUMNS + GAUGE_FIELDS + COUNTER_FIELDS);
        assert_int_equal(page_stream_count(s, TIER_QUARTER), TIER_COLUMNS + 2 * GAUGE_FIELDS + COUNTER_FIELDS);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_checksum),
                cmocka_unit_test(test_pages_come_back),
                cmocka_unit_test(test_known_page),
                cmocka_unit_test(test_rows_of_a_page_are_bounded),
                cmocka_unit_test(test_widest_chunk),
                cmocka_unit_test(test_flipped_bits_are_refused),
                cmocka_unit_test(test_damage_with_a_right_checksum),
                cmocka_unit_test(test_schemas_come_back),
                cmocka_unit_test(test_damaged_schemas_are_refused),
                cmocka_unit_test(test_schemas_that_differ),
                cmocka_unit_test(test_places_of_streams),
        };
        random_state = test_seed() * UINT64_C(0x9e3779b97f4a7c15) | 1;
        rounds = (unsigned) number_from("METERGATE_ROUNDS", 100);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
