/* Events and the power: whenever it goes, what was synced is there. METERGATE_CUTS sets how often it goes,
 * METERGATE_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "events_case.h"
#include "from_environment.h"
#include "tools/random.h"

#define CUTS_DEFAULT 200

static struct {
        uint64_t number;
        int64_t value;
        bool synced;
} model[EVENTS_MAX];                /* by slot: what was put there last */
static uint64_t highest;            /* that was given out */

static void put_random(uint64_t *random) {
        int64_t value = random_below(random, UINT32_MAX);
        static int64_t turn;
        struct event e;

        put_at(now_ms + STEP, EVENT_WITHHELD, "main", ++turn % 2 ? "power_w" : "voltage_v", value);
        assert_true(events_next(events, events_end(events) - 2, &e));
        /* Without power nobody learns of its number; it may be in the file. */
        model[e.number % EVENTS_MAX].synced = false;
        if (disk->off)
                return;
        assert_true(e.number > highest && e.value == value);
        highest = e.number;
        model[highest % EVENTS_MAX].number = highest;
        model[highest % EVENTS_MAX].value = value;
}

static void sync_model(void) {
        if (events_sync(events, now_ms) < 0 || events_error(events)[0])
                return;
        for (unsigned i = 0; i < EVENTS_MAX; i++)
                model[i].synced = true;
}

/* What is there is what was put, in order; what was synced is there. */
static void check_model(void) {
        static bool seen[EVENTS_MAX];
        struct event e = { .number = 0 };

        memset(seen, 0, sizeof seen);
        for (uint64_t last = 0; events_next(events, last, &e); last = e.number) {
                unsigned slot = e.number % EVENTS_MAX;

                assert_true(e.number > last);
                /* One that the power took with it may be there after all, and an old one that it had hidden. */
                if (model[slot].number != e.number) {
                        assert_true(!model[slot].synced || model[slot].number == 0);
                        continue;
                }
                assert_int_equal(e.value, model[slot].value);
                seen[slot] = true;
        }
        for (unsigned i = 0; i < EVENTS_MAX; i++)
                assert_true(seen[i] || !model[i].synced || model[i].number == 0);
        assert_true(events_end(events) > highest);
}

/* What is there now is what has to stay. */
static void renew_model(void) {
        struct event e = { .number = 0 };

        memset(model, 0, sizeof model);
        while (events_next(events, e.number, &e)) {
                model[e.number % EVENTS_MAX].number = e.number;
                model[e.number % EVENTS_MAX].value = e.value;
                model[e.number % EVENTS_MAX].synced = true;
        }
}

static void live(uint64_t *random) {
        unsigned n = random_below(random, 4) ? random_below(random, 40) : random_below(random, 2000);

        cut_disk_power_off(disk, 1 + random_below(random, 2 * n + 3));
        for (unsigned i = 0; i < n && !events_error(events)[0]; i++) {
                put_random(random);
                if (random_below(random, 20) == 0)
                        sync_model();
        }
        /* Sometimes it ends by itself. */
        if (random_below(random, 3) == 0 && !events_error(events)[0]) {
                uint64_t end = events_end(events);

                sync_model();
                reopen();
                if (!events_error(events)[0])
                        assert_int_equal(events_end(events), end);
        }
}

static void test_power_cuts(void **state) {
        unsigned cuts = (unsigned) number_from("METERGATE_CUTS", CUTS_DEFAULT);
        uint64_t seed = test_seed(), random = random_seed(seed);

        (void) state;
        disk = cut_disk_new(directory, seed);
        cut_disk_power_off(disk, 1 + random_below(&random, 300));
        reopen();
        for (unsigned i = 0; i < cuts; i++) {
                events = events_free(events);
                cut_disk_restart(disk);
                open_well();
                check_model();
                renew_model();
                live(&random);
        }
        printf("# %u cuts, end at %llu, %llu writes; of those in flight %llu kept, %llu dropped, %llu torn, "
               "%llu garbled\n", cuts, (unsigned long long) highest, (unsigned long long) disk->writes,
               (unsigned long long) disk->kept, (unsigned long long) disk->dropped, (unsigned long long) disk->torn,
               (unsigned long long) disk->garbled);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_power_cuts),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
