#include "http/long_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/limits.h"

struct long_answer {
        struct long_answers *set;
        struct MHD_Connection *mhd;
        reply_producer produce;
        void *state;
        void (*free_state)(void *state);
        struct buffer piece;
        size_t sent;                     /* of piece */
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

/* 0 when the next piece, or the end, is there; -EAGAIN when it is not there yet. */
static int next_piece(struct long_answer *a) {
        int r;

        buffer_clear(&a->piece);
        a->sent = 0;
        r = a->produce(a->state, &a->piece);
        if (a->piece.failed)
                return -ENOMEM;
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
        return (ssize_t) n;
}

static void forget_waiting(struct long_answer *a) {
        struct long_answer **link = &a->set->waiting;

        while (*link && *link != a)
                link = &(*link)->next;
        if (*link)
                *link = a->next;
}

static void free_answer(void *userdata) {
        struct long_answer *a = userdata;

        if (a->is_waiting)
                forget_waiting(a);
        a->set->n--;
        a->free_state(a->state);
        buffer_free(&a->piece);
        free(a);
}

struct MHD_Response *long_answer_response(struct long_answers *set, struct MHD_Connection *mhd, struct reply *reply) {
        struct long_answer *a = calloc(1, sizeof *a);
        struct MHD_Response *response;

        if (!a)
                return NULL;
        *a = (struct long_answer) {
                .set = set, .mhd = mhd, .produce = reply->produce, .state = reply->state,
                .free_state = reply->free_state,
        };
        buffer_init(&a->piece, REPLY_BODY_MAX);
        set->n++;
        reply->produce = NULL;
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_PIECE_SIZE, read_some, a, free_answer);
        if (!response)
                free_answer(a);
        return response;
}
