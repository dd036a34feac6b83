/* What is guessed of datapoints that somebody made up: whatever they tell, each gets guesses that a profile can hold,
 * in order, or a reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/tuyamcu/tuyamcu.h"
#include "protocols/quantity.h"
#include "protocols/vue/vue.h"
#include "workbench/suggest/suggest.h"

#define IDS        12
#define TELLS_MAX  3000   /* of one input: it stays quick */
#define RAW_MAX    18

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
        const uint8_t *data;
        size_t size, at;
};

static uint8_t next(struct input *in) {
        return in->at < in->size ? in->data[in->at++] : 0;
}

struct world {
        struct observations *observations;
        struct datapoint_table table;
        uint64_t now_ms;
        unsigned tells;
        int64_t numbers[IDS];
};

static void put(struct world *w, unsigned which, uint8_t type, bool numeric, const uint8_t *bytes, size_t len) {
        datapoint_table_put(&w->table, w->now_ms, (uint16_t) (1 + which), type, numeric, numeric ? w->numbers[which] : 0,
                            bytes, len);
        observations_note(w->observations, w->now_ms, &w->table);
        w->tells++;
}

/* One step of a number, as often as the input says: loads, counters, clocks. */
static void tell_number(struct world *w, struct input *in, unsigned which) {
        static const uint8_t types[] = { DATAPOINT_VALUE, DATAPOINT_VALUE, DATAPOINT_BOOL, DATAPOINT_ENUM };
        int64_t step = (int64_t) (int8_t) next(in) * (int64_t) (1 << (next(in) % 24));
        unsigned times = next(in) % 64 + 1u;
        uint32_t dt_ms = next(in) * 331u;

        for (unsigned i = 0; i < times && w->tells < TELLS_MAX; i++) {
                w->numbers[which] += step;
                w->now_ms += dt_ms;
                put(w, which, types[which % 4], true, (const uint8_t[4]) { 0 }, 4);
        }
}

static void tell_bytes(struct world *w, struct input *in, unsigned which) {
        uint8_t bytes[RAW_MAX];
        size_t len = next(in) % RAW_MAX + 1u;

        for (size_t i = 0; i < len; i++)
                bytes[i] = next(in);
        w->now_ms += next(in) * 97u;
        put(w, which, DATAPOINT_RAW, false, bytes, len);
}

static void check_hypothesis(const struct hypothesis *h) {
        enum suggest_level level = h->confidence >= SUGGEST_CONFIDENCE_HIGH     ? SUGGEST_HIGH
                                   : h->confidence >= SUGGEST_CONFIDENCE_MEDIUM ? SUGGEST_MEDIUM
                                                                                : SUGGEST_LOW;

        if (!(h->confidence >= 0 && h->confidence <= 1) || h->level != level)
                abort();
        if (h->quantity >= Q_COUNT && h->quantity != Q_NONE)
                abort();
        if (h->quantity == Q_NONE && h->layout == LAYOUT_NONE && !h->is_direction)
                abort();
        if (h->quantity != Q_NONE && (h->scale_num <= 0 || h->scale_den <= 0))
                abort();
        if (!memchr(h->channel, 0, sizeof h->channel) || h->n_evidence > SUGGEST_EVIDENCE_MAX)
                abort();
        for (unsigned i = 0; i < h->n_evidence; i++)
                if (!memchr(h->evidence[i], 0, SUGGEST_TEXT_MAX) || !h->evidence[i][0])
                        abort();
}

static void check(const struct suggestion *s) {
        if (s->count > SUGGEST_RANKS_MAX || (s->count == 0) != (s->cannot_tell[0] != 0))
                abort();
        for (unsigned i = 0; i < s->count; i++) {
                check_hypothesis(&s->hypotheses[i]);
                if (i > 0 && s->hypotheses[i].confidence > s->hypotheses[i - 1].confidence)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { .data = data, .size = size };
        struct world w = { .now_ms = 1000 };
        uint8_t how = next(&in);
        const struct suggest_settings settings = {
                .protocol = how & 1 ? &vue_protocol : &tuyamcu_protocol, .has_no_times = how & 2,
        };
        struct suggestions *found;

        if (observations_new(OBSERVED_RUNS_MIN, &w.observations) < 0)
                abort();
        while (in.at < in.size && w.tells < TELLS_MAX) {
                uint8_t what = next(&in);

                if (what % 16 < IDS)
                        tell_number(&w, &in, what % 16);
                else
                        tell_bytes(&w, &in, what % 4);
        }
        if (suggest(w.observations, &settings, &found) < 0)
                abort();
        for (unsigned i = 0; i < found->count; i++)
                check(&found->items[i]);
        suggestions_free(found);
        observations_free(w.observations);
        return 0;
}
