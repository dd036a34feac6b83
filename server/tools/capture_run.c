#include "tools/capture_run.h"

#include "config.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/capture_intake.h"
#include "capture/capture_writer.h"
#include "meters/link.h"
#include "tools/progress.h"
#include "tools/speed_search.h"

enum {
        TICK_MS = 100,
        FLUSH_MS = 1000,           /* at most so much is lost when it is killed; a card is written once a second */
        HINT_MS = 30000,           /* two greetings of a module to its meter */
        TEXT_MAX = 400,
};

/* One port. */
struct end {
        struct recorder *recorder;
        enum capture_direction direction;
        const char *port;
        struct link *link;
        bool was_open, hinted;
        uint64_t opened_ms, closed_ms;  /* closed: valid while it is, if it was open before */
};

struct recorder {
        const struct capture_settings *settings;
        sd_event *event;
        sd_event_source *timer;
        struct capture_intake *intake;
        struct capture_writer *writer;  /* NULL until a port was open */
        unsigned n_ends;
        struct end ends[2];
        bool is_swapped, is_late;       /* told */
        bool searches;                  /* for the speed; has begun */
        struct speed_search search;
        struct progress progress;
        uint64_t begun_ms, flush_ms, duration_end_ms;
        int status;
};

static const char *const direction_names[] = { [CAPTURE_RX] = "rx", [CAPTURE_TX] = "tx" };

static int64_t utc_of(uint64_t now_ms) {
        int64_t utc_ms = 0;

        clock_update();
        (void) clock_to_utc_ms(now_ms, &utc_ms);
        return utc_ms;
}

/* ---- what is told ---- */

static void tell(struct recorder *r, enum log_level level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void tell(struct recorder *r, enum log_level level, const char *format, ...) {
        char text[TEXT_MAX];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof text, format, ap);
        va_end(ap);
        progress_end(&r->progress);
        log_write(level, "capture: %s", text);
}

static void fail(struct recorder *r, int error, const char *text) {
        /* Whoever reads our output has seen enough. */
        if (r->status == 0 && error != -EPIPE)
                tell(r, LOG_LEVEL_ERROR, "%s", text);
        r->status = 1;
        (void) sd_event_exit(r->event, 0);
}

static void check_writer(struct recorder *r, int error) {
        if (error < 0 && r->status == 0)
                fail(r, error, capture_writer_error(r->writer));
}

static void note(struct recorder *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct recorder *r, const char *format, ...) {
        uint64_t now_ms = clock_now_ms();
        char text[TEXT_MAX];
        va_list ap;

        if (!r->writer)
                return;
        va_start(ap, format);
        vsnprintf(text, sizeof text, format, ap);
        va_end(ap);
        check_writer(r, capture_writer_note(r->writer, now_ms, utc_of(now_ms), text));
}

static struct capture_counts counts_of(const struct recorder *r, enum capture_direction direction) {
        return capture_intake_counts(r->intake, direction);
}

/* "rx 1234 bytes, 20 good frames, 3 bytes of noise" */
static void put_counts(const struct recorder *r, struct buffer *out) {
        for (unsigned i = 0; i < r->n_ends; i++) {
                struct capture_counts c = counts_of(r, r->ends[i].direction);

                buffer_printf(out, "; %s %llu bytes, %llu good frames of %s, %llu bytes of noise",
                              direction_names[r->ends[i].direction], (unsigned long long) c.bytes,
                              (unsigned long long) c.frames, r->settings->protocol->name,
                              (unsigned long long) c.noise_bytes);
        }
}

static void show_progress(struct recorder *r, uint64_t now_ms) {
        unsigned long long s = (now_ms - r->begun_ms) / 1000;
        struct buffer text;

        buffer_init(&text, TEXT_MAX);
        buffer_printf(&text, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
        put_counts(r, &text);
        progress_say(&r->progress, text.data ? text.data : "");
        buffer_free(&text);
}

static void tell_end(struct recorder *r) {
        unsigned files = capture_writer_files(r->writer);
        struct buffer text;

        buffer_init(&text, TEXT_MAX);
        buffer_printf(&text, "recorded %llu s, %llu bytes in %u file%s",
                      (unsigned long long) (clock_now_ms() - r->begun_ms) / 1000,
                      (unsigned long long) capture_writer_written(r->writer), files, files == 1 ? "" : "s");
        put_counts(r, &text);
        tell(r, LOG_LEVEL_INFO, "%s", text.data ? text.data : "");
        buffer_free(&text);
}

/* ---- the file ---- */

/* What ports are opened with. */
static uint32_t baud_of(const struct recorder *r) {
        if (r->settings->baud != 0)
                return r->settings->baud;
        return r->searches ? speed_search_baud(&r->search) : r->settings->protocol->bauds[0];
}

/* Without a name: that of an adapter has its serial number. */
static void put_port(const struct end *e, struct buffer *out) {
        char real[PATH_MAX];
        const char *kind = "serial port";

        if (e->port[0] != '/')
                kind = "TCP";
        else if (realpath(e->port, real) && strncmp(real, "/dev/pts/", 9) == 0)
                kind = "pty";
        buffer_printf(out, "# %s: %s", direction_names[e->direction], kind);
        if (e->port[0] == '/')
                buffer_printf(out, ", %u baud", (unsigned) baud_of(e->recorder));
        buffer_putc(out, '\n');
}

static void put_header(void *userdata, struct buffer *out) {
        const struct recorder *r = userdata;

        buffer_puts(out, "# version: " PACKAGE_VERSION "\n");
        buffer_printf(out, "# protocol: %s\n", r->settings->protocol->name);
        for (unsigned i = 0; i < r->n_ends; i++)
                put_port(&r->ends[i], out);
        if (r->searches && !r->search.is_over)
                buffer_puts(out, "# note: the speed is being searched for\n");
        if (r->settings->show_secrets)
                return;
        buffer_printf(out, "# note: secrets (keys, install codes) are overwritten%s; --show-secrets keeps them\n",
                      r->settings->protocol->blank_text ? "" : ", and what may be some before the first good frame");
}

static int open_file(struct recorder *r, uint64_t now_ms) {
        const struct capture_settings *s = r->settings;
        const struct capture_writer_options options = {
                .path = s->out, .rotate_bytes = s->rotate_bytes, .rotate_ms = s->rotate_ms, .keep = s->keep,
                .header = put_header, .userdata = r,
        };
        char error[CAPTURE_ERROR_MAX] = "out of memory";
        int e = capture_writer_new(&options, now_ms, utc_of(now_ms), &r->writer, error);

        if (e < 0)
                fail(r, e, error);
        return e;
}

static void on_bytes(void *userdata, enum capture_direction direction, int64_t utc_ms, const uint8_t *data,
                     size_t len, size_t blanked) {
        struct recorder *r = userdata;

        if (blanked > 0)
                note(r, "%s: %zu bytes that are or may be secret are overwritten in what follows",
                     direction_names[direction], blanked);
        check_writer(r, capture_writer_bytes(r->writer, clock_now_ms(), utc_ms, direction, data, len));
}

/* ---- the ports ---- */

static void begin_search(struct recorder *r, const struct end *e, uint64_t now_ms) {
        if (r->searches || r->settings->baud != 0 || link_info(e->link).baud == 0)
                return;
        r->searches = true;
        speed_search_begin(&r->search, r->settings->protocol->bauds, now_ms);
        /* Nothing to choose from. */
        r->search.is_over = r->search.bauds[1] == 0;
}

static void on_opened(void *userdata) {
        struct end *e = userdata;
        struct recorder *r = e->recorder;
        uint64_t now_ms = clock_now_ms(), away_ms = now_ms - e->closed_ms;

        begin_search(r, e, now_ms);
        capture_intake_begin(r->intake, e->direction, now_ms);
        if (!r->writer && open_file(r, now_ms) < 0)
                return;
        if (e->was_open) {
                tell(r, LOG_LEVEL_INFO, "%s is back", e->port);
                note(r, "%s: the port is back after %llu.%llu s", direction_names[e->direction],
                     (unsigned long long) away_ms / 1000, (unsigned long long) away_ms % 1000 / 100);
        } else
                e->opened_ms = now_ms;
        e->was_open = true;
}

static void on_closed(void *userdata, const char *reason) {
        struct end *e = userdata;
        struct recorder *r = e->recorder;
        struct link_info info = link_info(e->link);

        e->closed_ms = clock_now_ms();
        capture_intake_end(r->intake, e->direction);
        tell(r, LOG_LEVEL_WARNING, "%s: %s; it is opened again as soon as it is back", e->port,
             info.error[0] ? info.error : reason);
        note(r, "%s: the port is gone; what was said until it is back is missing", direction_names[e->direction]);
}

static void on_received(void *userdata, const uint8_t *data, size_t len) {
        struct end *e = userdata;
        uint64_t now_ms = clock_now_ms();

        if (e->recorder->status == 0)
                capture_intake_put(e->recorder->intake, e->direction, now_ms, utc_of(now_ms), data, len);
}

static int open_end(struct recorder *r, enum capture_direction direction, const char *port) {
        static const struct link_callbacks callbacks = {
                .opened = on_opened, .closed = on_closed, .received = on_received,
        };
        struct end *e = &r->ends[r->n_ends++];
        int error;

        *e = (struct end) { .recorder = r, .direction = direction, .port = port };
        error = link_new(r->event, direction_names[direction], port, true, &callbacks, e, &e->link);
        if (error < 0)
                return error;
        link_set_recording(e->link);
        return link_start(e->link, baud_of(r));
}

/* A port that was there once is waited for; one that never was is a mistake. */
static void check_first_open(struct recorder *r) {
        char text[TEXT_MAX];

        for (unsigned i = 0; i < r->n_ends && r->status == 0; i++) {
                const struct end *e = &r->ends[i];
                const char *error = link_info(e->link).error;

                if (e->was_open || !error[0])
                        continue;
                snprintf(text, sizeof text, "--port%s: %.200s: %s", e->direction == CAPTURE_TX ? "-tx" : "", e->port,
                         error);
                fail(r, -EIO, text);
        }
}

/* ---- speed ---- */

static void change_speed(struct recorder *r, uint64_t now_ms) {
        uint32_t baud = speed_search_baud(&r->search);

        for (unsigned i = 0; i < r->n_ends; i++) {
                int error = link_set_baud(r->ends[i].link, baud);

                capture_intake_begin(r->intake, r->ends[i].direction, now_ms);
                if (error < 0)
                        tell(r, LOG_LEVEL_WARNING, "%s cannot be set to %u baud: %s", r->ends[i].port,
                             (unsigned) baud, strerror(-error));
        }
        note(r, "now at %u baud", (unsigned) baud);
}

static void search_speed(struct recorder *r, uint64_t now_ms) {
        struct capture_counts rx = counts_of(r, CAPTURE_RX), tx = counts_of(r, CAPTURE_TX);
        unsigned before = r->searches ? speed_search_baud(&r->search) : 0;
        bool is_first_round = !r->search.tried_all;

        if (!r->searches)
                return;
        switch (speed_search_look(&r->search, now_ms, rx.bytes + tx.bytes, rx.frames + tx.frames)) {
        case SPEED_STAY:
                return;
        case SPEED_FOUND:
                tell(r, LOG_LEVEL_INFO, "good frames of %s at %u baud", r->settings->protocol->name, before);
                note(r, "good frames at %u baud", before);
                return;
        case SPEED_NEXT:
                if (is_first_round)
                        tell(r, LOG_LEVEL_INFO, "no good frame of %s at %u baud; now at %u",
                             r->settings->protocol->name, before, (unsigned) speed_search_baud(&r->search));
                change_speed(r, now_ms);
                return;
        }
}

/* A Vue's answers where its questions should be; nothing is lost, but the directions are wrong. */
static void hint_swapped(struct recorder *r) {
        static const char text[] = "what the meter sends arrives at --port-tx: the two ports are swapped";

        if (r->is_swapped || counts_of(r, CAPTURE_TX).strays == 0)
                return;
        r->is_swapped = true;
        tell(r, LOG_LEVEL_WARNING, "%s", text);
        note(r, "%s", text);
}

/* Nobody looks at comments in what he does not read. */
static void tell_lost(struct recorder *r) {
        if (r->is_late || capture_writer_lost(r->writer) == 0)
                return;
        r->is_late = true;
        tell(r, LOG_LEVEL_WARNING, "what is recorded is read too slowly: lines are left out");
}

/* What an owner should look at, once for each port. */
static void hint(struct recorder *r, uint64_t now_ms) {
        bool is_searching = r->searches && !r->search.is_over && !r->search.tried_all;

        for (unsigned i = 0; i < r->n_ends; i++) {
                struct end *e = &r->ends[i];
                struct capture_counts c = counts_of(r, e->direction);
                const char *who = e->direction == CAPTURE_TX ? "Wi-Fi module or host" : "meter";

                if (e->hinted || !e->was_open || c.frames > 0 || now_ms - e->opened_ms < HINT_MS ||
                    (c.bytes > 0 && (is_searching || r->is_swapped)))
                        continue;
                e->hinted = true;
                if (c.bytes == 0)
                        tell(r, LOG_LEVEL_WARNING, "%s: nothing has arrived for 30 s; check that the adapter's RX is on "
                             "the line that the %s sends on, that ground is connected and that the device has power",
                             e->port, who);
                else
                        tell(r, LOG_LEVEL_WARNING, "%s: %llu bytes have arrived and no good frame of %s; check the "
                             "speed (--baud), --protocol, and that ground is connected", e->port,
                             (unsigned long long) c.bytes, r->settings->protocol->name);
        }
}

/* ---- time ---- */

static void tick(struct recorder *r, uint64_t now_ms) {
        check_first_open(r);
        if (!r->writer || r->status != 0)
                return;
        capture_intake_tick(r->intake, now_ms);
        search_speed(r, now_ms);
        hint_swapped(r);
        hint(r, now_ms);
        if (now_ms >= r->flush_ms) {
                r->flush_ms = now_ms + FLUSH_MS;
                check_writer(r, capture_writer_tick(r->writer, now_ms, utc_of(now_ms)));
                tell_lost(r);
                show_progress(r, now_ms);
        }
        if (r->settings->duration_ms > 0 && now_ms >= r->duration_end_ms)
                (void) sd_event_exit(r->event, 0);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) usec;
        tick(userdata, clock_now_ms());
        (void) sd_event_source_set_time_relative(source, TICK_MS * UINT64_C(1000));
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- life ---- */

static int start(struct recorder *r) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        const struct capture_intake_callbacks callbacks = { on_bytes, r };
        int error;

        error = sd_event_new(&r->event);
        for (size_t i = 0; error >= 0 && i < ELEMENTS(signals); i++)
                error = sd_event_add_signal(r->event, NULL, signals[i] | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
        if (error >= 0)
                error = sd_event_add_time_relative(r->event, &r->timer, CLOCK_BOOTTIME, TICK_MS * UINT64_C(1000),
                                                   1000, on_tick, r);
        if (error >= 0)
                error = capture_intake_new(r->settings->protocol, r->settings->show_secrets, &callbacks, &r->intake);
        if (error >= 0)
                error = open_end(r, CAPTURE_RX, r->settings->port);
        if (error >= 0 && r->settings->port_tx)
                error = open_end(r, CAPTURE_TX, r->settings->port_tx);
        return error;
}

static void finish(struct recorder *r) {
        if (r->status == 0 && r->writer) {
                capture_intake_end(r->intake, CAPTURE_RX);
                capture_intake_end(r->intake, CAPTURE_TX);
                check_writer(r, capture_writer_end(r->writer));
        }
        if (r->writer)
                tell_end(r);
}

static void done(struct recorder *r) {
        progress_end(&r->progress);
        for (unsigned i = 0; i < r->n_ends; i++)
                link_free(r->ends[i].link);
        capture_writer_free(r->writer);
        capture_intake_free(r->intake);
        sd_event_source_disable_unref(r->timer);
        sd_event_unref(r->event);
}

int capture_run(const struct capture_settings *settings) {
        struct recorder r = { .settings = settings };
        int error;

        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);
        clock_init(true);
        progress_begin(&r.progress, "capture");
        r.progress.on &= strcmp(settings->out, "-") != 0 || !isatty(STDOUT_FILENO);
        r.begun_ms = clock_now_ms();
        r.duration_end_ms = r.begun_ms + settings->duration_ms;
        error = start(&r);
        if (error >= 0)
                error = sd_event_loop(r.event);
        if (error < 0)
                fail(&r, error, strerror(-error));
        else
                finish(&r);
        done(&r);
        return r.status;
}
