#include "tools/decode_readings.h"

#include "protocols/quantity.h"

static const struct reading *find(const struct report *report, unsigned channel, unsigned quantity) {
        for (unsigned i = 0; i < report->count; i++)
                if (report->readings[i].channel == channel && report->readings[i].quantity == quantity)
                        return &report->readings[i];
        return NULL;
}

static bool has_channel(const struct report *report, unsigned channel) {
        for (unsigned i = 0; i < report->count; i++)
                if (report->readings[i].channel == channel)
                        return true;
        return false;
}

static void put_channel(struct json_writer *w, const struct report *report, unsigned channel) {
        for (unsigned q = 0; q < Q_COUNT; q++) {
                const struct reading *r = find(report, channel, q);

                if (r)
                        json_put_decimal(w, quantity_catalogue[q].key, r->value, quantity_catalogue[q].decimals);
        }
}

static void put_named_channels(struct json_writer *w, const struct profile *profile, const struct report *report) {
        bool open = false;

        for (unsigned i = 1; i < profile->n_channels; i++) {
                if (!has_channel(report, i))
                        continue;
                if (!open)
                        json_object_begin(w, "channels");
                open = true;
                json_object_begin(w, profile->channels[i]);
                put_channel(w, report, i);
                json_object_end(w);
        }
        if (open)
                json_object_end(w);
}

void decode_put_readings(struct json_writer *w, const struct profile *profile, const struct report *report) {
        if (report->count == 0)
                return;
        json_object_begin(w, "readings");
        put_channel(w, report, 0);
        put_named_channels(w, profile, report);
        json_object_end(w);
}
