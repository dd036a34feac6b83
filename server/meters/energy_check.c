#include "meters/energy_check.h"

#define MW_MS_PER_MWH 3600000

static void count_up_to(struct energy_check *c, uint64_t at_ms) {
        uint64_t end_ms = at_ms < c->until_ms ? at_ms : c->until_ms;
        int64_t sum;

        if (c->begun && c->held && c->power_mw > 0 && end_ms > c->power_ms &&
            !__builtin_mul_overflow(c->power_mw, (int64_t) (end_ms - c->power_ms), &sum) &&
            !__builtin_add_overflow(sum, c->sum_mw_ms, &sum)) {
                c->integral += sum / MW_MS_PER_MWH;
                c->sum_mw_ms = sum % MW_MS_PER_MWH;
        }
        if (at_ms > c->power_ms)
                c->power_ms = at_ms;
}

void energy_check_power(struct energy_check *c, uint64_t at_ms, int64_t power_mw, uint32_t hold_ms) {
        count_up_to(c, at_ms);
        c->held = true;
        c->power_mw = power_mw;
        c->until_ms = at_ms + hold_ms;
}

void energy_check_register(struct energy_check *c, uint64_t at_ms, int64_t total_mwh) {
        count_up_to(c, at_ms);
        if (!c->begun) {
                c->begun = true;
                c->since_ms = at_ms;
                c->first_total = total_mwh;
        }
        c->at_ms = at_ms;
        c->last_total = total_mwh;
        c->integral_at_register = c->integral;
}
