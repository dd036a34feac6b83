/* Energies that are told as what flowed since the last report. A report that the MCU sends by itself counts, always,
 * and waits here until a moment is published: one that is dropped takes no energy with it.
 *
 * In the answer to a query nobody knows what such a number is. Some MCUs begin anew after each answer, then it
 * counts; others show their last report once more, or what has gathered for the next one. So those in answers count
 * only once the MCU has shown that it begins anew: by a 0 after a number, or several times a smaller one, without a
 * report between. It is doubted again when an answer repeats the report before it. */
#include "protocols/tuyamcu/layout.h"
#include "protocols/tuyamcu/session.h"

#define FALLS_ENOUGH 3      /* a report between may have been lost, three in a row are not */

static void take_answer(struct tuya_session *s, struct tuya_increment *i, int64_t number) {
        if (i->has_last && !i->last_was_answer && number == i->last && number != 0) {
                i->falls = 0;
                i->held = 0;
        } else if (i->has_last && i->last_was_answer && number < i->last && i->falls < FALLS_ENOUGH) {
                i->falls = number == 0 ? FALLS_ENOUGH : i->falls + 1;
                i->held += i->last;
        }
        if (i->falls == FALLS_ENOUGH) {
                i->sum += i->held + number;
                i->held = 0;
        } else if (number != 0)
                s->base.counters[TUYA_WITHHELD_REPEATED]++;
}

void tuya_increment_take(struct tuya_session *s, uint8_t id, int64_t number) {
        const struct profile_datapoint *row = profile_datapoint(s->config.profile, id);
        struct tuya_increment *i = &s->increments[id];
        bool is_answer = tuya_is_awaited(s, TUYA_QUERY);

        if (!row || !tuya_counts_increment(s->config.profile, row))
                return;
        if (is_answer)
                take_answer(s, i, number);
        else
                i->sum += number;
        i->has_last = true;
        i->last = number;
        i->last_was_answer = is_answer;
}

int64_t tuya_increment_sum(const struct tuya_session *s, uint8_t id) {
        return s->increments[id].sum;
}

void tuya_increments_published(struct tuya_session *s) {
        for (unsigned id = 0; id < 256; id++)
                s->increments[id].sum = 0;
}
