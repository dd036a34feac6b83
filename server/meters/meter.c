#include "meters/meter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "meters/identity.h"
#include "meters/meter_events.h"
#include "meters/observer.h"
#include "meters/values.h"

enum {
        TIMER_ACCURACY_US = 10000,
        PUMP_MAX = 32,  /* frames sent and reports taken in one go; the rest waits for the next turn of the loop */
};

struct meter {
        const struct meter_config *config;  /* borrowed */
        const struct protocol *protocol;
        const struct profile *profile;      /* borrowed from the configuration or the catalogue */
        struct lines lines;
        struct speed_memory *speeds;        /* borrowed */
        sd_event_source *timer;
        struct session *session;
        bool open;                          /* what the meter sends can be heard: its session has begun */
        struct frame_log frames;
        uint64_t last_frame;                /* number of the newest one received */
        struct events *events;              /* borrowed; NULL: nobody keeps them */
        struct values values;
        struct observer observer;
        char looked_up_key[PRODUCT_KEY_MAX + 1];
        uint64_t since_ms;
        uint64_t *changes;                  /* borrowed */
        uint64_t version;
        struct write_limit write_limit;
        uint64_t writes_told;               /* of session->write.ended */
        bool misses_line;                   /* told with the last transition */
        unsigned n_transitions;
        struct meter_transition transitions[METER_TRANSITIONS_MAX];
        void (*changed)(void *userdata);
        void *changed_userdata;
};

/* ---- state ---- */

static void note_change(struct meter *m) {
        m->version = ++*m->changes;
}

bool meter_is_over(const struct meter *m) {
        return line_info(&m->lines.items[LINE_RX]).over;
}

/* It delivers, and yet something is amiss. */
static bool misses_line(const struct meter *m) {
        return m->session->state == METER_ONLINE && lines_miss_one(&m->lines);
}

const char *meter_reason(const struct meter *m) {
        if (meter_is_over(m))
                return line_info(&m->lines.items[LINE_RX]).error;
        return misses_line(m) ? "the meter is heard, its module is not: port_tx is not open" : m->session->reason;
}

/* The only writer of the meter's state as others see it. */
static void note_state(struct meter *m, uint64_t now_ms) {
        enum meter_state state = meter_is_over(m) ? METER_OFFLINE : m->session->state;
        bool is_new = m->n_transitions == 0 || meter_state(m) != state;

        if (!is_new && m->misses_line == misses_line(m))
                return;
        m->misses_line = misses_line(m);
        if (m->n_transitions > 0)
                log_info("meter %s: %s: %s", m->config->id, meter_state_names[state], meter_reason(m));
        if (m->n_transitions > 0 && is_new)
                meter_event_state(m->events, m->config->id, now_ms, state);
        if (m->n_transitions == METER_TRANSITIONS_MAX) {
                memmove(m->transitions, m->transitions + 1, sizeof m->transitions - sizeof m->transitions[0]);
                m->n_transitions--;
        }
        m->transitions[m->n_transitions++] = (struct meter_transition) { now_ms, state, meter_reason(m) };
        if (m->changed)
                m->changed(m->changed_userdata);
}

/* ---- what somebody asked for ---- */

/* The write that has ended since. */
static void tell_write(struct meter *m) {
        const struct session_write *w = &m->session->write;

        if (w->ended == m->writes_told)
                return;
        m->writes_told = w->ended;
        log_info("meter %s: set-datapoint: %s: %s", m->config->id, write_status_names[w->status], w->reason);
        meter_event_write(m->events, m->config->id, m->protocol, w);
}

/* ---- identity ---- */

static void use_profile(struct meter *m, const struct profile *profile) {
        m->profile = profile;
        m->protocol->set_profile(m->session, profile);
        values_begin(&m->values, m->protocol, profile);
}

/* The product key has become known, or changed: it picks the profile unless the configuration names one. */
static void look_up_product(struct meter *m) {
        const struct profile *known;

        if (strcmp(m->looked_up_key, m->session->product_key) == 0)
                return;
        memcpy(m->looked_up_key, m->session->product_key, sizeof m->looked_up_key);
        known = identity_profile(m->config, m->looked_up_key);
        if (known != m->profile)
                use_profile(m, known);
}

/* ---- bytes ---- */

static void log_frame(struct meter *m, uint64_t now_ms, bool tx, const uint8_t *frame, size_t len) {
        if (m->protocol->is_secret && m->protocol->is_secret(frame, len))
                return;
        frame_log_put(&m->frames, now_ms, tx, frame, len);
        if (!tx)
                m->last_frame = m->frames.total;
}

static void on_frame(struct line *line, uint64_t now_ms, const uint8_t *frame, size_t len) {
        struct meter *m = line->userdata;

        log_frame(m, now_ms, line->side == LINE_TX, frame, len);
        if (line->side == LINE_RX)
                m->protocol->frame(m->session, now_ms, frame, len);
        else
                m->protocol->request(m->session, now_ms, frame, len);
        observer_note(&m->observer, now_ms, m->protocol, m->profile, &m->session->datapoints);
}

static void on_text(void *userdata, const uint8_t *bytes, size_t len) {
        struct meter *m = userdata;

        m->protocol->text(m->session, clock_now_ms(), bytes, len);
}

static void transmit(struct meter *m, uint64_t now_ms, const struct session_output *out) {
        if (out->tx_len == 0)
                return;
        if (link_write(m->lines.items[LINE_RX].link, out->tx, out->tx_len) == 0)
                frame_log_put(&m->frames, now_ms, true, out->tx, out->tx_len);
}

/* Only a meter that answers shows that its speed is right. */
static void remember_baud(struct meter *m) {
        struct link_info info = line_info(&m->lines.items[LINE_RX]);

        if (m->session->state == METER_ONLINE && info.open && info.baud != 0)
                speed_memory_put(m->speeds, m->config->id, info.baud);
}

/* For meters that ask for the time. */
static void set_clock(struct meter *m, uint64_t now_ms) {
        struct session_clock *clock = &m->session->clock;
        int64_t utc_ms;
        time_t utc_s;
        struct tm local;

        clock->known = clock_to_utc_ms(now_ms, &utc_ms);
        if (!clock->known)
                return;
        utc_s = (time_t) (utc_ms / 1000);
        clock->utc_minus_now_ms = utc_ms - (int64_t) now_ms;
        clock->zone_offset_s = localtime_r(&utc_s, &local) ? (int32_t) local.tm_gmtoff : 0;
}

static void arm(struct meter *m, uint64_t next_ms) {
        if (lines_deadline(&m->lines) < next_ms)
                next_ms = lines_deadline(&m->lines);
        if (next_ms == SESSION_NEVER) {
                (void) sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
                return;
        }
        (void) sd_event_source_set_time(m->timer, next_ms * 1000);
        (void) sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
}

/* Returns when to call again. */
static uint64_t pump(struct meter *m, uint64_t now_ms) {
        struct session_output out;

        for (unsigned i = 0; i < PUMP_MAX; i++) {
                look_up_product(m);
                m->protocol->poll(m->session, now_ms, framer_pending(&m->lines.items[LINE_RX].framer) > 0, &out);
                transmit(m, now_ms, &out);
                if (out.has_report)
                        values_take(&m->values, &out.report, m->last_frame);
                if (out.tx_len == 0 && !out.has_report)
                        break;
        }
        return out.next_ms;
}

/* One turn: after input or when a deadline has come. */
static void turn(struct meter *m, uint64_t now_ms) {
        uint64_t next_ms = SESSION_NEVER;

        lines_check_silence(&m->lines, now_ms);
        if (m->open)
                next_ms = pump(m, now_ms);
        tell_write(m);
        lines_follow_baud(&m->lines, m->config, m->session->baud_wanted);
        remember_baud(m);
        note_state(m, now_ms);
        note_change(m);
        arm(m, next_ms);
}

/* ---- callbacks ---- */

static void start_session(struct meter *m, uint64_t now_ms) {
        m->open = true;
        m->protocol->start(m->session, &(struct session_config) {
                .profile = m->profile,
                .baud = m->config->baud,
                .poll_ms = m->config->poll_ms,
                .stale_after_ms = m->config->stale_after_ms,
                .poll_aligned = m->config->poll_aligned,
                .console_log_level = m->config->console_log_level,
                .listen_only = m->config->role == ROLE_LISTEN,
                .has_speed = line_info(&m->lines.items[LINE_RX]).baud != 0,
        }, now_ms);
}

static void on_opened(void *userdata) {
        struct line *line = userdata;
        struct meter *m = line->userdata;
        uint64_t now_ms = clock_now_ms();

        set_clock(m, now_ms);
        if (line_info(line).opens > 1)
                meter_event_reconnected(m->events, m->config->id, now_ms);
        if (line->side == LINE_RX)
                start_session(m, now_ms);
        lines_follow_baud(&m->lines, m->config, m->session->baud_wanted);
        turn(m, now_ms);
}

/* A meter that cannot be heard is lost; whoever speaks to it is still listened to, and the other way round. */
static void on_closed(void *userdata, const char *reason) {
        struct line *line = userdata;
        struct meter *m = line->userdata;

        framer_reset(&line->framer);
        if (line->side == LINE_RX) {
                m->open = false;
                m->protocol->stop(m->session, reason);
        }
        turn(m, clock_now_ms());
}

static void on_received(void *userdata, const uint8_t *data, size_t len) {
        struct line *line = userdata;
        struct meter *m = line->userdata;
        uint64_t now_ms = clock_now_ms();

        set_clock(m, now_ms);
        /* What was asked comes before what is answered, in whatever order the two lines woke us. */
        if (line->side == LINE_RX && m->lines.items[LINE_TX].link)
                link_read_now(m->lines.items[LINE_TX].link);
        line_take(line, now_ms, data, len);
        turn(m, now_ms);
}

static void on_silence(void *userdata) {
        struct line *line = userdata;
        struct meter *m = line->userdata;
        uint64_t now_ms = clock_now_ms();

        set_clock(m, now_ms);
        line_end_frame(line, now_ms);
        turn(m, now_ms);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        uint64_t now_ms = clock_now_ms();

        (void) source, (void) usec;
        set_clock(userdata, now_ms);
        turn(userdata, now_ms);
        return 0;
}

/* ---- life ---- */

static int create_parts(struct meter *m, sd_event *event) {
        static const struct link_callbacks callbacks = { on_opened, on_closed, on_received, on_silence };
        int r;

        m->session = calloc(1, m->protocol->session_size);
        if (!m->session)
                return -ENOMEM;
        m->session->reason = "the port is not open yet";
        m->session->baud_wanted = speed_memory_get(m->speeds, m->config->id);
        r = sd_event_add_time(event, &m->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US, on_timer, m);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = lines_init(&m->lines, event, m->config, &callbacks, on_frame, m);
        if (r >= 0 && m->protocol->text)
                framer_on_text(&m->lines.items[LINE_RX].framer, on_text, m);
        return r;
}

int meter_new(sd_event *event, const struct meter_config *config, const struct meter_parts *parts,
              struct meter **ret) {
        CLEANUP(meter_freep) struct meter *m = NULL;
        int r;

        m = calloc(1, sizeof *m);
        if (!m)
                return -ENOMEM;
        m->config = config;
        m->speeds = parts->speeds;
        m->events = parts->events;
        m->changes = parts->changes;
        m->protocol = config->protocol;
        m->observer.speed = config->replay.path ? config->replay.speed : 0;
        m->values = (struct values) { .config = config, .recorder.history = parts->history,
                                     .events = parts->events };
        r = create_parts(m, event);
        if (r < 0)
                return r;
        use_profile(m, config->profile);
        m->since_ms = clock_now_ms();
        note_state(m, m->since_ms);
        note_change(m);
        *ret = TAKE(m);
        return 0;
}

struct meter *meter_free(struct meter *m) {
        if (!m)
                return NULL;
        if (m->session && m->session->write.status == WRITE_PENDING) {
                m->protocol->stop(m->session, "the gateway stops");
                tell_write(m);
        }
        lines_clear(&m->lines);
        observer_end(&m->observer);
        sd_event_source_disable_unref(m->timer);
        free(m->session);
        free(m);
        return NULL;
}

int meter_start(struct meter *m) {
        uint32_t baud = m->session->baud_wanted;

        if (baud == 0)
                baud = m->config->baud != 0 ? m->config->baud : m->protocol->bauds[0];
        return lines_start(&m->lines, baud);
}

void meter_on_change(struct meter *m, void (*changed)(void *userdata), void *userdata) {
        m->changed = changed;
        m->changed_userdata = userdata;
}

void meter_set_config(struct meter *m, const struct meter_config *config) {
        m->config = m->values.config = config;
        lines_rename(&m->lines, config);
        if (config->profile) {
                m->profile = config->profile;
                m->protocol->set_profile(m->session, config->profile);
        }
        note_change(m);
}

static int act(struct meter *m, uint64_t now_ms, const struct action_request *request,
               struct action_refusal *refusal) {
        bool is_write = request->action == ACTION_SET_DATAPOINT;
        int r;

        if (!m->protocol->act || m->config->role == ROLE_LISTEN)
                return -EOPNOTSUPP;
        if (!m->open)
                return -EBUSY;
        refusal->wait_ms = is_write ? write_limit_wait_ms(&m->write_limit, now_ms) : 0;
        if (refusal->wait_ms > 0)
                return -EAGAIN;
        set_clock(m, now_ms);
        r = m->protocol->act(m->session, now_ms, request, refusal);
        if (r >= 0 && is_write)
                write_limit_take(&m->write_limit, now_ms);
        return r;
}

int meter_act(struct meter *m, const struct action_request *request, struct action_refusal *refusal) {
        const char *name = session_action_names[request->action];
        uint64_t now_ms = clock_now_ms();
        int r;

        *refusal = (struct action_refusal) { .text = "" };
        r = act(m, now_ms, request, refusal);
        if (r < 0) {
                log_info("meter %s: %s, as somebody asked, was refused", m->config->id, name);
                meter_event_action(m->events, m->config->id, now_ms, request->action, "refused");
                return r;
        }
        log_info("meter %s: %s, as somebody asked", m->config->id, name);
        /* What becomes of a write is told when it has ended. */
        if (request->action != ACTION_SET_DATAPOINT)
                meter_event_action(m->events, m->config->id, now_ms, request->action, "accepted");
        turn(m, now_ms);
        return 0;
}

/* ---- what others see ---- */

const struct meter_config *meter_config(const struct meter *m) {
        return m->config;
}

const struct profile *meter_profile(const struct meter *m) {
        return m->profile;
}

uint64_t meter_version(const struct meter *m) {
        return m->version;
}

uint64_t meter_since(const struct meter *m) {
        return m->since_ms;
}

enum meter_state meter_state(const struct meter *m) {
        return m->transitions[m->n_transitions - 1].state;
}

const struct meter_transition *meter_transitions(const struct meter *m, unsigned *ret_count) {
        *ret_count = m->n_transitions;
        return m->transitions;
}

bool meter_total_limit(const struct meter *m, const char *key, int64_t *ret_most) {
        const struct series *s = series_set_find(&m->values.series, key);

        return s && values_total_limit(&m->values, s, ret_most);
}

const struct series_set *meter_series(const struct meter *m) {
        return &m->values.series;
}

const struct session *meter_session(const struct meter *m) {
        return m->session;
}

const struct frame_log *meter_frames(const struct meter *m) {
        return &m->frames;
}

int meter_suggest(struct meter *m, uint64_t now_ms, const struct suggestions **ret) {
        return observer_suggest(&m->observer, now_ms, m->protocol, m->profile, ret);
}

bool meter_observed_since(const struct meter *m, uint64_t *ret_ms) {
        return observer_since(&m->observer, ret_ms);
}

const struct line *meter_line(const struct meter *m, enum line_side side) {
        return lines_get(&m->lines, side);
}

bool meter_available(const struct meter *m, uint64_t now_ms) {
        for (unsigned i = 0; i < m->values.series.count; i++) {
                const struct series *s = &m->values.series.items[i];

                if (quantity_catalogue[s->quantity].kind == QUANTITY_GAUGE && s->source == SOURCE_MEASURED &&
                    series_is_current(s, now_ms, m->config->stale_after_ms))
                        return true;
        }
        return false;
}

bool meter_last_reading(const struct meter *m, uint64_t *ret_at_ms) {
        if (!m->values.has_reading)
                return false;
        *ret_at_ms = m->values.last_reading_ms;
        return true;
}

const struct plausibility *meter_plausibility(const struct meter *m) {
        return &m->values.plausibility;
}

const struct totals *meter_totals(const struct meter *m) {
        return &m->values.totals;
}

bool meter_notice(const struct meter *m, unsigned i, char buf[METER_NOTICE_MAX]) {
        return i == 0 && values_notice(&m->values, buf, METER_NOTICE_MAX);
}

bool meter_withheld(const struct meter *m, unsigned i, const char **ret_reason, uint64_t *ret_count) {
        if (i < VALUES_REASONS) {
                *ret_reason = values_withheld(&m->values, i, ret_count);
                return true;
        }
        i -= VALUES_REASONS;
        for (unsigned c = 0; m->protocol->counters[c].name; c++)
                if (m->protocol->counters[c].is_withheld && i-- == 0) {
                        *ret_reason = m->protocol->counters[c].name;
                        *ret_count = m->session->counters[c];
                        return true;
                }
        return false;
}

void meter_restore(struct meter *m) {
        values_restore(&m->values);
        note_change(m);
}

unsigned meter_completeness_permille(const struct meter *m, uint64_t now_ms) {
        return completeness_permille(&m->values.completeness, now_ms);
}

const struct energy_check *meter_energy_check(const struct meter *m) {
        return &m->values.energy_check;
}
