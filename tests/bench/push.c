/* What remote write costs: 32 meters with eight series that make 100 rows a second together, for ten minutes, sent
 * once a minute. Counts the processor time of reading, encoding and compressing, not that of the network. Fails above
 * 5 % of a core. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "push/receiver.h"

#define METERS 32
#define SERIES 8
#define ROWS_PER_S 100
#define SECONDS 600
#define PROMISE_PERCENT 5
#define OFFSET_MS INT64_C(1700000000000)

static uint64_t bytes;

static int post(void *userdata, const void *body, size_t len) {
        (void) userdata, (void) body;
        bytes += len;
        return 0;
}

static void tell(void *userdata, const char *text) {
        (void) userdata;
        fprintf(stderr, "%s\n", text);
}

static double cpu_s(void) {
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void define(struct history *h, unsigned *meters) {
        static const char *const keys[SERIES] = { "voltage_v", "current_a", "power_w", "apparent_power_va",
                                                  "power_factor", "frequency_hz", "energy_import_kwh",
                                                  "energy_export_kwh" };

        for (unsigned m = 0; m < METERS; m++) {
                struct schema s = { .hold_ticks = 100, .n_columns = SERIES };

                snprintf(s.meter, sizeof s.meter, "meter-%u", m);
                for (unsigned c = 0; c < SERIES; c++) {
                        snprintf(s.columns[c].key, sizeof s.columns[c].key, "%s", keys[c]);
                        s.columns[c].decimals = c < 6 ? 3 : 6;
                        s.columns[c].kind = c < 6 ? COLUMN_GAUGE : COLUMN_COUNTER;
                }
                if (history_define(h, &s, &meters[m]) < 0)
                        exit(1);
        }
}

static void put(struct history *h, unsigned meter, uint64_t at_ms, int64_t i) {
        struct history_row row = { .mask = (1u << SERIES) - 1 };

        for (unsigned c = 0; c < SERIES; c++)
                row.values[c] = c < 6 ? 230000 + rand() % 5000 : i;
        row.totals[6] = row.totals[7] = i;
        history_append(h, meter, at_ms, &row);
}

int main(void) {
        static struct remote_write_config config = { .name = (char *) "bench", .n_labels = 1,
                                                     .labels = { { (char *) "instance", (char *) "gateway" } } };
        struct history_options options = { .size_bytes = 64 << 20, .flush_ms = 60000 };
        struct receiver_options how = { .config = &config, .post = post, .tell = tell };
        struct receiver_time t = { .now_ms = 1000, .has_utc = true, .offset_ms = OFFSET_MS };
        const struct post_answer good = { .status = 200 };
        CLEANUP(history_freep) struct history *h = NULL;
        CLEANUP(receiver_freep) struct receiver *r = NULL;
        char error[STORE_ERROR_MAX];
        unsigned meters[METERS], n = 0;
        struct receiver_facts facts;
        double cpu = 0, before;

        if (history_new(&options, &h, error) < 0)
                return 1;
        while (history_step(h) > 0)
                ;
        history_set_clock(h, t.now_ms, true, true, OFFSET_MS);
        define(h, meters);
        how.history = h;
        if (receiver_new(&how, &r) < 0)
                return 1;
        for (unsigned s = 1; s <= SECONDS; s++) {
                for (unsigned i = 0; i < ROWS_PER_S; i++, n++)
                        put(h, meters[n % METERS], t.now_ms + i * 10, n);
                t.now_ms += 1000;
                history_set_clock(h, t.now_ms, true, true, OFFSET_MS);
                if (s % 60)
                        continue;
                before = cpu_s();
                for (uint64_t next = 0; next <= t.now_ms || next == UINT64_MAX;) {
                        next = receiver_turn(r, &t);
                        if (next == UINT64_MAX)
                                receiver_answered(r, t.now_ms, &good);
                }
                cpu += cpu_s() - before;
        }
        facts = receiver_facts(r, &t);
        printf("%u rows, %llu samples in %llu requests: %.2f bytes and %.0f ns a sample\n"
               "%u rows a second take %.3f %% of a core (promise: below %d %%)\n", n,
               (unsigned long long) facts.samples, (unsigned long long) facts.batches, (double) bytes / (double) facts.samples,
               cpu * 1e9 / (double) facts.samples, ROWS_PER_S, cpu / SECONDS * 100, PROMISE_PERCENT);
        return facts.samples == (uint64_t) n * SERIES && cpu / SECONDS * 100 < PROMISE_PERCENT ? 0 : 1;
}
