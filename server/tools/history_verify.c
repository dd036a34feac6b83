/* metergate history verify: reads every page and every row. What is lost is told as stretches of time. */
#include "tools/history_verify_parts.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "history/page.h"
#include "history/query.h"

#define FINDINGS_MAX 100    /* of which each is told */

void finding(struct verifier *v, const char *format, ...) {
        va_list args;

        if (++v->findings > FINDINGS_MAX)
                return;
        progress_end(&v->progress);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
}

struct time_text text_of(int64_t tick) {
        struct time_text t;

        clock_format_rfc3339(tick * TICK_MS, t.text);
        return t;
}

/* ---- pages ---- */

/* All values of a stream can be decoded, and rise where they have to. */
static bool is_good_stream(const struct chunk_reader *chunk, unsigned stream, bool rises) {
        struct stream_reader s;
        int64_t value, before = INT64_MIN;
        int r;

        if (!stream_open(&s, chunk, stream))
                return false;
        while ((r = stream_next(&s, &value)) > 0) {
                if (rises && value <= before && before != INT64_MIN)
                        return false;
                before = value;
        }
        return r == 0;
}

static bool is_good_chunk(const struct verifier *v, const struct chunk_reader *chunk, enum history_tier tier) {
        const struct schema *schema = chunk->schema < STORE_SCHEMAS_MAX ? v->schemas[chunk->schema] : NULL;

        if (!schema || chunk->n_streams != page_stream_count(schema, tier))
                return false;
        for (unsigned i = 0; i < chunk->n_streams; i++)
                if (!is_good_stream(chunk, i, i == 0 || (tier == TIER_RAW && i == RAW_NUMBER)))
                        return false;
        return true;
}

/* What is between the meter's rows before the damage and those after it is lost. */
static void close_tear(struct verifier *v, struct watched *w, enum history_tier tier, int64_t from) {
        bool is_torn = w->torn[tier] && from > w->end[tier];

        w->torn[tier] = false;
        if (!is_torn)
                return;
        if (w->end[tier] == INT64_MIN)
                finding(v, "%s: %s: lost is what was before %s", tier_names[tier], w->meter, text_of(from).text);
        else
                finding(v, "%s: %s: lost from %s to %s", tier_names[tier], w->meter, text_of(w->end[tier]).text,
                        text_of(from).text);
        if (from > w->sound_from)
                w->sound_from = from;
}

static void note_chunk(struct verifier *v, const struct chunk_reader *chunk, enum history_tier tier, int64_t t_min) {
        int32_t step = tier == TIER_RAW ? 1 : tier_step_ticks[tier];
        struct watched *w = v->by_slot[chunk->schema];
        struct stream_reader ticks;
        int64_t value, tick;
        bool first = true;

        if (!stream_open(&ticks, chunk, 0))
                return;
        while (stream_next(&ticks, &value) > 0) {
                tick = (t_min / step + value) * step;
                if (first)
                        close_tear(v, w, tier, tick);
                first = false;
                if (tick + (tier == TIER_RAW ? 0 : step) > w->end[tier])
                        w->end[tier] = tick + (tier == TIER_RAW ? 0 : step);
        }
}

static void tear(struct verifier *v, enum history_tier tier) {
        for (unsigned i = 0; i < v->n_meters; i++)
                v->meters[i].torn[tier] = true;
}

static void check_page(struct verifier *v, enum history_tier tier, uint64_t seq, const uint8_t *page) {
        struct page_header header;
        struct chunk_reader chunk;

        page_get_header(page, &header);
        page_chunks(&chunk, page);
        while (page_next_chunk(&chunk)) {
                if (is_good_chunk(v, &chunk, tier)) {
                        note_chunk(v, &chunk, tier, header.t_min);
                        continue;
                }
                finding(v, "%s: page %" PRIu64 ": its rows of schema %u cannot be decoded", tier_names[tier], seq,
                        chunk.schema);
                tear(v, tier);
        }
}

/* A page that was good when the file was opened and is another now was overwritten by the gateway meanwhile. */
static void check_ring(struct verifier *v, enum history_tier tier) {
        uint64_t oldest = history_oldest(v->history, tier), end = history_end(v->history, tier);

        progress_begin(&v->progress, tier_names[tier]);
        for (uint64_t seq = oldest; seq < end; seq++) {
                uint8_t page[PAGE_BYTES];
                int r = history_page(v->history, tier, seq, page);

                progress_show(&v->progress, seq - oldest, end - oldest);
                if (r == 0)
                        check_page(v, tier, seq, page);
                else if (r != -ENOENT || !history_page_info(v->history, tier, seq).valid) {
                        finding(v, "%s: page %" PRIu64 " is damaged", tier_names[tier], seq);
                        tear(v, tier);
                }
        }
        progress_end(&v->progress);
}

/* ---- rows ---- */

static int series_index(const struct watched *w, const char *key) {
        for (unsigned i = 0; i < w->series.n; i++)
                if (strcmp(w->series.items[i].key, key) == 0)
                        return (int) i;
        return -1;
}

static bool is_storable(int64_t value) {
        return value >= -HISTORY_VALUE_MAX && value <= HISTORY_VALUE_MAX;
}

static void check_total(struct verifier *v, struct watched *w, const struct sample *s, unsigned column) {
        int i = series_index(w, s->schema->columns[column].key);
        int64_t total = s->row.totals[column];

        if (i < 0)
                return;
        if (w->has_total[i] && total < w->totals[i])
                finding(v, "raw: %s: %s steps back at %s", w->meter, s->schema->columns[column].key,
                        text_of(s->tick).text);
        w->has_total[i] = true;
        w->totals[i] = total;
}

static void check_row(struct verifier *v, const struct sample *s) {
        struct watched *w = v->by_slot[s->slot];

        if (s->schema->era == w->era && s->tick <= w->tick)
                finding(v, "raw: %s: row %" PRIu64 " is not after the one before it, at %s", w->meter, s->number,
                        text_of(s->tick).text);
        w->era = s->schema->era;
        w->tick = s->tick;
        for (unsigned i = 0; i < s->schema->n_columns; i++) {
                if (!(s->row.mask >> i & 1))
                        continue;
                if (!is_storable(s->row.values[i]) || !is_storable(s->row.totals[i]))
                        finding(v, "raw: %s: %s is beyond all bounds at %s", w->meter, s->schema->columns[i].key,
                                text_of(s->tick).text);
                else if (s->schema->columns[i].kind == COLUMN_COUNTER)
                        check_total(v, w, s, i);
        }
}

static int check_rows(struct verifier *v) {
        CLEANUP(samples_freep) struct samples *samples = NULL;
        uint64_t first = samples_oldest(v->history), end = samples_end(v->history);
        struct sample s;
        int r;

        r = samples_new(v->history, 0, &samples);
        if (r < 0)
                return r;
        progress_begin(&v->progress, "rows");
        while ((r = samples_next(samples, PAGES_AT_ONCE, &s)) > 0 || r == -EAGAIN) {
                if (r < 0)
                        continue;
                check_row(v, &s);
                v->rows++;
                progress_show(&v->progress, s.number - first, end - first);
        }
        progress_end(&v->progress);
        return r;
}

/* ---- the command ---- */

static int find_meters(struct verifier *v) {
        const struct schema *s;
        const char *meter;
        unsigned slot;

        while (history_meter_id(v->history, v->n_meters))
                v->n_meters++;
        v->meters = calloc(v->n_meters + 1, sizeof *v->meters);
        if (!v->meters)
                return -ENOMEM;
        for (unsigned m = 0; (meter = history_meter_id(v->history, m)); m++) {
                struct watched *w = &v->meters[m];

                *w = (struct watched) { .meter = meter, .sound_from = INT64_MIN, .tick = INT64_MIN };
                for (unsigned t = 0; t < TIER_COUNT; t++)
                        w->end[t] = INT64_MIN;
                (void) meter_series_read(v->history, meter, &w->series);
                for (unsigned i = 0; (s = history_schema(v->history, meter, i, &slot)); i++) {
                        v->schemas[slot] = s;
                        v->by_slot[slot] = w;
                }
        }
        return 0;
}

static int check_everything(struct verifier *v) {
        int r = find_meters(v);

        if (r < 0)
                return r;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                check_ring(v, (enum history_tier) t);
        r = check_rows(v);
        return r < 0 ? r : compare_tiers(v);
}

static void print_readable(struct verifier *v) {
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                struct figures f = survey_tier(&v->survey, (enum history_tier) t);

                if (f.any)
                        printf("%s: %" PRIu64 " samples can be read, from %s to %s\n", tier_names[t], f.samples,
                               text_of(f.oldest).text, text_of(f.newest).text);
        }
        if (v->findings > FINDINGS_MAX)
                printf("%u more findings\n", v->findings - FINDINGS_MAX);
        printf("%" PRIu64 " rows read, %" PRIu64 " buckets compared: %s\n", v->rows, v->buckets,
               v->findings > 0 ? "damaged" : "all is well");
}

static int verify(const char *directory) {
        CLEANUP(history_freep) struct history *h = NULL;
        struct verifier *v;
        int r;

        r = history_tool_look(directory, &h);
        if (r != 0)
                return r;
        v = calloc(1, sizeof *v);
        if (!v)
                return 1;
        v->history = h;
        r = check_everything(v);
        if (r < 0)
                log_error("%s: %s", directory, strerror(-r));
        else
                print_readable(v);
        r = r < 0 || v->findings > 0 || fflush(stdout) != 0;
        free(v->meters);
        free(v);
        return r;
}

static void print_help(void) {
        puts("Usage: metergate history verify --directory D\n"
             "\n"
             "Reads everything that is stored and checks it: the checksum and structure of each page, that rows\n"
             "are in order and counters never step back, and that minutes and quarter hours are what the rows\n"
             "give. Exit status 1 tells of damage; the output says which stretches of time are lost.\n"
             "\n"
             "  --directory D    where the history is\n"
             "  --help           this text");
}

int history_verify_main(int argc, char **argv) {
        static const struct option options[] = {
                { "directory", required_argument, NULL, 'd' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        const char *directory = NULL;
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'd':
                        directory = optarg;
                        break;
                case 'h':
                        print_help();
                        return 0;
                default:
                        return 2;
                }
        if (!directory || optind != argc) {
                log_error("history verify: expected --directory D and nothing else; "
                          "see metergate history verify --help");
                return 2;
        }
        return verify(directory);
}
