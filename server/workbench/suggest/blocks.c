/* Three phases in three raw values, one for each quantity: what was found word by word is told as the layout that
 * holds all of it, which a profile can name. */
#include "workbench/suggest/hypotheses.h"

#include <math.h>
#include <string.h>

#define PHASES 3

/* Big-endian words of one width, the last three of which are the phases'; as protocols read them. */
static const struct block {
        uint8_t layout, quantity, length, width;
        int64_t scale_den;
} blocks[] = {
        { LAYOUT_VOLTAGES, Q_VOLTAGE, 6, 2, 10 },
        { LAYOUT_CURRENTS, Q_CURRENT, 9, 3, 1000 },
        { LAYOUT_POWERS, Q_POWER, 12, 3, 10 },
};

/* The first bytes of a word may never have been anything but 0: its end tells which one it is. */
static bool is_phase_of(const struct suggestion *s, const struct block *b, unsigned phase) {
        const struct hypothesis *h = &s->hypotheses[0];
        const char channel[] = { 'l', (char) ('1' + phase), '\0' };

        return s->is_word && s->big_endian && h->quantity == b->quantity && h->scale_num == 1 &&
               h->scale_den == b->scale_den && strcmp(h->channel, channel) == 0 &&
               s->offset + s->width == b->length - b->width * (int) (PHASES - 1 - phase);
}

static const struct suggestion *find_phase(const struct suggestions *out, uint16_t id, const struct block *b,
                                           unsigned phase) {
        for (unsigned i = 0; i < out->count; i++)
                if (out->items[i].id == id && is_phase_of(&out->items[i], b, phase))
                        return &out->items[i];
        return NULL;
}

static bool make_block(const struct suggestions *out, const struct observed_series *series, const struct block *b,
                       struct suggestion *ret) {
        const struct suggestion *first = NULL;
        struct hypothesis *h;
        double least = 1;

        for (unsigned phase = 0; phase < PHASES; phase++) {
                const struct suggestion *s = find_phase(out, series->id, b, phase);

                if (!s)
                        return false;
                least = fmin(least, s->hypotheses[0].confidence);
                first = phase == 0 ? s : first;
        }
        *ret = (struct suggestion) { .id = series->id, .type = series->type };
        h = hypothesis_add(ret, Q_NONE, 0, least);
        h->layout = b->layout;
        hypothesis_say(h, "its bytes are those of three phases, and each is found where this layout has it");
        for (unsigned i = 0; i < first->hypotheses[0].n_evidence; i++)
                hypothesis_say(h, "%s", first->hypotheses[0].evidence[i]);
        return true;
}

static void replace_words(struct suggestions *out, const struct suggestion *whole) {
        unsigned kept = 0;

        for (unsigned i = 0; i < out->count; i++)
                if (out->items[i].id != whole->id)
                        out->items[kept++] = out->items[i];
        out->items[kept++] = *whole;
        out->count = kept;
}

void hypotheses_fold_blocks(const struct bench *b, struct suggestions *out) {
        struct suggestion whole;

        if (!b->settings->protocol || !b->settings->protocol->read_layout)
                return;
        for (unsigned i = 0; i < observations_count(b->o); i++) {
                const struct observed_series *series = observations_series(b->o, i);

                for (const struct block *k = blocks; k < blocks + sizeof blocks / sizeof *blocks; k++)
                        if (!series->numeric && series->length == k->length && make_block(out, series, k, &whole))
                                replace_words(out, &whole);
        }
}
