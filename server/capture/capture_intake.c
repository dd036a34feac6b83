#include "capture/capture_intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocols/framer.h"

#define DIRECTIONS   (CAPTURE_TX + 1)
#define TEXT_END_MS  1000  /* a line of text that has not ended after so long is written down as it is */
#define TAIL_MIN     9     /* bytes: all but the first of an install code's frame; they may look like line ends */
#define TAIL_MAX     64    /* of a line of text: as much as the longest key takes, with separators */

_Static_assert(FRAMER_CAPACITY + BLANK_WAIT_MAX + CAPTURE_READ_MAX <= CAPTURE_HELD_MAX, "all that can wait");

struct read {
        uint64_t order;            /* over both directions */
        int64_t utc_ms;
        size_t len;
};

/* One direction. Its held bytes are, in this order: done (known to hold no secret, any more), text that waits for its
 * end, and what the framer looks at. The reads that they came in stand beside them. */
struct side {
        struct capture_intake *in;
        enum capture_direction direction;
        struct framer framer;
        uint64_t last_ms, bytes;
        uint64_t blanked, told;    /* told: those of them that bytes() has been told of */
        size_t n_held, n_done, n_text;
        bool is_known;             /* a good frame has come: it speaks the protocol */
        bool is_tail;              /* what comes may be the rest of something */
        bool is_cut;               /* it is that of something that was heard to begin: silence does not end it */
        size_t n_tail;             /* of it so far */
        uint64_t strays;
        unsigned n_reads;
        uint8_t held[CAPTURE_HELD_MAX];
        struct read reads[CAPTURE_READS_MAX];
};

struct capture_intake {
        const struct protocol *protocol;
        bool holds;
        struct capture_intake_callbacks callbacks;
        uint64_t order;
        struct side sides[DIRECTIONS];   /* that of CAPTURE_UNKNOWN is not used */
};

/* ---- out ---- */

/* What is overwritten lies in these bytes or in others that are still held. */
static void give(struct side *s, size_t len) {
        size_t blanked = (size_t) (s->blanked - s->told);

        s->told = s->blanked;
        s->in->callbacks.bytes(s->in->callbacks.userdata, s->direction, s->reads[0].utc_ms, s->held, len, blanked);
        s->n_held -= len;
        s->n_done -= len;
        memmove(s->held, s->held + len, s->n_held);
        s->reads[0].len -= len;
        if (s->reads[0].len == 0)
                memmove(s->reads, s->reads + 1, --s->n_reads * sizeof s->reads[0]);
}

static bool is_ready(const struct side *s) {
        return s->n_reads > 0 && s->n_done >= s->reads[0].len;
}

/* In the order in which they came, over both directions. */
static void give_ready(struct capture_intake *in) {
        struct side *rx = &in->sides[CAPTURE_RX], *tx = &in->sides[CAPTURE_TX];

        for (;;) {
                bool is_rx_first = rx->n_reads > 0 && rx->reads[0].order < tx->reads[0].order;
                struct side *first = tx->n_reads == 0 || is_rx_first ? rx : tx;

                if (!is_ready(first))
                        return;
                give(first, first->reads[0].len);
        }
}

/* ---- what is secret ---- */

/* Until a line speaks the protocol that was named it may be that of any other. */
static bool may_speak(const struct side *s, const struct protocol *protocol) {
        return protocol == s->in->protocol || (!s->in->protocol->blank_text && !s->is_known);
}

static bool has_secret_text(const struct side *s, const struct protocol *protocol) {
        return protocol->blank_text && may_speak(s, protocol);
}

/* Returns how many of the bytes are done. */
static size_t blank_text(const struct side *s, uint8_t *bytes, size_t len, bool is_all) {
        size_t done = len;

        for (unsigned i = 0; protocols[i]; i++) {
                size_t changed, n;

                if (!has_secret_text(s, protocols[i]))
                        continue;
                n = protocols[i]->blank_text(bytes, len, is_all, &changed);
                done = n < done ? n : done;
        }
        return done;
}

static bool is_text_cut(const struct side *s) {
        for (unsigned i = 0; protocols[i]; i++)
                if (has_secret_text(s, protocols[i]) && protocols[i]->is_text_cut(s->held + s->n_done, s->n_text))
                        return true;
        return false;
}

static bool ends_tail(const struct side *s, uint8_t byte) {
        return s->n_tail >= TAIL_MAX || (s->n_tail >= TAIL_MIN && (byte == '\r' || byte == '\n'));
}

static void blank_tail(struct side *s, uint8_t *bytes, size_t len) {
        for (size_t i = 0; i < len && s->is_tail; i++) {
                s->is_tail = !ends_tail(s, bytes[i]);
                if (!s->is_tail)
                        break;
                s->n_tail++;
                bytes[i] = 0;
        }
}

static size_t count_changed(const uint8_t *before, const uint8_t *after, size_t len) {
        size_t changed = 0;

        for (size_t i = 0; i < len; i++)
                changed += before[i] != after[i];
        return changed;
}

static void settle_text(struct side *s, bool is_all) {
        uint8_t before[CAPTURE_HELD_MAX], *bytes = s->held + s->n_done;
        size_t n;

        if (s->n_text == 0)
                return;
        memcpy(before, bytes, s->n_text);
        n = blank_text(s, bytes, s->n_text, is_all);
        blank_tail(s, bytes, n);
        /* The one may have overwritten what the other had. */
        s->blanked += count_changed(before, bytes, s->n_text);
        s->n_done += n;
        s->n_text -= n;
}

static void on_text(void *userdata, const uint8_t *bytes, size_t len) {
        struct side *s = userdata;

        (void) bytes;
        s->n_text += len;
}

static void settle_frame(struct side *s, size_t len) {
        settle_text(s, true);
        s->is_tail = false;
        s->is_known = true;
        if (s->in->protocol->blank_frame)
                s->blanked += s->in->protocol->blank_frame(s->held + s->n_done, len);
        s->n_done += len;
}

/* Nothing that is secret can come any more. */
static bool is_free(const struct side *s) {
        return s->is_known && !s->in->protocol->blank_text;
}

/* ---- in ---- */

static bool is_stray(const struct side *s, const uint8_t *frame, size_t len) {
        return s->direction == CAPTURE_TX && s->in->protocol->request_check(frame, len) != (ssize_t) len;
}

static void cut_frames(struct side *s) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_next(&s->framer, &frame)) > 0) {
                s->strays += is_stray(s, frame, n);
                if (s->in->holds && !is_free(s))
                        settle_frame(s, n);
        }
        if (s->in->holds && !is_free(s))
                settle_text(s, false);
        if (is_free(s)) {
                s->n_done = s->n_held;
                s->n_text = 0;
        }
}

/* Text waits no longer. A secret may have begun in it, however long the pause: a network port can stop anywhere. */
static void end_text(struct side *s) {
        bool is_cut = is_text_cut(s);

        settle_text(s, true);
        s->is_cut = is_cut || (s->is_tail && s->is_cut);
        s->is_tail = s->is_cut;
        if (is_cut)
                s->n_tail = 0;
}

static void check_silence(struct side *s, uint64_t now_ms) {
        uint64_t silence_ms = now_ms - s->last_ms;

        while (silence_ms > s->in->protocol->silence_ms && framer_pending(&s->framer) > 0) {
                framer_timeout(&s->framer);
                cut_frames(s);
        }
        if (silence_ms > TEXT_END_MS)
                end_text(s);
}

static void hold(struct side *s, int64_t utc_ms, const uint8_t *data, size_t len) {
        memcpy(s->held + s->n_held, data, len);
        s->n_held += len;
        if (s->n_reads == CAPTURE_READS_MAX)
                s->reads[CAPTURE_READS_MAX - 1].len += len;
        else
                s->reads[s->n_reads++] = (struct read) { .order = s->in->order++, .utc_ms = utc_ms, .len = len };
}

/* A whole read, and the other direction's bytes, are waited for only while there is room. */
static void make_room(struct side *s, size_t len) {
        while (s->n_held + len > CAPTURE_HELD_MAX)
                give(s, is_ready(s) ? s->reads[0].len : s->n_done);
}

static void put_read(struct side *s, int64_t utc_ms, const uint8_t *data, size_t len) {
        s->bytes += len;
        if (s->in->holds) {
                make_room(s, len);
                hold(s, utc_ms, data, len);
        } else
                s->in->callbacks.bytes(s->in->callbacks.userdata, s->direction, utc_ms, data, len, 0);
        while (len > 0) {
                size_t n = framer_push(&s->framer, data, len);

                data += n;
                len -= n;
                cut_frames(s);
        }
}

void capture_intake_put(struct capture_intake *in, enum capture_direction direction, uint64_t now_ms, int64_t utc_ms,
                        const uint8_t *data, size_t len) {
        struct side *s = &in->sides[direction];

        check_silence(s, now_ms);
        s->last_ms = now_ms;
        while (len > 0) {
                size_t n = len < CAPTURE_READ_MAX ? len : CAPTURE_READ_MAX;

                put_read(s, utc_ms, data, n);
                data += n;
                len -= n;
        }
        give_ready(in);
}

void capture_intake_tick(struct capture_intake *in, uint64_t now_ms) {
        check_silence(&in->sides[CAPTURE_RX], now_ms);
        check_silence(&in->sides[CAPTURE_TX], now_ms);
        give_ready(in);
}

void capture_intake_end(struct capture_intake *in, enum capture_direction direction) {
        struct side *s = &in->sides[direction];

        while (framer_pending(&s->framer) > 0) {
                framer_timeout(&s->framer);
                cut_frames(s);
        }
        settle_text(s, true);
        give_ready(in);
}

void capture_intake_begin(struct capture_intake *in, enum capture_direction direction, uint64_t now_ms) {
        struct side *s = &in->sides[direction];

        capture_intake_end(in, direction);
        s->last_ms = now_ms;
        s->is_tail = true;
        s->is_cut = false;
        s->n_tail = 0;
}

struct capture_counts capture_intake_counts(const struct capture_intake *in, enum capture_direction direction) {
        const struct side *s = &in->sides[direction];

        return (struct capture_counts) {
                .bytes = s->bytes, .frames = s->framer.frames, .noise_bytes = s->framer.noise_bytes,
                .strays = s->strays,
        };
}

/* ---- life ---- */

int capture_intake_new(const struct protocol *protocol, bool show_secrets,
                       const struct capture_intake_callbacks *callbacks, struct capture_intake **ret) {
        CLEANUP(capture_intake_freep) struct capture_intake *in = calloc(1, sizeof *in);

        if (!in)
                return -ENOMEM;
        in->protocol = protocol;
        in->holds = !show_secrets;
        in->callbacks = *callbacks;
        for (unsigned i = CAPTURE_RX; i < DIRECTIONS; i++) {
                struct side *s = &in->sides[i];

                s->in = in;
                s->direction = (enum capture_direction) i;
                framer_init(&s->framer, protocol->frame_check);
                if (i == CAPTURE_TX)
                        framer_add_check(&s->framer, protocol->request_check);
                if (in->holds)
                        framer_on_text(&s->framer, on_text, s);
        }
        *ret = TAKE(in);
        return 0;
}

struct capture_intake *capture_intake_free(struct capture_intake *in) {
        free(in);
        return NULL;
}
