#include "golden.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "annotations.h"
#include "config/profile_file.h"
#include "tests/unit/from_environment.h"

#ifndef TOP_SRCDIR
#define TOP_SRCDIR "."
#endif

enum {
        FILES_MAX = 256,
        RANDOM_ROUNDS = 20,
};

enum feeding { WHOLE, BYTE_BY_BYTE, RANDOM_PIECES };

static uint64_t random_state;

static uint64_t random_next(void) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

const char *golden_next_line(struct walk *w, const char *kind) {
        const struct golden *g = w->golden;

        if (w->line == g->n_lines)
                fail_msg("%s: more came than is listed", g->path);
        if (strncmp(g->lines[w->line], kind, strlen(kind)) != 0)
                fail_msg("%s: %s came, listed is '%s'", g->path, kind, g->lines[w->line]);
        return g->lines[w->line++] + strlen(kind);
}

static void take_frame(struct walk *w, const uint8_t *frame, size_t len) {
        w->frame_bytes += len;
        w->golden->kind->frame(w, frame, len);
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
                        take_frame(w, frame, n);
        }
}

static void finish(struct walk *w) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_finish(&w->framer, &frame)) > 0)
                take_frame(w, frame, n);
        w->frames += w->framer.frames;
        w->noise += w->framer.noise_bytes;
        w->pending += framer_pending(&w->framer);
        w->total += w->framer.total_bytes;
        framer_init(&w->framer, w->golden->kind->check);
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

/* A line of bytes that must not bring a frame says why in its annotation, which is then done with. */
static bool brings_frame(struct walk *w) {
        const struct golden *g = w->golden;

        if (w->line == g->n_lines ||
            (!strstr(g->lines[w->line], "reject=incomplete") && !strstr(g->lines[w->line], "reject=bad_terminator")))
                return true;
        w->line++;
        return false;
}

static void walk_frames(struct walk *w, enum feeding feeding) {
        const struct golden *g = w->golden;
        size_t begin = 0;

        for (unsigned i = 0; i < g->n_ends; begin = g->ends[i++]) {
                uint64_t expected = w->frames + brings_frame(w);

                feed_in_pieces(w, g->bytes + begin, g->ends[i] - begin, feeding);
                finish(w);
                assert_int_equal(w->frames, expected);
        }
}

static void walk_through(const struct golden *g, enum feeding feeding) {
        struct walk w = { .golden = g };

        framer_init(&w.framer, g->kind->check);
        if (g->kind->begin)
                g->kind->begin();
        if (g->frames_kind)
                walk_frames(&w, feeding);
        else
                feed_in_pieces(&w, g->bytes, g->n_bytes, feeding);
        finish(&w);
        if (w.line != g->n_lines)
                fail_msg("%s: '%s' never came", g->path, g->lines[w.line]);
        assert_int_equal(w.frame_bytes + w.noise + w.pending, g->n_bytes);
        if (g->stats)
                check_stats(&w);
        else
                assert_true(g->frames_kind || !g->kind->streams_have_stats);
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
                assert_true(g->n_lines < GOLDEN_LINES_MAX);
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
                assert_true(v <= 0xff && g->n_bytes < GOLDEN_BYTES_MAX);
                g->bytes[g->n_bytes++] = (uint8_t) v;
        }
        assert_true(g->n_ends < GOLDEN_LINES_MAX);
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

static struct golden *golden_new(const struct golden_kind *kind, const char *folder, const char *name) {
        struct golden *g = calloc(1, sizeof *g);

        if (!g || asprintf(&g->path, "%s/%s", folder, name) < 0)
                abort();
        g->kind = kind;
        return g;
}

/* The folder of captures lies outside of the project; without it there is nothing to compare. */
static int collect(const struct golden_kind *kind, struct CMUnitTest *tests) {
        const char *shared = getenv("METERGATE_SHARED");
        struct dirent **entries;
        char folder[4096];
        int n;

        snprintf(folder, sizeof folder, "%s/captures/%s", shared ? shared : TOP_SRCDIR "/../shared",
                 kind->folder);
        n = scandir(folder, &entries, is_capture, alphasort);
        if (n <= 0 || n > FILES_MAX)
                return n <= 0 ? 0 : -1;
        for (int i = 0; i < n; i++) {
                tests[i] = (struct CMUnitTest) {
                        .name = strdup(entries[i]->d_name), .test_func = test_capture, .setup_func = load,
                        .teardown_func = unload, .initial_state = golden_new(kind, folder, entries[i]->d_name),
                };
                free(entries[i]);
        }
        free(entries);
        return n;
}

int golden_main(const struct golden_kind *kind) {
        struct CMUnitTest tests[FILES_MAX];
        int n, r;

        cmocka_set_message_output(CM_OUTPUT_TAP);
        random_state = test_seed() * 2 + 1;
        n = collect(kind, tests);
        if (n <= 0) {
                puts(n == 0 ? "1..0 # SKIP no folder of captures" : "Bail out! more captures than there is room for");
                return n < 0;
        }
        r = _cmocka_run_group_tests(kind->folder, tests, (size_t) n, NULL, NULL);
        for (int i = 0; i < n; i++)
                free((char *) tests[i].name);
        return r;
}
