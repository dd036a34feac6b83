/* Any datapoint list, product answer and report under a profile that maps them. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/tuyamcu/datapoint.h"
#include "protocols/tuyamcu/tuyamcu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every id has a row; scales and directions differ. */
static struct profile *make_profile(void) {
        struct profile *p = calloc(1, sizeof *p + 255 * sizeof p->datapoints[0]);

        if (!p)
                abort();
        p->n_channels = CHANNELS_MAX;
        p->n_datapoints = 255;
        for (unsigned i = 0; i < 255; i++)
                p->datapoints[i] = (struct profile_datapoint) {
                        .id = (uint8_t) (i + 1), .quantity = (uint8_t) (i % (Q_COUNT + 1)),
                        .channel = (uint8_t) (i % CHANNELS_MAX), .scale_num = 1 + (int64_t) i * i * i * 1000003,
                        .scale_den = 1 + i % 7, .inverted = i % 5 == 0,
                        .direction_id = (uint8_t) (i % 3 == 0 ? i : 0), .direction_reverse = 1,
                };
        return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct profile *profile;
        uint8_t *copy = malloc(size > 0 ? size : 1);  /* exact size, so that a read past the end is seen */
        struct tuya_directions directions = { 0 };
        struct tuya_truncation truncation;
        struct report report = { 0 };
        struct tuya_datapoint d;
        char text[24];
        size_t offset = 0, before = 0;
        int r;

        if (!copy)
                return 0;
        if (size > 0)
                memcpy(copy, data, size);
        if (!profile)
                profile = make_profile();
        while ((r = tuya_datapoint_next(span_of(copy, size), &offset, &d, &truncation)) > 0) {
                assert(offset > before && offset <= size);
                before = offset;
                tuya_directions_note(&directions, &d);
                tuya_datapoint_map(profile, &directions, &d, &report);
        }
        assert(r < 0 || offset == size);
        assert(report.count <= READINGS_MAX);
        tuya_product_field(copy, size, 'p', text, sizeof text);
        assert(strlen(text) < sizeof text);
        free(copy);
        return 0;
}
