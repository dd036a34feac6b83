/* Every row by its number, without loss, whatever happens meanwhile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "from_environment.h"
#include "history_world.h"

static const struct model_row *row_with(const struct model *m, uint64_t number) {
        assert_in_range(number, 1, m->n_rows);
        return &m->rows[number - 1];
}

static void compare_sample(const struct world *w, const struct sample *s) {
        const struct model_row *r = row_with(&w->model, s->number);
        const struct schema *schema = &w->model.schemas[r->schema];

        assert_int_equal(s->tick, r->tick);
        assert_true(schema_equal(s->schema, schema));
        assert_int_equal(s->row.mask, r->mask);
        for (unsigned i = 0; i < schema->n_columns; i++) {
                if (!(r->mask >> i & 1))
                        continue;
                assert_int_equal(s->row.values[i], r->values[i]);
                assert_int_equal(s->row.totals[i], r->totals[i]);
        }
}

static int next_sample(struct samples *s, struct sample *ret) {
        int r;

        while ((r = samples_next(s, 1, ret)) == -EAGAIN)
                ;
        return r;
}

static void test_samples(void **state) {
        uint64_t seed = test_seed();
        static struct world w;
        static struct sample sample;

        (void) state;
        for (unsigned i = 0; i < 4 * world_times(); i++) {
                uint64_t after, number;
                struct samples *s = NULL;

                world_begin(&w, seed + i, 1774650000, i % 2 ? STORE_MIN_BYTES : 8 << 20, 1000);
                world_live(&w, 5000);
                assert_int_equal(samples_end(w.history), w.model.n_rows + 1);
                assert_int_equal(samples_oldest(w.history), 1);
                after = number = world_random(&w, (uint32_t) w.model.n_rows + 1);
                assert_int_equal(samples_new(w.history, after, &s), 0);
                while (next_sample(s, &sample) > 0) {
                        assert_int_equal(sample.number, number + 1);
                        assert_int_equal(sample.lost, 0);
                        compare_sample(&w, &sample);
                        number = sample.number;
                        if (world_random(&w, 8) == 0)
                                world_row(&w, world_random(&w, w.n_meters), 100);
                }
                assert_int_equal(number, w.model.n_rows);
                for (unsigned k = 0; k < 100; k++) {
                        assert_int_equal(next_sample(s, &sample), 0);
                        world_row(&w, world_random(&w, w.n_meters), 1000);
                        assert_int_equal(next_sample(s, &sample), 1);
                        assert_int_equal(sample.number, w.model.n_rows);
                        compare_sample(&w, &sample);
                }
                samples_free(s);
                world_end(&w);
        }
}

static void test_samples_lost(void **state) {
        uint64_t seed = test_seed(), number = 0, lost = 0, n = 0;
        struct samples *s = NULL;
        static struct world w;
        static struct sample sample;

        (void) state;
        world_begin(&w, seed, 1774650000, STORE_MIN_BYTES, 1000);
        assert_int_equal(samples_new(w.history, 0, &s), 0);
        for (unsigned k = 0; k < 60; k++) {
                for (unsigned i = 0; i < 6000; i++)
                        world_row(&w, world_random(&w, w.n_meters), 1000);
                for (unsigned i = 0; i < 500 && next_sample(s, &sample) > 0; i++) {
                        compare_sample(&w, &sample);
                        assert_int_equal(sample.number, number + 1 + sample.lost);
                        number = sample.number;
                        lost += sample.lost;
                        n++;
                }
        }
        while (next_sample(s, &sample) > 0) {
                number = sample.number;
                lost += sample.lost;
                n++;
        }
        assert_int_equal(number, w.model.n_rows);
        assert_int_equal(n + lost, w.model.n_rows);
        assert_true(lost > 0);
        assert_true(samples_oldest(w.history) > 1);
        samples_free(s);
        world_end(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_samples_lost),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
