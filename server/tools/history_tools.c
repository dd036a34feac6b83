#include "tools/history_tools.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "history/page.h"
#include "tools/progress.h"

int history_tool_open(const struct history_options *options, struct history **ret) {
        CLEANUP(history_freep) struct history *h = NULL;
        char error[STORE_ERROR_MAX];
        struct progress progress;
        const char *note;
        int r;

        r = history_new(options, &h, error);
        if (r < 0) {
                log_error("%s", error[0] ? error : strerror(-r));
                return 1;
        }
        progress_begin(&progress, "history");
        while (history_step(h) > 0) {
                uint64_t done, total;

                history_progress(h, &done, &total);
                progress_show(&progress, done, total);
        }
        progress_end(&progress);
        while ((note = history_next_note(h)))
                log_warning("%s", note);
        if (history_error(h)[0]) {
                log_error("%s", history_error(h));
                return 1;
        }
        *ret = TAKE(h);
        return 0;
}

int history_tool_look(const char *directory, struct history **ret) {
        const struct history_options options = { .directory = directory, .read_only = true };

        return history_tool_open(&options, ret);
}

int64_t history_tool_now_ms(void) {
        int64_t utc_ms = 0;

        clock_init(true);
        clock_update();
        (void) clock_to_utc_ms(clock_now_ms(), &utc_ms);
        return utc_ms;
}

/* ---- what is stored where ---- */

static void extend(struct figures *f, int64_t from, int64_t to) {
        if (!f->any || from < f->oldest)
                f->oldest = from;
        if (!f->any || to > f->newest)
                f->newest = to;
        f->any = true;
}

/* Values of all columns; where a column has several streams, those of the first. */
static uint64_t count_values(const struct chunk_reader *chunk, const struct schema *schema, enum history_tier tier) {
        struct stream_reader stream;
        uint64_t n = 0;

        for (unsigned i = 0; i < schema->n_columns; i++)
                if (stream_open(&stream, chunk, page_column_stream(schema, tier, i)))
                        n += stream.left;
        return n;
}

static void survey_chunk(struct figures *f, const struct chunk_reader *chunk, const struct schema *schema,
                         enum history_tier tier, int64_t t_min) {
        int32_t step = tier == TIER_RAW ? 1 : tier_step_ticks[tier];
        struct stream_reader ticks;
        int64_t value, tick;

        f->samples += count_values(chunk, schema, tier);
        if (!stream_open(&ticks, chunk, tier == TIER_RAW ? RAW_TICK : TIER_TICK))
                return;
        while (stream_next(&ticks, &value) > 0) {
                tick = (t_min / step + value) * step;
                extend(f, tick, tier == TIER_RAW ? tick : tick + step);
        }
}

static void read_schemas(const struct history *h, const struct schema **ret) {
        const struct schema *s;
        const char *meter;
        unsigned slot;

        for (unsigned m = 0; (meter = history_meter_id(h, m)); m++)
                for (unsigned i = 0; (s = history_schema(h, meter, i, &slot)); i++)
                        ret[slot] = s;
}

static void survey_ring(struct history *h, enum history_tier tier, const struct schema *const *schemas,
                        struct survey *s) {
        for (uint64_t seq = history_oldest(h, tier); seq < history_end(h, tier); seq++) {
                uint8_t page[PAGE_BYTES];
                struct page_header header;
                struct chunk_reader chunk;

                if (history_page(h, tier, seq, page) < 0)
                        continue;
                s->pages[tier]++;
                page_get_header(page, &header);
                page_chunks(&chunk, page);
                while (page_next_chunk(&chunk))
                        if (chunk.schema < STORE_SCHEMAS_MAX && schemas[chunk.schema])
                                survey_chunk(&s->slots[tier][chunk.schema], &chunk, schemas[chunk.schema], tier,
                                             header.t_min);
        }
}

void survey_history(struct history *h, struct survey *ret) {
        const struct schema *schemas[STORE_SCHEMAS_MAX] = { NULL };

        *ret = (struct survey) { .pages = { 0 } };
        read_schemas(h, schemas);
        for (unsigned tier = 0; tier < TIER_COUNT; tier++)
                survey_ring(h, (enum history_tier) tier, schemas, ret);
}

static void add_figures(struct figures *sum, const struct figures *f) {
        if (!f->any)
                return;
        sum->samples += f->samples;
        extend(sum, f->oldest, f->newest);
}

struct figures survey_tier(const struct survey *s, enum history_tier tier) {
        struct figures sum = { 0 };

        for (unsigned slot = 0; slot < STORE_SCHEMAS_MAX; slot++)
                add_figures(&sum, &s->slots[tier][slot]);
        return sum;
}

struct figures survey_meter(const struct survey *s, const struct history *h, const char *meter,
                            enum history_tier tier) {
        struct figures sum = { 0 };
        unsigned slot;

        for (unsigned i = 0; history_schema(h, meter, i, &slot); i++)
                add_figures(&sum, &s->slots[tier][slot]);
        return sum;
}

static struct figures figures_of(const struct survey *s, const struct history *h, const char *meter,
                                 enum history_tier tier) {
        return meter ? survey_meter(s, h, meter, tier) : survey_tier(s, tier);
}

struct figures survey_all(const struct survey *s, const struct history *h, const char *meter) {
        struct figures all = figures_of(s, h, meter, TIER_RAW);

        for (unsigned t = TIER_RAW + 1; t < TIER_COUNT; t++) {
                struct figures f = figures_of(s, h, meter, (enum history_tier) t);

                if (f.any && !all.any)
                        extend(&all, f.oldest, f.newest);
                if (f.any && f.oldest + tier_step_ticks[t] < all.oldest)
                        all.oldest = f.oldest;
        }
        return all;
}

/* ---- series of a meter ---- */

static void add_column(struct meter_series *m, const struct schema_column *column) {
        for (unsigned i = 0; i < m->n; i++)
                if (strcmp(m->items[i].key, column->key) == 0) {
                        m->items[i] = *column;
                        return;
                }
        if (m->n < METER_SERIES_MAX)
                m->items[m->n++] = *column;
}

bool meter_series_read(const struct history *h, const char *meter, struct meter_series *ret) {
        const struct schema *s;
        unsigned slot;

        ret->n = 0;
        for (unsigned i = 0; (s = history_schema(h, meter, i, &slot)); i++)
                for (unsigned k = 0; k < s->n_columns; k++)
                        add_column(ret, &s->columns[k]);
        return ret->n > 0;
}
