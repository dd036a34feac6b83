#include "api_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct history *bench_history(struct fixture *f) {
        const struct history_options options = { .size_bytes = 16 << 20, .flush_ms = 60000 };
        char error[STORE_ERROR_MAX];
        struct history *h;

        assert_int_equal(history_new(&options, &h, error), 0);
        while (history_step(h) > 0)
                ;
        f->app.history = h;
        return h;
}

unsigned bench_define(struct history *h, const char *meter, uint32_t hold_ticks) {
        struct schema schema = { .hold_ticks = hold_ticks, .n_columns = COLUMNS, .columns = {
                [VOLTAGE] = { .key = "voltage_v", .kind = COLUMN_GAUGE, .decimals = 3 },
                [POWER] = { .key = "power_w", .kind = COLUMN_GAUGE, .decimals = 3 },
                [IMPORT] = { .key = "energy_import_kwh", .kind = COLUMN_COUNTER, .decimals = 6 },
        } };
        unsigned handle;

        strcpy(schema.meter, meter);
        assert_int_equal(history_define(h, &schema, &handle), 0);
        return handle;
}
