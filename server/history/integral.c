#include "history/integral.h"

#include <string.h>

/* Of the power's part that this column counts. Power is at most HISTORY_VALUE_MAX and a hold time some hours, so that
 * the product of an implausible one could leave 63 bits: it then adds nothing. */
static int64_t energy_between(struct integral *s, bool exports, int64_t from, int64_t to) {
        int64_t power = exports ? -s->power_mw : s->power_mw, sum;

        if (to > s->until)
                to = s->until;
        if (!s->held || power <= 0 || to <= from || __builtin_mul_overflow(power, to - from, &sum) ||
            __builtin_add_overflow(sum, s->rest, &sum))
                return 0;
        s->rest = sum % TICK_MW_PER_MWH;
        return sum / TICK_MW_PER_MWH;
}

void integrals_row(struct integrals *s, const struct schema *schema, const struct history_row *before,
                   int64_t before_tick, int64_t tick, struct history_row *row) {
        for (unsigned i = 0; i < schema->n_columns; i++) {
                const struct schema_column *c = &schema->columns[i];
                struct integral *integral = &s->columns[i];
                uint64_t bit = UINT64_C(1) << i, power_bit;
                int64_t total = before && (before->mask & bit) ? before->totals[i] : 0;

                if (!c->integral_of)
                        continue;
                power_bit = UINT64_C(1) << (c->integral_of - 1);
                if (before)
                        total += energy_between(integral, c->is_export, before_tick, tick);
                if (row->mask & power_bit)
                        *integral = (struct integral) {
                                .held = true, .power_mw = row->values[c->integral_of - 1],
                                .until = tick + schema->hold_ticks, .rest = integral->rest,
                        };
                row->mask |= bit;
                row->values[i] = row->totals[i] = total;
        }
}

void integrals_remap(struct integrals *s, const struct schema *from, const struct schema *to) {
        struct integrals result = { 0 };

        for (unsigned i = 0; i < from->n_columns; i++) {
                int k = from->columns[i].integral_of ? schema_find(to, from->columns[i].key) : -1;

                if (k >= 0 && to->columns[k].integral_of)
                        result.columns[k] = s->columns[i];
        }
        *s = result;
}

void integrals_release(struct integrals *s) {
        for (unsigned i = 0; i < SCHEMA_COLUMNS_MAX; i++)
                s->columns[i].held = false;
}
