#include "house.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/load_curve.h"
#include "tools/trace_file.h"

const struct house_value house_values[HOUSE_VALUES] = {
        { "voltage_v", 3, 100, false },            /* 0.1 V */
        { "current_a", 3, 1, false },              /* 1 mA */
        { "power_w", 3, 100, false },              /* 0.1 W */
        { "power_factor", 3, 10, false },          /* 0.01 */
        { "energy_import_kwh", 6, 1000, true },    /* 1 Wh */
};

enum { APPLIANCES = 2 };

/* What is recorded of one meter. */
struct recorded {
        struct trace *voltage, *appliances[APPLIANCES];
};

static const char *const voltage_files[HOUSE_METERS] = { "pzem_meter1", "pzem_meter2", "pzem_meter3" };
static const char *const appliance_files[HOUSE_METERS][APPLIANCES] = {
        { "tracebase_fridge", "tracebase_washer" },
        { "tracebase_pc", "tracebase_tv" },
        { "tracebase_washer", "tracebase_pc" },
};

static struct trace *open_trace(const char *folder, const char *name) {
        char path[4096], error[TRACE_ERROR_MAX];
        struct trace *t;

        snprintf(path, sizeof path, "%s/%s.csv.gz", folder, name);
        if (trace_open(path, true, &t, error) < 0)
                errx(1, "%s", error);
        return t;
}

static struct load load_of(struct trace *t, uint64_t at_ms) {
        char error[TRACE_ERROR_MAX];
        struct load load;

        if (trace_at(t, at_ms, &load, error) < 0)
                errx(1, "%s", error);
        return load;
}

/* The recorded appliances in addition, at the recorded voltage. */
static void add_recorded(const struct recorded *r, uint64_t at_ms, struct load *load) {
        if (!r->voltage)
                return;
        load->voltage_mv = load_of(r->voltage, at_ms).voltage_mv;
        for (unsigned i = 0; i < APPLIANCES; i++) {
                int64_t power_mw = load_of(r->appliances[i], at_ms).power_mw;

                load->power_mw += power_mw;
                load->current_ma += power_mw * 1050 / load->voltage_mv;
        }
}

static int64_t rounded(int64_t a, int64_t b) {
        return (a + b / 2) / b;
}

static void make_meter(const struct house *house, unsigned meter, const struct recorded *recorded) {
        int64_t energy_mws = (int64_t) (meter + 1) * 1234567 * 3600000;

        for (uint32_t i = 0; i < house->n_rows; i++) {
                uint64_t at_ms = (uint64_t) i * house->step_s * 1000;
                int32_t *row = house->rows[meter][i];
                struct load load;

                load_curve_at(meter + 1, HOUSE_BEGIN_S * 1000 + (int64_t) at_ms, &load);
                add_recorded(recorded, at_ms, &load);
                energy_mws += load.power_mw * house->step_s;
                row[0] = (int32_t) rounded(load.voltage_mv, 100);
                row[1] = (int32_t) load.current_ma;
                row[HOUSE_POWER] = (int32_t) rounded(load.power_mw, 100);
                row[3] = (int32_t) rounded(load.power_mw * 100000, load.voltage_mv * load.current_ma);
                row[4] = (int32_t) (energy_mws / 3600000);
        }
}

void house_make(struct house *house, unsigned n_meters, uint32_t n_rows, uint32_t step_s, const char *traces) {
        *house = (struct house) { .n_rows = n_rows, .step_s = step_s, .n_meters = n_meters,
                                  .real = traces && access(traces, R_OK) == 0 };
        for (unsigned m = 0; m < n_meters; m++) {
                struct recorded recorded = { 0 };

                house->rows[m] = calloc(n_rows, sizeof house->rows[m][0]);
                if (!house->rows[m])
                        err(1, "calloc");
                if (house->real)
                        recorded.voltage = open_trace(traces, voltage_files[m]);
                for (unsigned i = 0; house->real && i < APPLIANCES; i++)
                        recorded.appliances[i] = open_trace(traces, appliance_files[m][i]);
                make_meter(house, m, &recorded);
                trace_free(recorded.voltage);
                for (unsigned i = 0; i < APPLIANCES; i++)
                        trace_free(recorded.appliances[i]);
        }
}

void house_free(struct house *house) {
        for (unsigned m = 0; m < house->n_meters; m++)
                free(house->rows[m]);
        *house = (struct house) { 0 };
}
