/* What clients say they take and have: Accept-Encoding, Accept, If-None-Match; and the compression they ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "http/gzip.h"
#include "http/limits.h"
#include "http/negotiate.h"

static bool prefers_gzip(const char *text) {
        struct codings c = codings_init();

        codings_add(&c, text);
        return codings_prefer_gzip(&c);
}

static void test_accept_encoding(void **state) {
        static const char *const yes[] = {
                "gzip", "GZip", "x-gzip", "deflate, gzip", "gzip, deflate, br, zstd", "gzip;q=1", "gzip;q=0.001",
                "gzip ; q=0.5", " gzip;\tQ=0.5 , identity;q=0.1", "*", "*;q=0.1", "br;q=1.0, gzip;q=0.8, *;q=0.1",
                "identity;q=0.5, *", "gzip;q=1.000", "gzip,identity", ",,gzip,,", "*;q=0, gzip", "gzip;q=1.",
        };
        static const char *const no[] = {
                "", "identity", "deflate", "br, zstd", "gzip;q=0", "gzip;q=0.000", "*;q=0", "*, gzip;q=0", "gzipped",
                "gzip;q=0.4, identity;q=0.5", "identity, *;q=0.5", "gzip;q=2", "gzip;q=1.001", "gzip;q=-1",
                "gzip;q=x", "gzip;q", "gzip;", "gzip;q=", "gzip;level=9", "gzip q=1", "gzip;q=0.5.5", ";q=1", "\xff",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(yes); i++)
                if (!prefers_gzip(yes[i]))
                        fail_msg("not seen: \"%s\"", yes[i]);
        for (size_t i = 0; i < ELEMENTS(no); i++)
                if (prefers_gzip(no[i]))
                        fail_msg("seen: \"%s\"", no[i]);
}

static void test_several_headers(void **state) {
        struct codings c = codings_init();

        (void) state;
        codings_add(&c, "deflate");
        assert_false(codings_prefer_gzip(&c));
        codings_add(&c, "gzip;q=0.5");
        assert_true(codings_prefer_gzip(&c));
        codings_add(&c, "identity");
        assert_false(codings_prefer_gzip(&c));
}

static void test_accept(void **state) {
        static const struct { const char *accept; int weight, named; } cases[] = {
                { "text/x", 1000, 1000 }, { "TEXT/X;q=0.5", 500, 500 }, { "text/x;version=2", 1000, 1000 },
                { "text/x;version=\"2\"; Q=0.25 ", 250, 250 }, { "text/x;version=1", -1, -1 }, { "", -1, -1 },
                { "text/x;version=1;q=0.9, text/x;version=2;q=0.1", 100, 100 },
                { "text/x;q=0.9,text/x;version=2;q=0.1", 100, 100 }, { "text/x;q=0.1,text/x;q=0.7", 700, 700 },
                { "*/*", 1000, -1 }, { "*/*;version=2", 1000, -1 },
                { "*/*;q=0.9,text/*;q=0.3", 300, -1 }, { "text/*,text/x;q=0", 0, 0 },
                { "text/*;q=0.3,text/x;q=0.2,*/*", 200, 200 }, { "text/xy, text/, text, x/*, */x, *", -1, -1 },
                { "text/x;a=\"b,text/x\";q=0.4", 400, 400 }, { "a/b;c=\"\\\",text/x;q=0.4", -1, -1 },
                { "text/x;;q=0.4;", 400, 400 }, { "text/x;q=", -1, -1 }, { "text/x;q=2", -1, -1 }, { "text/x;q", -1, -1 },
                { "text/x q=1", -1, -1 }, { "text/x;version=2\"", -1, -1 }, { "text/x;q=0.5\"", -1, -1 },
                { " ,, text/x ; q=0.6 , ", 600, 600 }, { "text/x;version=\"2", -1, -1 }, { "\"text/x\"", -1, -1 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int weight = media_weight(cases[i].accept, "text/x", "2", false);
                int named = media_weight(cases[i].accept, "text/x", "2", true);

                if (weight != cases[i].weight || named != cases[i].named)
                        fail_msg("\"%s\": %d, named %d", cases[i].accept, weight, named);
        }
}

#define TAG UINT64_C(0x0123456789abcdef)

static void test_if_none_match(void **state) {
        static const char *const yes[] = {
                "W/\"0123456789abcdef\"", "\"0123456789abcdef\"", "*", " * ", "\"a\", W/\"0123456789abcdef\"",
                "W/\"\",\"0123456789abcdef\" , \"b\"", ",, \"0123456789abcdef\"", "\t\"0123456789abcdef\"",
                "\"with, comma\", \"0123456789abcdef\"",
        };
        static const char *const no[] = {
                "", " ", "0123456789abcdef", "W/0123456789abcdef", "\"0123456789abcdef", "\"0123456789ABCDEF\"",
                "\"0123456789abcde\"", "\"0123456789abcdef0\"", "w/\"0123456789abcdef\"", "*, \"x\"", "**",
                "\"a\", 0123456789abcdef", "\"a, W/\"0123456789abcdef\"", "W/", "W", "\"", "\"\"",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(yes); i++)
                if (!etag_is_listed(yes[i], TAG))
                        fail_msg("not found in: %s", yes[i]);
        for (size_t i = 0; i < ELEMENTS(no); i++)
                if (etag_is_listed(no[i], TAG))
                        fail_msg("found in: %s", no[i]);
}

static void test_tags_read_back(void **state) {
        static const uint64_t tags[] = { 0, 1, UINT64_MAX, TAG };
        char text[ETAG_MAX];

        (void) state;
        for (size_t i = 0; i < ELEMENTS(tags); i++) {
                etag_format(tags[i], text);
                assert_int_equal(strlen(text), 4 + 16);
                for (size_t k = 0; k < ELEMENTS(tags); k++)
                        assert_int_equal(etag_is_listed(text, tags[k]), i == k);
        }
}

/* ---- compression ---- */

static void inflate_all(const struct buffer *packed, char *out, size_t cap, size_t len) {
        z_stream z = { 0 };

        assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
        z.next_in = (unsigned char *) packed->data;
        z.avail_in = (uInt) packed->len;
        z.next_out = (unsigned char *) out;
        z.avail_out = (uInt) cap;
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(z.total_out, len);
        assert_int_equal(z.avail_in, 0);
        inflateEnd(&z);
}

/* In pieces of any size, again and again with one state. */
static void test_gzip(void **state) {
        static const size_t pieces[] = { 1, 7, 4096, 100000 };
        enum { LEN = 100000 };
        struct gzip *g = gzip_new();
        char *text = malloc(LEN), *back = malloc(LEN + 1);
        struct buffer out;

        (void) state;
        assert_non_null(g);
        assert_true(text && back);
        for (int i = 0; i < LEN; i++)
                text[i] = (char) ('0' + ((unsigned) i * (unsigned) i / 7 + (unsigned) i) % 10);
        buffer_init(&out, 1000000);
        for (size_t p = 0; p < ELEMENTS(pieces); p++) {
                buffer_clear(&out);
                gzip_begin(g);
                for (size_t at = 0; at < LEN; at += pieces[p])
                        assert_true(gzip_put(g, text + at, pieces[p] < LEN - at ? pieces[p] : LEN - at, false, &out));
                assert_true(gzip_put(g, NULL, 0, true, &out));
                assert_true(out.len < LEN);
                inflate_all(&out, back, LEN + 1, LEN);
                assert_memory_equal(text, back, LEN);
        }
        buffer_clear(&out);
        gzip_begin(g);
        assert_true(gzip_put(g, NULL, 0, true, &out));
        inflate_all(&out, back, LEN + 1, 0);
        buffer_free(&out);
        free(text);
        free(back);
        gzip_free(g);
}

static void test_gzip_without_room(void **state) {
        struct gzip *g = gzip_new();
        unsigned char noise[5000];
        struct buffer out;

        (void) state;
        for (unsigned i = 0, x = 1; i < sizeof noise; i++, x = x * 1103515245 + 12345)
                noise[i] = (unsigned char) (x >> 16);
        buffer_init(&out, 100);
        gzip_begin(g);
        assert_false(gzip_put(g, noise, sizeof noise, true, &out));
        assert_true(out.failed);
        /* What was left over is no part of the next. */
        buffer_free(&out);
        buffer_init(&out, 10000);
        gzip_begin(g);
        assert_true(gzip_put(g, "x", 1, true, &out));
        inflate_all(&out, (char *) noise, sizeof noise, 1);
        buffer_free(&out);
        gzip_free(g);
}

/* ---- limits ---- */

/* Every number of limits.h is shown, none twice. */
static void test_limits_are_listed(void **state) {
        unsigned defined = 0, listed = 0;
        char text[65536], line[256];
        FILE *f = fopen(TOP_SRCDIR "/server/http/limits.c", "r");
        size_t n;

        (void) state;
        assert_non_null(f);
        n = fread(text, 1, sizeof text - 1, f);
        text[n] = 0;
        fclose(f);
        f = fopen(TOP_SRCDIR "/server/http/limits.h", "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f)) {
                char name[64], entry[80];

                if (sscanf(line, "#define %63[A-Z_] %*[0-9]", name) != 1 || strcmp(name, "HTTP_LIMITS_DEFAULT") == 0)
                        continue;
                defined++;
                snprintf(entry, sizeof entry, ", %s }", name);
                if (!strstr(text, entry))
                        fail_msg("%s has no line in limits.c", name);
        }
        fclose(f);
        assert_true(defined > 20);
        for (size_t i = 0; i < http_limits_count; i++, listed++)
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(http_limits_table[i].name, http_limits_table[k].name);
        assert_int_equal(listed, defined);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accept_encoding),
                cmocka_unit_test(test_several_headers),
                cmocka_unit_test(test_accept),
                cmocka_unit_test(test_if_none_match),
                cmocka_unit_test(test_tags_read_back),
                cmocka_unit_test(test_gzip),
                cmocka_unit_test(test_gzip_without_room),
                cmocka_unit_test(test_limits_are_listed),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
