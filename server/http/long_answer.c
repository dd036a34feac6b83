#include "http/long_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/gzip.h"
#include "http/limits.h"

struct long_answer {
        struct long_answers *set;
        struct MHD_Connection *mhd;
        reply_producer produce;
        void *state;
        void (*free_state)(void *state);
        struct buffer piece;             /* what is sent next */
        size_t sent;                     /* of piece */
        struct gzip *gzip;               /* NULL: sent as it is */
        struct buffer plain;             /* with gzip: what was produced */
        uint64_t total;                  /* sent of all pieces */
        uint64_t tag;
        bool has_tag;
        bool ended;
        bool is_waiting;
        struct long_answer *next;        /* in set->waiting */
};

/* ---- the loop's turn ---- */

void long_answers_resume(struct long_answers *set) {
        while (set->waiting) {
                struct long_answer *a = set->waiting;

                set->waiting = a->next;
                a->is_waiting = false;
                MHD_resume_connection(a->mhd);
        }
}

static int on_turn(sd_event_source *source, void *userdata) {
        struct long_answers *set = userdata;

        (void) source;
        long_answers_resume(set);
        set->pump(set->userdata);
        return 0;
}

/* Everything else that is ready, meters above all, goes first. */
int long_answers_init(struct long_answers *set, sd_event *event, void (*pump)(void *userdata), void *userdata) {
        int r;

        *set = (struct long_answers) { .pump = pump, .userdata = userdata };
        r = sd_event_add_defer(event, &set->turn, on_turn, set);
        if (r < 0)
                return r;
        r = sd_event_source_set_priority(set->turn, SD_EVENT_PRIORITY_IDLE);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(set->turn, SD_EVENT_OFF);
}

void long_answers_done(struct long_answers *set) {
        set->turn = sd_event_source_disable_unref(set->turn);
}

static void wait_for_turn(struct long_answer *a) {
        MHD_suspend_connection(a->mhd);
        a->is_waiting = true;
        a->next = a->set->waiting;
        a->set->waiting = a;
        (void) sd_event_source_set_enabled(a->set->turn, SD_EVENT_ONESHOT);
}

/* ---- one answer ---- */

/* As reply_producer, but into piece and with every error final. */
static int produce_piece(struct long_answer *a) {
        struct buffer *out = a->gzip ? &a->plain : &a->piece;
        int r;

        buffer_clear(&a->plain);
        buffer_clear(&a->piece);
        a->sent = 0;
        r = a->produce(a->state, out);
        if (out->failed)
                return -ENOMEM;
        if (r < 0 && r != -EAGAIN)
                return r;
        if (a->gzip && !gzip_put(a->gzip, a->plain.data, a->plain.len, r == 0, &a->piece))
                return -ENOMEM;
        return r;
}

/* 0 when the next piece, or the end, is there; -EAGAIN when it is not there yet: where nothing is found, and where it
 * went into the compression and nothing has come out. */
static int next_piece(struct long_answer *a) {
        int r = produce_piece(a);

        if (r < 0 && r != -EAGAIN)
                return r;
        a->ended = r == 0;
        return a->piece.len == 0 && !a->ended ? -EAGAIN : 0;
}

static ssize_t read_some(void *userdata, uint64_t position, char *out, size_t max) {
        struct long_answer *a = userdata;
        size_t n;
        int r;

        (void) position;
        if (a->sent == a->piece.len) {
                if (a->ended)
                        return MHD_CONTENT_READER_END_OF_STREAM;
                r = next_piece(a);
                if (r == -EAGAIN) {
                        wait_for_turn(a);
                        return 0;
                }
                if (r < 0)
                        return MHD_CONTENT_READER_END_WITH_ERROR;
                if (a->piece.len == 0)
                        return MHD_CONTENT_READER_END_OF_STREAM;
        }
        n = a->piece.len - a->sent < max ? a->piece.len - a->sent : max;
        memcpy(out, a->piece.data + a->sent, n);
        a->sent += n;
        a->total += n;
        return (ssize_t) n;
}

static void forget_waiting(struct long_answer *a) {
        struct long_answer **link = &a->set->waiting;

        while (*link && *link != a)
                link = &(*link)->next;
        if (*link)
                *link = a->next;
}

static const struct long_answer_length *find_length(const struct long_answers *set, uint64_t tag, bool compressed) {
        for (unsigned i = 0; i < HTTP_LENGTHS_MAX; i++) {
                const struct long_answer_length *l = &set->lengths[i];

                if (l->length > 0 && l->tag == tag && l->compressed == compressed)
                        return l;
        }
        return NULL;
}

static void remember_length(const struct long_answer *a) {
        if (find_length(a->set, a->tag, a->gzip))
                return;
        a->set->lengths[a->set->next_length] = (struct long_answer_length) { a->tag, a->gzip, a->total };
        a->set->next_length = (a->set->next_length + 1) % HTTP_LENGTHS_MAX;
}

static void free_answer(void *userdata) {
        struct long_answer *a = userdata;

        if (a->is_waiting)
                forget_waiting(a);
        if (a->ended && a->has_tag && a->sent == a->piece.len)
                remember_length(a);
        a->set->n--;
        a->free_state(a->state);
        buffer_free(&a->piece);
        buffer_free(&a->plain);
        gzip_free(a->gzip);
        free(a);
}

struct MHD_Response *long_answer_response(struct long_answers *set, struct MHD_Connection *mhd, struct reply *reply,
                                          bool compress) {
        struct long_answer *a = calloc(1, sizeof *a);
        struct gzip *gzip = compress ? gzip_new() : NULL;
        struct MHD_Response *response;

        if (!a || (compress && !gzip)) {
                gzip_free(gzip);
                free(a);
                return NULL;
        }
        *a = (struct long_answer) {
                .set = set, .mhd = mhd, .produce = reply->produce, .state = reply->state,
                .free_state = reply->free_state, .gzip = gzip, .tag = reply->tag, .has_tag = reply->has_tag,
        };
        buffer_init(&a->piece, REPLY_BODY_MAX);
        buffer_init(&a->plain, REPLY_BODY_MAX);
        set->n++;
        reply->produce = NULL;
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_PIECE_SIZE, read_some, a, free_answer);
        if (!response)
                free_answer(a);
        return response;
}

/* Never called: there is no body. */
static ssize_t read_nothing(void *userdata, uint64_t position, char *out, size_t max) {
        (void) userdata, (void) position, (void) out, (void) max;
        return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* In a 304 the library (0.9.75) names the length of what it was given, which must not be another than that of the
 * real answer; and of an unknown one it says that it comes in chunks, and then sends the last of them. A client that
 * has the answer has most likely fetched it here, so its length is known;
 * else the connection ends, which ends the trouble. */
struct MHD_Response *long_answer_unchanged(struct long_answers *set, const struct reply *reply, bool compress) {
        const struct long_answer_length *l = find_length(set, reply->tag, compress);
        struct MHD_Response *response = MHD_create_response_from_callback(l ? l->length : MHD_SIZE_UNKNOWN,
                                                                          HTTP_PIECE_SIZE, read_nothing, NULL, NULL);

        if (response && !l)
                MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        return response;
}
