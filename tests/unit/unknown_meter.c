#include "tests/unit/unknown_meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/tuyamcu/tuyamcu.h"
#include "tools/random.h"

void unknown_begin(struct unknown_meter *m, uint64_t seed) {
        *m = (struct unknown_meter) { .random = random_seed(seed), .now_ms = 1000, .volts = 230 };
        assert_int_equal(observations_new(4096, &m->observations), 0);
}

void unknown_end(struct unknown_meter *m) {
        suggestions_free(m->found);
        observations_free(m->observations);
}

void unknown_tell(struct unknown_meter *m, uint16_t id, uint8_t type, int64_t number) {
        const uint8_t bytes[4] = {
                (uint8_t) (number >> 24), (uint8_t) (number >> 16), (uint8_t) (number >> 8), (uint8_t) number,
        };

        datapoint_table_put(&m->table, m->now_ms, id, type, true, number, bytes, sizeof bytes);
        observations_note(m->observations, m->now_ms, &m->table);
        m->now_ms += 5;
}

void unknown_tell_bytes(struct unknown_meter *m, uint16_t id, const uint8_t *bytes, size_t len) {
        datapoint_table_put(&m->table, m->now_ms, id, DATAPOINT_RAW, false, 0, bytes, len);
        observations_note(m->observations, m->now_ms, &m->table);
        m->now_ms += 5;
}

void unknown_wait(struct unknown_meter *m, unsigned seconds) {
        m->now_ms += seconds * 1000u;
        observations_note(m->observations, m->now_ms, &m->table);
}

double unknown_noise(struct unknown_meter *m) {
        return random_below(&m->random, 20001) / 10000.0 - 1;
}

/* A kettle, a fridge, lamps: some last long, some do not. */
struct load unknown_load(struct unknown_meter *m) {
        static const double powers[] = { 9, 60, 130, 420, 900, 1500, 2100, 2900 };
        struct load l = { .factor = 0.75 + 0.24 * fabs(unknown_noise(m)) };

        l.watts = powers[random_below(&m->random, 8)] * (1 + 0.1 * unknown_noise(m));
        return l;
}

/* The wires have 0.4 ohms, and the grid moves by itself. */
void unknown_step(struct unknown_meter *m, struct load *l) {
        m->volts += 0.3 * unknown_noise(m) + 0.05 * (230 - m->volts);
        l->volts = m->volts - 0.4 * l->watts / 230;
        l->now = l->watts * (1 + 0.01 * unknown_noise(m));
        l->amperes = fabs(l->now) / l->volts / l->factor;
        l->var = l->volts * l->amperes * sqrt(1 - l->factor * l->factor);
}

void unknown_tell_three(struct unknown_meter *m, const struct load *l, const struct scales *s) {
        unknown_tell(m, CURRENT, DATAPOINT_VALUE, lround(l->amperes * s->amperes));
        unknown_tell(m, POWER, DATAPOINT_VALUE, lround(l->now * s->watts));
        unknown_tell(m, VOLTAGE, DATAPOINT_VALUE, lround(l->volts * s->volts));
}

void unknown_play(struct unknown_meter *m, const struct scales *s, unsigned moments,
                  void (*each)(struct unknown_meter *m, const struct load *l, double wh)) {
        struct load l = unknown_load(m);
        double wh = 0;

        for (unsigned i = 0; i < moments; i++) {
                if (i % 5 == 4)
                        l = unknown_load(m);
                unknown_step(m, &l);
                if (s)
                        unknown_tell_three(m, &l, s);
                if (each)
                        each(m, &l, wh);
                unknown_wait(m, 10);
                wh += l.now * 10 / 3600;
        }
}

void unknown_suggest(struct unknown_meter *m, bool has_no_times) {
        const struct suggest_settings settings = {
                .protocol = &tuyamcu_protocol, .profile = m->profile, .has_no_times = has_no_times,
        };

        m->found = suggestions_free(m->found);
        assert_int_equal(suggest(m->observations, &settings, &m->found), 0);
}

const struct suggestion *unknown_suggestion(const struct unknown_meter *m, uint16_t id) {
        for (unsigned i = 0; i < m->found->count; i++)
                if (m->found->items[i].id == id)
                        return &m->found->items[i];
        fail_msg("nothing at all is said of dp %u", id);
        return NULL;
}

const struct hypothesis *unknown_best(const struct unknown_meter *m, uint16_t id) {
        const struct suggestion *s = unknown_suggestion(m, id);

        if (s->count == 0)
                fail_msg("dp %u: cannot tell: %s", id, s->cannot_tell);
        return &s->hypotheses[0];
}

void assert_meaning(const struct unknown_meter *m, uint16_t id, unsigned quantity, int64_t den) {
        const struct hypothesis *h = unknown_best(m, id);

        if (h->quantity != quantity || h->scale_num != 1 || h->scale_den != den)
                fail_msg("dp %u: said to be quantity %u with 1/%lld, %s", id, h->quantity, (long long) h->scale_den,
                         h->evidence[0]);
        assert_true(h->n_evidence > 0);
}

void assert_cannot_tell(const struct unknown_meter *m, uint16_t id, const char *why) {
        const struct suggestion *s = unknown_suggestion(m, id);

        assert_int_equal(s->count, 0);
        assert_string_equal(s->cannot_tell, why);
}

