/* Words in raw values of no known layout: every offset, width and byte order that can be a measured number. */
#include "workbench/suggest/bench.h"


#define SERIES_MAX  4      /* raw values that are looked into */
#define WIDTH_MAX   4
#define CHANGES_MIN 4

/* How often each byte changed, and what it was. */
struct byte_use {
        unsigned changes;
        uint8_t low, high;
};

static void watch_bytes(const struct bench *b, unsigned series, unsigned len, struct byte_use *use) {
        unsigned n;
        const struct observed_run *const *runs = bench_runs(b, series, &n);
        const struct observed_run *before = NULL;

        for (unsigned k = 0; k < len; k++)
                use[k] = (struct byte_use) { .low = UINT8_MAX };
        for (unsigned i = 0; i < n; i++) {
                if (runs[i]->len != len)
                        continue;
                for (unsigned k = 0; k < len; k++) {
                        uint8_t byte = runs[i]->bytes[k];

                        use[k].changes += before && before->bytes[k] != byte;
                        use[k].low = byte < use[k].low ? byte : use[k].low;
                        use[k].high = byte > use[k].high ? byte : use[k].high;
                }
                before = runs[i];
        }
}

/* Later digits change no less than those before them, and the first ones are not always 0: else the word is narrower,
 * or its end belongs to another one. step is 1 for big-endian words, -1 for little-endian ones. */
static bool may_be_word(const struct byte_use *first, int step, unsigned width) {
        if (first[step * (int) (width - 1)].changes < CHANGES_MIN)
                return false;
        for (unsigned k = 1; k < width; k++)
                if (first[step * (int) k].changes * 5 < first[step * (int) (k - 1)].changes * 4)
                        return false;
        return width == 1 || first->high > 0;
}

/* A byte alone is too little for amperes or watts, unless zeros beside it show that there is room for more. Beside
 * one that changes as much it is only a part of a word. */
static bool is_part(const struct byte_use *use, unsigned len, unsigned offset) {
        const struct byte_use *before = offset > 0 ? &use[offset - 1] : NULL;
        const struct byte_use *behind = offset + 1 < len ? &use[offset + 1] : NULL;
        bool has_room = (before && before->high == 0) || (behind && behind->high == 0);
        unsigned own = use[offset].changes;

        return !has_room || (before && before->changes * 2 >= own) || (behind && behind->changes * 2 >= own);
}

static void add_word(struct bench *b, unsigned series, unsigned len, const struct byte_use *use, unsigned offset,
                     unsigned width, bool big_endian) {
        const struct byte_use *first = &use[big_endian ? offset : offset + width - 1];
        struct column *c = &b->columns[b->n_columns];

        if (b->n_columns == COLUMNS_MAX || !may_be_word(first, big_endian ? 1 : -1, width))
                return;
        if (width == 1 && (!big_endian || is_part(use, len, offset)))
                return;
        *c = (struct column) {
                .known = Q_NONE,
                .series = series, .id = observations_series(b->o, series)->id, .is_word = true,
                .offset = (uint8_t) offset, .width = (uint8_t) width, .length = (uint8_t) len,
                .big_endian = big_endian, .is_signed = width > 1 && first->high >= 0xf0 && first->low < 0x10,
        };
        bench_fill_column(b, c);
        b->n_columns += c->distinct > 3;
}

static void add_words_of(struct bench *b, unsigned series, unsigned len) {
        struct byte_use use[OBSERVED_BYTES_MAX];

        watch_bytes(b, series, len, use);
        for (unsigned width = WIDTH_MAX; width > 0; width--)
                for (unsigned offset = 0; offset + width <= len; offset++) {
                        add_word(b, series, len, use, offset, width, true);
                        add_word(b, series, len, use, offset, width, false);
                }
}

static bool has_layout(const struct bench *b, unsigned series) {
        for (unsigned i = 0; i < b->n_circuits; i++)
                if (b->columns[b->circuits[i].power].series == series)
                        return true;
        return false;
}

void bench_add_words(struct bench *b) {
        unsigned n = 0;

        for (unsigned i = 0; i < observations_count(b->o) && n < SERIES_MAX; i++) {
                const struct observed_series *s = observations_series(b->o, i);
                bool is_text = b->settings->protocol && !b->settings->protocol->attribute && s->type != DATAPOINT_RAW;

                if (s->numeric || is_text || s->varies_in_length || s->length == 0 || s->length > OBSERVED_BYTES_MAX)
                        continue;
                if (s->changes < CHANGES_MIN || bench_is_known(b, s) || has_layout(b, i))
                        continue;
                add_words_of(b, i, s->length);
                n++;
        }
}

bool columns_overlap(const struct column *a, const struct column *b) {
        return a->is_word && b->is_word && a->series == b->series && a->offset < b->offset + b->width &&
               b->offset < a->offset + a->width;
}

void bench_use(struct bench *b, int column) {
        b->used[column] = true;
        for (unsigned k = 0; k < b->n_columns; k++)
                if (columns_overlap(&b->columns[column], &b->columns[k]))
                        b->used[k] = true;
}
