/* Tags of long answers: whatever happens between two of them, the same tag means the same bytes. Random questions
 * while rows are added and time passes, for some seconds. The seed is printed; METERGATE_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_history.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "from_environment.h"

#define TICKS     40         /* tenths of a second that a test goes on for */
#define QUESTIONS 400
#define PAST_ROWS 600

/* What was asked, and what came of it. */
struct question {
        char target[200];
        bool answered;
        uint64_t tag, body;
};

static struct history *history;
static unsigned main_handle, three_handle;
static uint64_t seed;
static struct question questions[QUESTIONS];

static unsigned random_below(unsigned n) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned) (seed >> 33) % n;
}

static int64_t now_tick(void) {
        int64_t ms;

        assert_true(clock_to_utc_ms(clock_now_ms(), &ms));
        return ms / TICK_MS;
}

static void append(unsigned handle, int64_t tick) {
        static int64_t total = 1000000;
        struct history_row row = { .mask = 1u << POWER | 1u << IMPORT };
        int r;

        row.values[POWER] = (int64_t) random_below(5000000) - 1000000;
        row.values[IMPORT] = total;
        row.totals[IMPORT] = total += random_below(500);
        r = history_append_at(history, handle, tick, &row);
        assert_true(r == 0 || r == -EEXIST);   /* at most one in a tick */
}

static int setup(void **state) {
        struct fixture *f;
        int64_t now;

        assert_int_equal(bench_setup(state), 0);
        f = *state;
        seed = test_seed();
        history = bench_history(f);
        main_handle = bench_define(history, "main", 350);
        three_handle = bench_define(history, "three", 8);   /* so short that it falls silent within the test */
        now = now_tick();
        for (int i = 0; i < PAST_ROWS; i++)
                append(i % 3 ? main_handle : three_handle, now - (PAST_ROWS - i) * 7);
        memset(questions, 0, sizeof questions);
        return 0;
}

static int teardown(void **state) {
        history_free(history);
        return bench_teardown(state);
}

/* ---- questions ---- */

#define ONE_OF(...) one_of((const char *const[]) { __VA_ARGS__ }, \
                           sizeof((const char *const[]) { __VA_ARGS__ }) / sizeof(const char *))

static const char *one_of(const char *const *words, size_t n) {
        return words[random_below((unsigned) n)];
}

/* Around now for the most part: there the answers change. Tenths of a second behind the point are another tick. */
static void make_question(char *target, size_t size) {
        const char *meter = ONE_OF("main", "three");
        int64_t now_s = now_tick() / TICKS_PER_S, from = now_s - 1 - random_below(420);
        int64_t to = now_s + 6 - random_below(60);

        if (to <= from)
                to = from + 1;
        switch (random_below(5)) {
        case 0:
                snprintf(target, size, "/api/v1/meters/%s/energy?period=%s&from=%lld&to=%lld%s", meter,
                         ONE_OF("hour", "day"), (long long) from - 7200, (long long) to, ONE_OF("", "&format=csv"));
                break;
        case 1:
                snprintf(target, size, "/api/v1/samples?after=%u&limit=%u", random_below(PAST_ROWS + 20),
                         1 + random_below(50));
                break;
        default:
                snprintf(target, size, "/api/v1/meters/%s/history?from=%lld.%u&to=%lld.%u&step=%s&series=%s%s"
                         "&limit=11000", meter, (long long) from, random_below(10), (long long) to, random_below(10),
                         ONE_OF("raw", "100ms", "1s", "7s", "1min", "5min"),
                         ONE_OF("power_w", "energy_import_kwh,power_w"), ONE_OF("", "&format=csv", "&format=ndjson"));
        }
}

static uint64_t hash_of_all(struct fixture *f, const char *target, struct reply *reply) {
        int r = 1;

        get(f, target, reply);
        if (reply->status != 200)
                fail_msg("%s: %s", target, reply->body.data);
        assert_true(reply->has_tag && reply->produce);
        while (r != 0) {
                r = reply->produce(reply->state, &reply->body);
                assert_true(r >= 0 || r == -EAGAIN);
        }
        assert_false(reply->body.failed);
        return hash_bytes(0, reply->body.data, reply->body.len);
}

/* True when it was answered before and has the same tag. */
static bool ask_once_more(struct fixture *f, struct question *q) {
        struct reply reply;
        uint64_t body = hash_of_all(f, q->target, &reply);
        bool same = q->answered && q->tag == reply.tag;

        if (same && body != q->body)
                fail_msg("%s says something else under the same tag: %.500s", q->target, reply.body.data);
        q->answered = true;
        q->tag = reply.tag;
        q->body = body;
        reply_free(&reply);
        return same;
}

static void test_the_same_tag_is_the_same_answer(void **state) {
        struct fixture *f = *state;
        int64_t begin = now_tick();
        unsigned same = 0, other = 0;

        for (unsigned i = 0; i < QUESTIONS; i++)
                make_question(questions[i].target, sizeof questions[i].target);
        while (now_tick() < begin + TICKS || same == 0 || other == 0) {
                for (unsigned k = 0; k < 20; k++) {
                        struct question *q = &questions[random_below(QUESTIONS)];
                        bool was_answered = q->answered;

                        if (ask_once_more(f, q))
                                same++;
                        else if (was_answered)
                                other++;
                }
                if (random_below(30) == 0)
                        append(random_below(3) ? main_handle : three_handle, now_tick());
        }
        print_message("# %u times the same tag, %u times another\n", same, other);
}

/* Two questions that differ do not share a tag, unless they have one answer. */
static void test_other_questions_have_other_tags(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 0; i < QUESTIONS; i++) {
                make_question(questions[i].target, sizeof questions[i].target);
                (void) ask_once_more(f, &questions[i]);
        }
        for (unsigned i = 0; i < QUESTIONS; i++)
                for (unsigned k = 0; k < i; k++)
                        if (questions[i].tag == questions[k].tag && questions[i].body != questions[k].body)
                                fail_msg("%s and %s have one tag", questions[i].target, questions[k].target);
}

/* Another run, another configuration: nothing that was true before need be true still. */
static void test_runs_and_reloads(void **state) {
        static const char *const targets[] = {
                "/api/v1/meters/main/history?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z&step=1d",
                "/api/v1/meters/main/energy?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z", "/api/v1/samples",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
                struct question q = { .answered = false };

                strcpy(q.target, targets[i]);
                (void) ask_once_more(f, &q);
                assert_true(ask_once_more(f, &q));
                f->app.run++;
                assert_false(ask_once_more(f, &q));
                f->app.reloads++;
                assert_false(ask_once_more(f, &q));
        }
}

/* A meter's version moves with what it says, and with nothing else. */
static void test_versions(void **state) {
        struct fixture *f = *state;
        uint64_t all = api_version(&f->app, ""), one = api_version(&f->app, "main"),
                 three = api_version(&f->app, "three");

        assert_int_not_equal(one, three);
        assert_int_equal(api_version(&f->app, "main"), one);
        assert_int_equal(api_version(&f->app, "nobody"), 0);
        meter_set_config(fleet_find(f->fleet, "main"), meter_config(fleet_find(f->fleet, "main")));
        assert_int_not_equal(api_version(&f->app, "main"), one);
        assert_int_not_equal(api_version(&f->app, ""), all);
        assert_int_equal(api_version(&f->app, "three"), three);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_the_same_tag_is_the_same_answer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_other_questions_have_other_tags, setup, teardown),
                cmocka_unit_test_setup_teardown(test_runs_and_reloads, setup, teardown),
                cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
