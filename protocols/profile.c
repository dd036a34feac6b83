#include "protocols/profile.h"

#include <stddef.h>

#include "protocols/fraction.h"
#include "protocols/quantity.h"

const char *const datapoint_type_names[DATAPOINT_TYPE_COUNT] = {
        [DATAPOINT_RAW] = "raw",       [DATAPOINT_BOOL] = "bool", [DATAPOINT_VALUE] = "value",
        [DATAPOINT_STRING] = "string", [DATAPOINT_ENUM] = "enum", [DATAPOINT_BITMAP] = "bitmap",
};

const char *const datapoint_layout_names[LAYOUT_COUNT] = {
        [LAYOUT_NONE] = "",
        [LAYOUT_PHASE] = "phase",
        [LAYOUT_PHASE_VCPQFF] = "phase-vcpqff",
        [LAYOUT_PHASE_PQFCV] = "phase-pqfcv",
        [LAYOUT_VOLTAGES] = "voltages",
        [LAYOUT_CURRENTS] = "currents",
        [LAYOUT_POWERS] = "powers",
        [LAYOUT_MONTH] = "month",
        [LAYOUT_DAY] = "day",
        [LAYOUT_LIMITS_METER] = "limits-meter",
        [LAYOUT_LIMITS_BREAKER] = "limits-breaker",
};

const char *const datapoint_danger_names[DANGER_COUNT] = {
        [DANGER_NONE] = "",
        [DANGER_CALIBRATION] = "calibration",
        [DANGER_RESET] = "reset",
        [DANGER_TEST] = "test",
};

const char *const profile_evidence_names[] = {
        [EVIDENCE_CAPTURED] = "captured",
        [EVIDENCE_STATED] = "stated",
        [EVIDENCE_DISPUTED] = "disputed",
};

const struct profile_datapoint *profile_datapoint(const struct profile *p, uint8_t id) {
        if (!p)
                return NULL;
        for (unsigned i = 0; i < p->n_datapoints; i++)
                if (p->datapoints[i].id == id)
                        return &p->datapoints[i];
        return NULL;
}

void profile_set_scale(struct profile_datapoint *d, int64_t num, int64_t den) {
        unsigned decimals = d->quantity < Q_COUNT ? quantity_catalogue[d->quantity].decimals : 0;

        for (; decimals > 0; decimals--) {
                if (den % 10 == 0)
                        den /= 10;
                else
                        num *= 10;
        }
        fraction_reduce(&num, &den);
        d->scale_num = num;
        d->scale_den = den;
}
