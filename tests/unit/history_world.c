#include "history_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "from_environment.h"
#include "tools/random.h"

unsigned world_times(void) {
        return (unsigned) number_from("METERGATE_TIMES", 1);
}

uint32_t world_random(struct world *w, uint32_t limit) {
        return random_below(&w->seed, limit);
}

int64_t world_tick(const struct world *w) {
        return ((int64_t) w->boot_ms + w->offset_ms) / TICK_MS;
}

static ssize_t io_pread(void *userdata, int fd, void *buf, size_t len, off_t offset) {
        (void) userdata;
        return pread(fd, buf, len, offset);
}

static ssize_t io_pwrite(void *userdata, int fd, const void *buf, size_t len, off_t offset) {
        (void) userdata;
        return pwrite(fd, buf, len, offset);
}

/* No power is cut here: nothing need wait for a disk. */
static int io_sync(void *userdata, int fd) {
        (void) userdata;
        (void) fd;
        return 0;
}

static void open_history(struct world *w) {
        static const struct store_io io = { io_pread, io_pwrite, io_sync, io_sync, NULL };
        struct history_options options = {
                .directory = w->directory, .size_bytes = w->size_bytes, .flush_ms = 60000, .io = &io,
        };
        char error[STORE_ERROR_MAX] = "";

        assert_int_equal(history_new(&options, &w->history, error), 0);
        while (history_step(w->history) > 0)
                ;
        assert_string_equal(history_error(w->history), "");
        history_set_clock(w->history, w->boot_ms, true, true, w->offset_ms);
        for (unsigned i = 0; i < w->n_meters; i++)
                assert_int_equal(history_define(w->history, &w->meters[i].schema, &w->meters[i].handle), 0);
}

/* Any columns of a small set of keys; kinds and decimals seldom change, as in life, and those of totals never. */
static void choose_schema(struct world *w, struct schema *s, unsigned meter) {
        s->n_columns = 0;
        s->hold_ticks = 1 + world_random(w, world_random(w, 2) ? 300 : 9000);
        snprintf(s->meter, sizeof s->meter, "meter-%u", meter);
        for (unsigned i = 0; i < MODEL_COLUMNS_MAX; i++) {
                struct schema_column *c = &s->columns[s->n_columns];

                if (world_random(w, 4) == 0 && (i > 0 || s->n_columns > 0))
                        continue;
                snprintf(c->key, sizeof c->key, "series_%u", i);
                c->kind = (uint8_t) (i % 3 == 1) ^ (world_random(w, 30) == 0);
                c->decimals = (uint8_t) (3 + (c->kind == COLUMN_GAUGE && world_random(w, 10) == 0));
                s->n_columns++;
        }
}

void world_change_schema(struct world *w, unsigned meter) {
        struct world_meter *m = &w->meters[meter];

        if (w->model.n_schemas == MODEL_SCHEMAS_MAX || w->model.n_schemas > 30)
                return;
        choose_schema(w, &m->schema, meter);
        assert_int_equal(history_define(w->history, &m->schema, &m->handle), 0);
        model_define(&w->model, meter, &m->schema);
        world_row(w, meter, w->interval_ms);
}

void world_set_clock(struct world *w, int64_t by_ms) {
        w->offset_ms += by_ms;
        history_set_clock(w->history, w->boot_ms, true, true, w->offset_ms);
}

void world_restart(struct world *w) {
        w->history = history_free(w->history);
        model_restart(&w->model);
        w->boot_ms += 5000;
        open_history(w);
}

void world_begin(struct world *w, uint64_t seed, int64_t utc_s, uint64_t size_bytes, unsigned interval_ms) {
        memset(w, 0, sizeof *w);
        w->seed = random_seed(seed);
        w->size_bytes = size_bytes;
        w->boot_ms = 1000000;
        w->offset_ms = utc_s * 1000 - (int64_t) w->boot_ms;
        w->interval_ms = interval_ms;
        strcpy(w->directory, "/tmp/query-XXXXXX");
        assert_non_null(mkdtemp(w->directory));
        w->n_meters = 1 + world_random(w, 3);
        for (unsigned i = 0; i < w->n_meters; i++) {
                choose_schema(w, &w->meters[i].schema, i);
                model_define(&w->model, i, &w->meters[i].schema);
        }
        open_history(w);
        for (unsigned i = 0; i < w->n_meters; i++)
                world_row(w, i, TICK_MS);
}

void world_end(struct world *w) {
        char path[128];

        w->history = history_free(w->history);
        snprintf(path, sizeof path, "%s/%s", w->directory, STORE_FILE_NAME);
        unlink(path);
        assert_int_equal(rmdir(w->directory), 0);
        model_free(&w->model);
}

/* Values wander; counters grow, and now and then a register begins again. Totals belong to keys, not to schemas. */
static void next_value(struct world *w, struct world_meter *m, unsigned column) {
        unsigned id = (unsigned) (m->schema.columns[column].key[7] - '0');

        if (m->schema.columns[column].kind == COLUMN_COUNTER) {
                int64_t more = world_random(w, 5000);

                m->totals[id] += more;
                m->values[id] = world_random(w, 500) == 0 ? more : m->values[id] + more;
                m->row.totals[column] = m->totals[id];
        } else {
                m->values[id] += (int64_t) world_random(w, 2001) - 1000;
                m->row.totals[column] = 0;
        }
        m->row.values[column] = m->values[id];
}

void world_row(struct world *w, unsigned meter, unsigned passed_ms) {
        struct world_meter *m = &w->meters[meter];

        w->boot_ms += passed_ms;
        memset(&m->row, 0, sizeof m->row);
        for (unsigned i = 0; i < m->schema.n_columns; i++)
                if (world_random(w, 8) > 0)
                        m->row.mask |= UINT64_C(1) << i;
        m->row.mask |= m->row.mask == 0;
        for (unsigned i = 0; i < m->schema.n_columns; i++)
                if (m->row.mask >> i & 1)
                        next_value(w, m, i);
        history_append(w->history, m->handle, w->boot_ms, &m->row);
        model_append(&w->model, meter, world_tick(w), &m->row);
        history_poll(w->history, w->boot_ms);
}

static unsigned pause_ms(struct world *w) {
        if (world_random(w, 3000) == 0)
                return world_random(w, 3 * 86400) * 1000;
        if (world_random(w, 200) == 0)
                return world_random(w, 3 * 3600) * 1000;
        if (world_random(w, 50) == 0)
                return 0;
        return (w->interval_ms / TICK_MS * (4 + world_random(w, 3)) / 5 + 1) * TICK_MS;
}

static void happen(struct world *w) {
        int64_t tick_ms = TICK_MS;

        switch (world_random(w, 8)) {
        case 0:
                world_change_schema(w, world_random(w, w->n_meters));
                break;
        case 1:
                if (w->model.n_schemas < 40)
                        world_set_clock(w, -(int64_t) (1200 + world_random(w, 100000)) * tick_ms);
                break;
        case 2:
                world_set_clock(w, -(int64_t) world_random(w, 500) * tick_ms);
                break;
        case 3:
                world_set_clock(w, (int64_t) world_random(w, 864000) * tick_ms);
                break;
        case 4:
        case 5:
                world_restart(w);
                break;
        default:
                break;
        }
}

void world_live(struct world *w, unsigned n_rows) {
        for (unsigned i = 0; i < n_rows; i++) {
                if (world_random(w, 300) == 0)
                        happen(w);
                world_row(w, world_random(w, w->n_meters), pause_ms(w));
        }
}
