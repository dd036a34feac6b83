/* What is left of a history when the power goes or the program is killed at any moment, again and again on the same
 * file: no false row, no hole, nothing lost that was safe, tiers that are what the rows make, numbers that are never
 * given twice. METERGATE_CUTS and METERGATE_KILLS make it longer, METERGATE_SEED repeats a run. */
#include "history_bench.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "cut_disk.h"
#include "from_environment.h"
#include "history/history_parts.h"
#include "tools/random.h"

#define METERS 3
#define COLUMNS 3
#define ROWS_MAX 1000000
#define UTC_MS INT64_C(1795255200000)
#define FLUSH_MS 60000

static uint64_t seed;

/* A row that was given to the history, or is about to be. */
struct given {
        uint64_t number, mask;
        int64_t tick, values[COLUMNS], total;
        unsigned meter;
};

/* What the outside knows; shared with the process that is killed. */
struct world {
        uint64_t random, boot_ms;
        uint64_t next_number;           /* none from here on was ever given */
        uint64_t safe_number;           /* rows up to this one are on the disk */
        unsigned variants[METERS], handles[METERS];
        int64_t totals[METERS];         /* as given last */
        int64_t safe_totals[METERS];
        bool polls;                     /* if not, much is written before anything is synced */
        uint64_t lost, appended;
        volatile size_t n;
        struct given rows[ROWS_MAX];    /* in order; what a crash took is taken out */
};

static struct world *world_new(void) {
        struct world *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_true(w != MAP_FAILED);
        w->random = random_seed(seed);
        w->next_number = 1;
        return w;
}

static void define(struct world *w, struct history *h, unsigned meter) {
        struct schema s = { .hold_ticks = 300, .n_columns = 2 + w->variants[meter],
                            .columns = { { .key = "energy_import_kwh", .kind = COLUMN_COUNTER, .decimals = 6 },
                                         { .key = "power_w", .kind = COLUMN_GAUGE, .decimals = 3 },
                                         { .key = "voltage_v", .kind = COLUMN_GAUGE, .decimals = 3 } } };

        snprintf(s.meter, sizeof s.meter, "m%u", meter);
        if (history_define(h, &s, &w->handles[meter]) < 0)
                abort();
}

/* ---- appending; in the process that may be killed ---- */

static void note_safe(struct world *w, struct history *h) {
        for (unsigned m = 0; m < METERS; m++) {
                struct history_row row;
                int64_t tick;

                if (!history_newest_safe(h, w->handles[m], &tick, &row))
                        continue;
                w->safe_totals[m] = row.totals[0];
                for (size_t i = w->n; i > 0 && w->rows[i - 1].number > w->safe_number; i--)
                        if (w->rows[i - 1].meter == m && w->rows[i - 1].tick == tick) {
                                w->safe_number = w->rows[i - 1].number;
                                break;
                        }
        }
}

static void append(struct world *w, struct history *h, unsigned meter) {
        struct given *g = &w->rows[w->n];
        struct history_row row = { .mask = 1 | random_below(&w->random, 4) << 1 };
        int64_t total = w->totals[meter];

        row.mask &= w->variants[meter] ? 7 : 3;
        row.totals[0] = w->totals[meter] = total + random_below(&w->random, 1000);
        row.values[0] = row.totals[0] % 5000;
        row.values[1] = (int64_t) random_below(&w->random, 3000000) - 1000000;
        row.values[2] = 230000 + random_below(&w->random, 500);
        *g = (struct given) { .number = history_stats(h).next_number, .mask = row.mask, .meter = meter,
                              .tick = (UTC_MS + (int64_t) w->boot_ms) / TICK_MS, .total = row.totals[0] };
        memcpy(g->values, row.values, sizeof g->values);
        w->n = w->n + 1;
        history_append(h, w->handles[meter], w->boot_ms, &row);
        w->appended++;
        /* No slot was free for a changed schema: the only rows that are not taken in. */
        if (history_stats(h).next_number == g->number) {
                w->n = w->n - 1;
                w->totals[meter] = total;
                return;
        }
        /* The row that noticed the end of the disk was never seen by anybody. */
        if (history_error(h)[0] == '\0')
                w->next_number = g->number + 1;
}

static void append_some(struct world *w, struct history *h) {
        w->boot_ms += 100 * (1 + random_below(&w->random, random_below(&w->random, 100) ? 10 : 3000));
        append(w, h, random_below(&w->random, METERS));
        if (w->polls && random_below(&w->random, 2) == 0)
                history_poll(h, w->boot_ms);
        if (random_below(&w->random, 3000) == 0)
                history_flush(h);
        if (random_below(&w->random, 5000) == 0) {
                unsigned m = random_below(&w->random, METERS);

                w->variants[m] = !w->variants[m];
                define(w, h, m);
        }
        note_safe(w, h);
}

static struct history *open_history(struct world *w, const char *directory, const struct store_io *io) {
        struct history_options options = { .directory = directory, .size_bytes = STORE_MIN_BYTES,
                                           .flush_ms = FLUSH_MS, .io = io };
        char error[STORE_ERROR_MAX];
        struct history *h;

        if (history_new(&options, &h, error) < 0)
                abort();
        while (history_step(h) > 0)
                ;
        history_set_clock(h, w->boot_ms, true, true, UTC_MS);
        w->polls = random_below(&w->random, 3) > 0;
        for (unsigned m = 0; m < METERS; m++)
                define(w, h, m);
        return h;
}

/* ---- looking at what is left ---- */

static void check_row(const struct history *h, const struct bench_row *got, const struct given *g) {
        const struct schema *s = schema_at(h, got->slot);

        assert_non_null(s);
        assert_int_equal(s->meter[1], '0' + g->meter);
        assert_int_equal(got->tick, g->tick);
        assert_int_equal(got->mask, g->mask);
        assert_int_equal(got->totals[0], g->total);
        for (unsigned i = 0; i < COLUMNS; i++)
                if (g->mask >> i & 1)
                        assert_int_equal(got->values[i], g->values[i]);
}

/* The rows that are there are those that were given, without a hole up to the last; those beyond are forgotten. */
static void check_rows(struct world *w, const struct history *h, const struct bench_contents *c) {
        size_t i = 0, k = 0;

        while (c->n_rows > 0 && i < w->n && w->rows[i].number < c->rows[0].number)
                i++;
        if (c->n_rows > 0 && i > 0 && history_oldest(h, TIER_RAW) == 0)
                fail_msg("the first %zu rows are gone (seed %llu)", i, (unsigned long long) seed);
        for (; k < c->n_rows; k++, i++) {
                if (i >= w->n || c->rows[k].number != w->rows[i].number)
                        fail_msg("row %llu is false, or there is a hole before it (seed %llu)",
                                 (unsigned long long) c->rows[k].number, (unsigned long long) seed);
                check_row(h, &c->rows[k], &w->rows[i]);
        }
        if (w->safe_number > 0 && (c->n_rows == 0 || c->rows[c->n_rows - 1].number < w->safe_number))
                fail_msg("row %llu was safe and is gone (seed %llu)", (unsigned long long) w->safe_number,
                         (unsigned long long) seed);
        w->lost += w->n - i;
        w->n = i;
        if (w->n > ROWS_MAX / 2) {
                memmove(w->rows, w->rows + (i - k), k * sizeof w->rows[0]);
                w->n = k;
        }
}

static void check_meters(struct world *w, struct history *h) {
        for (unsigned m = 0; m < METERS; m++) {
                struct history_row row;
                int64_t tick, total = 0;

                for (size_t i = w->n; i > 0 && total == 0; i--)
                        if (w->rows[i - 1].meter == m)
                                total = w->rows[i - 1].total;
                w->totals[m] = total;
                assert_int_equal(history_newest_safe(h, w->handles[m], &tick, &row), total > 0);
                if (total == 0)
                        continue;
                assert_int_equal(row.totals[0], total);
                assert_true(row.totals[0] >= w->safe_totals[m]);
        }
}

static void check_world(struct world *w, struct history *h) {
        struct bench_contents *c = bench_read(h);

        assert_string_equal(history_error(h), "");
        check_rows(w, h, c);
        check_meters(w, h);
        bench_check_tiers(h, c);
        if (history_stats(h).next_number < w->next_number)
                fail_msg("numbers from %llu on are given again (seed %llu)",
                         (unsigned long long) history_stats(h).next_number, (unsigned long long) seed);
        bench_free(c);
}

static unsigned count_of(const char *name, unsigned otherwise) {
        const char *text = getenv(name);

        return text ? (unsigned) strtoul(text, NULL, 10) : otherwise;
}

/* ---- the power goes ---- */

/* Ends as a crash of the program does: what was written stays, nothing more comes. */
static void drop(struct cut_disk *d, struct history *h) {
        d->write_error = d->sync_error = EIO;
        history_free(h);
        d->write_error = d->sync_error = 0;
}

static void one_life(struct world *w, struct cut_disk *d, const char *directory) {
        unsigned n = random_below(&w->random, random_below(&w->random, 4) ? 1000 : 6000);
        unsigned way = random_below(&w->random, 8);
        struct history *h;

        /* Now and then in the start-up. */
        if (way == 0)
                cut_disk_power_off(d, random_below(&w->random, 30));
        h = open_history(w, directory, &d->io);
        if (!d->off)
                check_world(w, h);
        if (way > 0 && way < 6)
                cut_disk_power_off(d, 1 + random_below(&w->random, n / 50 + 5));
        for (unsigned i = 0; i < n && !d->off && history_error(h)[0] == '\0'; i++)
                append_some(w, h);
        if (way == 6)
                drop(d, h);
        else
                history_free(h);
        if (way < 6)
                cut_disk_restart(d);
}

static void test_power_cuts(void **state) {
        unsigned n = count_of("METERGATE_CUTS", 100);
        const char *directory = bench_directory();
        struct cut_disk *d = cut_disk_new(directory, seed);
        struct world *w = world_new();

        (void) state;
        for (unsigned i = 0; i < n; i++)
                one_life(w, d, directory);
        printf("# %u lives, %llu rows, %llu lost; writes kept %llu, dropped %llu, torn %llu\n", n,
               (unsigned long long) w->appended, (unsigned long long) w->lost, (unsigned long long) d->kept,
               (unsigned long long) d->dropped, (unsigned long long) d->torn);
        munmap(w, sizeof *w);
        cut_disk_free(d);
}

/* ---- kill -9 ---- */

static void child(struct world *w, const char *directory) {
        struct history *h = open_history(w, directory, NULL);

        for (;;)
                append_some(w, h);
}

/* A moment that depends on how far it got, not on how fast the machine is. */
static void kill_somewhere(struct world *w, pid_t pid, uint64_t *random) {
        size_t enough = w->n + random_below(random, random_below(random, 3) ? 2000 : 20000);
        unsigned spins = random_below(random, 3000);

        while (w->n < enough)
                sched_yield();
        while (spins-- > 0)
                sched_yield();
        kill(pid, SIGKILL);
}

static void test_kills(void **state) {
        unsigned n = count_of("METERGATE_KILLS", 20);
        const char *directory = bench_directory();
        struct world *w = world_new();
        uint64_t random = random_seed(seed + 1);

        (void) state;
        for (unsigned i = 0; i < n; i++) {
                struct history *h;
                pid_t pid = fork();

                assert_true(pid >= 0);
                if (pid == 0)
                        child(w, directory);
                kill_somewhere(w, pid, &random);
                assert_int_equal(waitpid(pid, NULL, 0), pid);
                h = open_history(w, directory, NULL);
                check_world(w, h);
                history_free(h);
        }
        printf("# %u kills, %llu rows, %llu lost\n", n, (unsigned long long) w->appended,
               (unsigned long long) w->lost);
        munmap(w, sizeof *w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_power_cuts),
                cmocka_unit_test(test_kills),
        };
        int r;

        cmocka_set_message_output(CM_OUTPUT_TAP);
        seed = test_seed();
        r = cmocka_run_group_tests(tests, NULL, NULL);
        bench_remove_directory();
        return r;
}
