#include "our_history.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UP_MS UINT64_C(1000000) /* the machine has been up for so long when the data begins */

static ssize_t plain_pread(void *userdata, int fd, void *buf, size_t len, off_t offset) {
        (void) userdata;
        return pread(fd, buf, len, offset);
}

static ssize_t plain_pwrite(void *userdata, int fd, const void *buf, size_t len, off_t offset) {
        (void) userdata;
        return pwrite(fd, buf, len, offset);
}

static int no_sync(void *userdata, int fd) {
        (void) userdata;
        (void) fd;
        return 0;
}

const struct store_io our_history_no_sync = {
        .pread = plain_pread, .pwrite = plain_pwrite, .start_sync = no_sync, .sync = no_sync,
};

static uint64_t boot_ms(int64_t at_s) {
        return (uint64_t) (at_s - HOUSE_BEGIN_S) * 1000 + UP_MS;
}

static void define(struct our_history *o, unsigned meter, uint32_t step_s) {
        struct schema schema = { .hold_ticks = 3 * step_s * TICKS_PER_S, .n_columns = HOUSE_VALUES };
        int r;

        snprintf(schema.meter, sizeof schema.meter, "meter%u", meter + 1);
        for (unsigned i = 0; i < HOUSE_VALUES; i++) {
                struct schema_column *c = &schema.columns[i];

                snprintf(c->key, sizeof c->key, "%s", house_values[i].key);
                c->kind = house_values[i].counter ? COLUMN_COUNTER : COLUMN_GAUGE;
                c->decimals = house_values[i].decimals;
        }
        r = history_define(o->history, &schema, &o->meters[meter]);
        if (r < 0)
                errx(1, "history_define: %s", strerror(-r));
}

void our_history_open(struct our_history *o, const char *folder, uint64_t size_bytes, uint32_t flush_s,
                      const struct house *house, const struct store_io *io) {
        struct history_options options = { .directory = folder, .size_bytes = size_bytes, .flush_ms = flush_s * 1000,
                                           .io = io };
        char error[STORE_ERROR_MAX];
        int r;

        *o = (struct our_history) { 0 };
        r = history_new(&options, &o->history, error);
        if (r < 0)
                errx(1, "history_new: %s", error);
        while (history_step(o->history) > 0)
                ;
        if (history_error(o->history)[0])
                errx(1, "%s", history_error(o->history));
        history_set_clock(o->history, UP_MS, true, true, HOUSE_BEGIN_S * 1000 - (int64_t) UP_MS);
        for (unsigned m = 0; m < house->n_meters; m++)
                define(o, m, house->step_s);
}

void our_history_append(struct our_history *o, unsigned meter, int64_t at_s, const int32_t values[HOUSE_VALUES]) {
        struct history_row row = { .mask = (1 << HOUSE_VALUES) - 1 };

        for (unsigned i = 0; i < HOUSE_VALUES; i++) {
                row.values[i] = (int64_t) values[i] * house_values[i].scale;
                row.totals[i] = row.values[i];
        }
        history_append(o->history, o->meters[meter], boot_ms(at_s), &row);
}

void our_history_tick(struct our_history *o, int64_t at_s) {
        uint64_t now_ms = boot_ms(at_s);

        history_set_clock(o->history, now_ms, true, true, HOUSE_BEGIN_S * 1000 - (int64_t) UP_MS);
        if (now_ms >= o->next_poll_ms)
                o->next_poll_ms = history_poll(o->history, now_ms);
}

void our_history_close(struct our_history *o) {
        history_free(o->history);
        o->history = NULL;
}
