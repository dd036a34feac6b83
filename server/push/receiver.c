#include "push/receiver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "push/encode.h"
#include "push/feed.h"
#include "push/position.h"

#define ROW_DELAY_MS 5000u       /* a row comes at most this long after its time */
#define LOG_PAUSE_MS 60000u      /* between two lines about refused batches */

enum state { IDLE, SENDING, WAITING };
static const char *const state_names[] = { [IDLE] = "idle", [SENDING] = "sending", [WAITING] = "waiting" };

struct receiver {
        struct receiver_options options;
        struct feed *feed;               /* NULL until the history can be asked */
        enum state state;

        struct batch *batch;             /* while it is being filled */
        uint8_t *body;                   /* while it is under way or waits */
        size_t body_len;
        unsigned n_samples;              /* of the body */
        uint64_t body_number;
        int64_t body_tick;

        uint64_t done_number;            /* all rows up to it are settled */
        int64_t done_tick;
        bool has_looked;                 /* the feed knows what was sent before */
        bool is_dirty;                   /* done_number is not on the disk */
        uint64_t saved_ms;

        uint32_t backoff_ms;
        uint64_t retry_ms;
        uint64_t refused_logged_ms, refused_unsaid;
        uint64_t samples, failed, retries, batches, bytes, told_lost, n_random;
        char error[RECEIVER_TEXT_MAX];
};

int receiver_new(const struct receiver_options *options, struct receiver **ret) {
        struct receiver *r = calloc(1, sizeof *r);

        if (!r)
                return -ENOMEM;
        r->options = *options;
        *ret = r;
        return 0;
}

static const char *name_of(const struct receiver *r) {
        return r->options.config->name;
}

/* ---- the position ---- */

static void save(struct receiver *r, uint64_t now_ms) {
        int error;

        r->saved_ms = now_ms;
        r->is_dirty = false;
        if (!r->options.directory)
                return;
        error = position_save(r->options.directory, name_of(r), r->done_number);
        if (error < 0)
                log_warning("remote_write %s: its position cannot be kept: %s; after a restart some is sent again",
                            name_of(r), strerror(-error));
}

static void settle(struct receiver *r, uint64_t number, int64_t tick) {
        if (number > r->done_number)
                r->is_dirty = true;
        r->done_number = number;
        if (tick > 0)
                r->done_tick = tick;
}

static uint64_t load(struct receiver *r) {
        uint64_t number = 0;
        int error = r->options.directory ? position_load(r->options.directory, name_of(r), &number) : -ENOENT;

        if (error < 0 && error != -ENOENT)
                log_warning("remote_write %s: its position cannot be read: %s; everything is sent again", name_of(r),
                            strerror(-error));
        if (error == 0 && number < samples_end(r->options.history))
                return number;
        if (error == 0)
                log_notice("remote_write %s: its position is of another history; this one is sent from its beginning",
                           name_of(r));
        return 0;
}

static int begin(struct receiver *r) {
        uint64_t number = load(r);
        int error;

        error = feed_new(r->options.history, number, &r->feed);
        if (error < 0)
                return error;
        feed_choose(r->feed, r->options.config->series, r->options.config->n_series);
        r->done_number = number;
        return 0;
}

struct receiver *receiver_free(struct receiver *r) {
        if (!r)
                return NULL;
        if (r->is_dirty)
                save(r, 0);
        feed_free(r->feed);
        free(r->batch);
        free(r->body);
        free(r);
        return NULL;
}

void receiver_set_config(struct receiver *r, const struct remote_write_config *config) {
        r->options.config = config;
        if (r->feed)
                feed_choose(r->feed, config->series, config->n_series);
}

/* ---- answers ---- */

/* Twice as long each time, somewhere in the upper half, so that gateways do not come back all at once. */
static uint64_t next_wait_ms(struct receiver *r, uint64_t retry_after_s) {
        uint64_t asked_ms, wait_ms;

        if (retry_after_s > RECEIVER_RETRY_AFTER_MAX_S)
                retry_after_s = RECEIVER_RETRY_AFTER_MAX_S;
        asked_ms = retry_after_s * 1000;
        r->backoff_ms = r->backoff_ms == 0 ? RECEIVER_BACKOFF_MIN_MS : r->backoff_ms * 2;
        if (r->backoff_ms > RECEIVER_BACKOFF_MAX_MS)
                r->backoff_ms = RECEIVER_BACKOFF_MAX_MS;
        wait_ms = r->backoff_ms / 2 + hash_number(r->options.seed, ++r->n_random) % (r->backoff_ms / 2 + 1);
        return asked_ms > wait_ms ? asked_ms : wait_ms;
}

static void fail(struct receiver *r, uint64_t now_ms, const struct post_answer *answer) {
        bool was_well = !r->error[0];

        if (answer->status > 0)
                snprintf(r->error, sizeof r->error, "status %u%s%s", answer->status, answer->text[0] ? ": " : "",
                         answer->text);
        else
                snprintf(r->error, sizeof r->error, "%s", answer->text);
        if (was_well) {
                log_warning("remote_write %s: %s; what is measured waits in the history", name_of(r), r->error);
                r->options.tell(r->options.userdata, "cannot be reached; what is measured waits in the history");
        }
        r->state = WAITING;
        r->retry_ms = now_ms + next_wait_ms(r, answer->retry_after_s);
}

static void drop_body(struct receiver *r) {
        free(r->body);
        r->body = NULL;
        r->state = IDLE;
        r->backoff_ms = 0;
        settle(r, r->body_number, r->body_tick);
}

/* It will never be taken, and must not stand in the way of what comes after it. */
static void refuse(struct receiver *r, uint64_t now_ms, const struct post_answer *answer) {
        r->failed += r->n_samples;
        r->refused_unsaid += r->n_samples;
        if (r->refused_logged_ms == 0 || now_ms - r->refused_logged_ms >= LOG_PAUSE_MS) {
                log_warning("remote_write %s: %llu samples were refused with status %u and are left out: %s",
                            name_of(r), (unsigned long long) r->refused_unsaid, answer->status, answer->text);
                r->refused_logged_ms = now_ms;
                r->refused_unsaid = 0;
        }
        r->options.tell(r->options.userdata, "refused samples; they are left out");
        drop_body(r);
}

/* Who may not write, or writes to a wrong place, has not sent wrong samples: they wait until that is mended. */
static bool is_about_samples(unsigned status) {
        return status >= 400 && status < 500 && status != 401 && status != 403 && status != 404 && status != 407 &&
               status != 408 && status != 429;
}

void receiver_answered(struct receiver *r, uint64_t now_ms, const struct post_answer *answer) {
        bool good = answer->status >= 200 && answer->status < 300;

        if (!good && !is_about_samples(answer->status)) {
                fail(r, now_ms, answer);
                return;
        }
        if (r->error[0]) {
                log_notice("remote_write %s: it answers again", name_of(r));
                r->options.tell(r->options.userdata, "answers again");
        }
        r->error[0] = 0;
        if (!good) {
                refuse(r, now_ms, answer);
                return;
        }
        r->samples += r->n_samples;
        r->batches++;
        drop_body(r);
}

/* ---- batches ---- */

static void post(struct receiver *r, uint64_t now_ms) {
        struct post_answer answer = { .text = "the request could not be made" };
        int error;

        r->state = SENDING;
        r->bytes += r->body_len;
        error = r->options.post(r->options.userdata, r->body, r->body_len);
        if (error < 0)
                receiver_answered(r, now_ms, &answer);
}

static int encode(struct receiver *r, const struct batch *b) {
        int error = encode_batch(b, r->options.config, &r->body, &r->body_len);

        if (error < 0)
                return error;
        r->n_samples = b->n_samples;
        r->body_number = b->last_number;
        r->body_tick = b->last_tick;
        return 0;
}

static void tell_of_lost(struct receiver *r) {
        uint64_t lost = feed_lost(r->feed);

        if (lost == r->told_lost)
                return;
        log_warning("remote_write %s: %llu rows were overwritten before they could be sent; a larger history keeps "
                    "them for longer", name_of(r), (unsigned long long) (lost - r->told_lost));
        r->options.tell(r->options.userdata, "gap: the history had no room for all that it has not got yet");
        r->told_lost = lost;
}

/* Where rows end that a power cut cannot take back: none of them changes any more, and no total in them steps back. A
 * history that keeps nothing on the disk loses all of it alike. */
static uint64_t safe_end(const struct receiver *r, const struct history_stats *stats) {
        if (stats->safe_number == 0 || history_error(r->options.history)[0])
                return stats->next_number;
        return stats->safe_number;
}

/* Up to when all rows are known. While nothing new comes there are no checkpoints either; then there is no row but
 * those that a session is still making up its mind about. */
static int64_t stale_before(const struct receiver *r, const struct history_stats *stats,
                            const struct receiver_time *t) {
        bool is_all = safe_end(r, stats) == stats->next_number && stats->waiting == 0;
        uint64_t at_ms = stats->last_checkpoint_ms;

        if (is_all && t->now_ms > at_ms + ROW_DELAY_MS)
                at_ms = t->now_ms - ROW_DELAY_MS;
        return t->has_utc && at_ms > 0 ? (int64_t) at_ms + t->offset_ms : 0;
}

/* 1: there is a batch with something in it; 0: nothing to send; -EAGAIN, -errno. */
static int fill(struct receiver *r, const struct history_stats *stats, const struct receiver_time *t) {
        int error;

        if (!r->batch) {
                r->batch = malloc(sizeof *r->batch);
                if (!r->batch)
                        return -ENOMEM;
                feed_begin(r->feed, r->batch);
        }
        error = feed_fill(r->feed, safe_end(r, stats), stale_before(r, stats, t), r->batch);
        tell_of_lost(r);
        if (error < 0)
                return error;
        if (r->batch->n_samples > 0)
                return 1;
        settle(r, r->batch->last_number, r->batch->last_tick);
        return 0;
}

static bool has_news(const struct receiver *r, const struct history_stats *stats, const struct receiver_time *t) {
        return !r->has_looked || r->batch || safe_end(r, stats) > r->done_number + 1 ||
               feed_stale_at(r->feed) < stale_before(r, stats, t);
}

static uint64_t rest(struct receiver *r, uint64_t now_ms) {
        free(r->batch);
        r->batch = NULL;
        if (r->is_dirty)
                save(r, now_ms);
        return now_ms + RECEIVER_IDLE_MS;
}

static uint64_t work(struct receiver *r, const struct receiver_time *t) {
        struct history_stats stats = history_stats(r->options.history);
        int error;

        if (!has_news(r, &stats, t))
                return rest(r, t->now_ms);
        error = fill(r, &stats, t);
        if (error == -EAGAIN)
                return t->now_ms;
        if (error > 0)
                error = encode(r, r->batch);
        r->has_looked = r->has_looked || error == 0;
        free(r->batch);
        r->batch = NULL;
        if (error < 0)
                log_warning("remote_write %s: %s", name_of(r), strerror(-error));
        if (!r->body)
                return rest(r, t->now_ms);
        if (r->is_dirty && t->now_ms >= r->saved_ms + r->options.save_ms)
                save(r, t->now_ms);
        post(r, t->now_ms);
        return r->state == WAITING ? r->retry_ms : UINT64_MAX;
}

uint64_t receiver_turn(struct receiver *r, const struct receiver_time *t) {
        if (!history_is_ready(r->options.history) || (!r->feed && begin(r) < 0))
                return t->now_ms + RECEIVER_IDLE_MS;
        if (r->state == SENDING)
                return UINT64_MAX;
        if (r->state == IDLE)
                return work(r, t);
        if (t->now_ms < r->retry_ms)
                return r->retry_ms;
        r->retries++;
        post(r, t->now_ms);
        return r->state == WAITING ? r->retry_ms : UINT64_MAX;
}

struct receiver_facts receiver_facts(const struct receiver *r, const struct receiver_time *t) {
        struct receiver_facts facts = {
                .state = state_names[r->state], .samples = r->samples, .failed = r->failed, .retries = r->retries,
                .batches = r->batches, .bytes = r->bytes, .lost_rows = r->feed ? feed_lost(r->feed) : 0,
                .cursor = r->done_number, .error = r->error,
        };

        if (history_is_ready(r->options.history) && samples_end(r->options.history) > r->done_number + 1 &&
            r->done_tick > 0 && t->has_utc)
                facts.lag_ms = (int64_t) t->now_ms + t->offset_ms - r->done_tick * TICK_MS;
        if (facts.lag_ms < 0)
                facts.lag_ms = 0;
        return facts;
}
