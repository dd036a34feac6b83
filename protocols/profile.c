#include "protocols/profile.h"

#include <stddef.h>

const char *const datapoint_type_names[DATAPOINT_TYPE_COUNT] = {
        [DATAPOINT_RAW] = "raw",       [DATAPOINT_BOOL] = "bool", [DATAPOINT_VALUE] = "value",
        [DATAPOINT_STRING] = "string", [DATAPOINT_ENUM] = "enum", [DATAPOINT_BITMAP] = "bitmap",
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
