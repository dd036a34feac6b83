/* Recordings as files: whole lines, files that are set aside, names, what is kept. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "capture/capture_names.h"
#include "capture/capture_writer.h"

#define T0 INT64_C(1795255200123)  /* 2026-11-21T10:00:00.123Z */

static char folder[64], path[128];

static int make_folder(void **state) {
        (void) state;
        snprintf(folder, sizeof folder, "/tmp/metergate-writer-XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        snprintf(path, sizeof path, "%s/meter.hex", folder);
        return 0;
}

static int remove_folder(void **state) {
        DIR *d = opendir(folder);
        const struct dirent *e;

        (void) state;
        while (d && (e = readdir(d)))
                if (e->d_name[0] != '.')
                        unlinkat(dirfd(d), e->d_name, 0);
        if (d)
                closedir(d);
        return rmdir(folder);
}

static void put_header(void *userdata, struct buffer *out) {
        (void) userdata;
        buffer_puts(out, "# protocol: tuyamcu\n");
}

static struct capture_writer *begin(struct capture_writer_options options, int64_t utc_ms) {
        struct capture_writer *w = NULL;
        char error[CAPTURE_ERROR_MAX] = "";

        options.path = path;
        options.header = put_header;
        if (capture_writer_new(&options, 0, utc_ms, &w, error) < 0)
                fail_msg("%s", error);
        return w;
}

static void end(struct capture_writer *w) {
        assert_int_equal(capture_writer_end(w), 0);
        capture_writer_free(w);
}

static const char *read_file(const char *name) {
        static char text[262144];
        char full[256];
        FILE *f;
        size_t n;

        snprintf(full, sizeof full, "%s/%s", folder, name);
        f = fopen(full, "r");
        if (!f)
                fail_msg("%s: %s", full, strerror(errno));
        n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[n] = '\0';
        return text;
}

static void write_file(const char *name, const char *text) {
        char full[256];
        FILE *f;

        snprintf(full, sizeof full, "%s/%s", folder, name);
        f = fopen(full, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static bool exists(const char *name) {
        char full[256];

        snprintf(full, sizeof full, "%s/%s", folder, name);
        return access(full, F_OK) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

/* "a b c": all files, in the order of their names. */
static const char *list_files(void) {
        static char text[8192];
        struct dirent **entries;
        int n = scandir(folder, &entries, NULL, by_name);

        text[0] = '\0';
        for (int i = 0; i < n; i++) {
                if (entries[i]->d_name[0] != '.')
                        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "",
                                 entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        return text;
}

static void put(struct capture_writer *w, uint64_t now_ms, const char *bytes, size_t len) {
        int r = capture_writer_bytes(w, now_ms, T0 + (int64_t) now_ms, CAPTURE_RX, (const uint8_t *) bytes, len);

        assert_int_equal(r, 0);
}

static void test_lines(void **state) {
        struct capture_writer *w = begin((struct capture_writer_options) { 0 }, T0);

        (void) state;
        assert_string_equal(read_file("meter.hex"), "# source: metergate capture\n"
                            "# began: 2026-11-21T10:00:00.123Z\n# protocol: tuyamcu\n\n");
        put(w, 7, "\x55\xaa", 2);
        assert_int_equal(capture_writer_bytes(w, 8, T0 + 8, CAPTURE_TX, (const uint8_t *) "\x01", 1), 0);
        assert_int_equal(capture_writer_note(w, 9, T0 + 9, "rx: the port is gone"), 0);
        assert_null(strstr(read_file("meter.hex"), "55"));
        assert_int_equal(capture_writer_tick(w, 1000, T0 + 1000), 0);
        assert_non_null(strstr(read_file("meter.hex"), "\n\n2026-11-21T10:00:00.130Z rx 55 AA\n"
                               "2026-11-21T10:00:00.131Z tx 01\n"
                               "# note: 2026-11-21T10:00:00.132Z rx: the port is gone\n"));
        assert_int_equal(capture_writer_written(w), strlen(read_file("meter.hex")));
        assert_int_equal(capture_writer_files(w), 1);
        end(w);
}

/* Nothing has to be flushed for a long line of reads to reach the file. */
static void test_much_is_written_at_once(void **state) {
        struct capture_writer *w = begin((struct capture_writer_options) { 0 }, T0);
        char bytes[512] = { 0 };

        (void) state;
        for (unsigned i = 0; i < 100; i++)
                put(w, i, bytes, sizeof bytes);
        assert_true(capture_writer_written(w) > 100000);
        capture_writer_free(w);
        assert_int_equal(read_file("meter.hex")[strlen(read_file("meter.hex")) - 1], '\n');
}

static void test_size(void **state) {
        struct capture_writer *w = begin((struct capture_writer_options) { .rotate_bytes = 4096, .keep = 3 }, T0);
        char bytes[100];

        (void) state;
        for (unsigned i = 0; i < 200; i++) {
                struct stat about;

                memset(bytes, (int) i, sizeof bytes);
                put(w, i * 1000, bytes, sizeof bytes);
                assert_int_equal(capture_writer_tick(w, i * 1000, T0 + i * 1000), 0);
                assert_int_equal(stat(path, &about), 0);
                assert_true(about.st_size <= 4096);
        }
        /* 12 lines of 328 characters beside the header. */
        assert_string_equal(list_files(), "meter-20261121T100248.123Z.hex meter-20261121T100300.123Z.hex meter.hex");
        assert_int_equal(capture_writer_files(w), 17);
        assert_non_null(strstr(read_file("meter-20261121T100248.123Z.hex"), "# began: 2026-11-21T10:02:48.123Z\n"));
        assert_non_null(strstr(read_file("meter-20261121T100300.123Z.hex"), ":03:11.123Z rx BF BF"));
        end(w);
}

static void test_age(void **state) {
        struct capture_writer *w = begin((struct capture_writer_options) { .rotate_ms = 60000 }, T0);

        (void) state;
        /* A file without a byte is not set aside. */
        assert_int_equal(capture_writer_tick(w, 70000, T0 + 70000), 0);
        assert_string_equal(list_files(), "meter.hex");
        put(w, 80000, "a", 1);
        assert_int_equal(capture_writer_tick(w, 81000, T0 + 81000), 0);
        assert_string_equal(list_files(), "meter-20261121T100000.123Z.hex meter.hex");
        put(w, 90000, "b", 1);
        assert_int_equal(capture_writer_tick(w, 140999, T0 + 140999), 0);
        assert_string_equal(list_files(), "meter-20261121T100000.123Z.hex meter.hex");
        put(w, 141000, "c", 1);
        assert_string_equal(list_files(), "meter-20261121T100000.123Z.hex meter-20261121T100121.123Z.hex meter.hex");
        end(w);
}

/* The same millisecond, and a clock that is set back: names still stand in the order of time. */
static void test_names_never_step_back(void **state) {
        struct capture_names names;
        char next[PATH_MAX], expected[PATH_MAX];

        (void) state;
        assert_int_equal(capture_names_of(path, &names), 0);
        write_file("meter-20261121T095959.999Z.hex", "");
        assert_int_equal(capture_names_next(&names, T0, next), 0);
        snprintf(expected, sizeof expected, "%s/meter-20261121T100000.123Z.hex", folder);
        assert_string_equal(next, expected);
        assert_int_equal(capture_names_next(&names, T0 - 5000, next), 0);
        snprintf(expected, sizeof expected, "%s/meter-20261121T100000.000Z.hex", folder);
        assert_string_equal(next, expected);
        write_file("meter-20261121T100000.123Z.hex", "");
        assert_int_equal(capture_names_next(&names, T0, next), 0);
        snprintf(expected, sizeof expected, "%s/meter-20261121T100000.124Z.hex", folder);
        assert_string_equal(next, expected);
}

/* Only what has exactly such a name is ever deleted. */
static void test_other_files_stay(void **state) {
        static const char *const others[] = {
                "meter-20261121T100000.123Z.txt", "meter-20261121T100000.123Z.hex.bak", "meter-20261121T100000Z.hex",
                "meter-2026112XT100000.123Z.hex", "meter2-20261121T100000.123Z.hex", "meter-.hex", "zz",
        };
        struct capture_names names;

        (void) state;
        for (size_t i = 0; i < ELEMENTS(others); i++)
                write_file(others[i], "");
        write_file("meter-20261121T100000.123Z.hex", "");
        write_file("meter-20261121T100001.123Z.hex", "");
        assert_int_equal(capture_names_of(path, &names), 0);
        assert_int_equal(capture_names_trim(&names, 1), 0);
        assert_false(exists("meter-20261121T100000.123Z.hex"));
        assert_true(exists("meter-20261121T100001.123Z.hex"));
        assert_int_equal(capture_names_trim(&names, 0), 0);
        assert_false(exists("meter-20261121T100001.123Z.hex"));
        for (size_t i = 0; i < ELEMENTS(others); i++)
                assert_true(exists(others[i]));
}

static const char *old_name(unsigned i) {
        static char name[48];

        snprintf(name, sizeof name, "meter-20251121T10%02u%02u.%03uZ.hex", i / 60 % 60, i % 60, i * 7 % 1000);
        return name;
}

/* How many of them there are; the oldest are the first that go. */
static unsigned count_old(unsigned n) {
        unsigned found = 0;

        for (unsigned i = 0; i < n; i++) {
                bool is_there = exists(old_name(i));

                assert_true(is_there || found == 0);
                found += is_there;
        }
        return found;
}

/* Thousands that were kept before are no reason to leave a port alone for minutes. */
static void test_many_files_go_a_few_at_a_time(void **state) {
        struct capture_writer *w;
        unsigned left = 1000;

        (void) state;
        for (unsigned i = 0; i < left; i++)
                write_file(old_name(i), "");
        w = begin((struct capture_writer_options) { .rotate_ms = 1000, .keep = 4 }, T0);
        for (unsigned i = 0; left > 3; i++) {
                unsigned before = left;

                assert_int_equal(capture_writer_tick(w, i, T0 + i), 0);
                left = count_old(1000);
                assert_true(left < before && before - left <= 300);
        }
        assert_int_equal(capture_writer_tick(w, 99, T0 + 99), 0);
        assert_string_equal(list_files(), "meter-20251121T101637.979Z.hex meter-20251121T101638.986Z.hex "
                                          "meter-20251121T101639.993Z.hex meter.hex");
        end(w);
}

static void test_names_of_paths(void **state) {
        struct capture_names n;
        char longest[400];

        (void) state;
        assert_int_equal(capture_names_of("meter", &n), 0);
        assert_string_equal(n.folder, ".");
        assert_string_equal(n.stem, "meter");
        assert_string_equal(n.ending, "");
        assert_int_equal(capture_names_of("/a.b/.hidden", &n), 0);
        assert_string_equal(n.folder, "/a.b");
        assert_string_equal(n.stem, ".hidden");
        assert_int_equal(capture_names_of("/x.tar.gz", &n), 0);
        assert_string_equal(n.folder, "/");
        assert_string_equal(n.stem, "x.tar");
        assert_string_equal(n.ending, ".gz");
        assert_int_equal(capture_names_of("/tmp/", &n), -EISDIR);
        memset(longest, 'a', sizeof longest);
        longest[NAME_MAX - 10] = '\0';
        assert_int_equal(capture_names_of(longest, &n), -ENAMETOOLONG);
}

/* A second run goes on where the first ended; its age and size count. */
static void test_continued(void **state) {
        struct capture_writer *w = begin((struct capture_writer_options) { 0 }, T0);

        (void) state;
        put(w, 0, "a", 1);
        end(w);
        write_file("torn", read_file("meter.hex"));
        w = begin((struct capture_writer_options) { .rotate_ms = 60000 }, T0 + 50000);
        put(w, 9999, "b", 1);
        assert_string_equal(list_files(), "meter.hex torn");
        assert_int_equal(strncmp(read_file("meter.hex"), read_file("torn"), strlen(read_file("torn"))), 0);
        put(w, 10000, "c", 1);
        assert_string_equal(list_files(), "meter-20261121T100000.123Z.hex meter.hex torn");
        end(w);
        /* Too old already. */
        w = begin((struct capture_writer_options) { .rotate_ms = 1000 }, T0 + 500000);
        assert_int_equal(capture_writer_files(w), 2);
        end(w);
        assert_true(exists("meter-20261121T100010.123Z.hex"));
}

static void test_torn_line(void **state) {
        static const char whole[] = "# source: metergate capture\n# began: 2026-11-21T10:00:00.123Z\n\n"
                                    "2026-11-21T10:00:00.123Z rx 55 AA\n";
        struct capture_writer *w;
        char text[512];

        (void) state;
        snprintf(text, sizeof text, "%s2026-11-21T10:00:00.124Z rx 5", whole);
        write_file("meter.hex", text);
        w = begin((struct capture_writer_options) { 0 }, T0 + 5000);
        assert_int_equal(strncmp(read_file("meter.hex"), whole, strlen(whole)), 0);
        assert_int_equal(strncmp(read_file("meter.hex") + strlen(whole), "# source:", 9), 0);
        end(w);
}

/* What a full disk leaves of the first lines, or a crash in the place of the last ones. */
static void test_torn_file(void **state) {
        static const char header[] = "# source: metergate capture\n# began: 2026-11-21T10:00:00.123Z\n";
        static const char fresh[] = "# source: metergate capture\n# began: 2026-11-21T10:00:05.123Z\n";
        struct capture_writer *w;
        char zeros[5000] = "";
        FILE *f;

        (void) state;
        for (size_t n = 1; n < strlen(header); n++) {
                char text[sizeof header] = "";

                memcpy(text, header, n);
                write_file("meter.hex", text);
                w = begin((struct capture_writer_options) { .rotate_ms = 1000 }, T0 + 5000);
                assert_string_equal(list_files(), "meter.hex");
                assert_int_equal(strncmp(read_file("meter.hex"), fresh, strlen(fresh)), 0);
                end(w);
        }
        write_file("meter.hex", header);
        f = fopen(path, "a");
        assert_non_null(f);
        assert_int_equal(fwrite(zeros, sizeof zeros, 1, f), 1);
        fclose(f);
        w = begin((struct capture_writer_options) { 0 }, T0 + 5000);
        assert_int_equal(strncmp(read_file("meter.hex") + strlen(header), header, 28), 0);
        end(w);
}

static void assert_refused(struct capture_writer_options options, int error, const char *text) {
        struct capture_writer *w = NULL;
        char said[CAPTURE_ERROR_MAX] = "";

        options.header = put_header;
        assert_int_equal(capture_writer_new(&options, 0, T0, &w, said), error);
        assert_null(w);
        if (!strstr(said, text))
                fail_msg("%s", said);
}

/* Lines that came out of a pipe, and how many of others the comments tell to be missing. */
struct taken {
        unsigned lines, lost;
        size_t len;
        char rest[4096];           /* a line that has only begun */
};

static void take_line(struct taken *t, const char *line) {
        unsigned lost;

        if (sscanf(line, "# note: %u lines are missing", &lost) == 1)
                t->lost += lost;
        else if (line[0] != '#' && line[0] != '\0') {
                unsigned number;

                assert_int_equal(sscanf(line, "2026-11-21T10:00:00.%*3uZ rx 00 %x", &number), 1);
                assert_int_equal(number, (t->lines + t->lost) % 256);
                t->lines++;
        }
}

static void take(struct taken *t, int fd) {
        ssize_t n;

        while ((n = read(fd, t->rest + t->len, sizeof t->rest - t->len)) > 0) {
                char *end;

                t->len += (size_t) n;
                while ((end = memchr(t->rest, '\n', t->len))) {
                        *end = '\0';
                        take_line(t, t->rest);
                        t->len -= (size_t) (end + 1 - t->rest);
                        memmove(t->rest, end + 1, t->len);
                }
        }
}

/* Nobody is waited for, nothing grows without end, and what is left out is told where it is missing. */
static void test_a_pipe_that_is_read_slowly(void **state) {
        uint8_t bytes[500] = { 0 };
        struct capture_writer *w;
        struct taken taken = { 0 };
        unsigned put_lines = 0;
        int fd;

        (void) state;
        assert_int_equal(mkfifo(path, 0600), 0);
        fd = open(path, O_RDONLY | O_NONBLOCK);
        assert_true(fd >= 0);
        w = begin((struct capture_writer_options) { 0 }, T0);
        for (unsigned round = 0; round < 2; round++) {
                while (put_lines < 2000 * (round + 1)) {
                        bytes[1] = (uint8_t) put_lines++;
                        assert_int_equal(capture_writer_bytes(w, 0, T0, CAPTURE_RX, bytes, sizeof bytes), 0);
                }
                assert_true(capture_writer_lost(w) > 500 * (round + 1));
                for (unsigned i = 0; i < 1000; i++) {
                        take(&taken, fd);
                        assert_int_equal(capture_writer_tick(w, 0, T0), 0);
                }
        }
        assert_int_equal(capture_writer_end(w), 0);
        take(&taken, fd);
        assert_int_equal(taken.lines + taken.lost, put_lines);
        assert_int_equal(taken.lost, capture_writer_lost(w));
        capture_writer_free(w);
        close(fd);
}

/* The end is not put off by a reader that stands still. */
static void test_a_pipe_that_is_not_read(void **state) {
        uint8_t bytes[500] = { 0 };
        struct capture_writer *w;
        int fd;

        (void) state;
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_refused((struct capture_writer_options) { .path = path }, -ENXIO, "nobody reads from");
        fd = open(path, O_RDONLY | O_NONBLOCK);
        assert_true(fd >= 0);
        w = begin((struct capture_writer_options) { 0 }, T0);
        for (unsigned i = 0; i < 200; i++)
                assert_int_equal(capture_writer_bytes(w, 0, T0, CAPTURE_RX, bytes, sizeof bytes), 0);
        assert_int_equal(capture_writer_end(w), -ETIMEDOUT);
        assert_non_null(strstr(capture_writer_error(w), "is not read any more"));
        close(fd);
        capture_writer_free(w);
}

static void test_refused(void **state) {
        struct capture_writer *w;

        (void) state;
        write_file("meter.hex", "something else\n");
        assert_refused((struct capture_writer_options) { .path = path }, -EEXIST, "is no recording");
        assert_string_equal(read_file("meter.hex"), "something else\n");
        unlink(path);
        assert_refused((struct capture_writer_options) { .path = "/nonexistent/x" }, -ENOENT, "No such file");
        assert_refused((struct capture_writer_options) { .path = "/dev/null", .rotate_ms = 1000 }, -EINVAL,
                       "is no file");
        assert_refused((struct capture_writer_options) { .path = "/dev/full" }, -ENOSPC, "No space left");
        w = begin((struct capture_writer_options) { 0 }, T0);
        assert_refused((struct capture_writer_options) { .path = path }, -EBUSY, "another program");
        end(w);
}

/* After an error nothing more is written, and the same error comes again. */
static void test_error_stays(void **state) {
        struct capture_writer *w = begin((struct capture_writer_options) { .rotate_bytes = 4096, .keep = 2 }, T0);

        (void) state;
        put(w, 0, "a", 1);
        /* The folder is gone under it. */
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder), 0);
        for (unsigned i = 0; capture_writer_bytes(w, i, T0 + i, CAPTURE_RX, (const uint8_t *) "a", 1) == 0; i++)
                assert_true(i < 2000);
        assert_int_equal(capture_writer_tick(w, 0, T0), -ENOENT);
        assert_int_equal(capture_writer_end(w), -ENOENT);
        assert_non_null(strstr(capture_writer_error(w), "cannot be set aside"));
        capture_writer_free(w);
        assert_int_equal(mkdir(folder, 0700), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_lines),
                TEST(test_much_is_written_at_once),
                TEST(test_size),
                TEST(test_age),
                TEST(test_names_never_step_back),
                TEST(test_other_files_stay),
                TEST(test_many_files_go_a_few_at_a_time),
                TEST(test_names_of_paths),
                TEST(test_continued),
                TEST(test_torn_line),
                TEST(test_torn_file),
                TEST(test_a_pipe_that_is_read_slowly),
                TEST(test_a_pipe_that_is_not_read),
                TEST(test_refused),
                TEST(test_error_stays),
        };

        signal(SIGPIPE, SIG_IGN);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
