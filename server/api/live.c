#include "api/live.h"

#include <errno.h>
#include <stdlib.h>

#include "api/sample_text.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"

#define PAGES        8      /* read in one go; 1 ms on a small board */
#define READER_MS    5000   /* unused for so long it is given back: it has some 150 KiB */
#define TEXT_MAX     8192   /* of a row: 64 series have 3 KiB */

struct live_row {
        uint64_t number, serial;
        int64_t tick;
        unsigned slot;
        struct history_row row;
        struct buffer text;
        uint64_t text_stamp;        /* when it was rendered: what may be shown changes */
};

struct live {
        const struct app *app;      /* borrowed */
        void (*wake)(void *userdata);
        void *userdata;
        sd_event_source *timer;     /* runs while there are streams */
        unsigned n_streams;
        sd_event_source *follow_timer;  /* runs while there are followers */
        unsigned n_followers;
        uint64_t followed_version;      /* of the fleet, when it was last looked at */

        uint64_t first, end;        /* numbers of the rows at hand */
        uint64_t news;              /* counts rows */
        struct live_row rows[LIVE_ROWS];

        bool is_look_due;
        struct {
                uint64_t signature;
                uint32_t version;
        } meters[METERS_MAX];

        struct samples *reader;
        const void *reader_stream;  /* in the middle of a search; NULL: nobody is */
        uint64_t reader_after, reader_ms;
        uint64_t nothing_after, nothing_generation;   /* there was no row above the one while the other was true */
};

/* ---- the newest rows ---- */

static struct live_row *row_at(struct live *l, uint64_t number) {
        return number >= l->first && number < l->end ? &l->rows[number % LIVE_ROWS] : NULL;
}

static void on_row(void *userdata, uint64_t number, int64_t tick, unsigned slot, const struct history_row *row) {
        struct live *l = userdata;
        struct live_row *r = &l->rows[number % LIVE_ROWS];

        r->number = number;
        r->serial = history_slot_schema(l->app->history, slot)->serial;
        r->tick = tick;
        r->slot = slot;
        r->row = *row;
        buffer_clear(&r->text);
        if (number != l->end)
                l->first = number;
        l->end = number + 1;
        if (l->end - l->first > LIVE_ROWS)
                l->first = l->end - LIVE_ROWS;
        l->news++;
        l->is_look_due = true;
        if (l->n_streams > 0)
                l->wake(l->userdata);
}

/* False when its schema has gone: then the ring tells. */
static bool take_row(struct live *l, uint64_t number, struct sample *ret) {
        const struct live_row *r = row_at(l, number);
        const struct schema *schema = r ? history_slot_schema(l->app->history, r->slot) : NULL;

        if (!schema || schema->serial != r->serial)
                return false;
        *ret = (struct sample) {
                .number = number, .tick = r->tick, .slot = r->slot, .schema = schema, .row = r->row,
        };
        return true;
}

static void render(const struct live *l, const struct sample *s, struct buffer *out) {
        struct sample shown = *s;
        struct json_writer w;

        sample_show(l->app, &shown);
        json_begin(&w, out);
        sample_put(&w, &shown, UINT64_MAX);
}

/* With rows that come, and with checkpoints. Both only grow. */
static uint64_t stamp(const struct live *l) {
        return l->news + history_stats(l->app->history).safe_number;
}

void live_put(struct live *l, const struct sample *s, struct buffer *out) {
        struct live_row *r = row_at(l, s->number);

        if (!r) {
                render(l, s, out);
                return;
        }
        if (r->text.len == 0 || r->text_stamp != stamp(l)) {
                buffer_clear(&r->text);
                render(l, s, &r->text);
                r->text_stamp = stamp(l);
        }
        out->failed |= r->text.failed;
        buffer_put(out, r->text.data, r->text.len);
}

/* ---- rows before them ---- */

static void drop_reader(struct live *l) {
        l->reader = samples_free(l->reader);
        l->reader_stream = NULL;
}

/* One reader for all: it is put to another place when another stream asks. Only a search that takes more than one
 * turn is not disturbed. */
static int read_ring(struct live *l, const void *stream, uint64_t after, struct sample *ret) {
        uint64_t generation = history_generation(l->app->history);
        int r;

        if (after >= l->nothing_after && generation == l->nothing_generation)
                return 0;
        if (l->reader_stream && l->reader_stream != stream)
                return -EAGAIN;
        if (!l->reader || l->reader_after != after) {
                drop_reader(l);
                r = samples_new(l->app->history, after, &l->reader);
                if (r < 0)
                        return r;
        }
        r = samples_next(l->reader, PAGES, ret);
        l->reader_stream = r == -EAGAIN ? stream : NULL;
        l->reader_after = r > 0 ? ret->number : after;
        l->reader_ms = clock_now_ms();
        if (r == 0) {
                l->nothing_after = after;
                l->nothing_generation = history_generation(l->app->history);
        }
        return r;
}

int live_next(struct live *l, const void *stream, uint64_t after, struct sample *ret) {
        if (after + 1 >= samples_end(l->app->history))
                return 0;
        return take_row(l, after + 1, ret) ? 1 : read_ring(l, stream, after, ret);
}

/* ---- meters ---- */

/* Of all that a state event tells. */
static uint64_t signature_of(const struct meter *m, uint64_t now_ms) {
        const struct series_set *set = meter_series(m);
        uint8_t about[] = { (uint8_t) meter_state(m), meter_available(m, now_ms) };
        uint64_t hash = hash_text(hash_bytes(0, about, sizeof about), meter_reason(m));

        for (unsigned i = 0; i < set->count; i++) {
                const struct series *s = &set->items[i];
                uint8_t source[] = { (uint8_t) i, s->known, s->source, s->channel, s->quantity };

                hash = hash_text(hash_bytes(hash, source, sizeof source), s->origin);
        }
        return hash;
}

static void look(struct live *l) {
        uint64_t now_ms = clock_now_ms();

        l->is_look_due = false;
        for (unsigned i = 0; i < fleet_count(l->app->fleet); i++) {
                uint64_t signature = signature_of(fleet_meter(l->app->fleet, i), now_ms);

                if (l->meters[i].version == 0 || l->meters[i].signature != signature)
                        l->meters[i].version++;
                l->meters[i].signature = signature;
        }
}

uint32_t live_version(struct live *l, unsigned meter) {
        if (l->is_look_due)
                look(l);
        return meter < fleet_count(l->app->fleet) ? l->meters[meter].version : 0;
}

void live_meters_changed(struct live *l) {
        l->is_look_due = true;
        if (l->n_streams > 0)
                l->wake(l->userdata);
}

/* ---- life ---- */

static void arm(struct live *l) {
        (void) sd_event_source_set_time_relative(l->timer, LIVE_TICK_MS * UINT64_C(1000));
        (void) sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        struct live *l = userdata;

        (void) source, (void) usec;
        if (l->reader && !l->reader_stream && clock_now_ms() - l->reader_ms >= READER_MS)
                drop_reader(l);
        live_meters_changed(l);
        arm(l);
        return 0;
}

void live_join(struct live *l) {
        if (l->n_streams++ == 0)
                arm(l);
        l->is_look_due = true;
}

void live_leave(struct live *l, const void *stream) {
        if (l->reader_stream == stream)
                l->reader_stream = NULL;
        if (--l->n_streams > 0)
                return;
        drop_reader(l);
        (void) sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
}

static void arm_follow(struct live *l) {
        (void) sd_event_source_set_time_relative(l->follow_timer, LIVE_FOLLOW_MS * UINT64_C(1000));
        (void) sd_event_source_set_enabled(l->follow_timer, SD_EVENT_ONESHOT);
}

static int on_follow_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        struct live *l = userdata;
        uint64_t version = fleet_version(l->app->fleet);

        (void) source, (void) usec;
        if (version != l->followed_version)
                l->wake(l->userdata);
        l->followed_version = version;
        arm_follow(l);
        return 0;
}

void live_follow(struct live *l) {
        if (l->n_followers++ == 0)
                arm_follow(l);
}

void live_unfollow(struct live *l) {
        if (--l->n_followers == 0)
                (void) sd_event_source_set_enabled(l->follow_timer, SD_EVENT_OFF);
}

static inline void live_freep(struct live **l) {
        live_free(*l);
}

static int add_timer(sd_event *event, sd_event_time_handler_t callback, struct live *l, sd_event_source **ret) {
        int r = sd_event_add_time_relative(event, ret, CLOCK_BOOTTIME, 0, 0, callback, l);

        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int live_new(sd_event *event, const struct app *app, void (*wake)(void *userdata), void *userdata,
             struct live **ret) {
        CLEANUP(live_freep) struct live *l = calloc(1, sizeof *l);
        int r;

        if (!l)
                return -ENOMEM;
        l->app = app;
        l->wake = wake;
        l->userdata = userdata;
        l->nothing_after = UINT64_MAX;
        for (unsigned i = 0; i < LIVE_ROWS; i++)
                buffer_init(&l->rows[i].text, TEXT_MAX);
        r = add_timer(event, on_tick, l, &l->timer);
        if (r >= 0)
                r = add_timer(event, on_follow_tick, l, &l->follow_timer);
        if (r < 0)
                return r;
        history_on_row(app->history, on_row, l);
        *ret = TAKE(l);
        return 0;
}

struct live *live_free(struct live *l) {
        if (!l)
                return NULL;
        history_on_row(l->app->history, NULL, NULL);
        drop_reader(l);
        for (unsigned i = 0; i < LIVE_ROWS; i++)
                buffer_free(&l->rows[i].text);
        sd_event_source_disable_unref(l->timer);
        sd_event_source_disable_unref(l->follow_timer);
        free(l);
        return NULL;
}
