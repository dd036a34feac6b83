#include "tools/history_tools.h"

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/units.h"
#include "history/page.h"
#include "tools/ndjson.h"

#define LINE_MAX_BYTES (1u << 20)

/* A page that is still open, in the file as a checkpoint or not at all, counts as a whole one. */
static uint64_t bytes_used(const struct survey *s, enum history_tier tier) {
        return s->pages[tier] * PAGE_BYTES;
}

/* Thousandths; false when there is nothing to divide by. */
static bool bytes_per_sample(const struct survey *s, enum history_tier tier, int64_t *ret) {
        uint64_t samples = survey_tier(s, tier).samples;

        if (samples == 0)
                return false;
        *ret = (int64_t) ((bytes_used(s, tier) * 1000 + samples / 2) / samples);
        return true;
}

/* ---- JSON ---- */

static void put_time(struct json_writer *w, const char *key, const char *key_ms, const struct figures *f,
                     int64_t tick) {
        char text[CLOCK_RFC3339_MAX];

        if (!f->any) {
                json_put_null(w, key);
                json_put_null(w, key_ms);
                return;
        }
        clock_format_rfc3339(tick * TICK_MS, text);
        json_put_string(w, key, text);
        json_put_int(w, key_ms, tick * TICK_MS);
}

static void put_extent(struct json_writer *w, const struct figures *f) {
        put_time(w, "oldest", "oldest_ms", f, f->oldest);
        put_time(w, "newest", "newest_ms", f, f->newest);
}

static void put_bytes_per_sample(struct json_writer *w, const struct survey *s, enum history_tier tier) {
        int64_t thousandths;

        if (bytes_per_sample(s, tier, &thousandths))
                json_put_decimal(w, "bytes_per_sample", thousandths, 3);
        else
                json_put_null(w, "bytes_per_sample");
}

static void put_tier(struct json_writer *w, const struct survey *s, const struct store_stats *stats,
                     enum history_tier tier) {
        struct figures f = survey_tier(s, tier);

        json_object_begin(w, tier_names[tier]);
        json_put_uint(w, "samples", f.samples);
        json_put_uint(w, "bytes_used", bytes_used(s, tier));
        json_put_uint(w, "bytes_allocated", stats->n_pages[tier] * PAGE_BYTES);
        put_bytes_per_sample(w, s, tier);
        put_extent(w, &f);
        json_put_uint(w, "pages_used", s->pages[tier]);
        json_put_uint(w, "pages", stats->n_pages[tier]);
        json_put_uint(w, "pages_damaged", stats->damaged_pages[tier]);
        json_object_end(w);
}

static void put_schema(struct json_writer *w, const struct schema *schema) {
        json_object_begin(w, NULL);
        json_put_uint(w, "serial", schema->serial);
        json_put_uint(w, "era", schema->era);
        json_put_decimal(w, "hold_s", schema->hold_ticks, 1);
        json_array_begin(w, "series");
        for (unsigned i = 0; i < schema->n_columns; i++)
                json_put_string(w, NULL, schema->columns[i].key);
        json_array_end(w);
        json_object_end(w);
}

static void put_meter(struct json_writer *w, const struct survey *s, struct history *h, const char *meter) {
        struct figures f = survey_all(s, h, meter);
        struct meter_series series;
        const struct schema *schema;
        unsigned slot;

        json_object_begin(w, NULL);
        json_put_string(w, "id", meter);
        json_put_uint(w, "samples", f.samples);
        put_extent(w, &f);
        json_array_begin(w, "series");
        (void) meter_series_read(h, meter, &series);
        for (unsigned i = 0; i < series.n; i++)
                json_put_string(w, NULL, series.items[i].key);
        json_array_end(w);
        json_array_begin(w, "schemas");
        for (unsigned i = 0; (schema = history_schema(h, meter, i, &slot)); i++)
                put_schema(w, schema);
        json_array_end(w);
        json_object_end(w);
}

static int print_json(struct history *h, const struct survey *s, const char *path) {
        struct store_stats stats = history_stats(h).store;
        struct figures all = survey_all(s, h, NULL);
        struct buffer line;
        struct json_writer w;
        const char *meter;
        uint64_t used = 0;
        int r;

        buffer_init(&line, LINE_MAX_BYTES);
        for (unsigned t = 0; t < TIER_COUNT; t++)
                used += bytes_used(s, (enum history_tier) t);
        json_begin(&w, &line);
        json_object_begin(&w, NULL);
        json_put_string(&w, "file", path);
        json_put_uint(&w, "samples", all.samples);
        json_put_uint(&w, "bytes_used", used);
        json_put_uint(&w, "bytes_allocated", stats.bytes_allocated);
        put_bytes_per_sample(&w, s, TIER_RAW);
        put_extent(&w, &all);
        json_object_begin(&w, "tiers");
        for (unsigned t = 0; t < TIER_COUNT; t++)
                put_tier(&w, s, &stats, (enum history_tier) t);
        json_object_end(&w);
        json_array_begin(&w, "meters");
        for (unsigned i = 0; (meter = history_meter_id(h, i)); i++)
                put_meter(&w, s, h, meter);
        json_array_end(&w);
        json_object_end(&w);
        r = ndjson_write(&line);
        buffer_free(&line);
        return r < 0;
}

/* ---- for people ---- */

static void format_time(const struct figures *f, int64_t tick, char *buf) {
        if (f->any)
                clock_format_rfc3339(tick * TICK_MS, buf);
        else
                strcpy(buf, "-");
}

static void print_tier(const struct survey *s, const struct store_stats *stats, enum history_tier tier) {
        struct figures f = survey_tier(s, tier);
        char oldest[CLOCK_RFC3339_MAX], newest[CLOCK_RFC3339_MAX], ratio[DECIMAL_TEXT_MAX] = "-";
        int64_t thousandths;

        if (bytes_per_sample(s, tier, &thousandths))
                decimal_format(thousandths, 3, ratio);
        format_time(&f, f.oldest, oldest);
        format_time(&f, f.newest, newest);
        printf("%-6s %12" PRIu64 " %11s %6" PRIu64 " of %-6" PRIu64 " %7" PRIu64 "  %-24s  %-24s\n", tier_names[tier],
               f.samples, ratio, s->pages[tier], stats->n_pages[tier], stats->damaged_pages[tier], oldest, newest);
}

static void print_schema(const struct schema *schema) {
        char hold[32], since[CLOCK_RFC3339_MAX];

        units_format_duration_ms((uint64_t) schema->hold_ticks * TICK_MS, hold);
        printf("  %s hold for %s:", schema->era == 0 ? "values" : "later, values", hold);
        for (unsigned i = 0; i < schema->n_columns; i++)
                printf(" %s", schema->columns[i].key);
        if (schema->era > 0) {
                clock_format_rfc3339(schema->era_start * TICK_MS, since);
                printf(" (era %" PRIu32 ", the clock was set back to %s)", schema->era, since);
        }
        printf("\n");
}

static void print_meter(const struct survey *s, struct history *h, const char *meter) {
        struct figures f = survey_all(s, h, meter);
        char oldest[CLOCK_RFC3339_MAX], newest[CLOCK_RFC3339_MAX];
        const struct schema *schema;
        unsigned slot;

        format_time(&f, f.oldest, oldest);
        format_time(&f, f.newest, newest);
        printf("\nmeter %s: %" PRIu64 " samples, %s to %s\n", meter, f.samples, oldest, newest);
        for (unsigned i = 0; (schema = history_schema(h, meter, i, &slot)); i++)
                print_schema(schema);
}

static int print_text(struct history *h, const struct survey *s, const char *path) {
        struct store_stats stats = history_stats(h).store;
        const char *meter;

        printf("%s: %" PRIu64 " KiB\n\n", path, stats.bytes_allocated / 1024);
        printf("%-6s %12s %11s %16s %7s  %-24s  %-24s\n", "TIER", "SAMPLES", "BYTES EACH", "PAGES USED", "DAMAGED",
               "OLDEST", "NEWEST");
        for (unsigned t = 0; t < TIER_COUNT; t++)
                print_tier(s, &stats, (enum history_tier) t);
        for (unsigned i = 0; (meter = history_meter_id(h, i)); i++)
                print_meter(s, h, meter);
        return fflush(stdout) != 0;
}

/* ---- the command ---- */

static void print_help(void) {
        puts("Usage: metergate history info [--json] --directory D\n"
             "\n"
             "Says what is stored: per tier and meter the number of samples (one for each series and row), their\n"
             "time and the room they take. A page of 4096 bytes that is not full yet counts as a whole one.\n"
             "\n"
             "  --directory D    where the history is\n"
             "  --json           one JSON object\n"
             "  --help           this text");
}

static int show(const char *directory, bool json) {
        CLEANUP(history_freep) struct history *h = NULL;
        char path[PATH_MAX];
        struct survey s;
        int r;

        r = history_tool_look(directory, &h);
        if (r != 0)
                return r;
        snprintf(path, sizeof path, "%s/%s", directory, STORE_FILE_NAME);
        survey_history(h, &s);
        return json ? print_json(h, &s, path) : print_text(h, &s, path);
}

int history_info_main(int argc, char **argv) {
        static const struct option options[] = {
                { "directory", required_argument, NULL, 'd' }, { "json", no_argument, NULL, 'j' },
                { "help", no_argument, NULL, 'h' },            { NULL, 0, NULL, 0 },
        };
        const char *directory = NULL;
        bool json = false;
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'd':
                        directory = optarg;
                        break;
                case 'j':
                        json = true;
                        break;
                case 'h':
                        print_help();
                        return 0;
                default:
                        return 2;
                }
        if (!directory || optind != argc) {
                log_error("history info: expected --directory D and nothing else; see metergate history info --help");
                return 2;
        }
        return show(directory, json);
}
