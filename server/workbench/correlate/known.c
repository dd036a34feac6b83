#include "workbench/correlate/known.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

enum {
        NEIGHBOURS_MS = 2000,   /* rows at most so far apart belong together, however often they usually come */
        OWN_MS = 1000,          /* how long a row counts that no other follows: times are written in seconds */
        DISTANCES_MAX = 65536,  /* looked at to find the usual one */
        HOUR_MS = 3600000,
};

int known_add(struct known *k, int64_t utc_ms, int64_t value) {
        if (k->n == k->cap) {
                size_t cap = k->cap ? 2 * k->cap : 1024;
                struct known_row *rows = reallocarray(k->rows, cap, sizeof *rows);

                if (!rows)
                        return -ENOMEM;
                k->rows = rows;
                k->cap = cap;
        }
        k->rows[k->n++] = (struct known_row) { utc_ms, value };
        return 0;
}

void known_free(struct known *k) {
        free(k->rows);
        *k = (struct known) { .rows = NULL };
}

/* ---- order ---- */

static int compare_rows(const void *a, const void *b) {
        const struct known_row *x = a, *y = b;

        if (x->utc_ms != y->utc_ms)
                return x->utc_ms < y->utc_ms ? -1 : 1;
        return (x->value > y->value) - (x->value < y->value);
}

static void reverse(struct known *k) {
        for (size_t i = 0, j = k->n; i + 1 < j; i++) {
                struct known_row row = k->rows[i];

                k->rows[i] = k->rows[--j];
                k->rows[j] = row;
        }
}

/* Most exports are in order already, or from the newest to the oldest. */
static void sort_rows(struct known *k) {
        size_t rising = 0, falling = 0;

        for (size_t i = 1; i < k->n; i++) {
                rising += k->rows[i].utc_ms >= k->rows[i - 1].utc_ms;
                falling += k->rows[i].utc_ms <= k->rows[i - 1].utc_ms;
        }
        if (rising + 1 >= k->n)
                return;
        if (falling + 1 == k->n)
                reverse(k);
        else
                qsort(k->rows, k->n, sizeof *k->rows, compare_rows);
}

static void drop_repeated(struct known *k) {
        size_t n = 0;

        for (size_t i = 0; i < k->n; i++) {
                if (n > 0 && k->rows[n - 1].utc_ms == k->rows[i].utc_ms)
                        n--;
                k->rows[n++] = k->rows[i];
        }
        k->repeated = k->n - n;
        k->n = n;
}

/* ---- how long a row counts ---- */

static int compare_times(const void *a, const void *b) {
        int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

        return (x > y) - (x < y);
}

/* A regular export has its interval, and a row that is missing shows. Where rows come when something changes, a long
 * distance is nothing unusual, but for the longest ones. */
static int64_t hold_of(const int64_t *distances, size_t n) {
        int64_t half = distances[n / 2], most = distances[(n - 1) * 9 / 10];
        int64_t nearly_all = distances[(n - 1) * 19 / 20];
        int64_t hold = most <= half + half / 2 ? half + half / 2 : nearly_all;

        return hold > NEIGHBOURS_MS ? hold : NEIGHBOURS_MS;
}

static int find_hold(struct known *k) {
        size_t distances = k->n - 1, step = distances / DISTANCES_MAX + 1, n = 0;
        int64_t *sorted = calloc(distances / step + 1, sizeof *sorted);

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < distances; i += step)
                sorted[n++] = k->rows[i + 1].utc_ms - k->rows[i].utc_ms;
        qsort(sorted, n, sizeof *sorted, compare_times);
        k->interval_ms = sorted[n / 2];
        k->hold_ms = hold_of(sorted, n);
        free(sorted);
        return 0;
}

static bool is_joined(const struct known *k, size_t i) {
        return i + 1 < k->n && k->rows[i + 1].utc_ms - k->rows[i].utc_ms <= k->hold_ms;
}

int known_finish(struct known *k) {
        int r;

        sort_rows(k);
        drop_repeated(k);
        k->interval_ms = k->hold_ms = NEIGHBOURS_MS;
        k->holes = 0;
        r = k->n > 1 ? find_hold(k) : 0;
        for (size_t i = 0; i + 1 < k->n; i++)
                k->holes += !is_joined(k, i) ||
                            (k->rows[i].value == KNOWN_HOLE && k->rows[i + 1].value != KNOWN_HOLE);
        return r;
}

/* ---- registers ---- */

static int compare_values(const void *a, const void *b) {
        int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

        return (x > y) - (x < y);
}

#define PARTS    16  /* of the export, compared with each other */
#define PART_MAX 255 /* rows looked at in each */

/* The middle one of the values in a part; false when it has none. */
static bool middle_of(const struct known *k, size_t part, int64_t *ret) {
        size_t begin = part * k->n / PARTS, end = (part + 1) * k->n / PARTS, n = 0;
        size_t step = (end - begin) / PART_MAX + 1;
        int64_t values[PART_MAX + 1];

        for (size_t i = begin; i < end; i += step)
                if (k->rows[i].value != KNOWN_HOLE)
                        values[n++] = k->rows[i].value;
        qsort(values, n, sizeof *values, compare_values);
        if (n > 0)
                *ret = values[n / 2];
        return n > 0;
}

/* A register only grows, but for a value that is wrong or a digit that trembles; energies that do not are those of
 * one interval each. */
static bool is_register(const struct known *k) {
        int64_t last = 0, value;
        unsigned parts = 0, falls = 0;

        for (size_t i = 0; i < PARTS; i++) {
                if (!middle_of(k, i, &value))
                        continue;
                falls += parts > 0 && value < last;
                last = value;
                parts++;
        }
        return falls <= 1;
}

bool known_make_total(struct known *k, double units_per_kwh) {
        int64_t sum = 0;

        k->is_total = true;
        k->register_max = KNOWN_REGISTER_MAX_KWH * units_per_kwh;
        if (is_register(k))
                return false;
        k->is_sloped = true;
        for (size_t i = 0; i < k->n; i++) {
                int64_t value = k->rows[i].value;

                k->rows[i].value = value == KNOWN_HOLE ? KNOWN_HOLE : sum;
                if (value == KNOWN_HOLE || __builtin_add_overflow(sum, value, &sum))
                        k->rows[i].value = KNOWN_HOLE;
        }
        return true;
}

/* ---- asking ---- */

/* The last row at or before the time. Needs one. */
static size_t find_row(const struct known *k, int64_t utc_ms, size_t hint) {
        size_t low = 0, high = k->n;

        for (unsigned i = 0; hint < k->n && k->rows[hint].utc_ms <= utc_ms; i++, hint++) {
                if (hint + 1 == k->n || k->rows[hint + 1].utc_ms > utc_ms)
                        return hint;
                if (i == 8)
                        break;
        }
        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (k->rows[middle].utc_ms <= utc_ms)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

static int64_t on_slope(const struct known_row *row, int64_t utc_ms) {
        double share = (double) (utc_ms - row->utc_ms) / (double) (row[1].utc_ms - row->utc_ms);

        return row->value + (int64_t) (share * ((double) row[1].value - (double) row->value));
}

bool known_at(const struct known *k, int64_t utc_ms, size_t *hint, int64_t *ret) {
        const struct known_row *row;

        if (k->n == 0 || utc_ms < k->rows[0].utc_ms)
                return false;
        *hint = find_row(k, utc_ms, *hint);
        row = &k->rows[*hint];
        if (row->value == KNOWN_HOLE)
                return false;
        if (!is_joined(k, *hint)) {
                *ret = row->value;
                return utc_ms < row->utc_ms + OWN_MS;
        }
        if (k->is_sloped && row[1].value == KNOWN_HOLE)
                return false;
        *ret = k->is_sloped ? on_slope(row, utc_ms) : row->value;
        return true;
}

/* ---- energy ---- */

static int64_t energy_between(const struct known *power, size_t i, int64_t kilowatt_units, int direction) {
        double kilowatts = (double) power->rows[i].value * ((double) kilowatt_units / KNOWN_UNITS) * direction;
        int64_t ms = power->rows[i + 1].utc_ms - power->rows[i].utc_ms;

        return kilowatts > 0 ? (int64_t) (kilowatts * (double) ms / HOUR_MS) : 0;
}

static int64_t stretch_ms(const struct known *k, size_t begin, size_t end) {
        return k->rows[end].utc_ms - k->rows[begin].utc_ms;
}

/* [*ret_begin, *ret_end]: the rows of the longest stretch in which each leads to the next. */
static void longest_stretch(const struct known *k, size_t *ret_begin, size_t *ret_end) {
        size_t begin = 0;

        *ret_begin = *ret_end = 0;
        for (size_t i = 0; i < k->n; i++) {
                if (k->rows[i].value != KNOWN_HOLE && i > begin &&
                    stretch_ms(k, begin, i) > stretch_ms(k, *ret_begin, *ret_end)) {
                        *ret_begin = begin;
                        *ret_end = i;
                }
                if (k->rows[i].value == KNOWN_HOLE || !is_joined(k, i))
                        begin = i + 1;
        }
}

static void known_freep(struct known *k) {
        known_free(k);
}

int known_integrate(const struct known *power, int64_t kilowatt_units, int direction, struct known *ret) {
        CLEANUP(known_freep) struct known energy = { .is_total = true, .is_sloped = true, .digit = 1,
                                                      .register_max = KNOWN_REGISTER_MAX_KWH };
        int64_t sum = 0;
        size_t begin, end;
        int r;

        longest_stretch(power, &begin, &end);
        for (size_t i = begin; i < end; i++) {
                r = known_add(&energy, power->rows[i].utc_ms, sum);
                if (r < 0)
                        return r;
                sum += energy_between(power, i, kilowatt_units, direction);
        }
        if (sum == 0)
                return -ENODATA;
        r = known_add(&energy, power->rows[end].utc_ms, sum);
        if (r >= 0)
                r = known_finish(&energy);
        if (r < 0)
                return r;
        energy.hold_ms = power->hold_ms;
        *ret = energy;
        energy.rows = NULL;
        return 0;
}
