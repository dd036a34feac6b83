/* Recorded bytes of real devices against the annotations beside them: every frame, every datapoint, the count of
 * noise, and the engineering values where a built-in profile knows the device. Each file is fed whole, byte by byte
 * and in random pieces. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "annotations.h"
#include "base/cleanup.h"
#include "config/profile_file.h"
#include "protocols/framer.h"
#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/frame.h"

#ifndef TOP_SRCDIR
#define TOP_SRCDIR "."
#endif

enum {
        FILES_MAX = 256,
        BYTES_MAX = 1 << 16,
        LINES_MAX = 4096,
        RANDOM_ROUNDS = 20,
};

enum feeding { WHOLE, BYTE_BY_BYTE, RANDOM_PIECES };

struct golden {
        char *path;              /* owned */
        char *text;              /* owned; its lines are cut apart in place */
        const char *lines[LINES_MAX];  /* expect-frame, expect and decoded, without "# " */
        unsigned n_lines;
        const char *stats;       /* expect-stats, NULL: none */
        struct profile *profile; /* owned; NULL when no built-in one has the name */
        bool frames_kind;
        uint8_t bytes[BYTES_MAX];
        size_t n_bytes;
        size_t ends[LINES_MAX];  /* where each data line ends */
        unsigned n_ends;
};

/* One way through a file. */
struct walk {
        struct golden *golden;
        struct framer framer;
        struct tuya_directions directions;
        unsigned line;           /* next annotation */
        uint64_t frames, noise, pending, total;
};

static uint64_t seed, random_state;

static uint64_t random_next(void) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

static void to_hex(struct span s, char *buf) {
        for (size_t i = 0; i < s.len; i++)
                sprintf(buf + 2 * i, "%02X", s.data[i]);
        buf[2 * s.len] = '\0';
}

static const char *next_line(struct walk *w, const char *kind) {
        const struct golden *g = w->golden;

        if (w->line == g->n_lines)
                fail_msg("%s: more came than is listed", g->path);
        if (strncmp(g->lines[w->line], kind, strlen(kind)) != 0)
                fail_msg("%s: %s came, listed is '%s'", g->path, kind, g->lines[w->line]);
        return g->lines[w->line++] + strlen(kind);
}

static void check_datapoint(struct walk *w, const struct tuya_datapoint *d) {
        const char *line = next_line(w, "expect: ");
        char hex[2 * TUYA_DATA_MAX + 1], text[TUYA_DATA_MAX + 3];

        assert_int_equal(annotation_number(line, "dp", -1), d->id);
        if (d->type < DATAPOINT_TYPE_COUNT)
                annotation_check_text(line, "type", datapoint_type_names[d->type]);
        if (d->numeric)
                assert_int_equal(annotation_number(line, "raw", INT64_MIN), d->number);
        else
                assert_int_equal(annotation_number(line, "len", -1), d->value.len);
        to_hex(d->value, hex);
        annotation_check_text(line, "hex", hex);
        snprintf(text, sizeof text, "\"%.*s\"", (int) d->value.len, (const char *) d->value.data);
        annotation_check_text(line, "text", text);
}

/* The decoded lines of a frame's datapoints stand behind each of them or behind all. */
static void check_decoded_lines(struct walk *w, struct span units) {
        const struct golden *g = w->golden;

        while (w->line < g->n_lines && strncmp(g->lines[w->line], "decoded: ", 9) == 0) {
                const char *line = next_line(w, "decoded: ");
                struct tuya_truncation truncation;
                struct tuya_datapoint d;
                size_t offset = 0;
                bool found = false;

                while (!found && tuya_datapoint_next(units, &offset, &d, &truncation) > 0)
                        found = annotation_number(line, "dp", -1) == d.id;
                assert_true(found);
                if (strstr(line, " layout=limits4 "))
                        annotation_check_limits(line, &d);
                else if (g->profile)
                        annotation_check_decoded(line, g->profile, &w->directions, &d);
        }
}

static void check_datapoints(struct walk *w, struct span units, int64_t count) {
        struct tuya_truncation truncation;
        struct tuya_datapoint d;
        size_t offset = 0;
        int64_t n = 0;
        int r;

        while ((r = tuya_datapoint_next(units, &offset, &d, &truncation)) > 0) {
                tuya_directions_note(&w->directions, &d);
                check_datapoint(w, &d);
                check_decoded_lines(w, units);
                n++;
        }
        assert_int_equal(n, count);
        if (r < 0) {
                const char *line = next_line(w, "expect: ");

                annotation_check_text(line, "error", "dp_truncated");
                assert_int_equal(annotation_number(line, "dp", -1), truncation.id);
                assert_int_equal(annotation_number(line, "declared", -1),
                                 truncation.has_declared ? (int64_t) truncation.declared : -1);
                assert_int_equal(annotation_number(line, "present", -1), truncation.present);
        }
}

static void check_frame(struct walk *w, const uint8_t *frame, size_t len) {
        const char *line = next_line(w, "expect-frame: ");
        struct tuya_frame f = tuya_frame_open(frame, len);
        int64_t dps = annotation_number(line, "dps", -1);
        char text[2 * TUYA_DATA_MAX + 1];
        size_t offset = 0;

        assert_int_equal(annotation_number(line, "ver", -1), f.version);
        assert_int_equal(annotation_number(line, "cmd", -1), f.command);
        assert_int_equal(annotation_number(line, "len", -1), f.data.len);
        to_hex(f.data, text);
        annotation_check_text(line, "data", text);
        snprintf(text, sizeof text, "%.*s", (int) f.data.len, (const char *) f.data.data);
        annotation_check_text(line, "json", text);
        if (strstr(line, " record=")) {
                offset = f.command == 0x34 ? 2 : 0;
                to_hex(span_of(f.data.data + offset, 7), text);
                annotation_check_text(line, "record", text);
                offset += 7;
        } else if (strstr(line, " status=")) {
                assert_int_equal(annotation_number(line, "status", -1), f.data.data[0]);
                assert_int_equal(annotation_number(line, "count", -1), f.data.data[1]);
                offset = 2;
        }
        if (dps >= 0)
                check_datapoints(w, span_from(f.data, offset), dps);
}

static void feed(struct walk *w, const uint8_t *data, size_t len) {
        const uint8_t *frame;
        size_t n;

        while (len > 0) {
                size_t taken = framer_push(&w->framer, data, len);

                assert_true(taken > 0);
                data += taken;
                len -= taken;
                while ((n = framer_next(&w->framer, &frame)) > 0)
                        check_frame(w, frame, n);
        }
}

static void finish(struct walk *w) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_finish(&w->framer, &frame)) > 0)
                check_frame(w, frame, n);
        w->frames += w->framer.frames;
        w->noise += w->framer.noise_bytes;
        w->pending += framer_pending(&w->framer);
        w->total += w->framer.total_bytes;
        framer_init(&w->framer, tuya_frame_check);
}

static void feed_in_pieces(struct walk *w, const uint8_t *data, size_t len, enum feeding feeding) {
        while (len > 0) {
                size_t n = feeding == WHOLE ? len : feeding == BYTE_BY_BYTE ? 1 : 1 + random_next() % 40;

                n = n < len ? n : len;
                feed(w, data, n);
                data += n;
                len -= n;
        }
}

static void check_stats(const struct walk *w) {
        const char *line = w->golden->stats;

        assert_int_equal(w->frames, annotation_number(line, "frames", -1));
        assert_int_equal(w->noise, annotation_number(line, "noise_bytes", -1));
        assert_int_equal(w->pending, annotation_number(line, "pending_bytes", -1));
        assert_int_equal(w->total, annotation_number(line, "total_bytes", -1));
}

static void walk_through(struct golden *g, enum feeding feeding) {
        struct walk w = { .golden = g };
        size_t begin = 0;

        framer_init(&w.framer, tuya_frame_check);
        if (!g->frames_kind)
                feed_in_pieces(&w, g->bytes, g->n_bytes, feeding);
        for (unsigned i = 0; g->frames_kind && i < g->n_ends; begin = g->ends[i++]) {
                feed_in_pieces(&w, g->bytes + begin, g->ends[i] - begin, feeding);
                finish(&w);
                assert_int_equal(w.frames, i + 1);
        }
        finish(&w);
        if (w.line != g->n_lines)
                fail_msg("%s: '%s' never came", g->path, g->lines[w.line]);
        assert_true(w.frames > 0);
        if (g->stats)
                check_stats(&w);
        else
                assert_true(g->frames_kind);
}

static void test_capture(void **state) {
        struct golden *g = *state;

        walk_through(g, WHOLE);
        walk_through(g, BYTE_BY_BYTE);
        for (unsigned i = 0; i < RANDOM_ROUNDS; i++)
                walk_through(g, RANDOM_PIECES);
}

static void parse_annotation(struct golden *g, const char *text) {
        struct config_error error;

        if (strncmp(text, "expect-frame: ", 14) == 0 || strncmp(text, "expect: ", 8) == 0 ||
            strncmp(text, "decoded: ", 9) == 0) {
                assert_true(g->n_lines < LINES_MAX);
                g->lines[g->n_lines++] = text;
        } else if (strncmp(text, "expect-stats: ", 14) == 0) {
                g->stats = text + 14;
        } else if (strcmp(text, "kind: frames") == 0) {
                g->frames_kind = true;
        } else if (strncmp(text, "profile: ", 9) == 0 && profile_builtin_text(text + 9, &(size_t) { 0 })) {
                assert_int_equal(profile_load(text + 9, &g->profile, &error), 0);
        }
}

static void parse_bytes(struct golden *g, char *text) {
        for (char *end; *text; text = end) {
                unsigned long v = strtoul(text, &end, 16);

                if (end == text)
                        break;
                assert_true(v <= 0xff && g->n_bytes < BYTES_MAX);
                g->bytes[g->n_bytes++] = (uint8_t) v;
        }
        assert_true(g->n_ends < LINES_MAX);
        g->ends[g->n_ends++] = g->n_bytes;
}

static char *read_file(const char *path) {
        FILE *file = fopen(path, "re");
        struct stat st;
        char *text;

        if (!file || fstat(fileno(file), &st) < 0)
                return NULL;
        text = calloc(1, (size_t) st.st_size + 1);
        if (text && fread(text, 1, (size_t) st.st_size, file) != (size_t) st.st_size)
                text[0] = '\0';
        fclose(file);
        return text;
}

static int load(void **state) {
        struct golden *g = *state;
        char *rest, *line;

        g->text = read_file(g->path);
        if (!g->text)
                return -1;
        rest = g->text;
        while ((line = strsep(&rest, "\n")))
                if (strncmp(line, "# ", 2) == 0)
                        parse_annotation(g, line + 2);
                else if (*line && *line != '#')
                        parse_bytes(g, line);
        return 0;
}

static int unload(void **state) {
        struct golden *g = *state;

        profile_free(g->profile);
        free(g->text);
        free(g->path);
        free(g);
        return 0;
}

static int is_capture(const struct dirent *e) {
        size_t len = strlen(e->d_name);

        return len > 4 && strcmp(e->d_name + len - 4, ".hex") == 0;
}

static struct golden *golden_new(const char *folder, const char *name) {
        struct golden *g = calloc(1, sizeof *g);

        if (!g || asprintf(&g->path, "%s/%s", folder, name) < 0)
                abort();
        return g;
}

/* The folder of captures lies outside of the project; without it there is nothing to compare. */
static int collect(struct CMUnitTest *tests) {
        const char *shared = getenv("METERGATE_SHARED");
        struct dirent **entries;
        char folder[4096];
        int n;

        snprintf(folder, sizeof folder, "%s/captures/tuyamcu", shared ? shared : TOP_SRCDIR "/../shared");
        n = scandir(folder, &entries, is_capture, alphasort);
        if (n <= 0 || n > FILES_MAX)
                return n <= 0 ? 0 : -1;
        for (int i = 0; i < n; i++) {
                tests[i] = (struct CMUnitTest) {
                        .name = strdup(entries[i]->d_name), .test_func = test_capture, .setup_func = load,
                        .teardown_func = unload, .initial_state = golden_new(folder, entries[i]->d_name),
                };
                free(entries[i]);
        }
        free(entries);
        return n;
}

int main(void) {
        struct CMUnitTest tests[FILES_MAX];
        const char *wish = getenv("METERGATE_SEED");
        int n, r;

        cmocka_set_message_output(CM_OUTPUT_TAP);
        seed = wish ? strtoull(wish, NULL, 0) : (uint64_t) time(NULL);
        random_state = seed * 2 + 1;
        printf("# METERGATE_SEED=%llu\n", (unsigned long long) seed);
        fflush(stdout);
        n = collect(tests);
        if (n <= 0) {
                puts(n == 0 ? "1..0 # SKIP no folder of captures" : "Bail out! more captures than there is room for");
                return n < 0;
        }
        r = _cmocka_run_group_tests("captures", tests, (size_t) n, NULL, NULL);
        for (int i = 0; i < n; i++)
                free((char *) tests[i].name);
        return r;
}
