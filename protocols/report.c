#include "protocols/report.h"

bool report_set(struct report *report, struct reading reading) {
        for (unsigned i = 0; i < report->count; i++)
                if (report->readings[i].channel == reading.channel &&
                    report->readings[i].quantity == reading.quantity) {
                        report->readings[i] = reading;
                        return true;
                }
        if (report->count == READINGS_MAX)
                return false;
        report->readings[report->count++] = reading;
        return true;
}
