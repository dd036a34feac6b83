/* Integrates a trace's power with the history's own code: lines "seconds tenths-of-a-watt" on stdin, rows of one
 * second kept once; import and export in mWh on stdout. The script beside it computes the same another way. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "history/integral.h"

#define HOLD_TICKS (60 * TICKS_PER_S)

int main(void) {
        struct schema schema = { .meter = "trace", .hold_ticks = HOLD_TICKS, .n_columns = 3 };
        struct integrals integrals = { 0 };
        struct history_row before = { 0 };
        int64_t seconds, power, last = -1;

        strcpy(schema.columns[0].key, "power_w");
        for (unsigned i = 1; i < 3; i++)
                schema.columns[i] = (struct schema_column) { .kind = COLUMN_COUNTER, .decimals = 6, .integral_of = 1,
                                                             .is_export = i == 2 };
        strcpy(schema.columns[1].key, "energy_import_kwh");
        strcpy(schema.columns[2].key, "energy_export_kwh");
        while (scanf("%" SCNd64 " %" SCNd64, &seconds, &power) == 2) {
                struct history_row row = { .mask = 1, .values = { power * 100 } };

                if (seconds == last)
                        continue;
                integrals_row(&integrals, &schema, last < 0 ? NULL : &before, last * TICKS_PER_S,
                              seconds * TICKS_PER_S, &row);
                before = row;
                last = seconds;
        }
        printf("%" PRId64 " %" PRId64 "\n", before.totals[1], before.totals[2]);
        return 0;
}
