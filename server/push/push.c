#include "push/push.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/secret_file.h"
#include "push/curl_loop.h"

#define TOKEN_MAX 4096
#define TIMER_ACCURACY_US 20000
#define TOKEN_HEADER "Authorization"

struct sender {
        struct push *push;
        const struct remote_write_config *config;   /* borrowed */
        char *token;                                /* NULL: none */
        struct poster *poster;
        struct receiver *receiver;
};

struct push_set {
        const struct config *config;
        struct curl_loop *curl;                     /* a new one; NULL: that of push, or none is needed */
        struct sender *made[REMOTE_WRITE_MAX];      /* NULL: one that is running goes on */
        struct sender *kept[REMOTE_WRITE_MAX];      /* borrowed */
};

struct push {
        sd_event *event;
        struct history *history;
        struct events *events;
        const char *directory;
        uint32_t save_ms;
        struct curl_loop *curl;                     /* NULL while there is no receiver */
        sd_event_source *timer;
        unsigned n;
        struct sender *senders[REMOTE_WRITE_MAX];
};

/* ---- turns ---- */

static struct receiver_time time_now(void) {
        struct receiver_time t = { .now_ms = clock_now_ms() };
        int64_t utc_ms;

        clock_update();
        t.has_utc = clock_to_utc_ms(t.now_ms, &utc_ms);
        t.offset_ms = t.has_utc ? utc_ms - (int64_t) t.now_ms : 0;
        return t;
}

static void turn(struct push *p) {
        struct receiver_time t = time_now();
        uint64_t next_ms = UINT64_MAX;

        for (unsigned i = 0; i < p->n; i++) {
                uint64_t at_ms = receiver_turn(p->senders[i]->receiver, &t);

                if (at_ms < next_ms)
                        next_ms = at_ms;
        }
        if (next_ms == UINT64_MAX) {
                (void) sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
                return;
        }
        (void) sd_event_source_set_time(p->timer, next_ms * 1000);
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source, (void) usec;
        turn(userdata);
        return 0;
}

/* The next batch is made from the loop again, when those who wait had their turn. */
static void on_done(void *userdata, const struct post_answer *answer) {
        struct sender *s = userdata;

        receiver_answered(s->receiver, clock_now_ms(), answer);
        (void) sd_event_source_set_time(s->push->timer, 0);
        (void) sd_event_source_set_enabled(s->push->timer, SD_EVENT_ONESHOT);
}

static int post(void *userdata, const void *body, size_t len) {
        struct sender *s = userdata;

        return poster_post(s->poster, body, len);
}

static void tell(void *userdata, const char *text) {
        const struct sender *s = userdata;
        struct event e = { .kind = EVENT_REMOTE_WRITE };
        uint64_t now_ms = clock_now_ms();

        e.has_time = clock_to_utc_ms(now_ms, &e.utc_ms);
        snprintf(e.text, sizeof e.text, "%s: %s", s->config->name, text);
        events_put(s->push->events, now_ms, &e);
}

/* ---- tokens ---- */

/* One line, of characters that may stand in a header. */
static int take_token(const char *path, char *text, char error[PUSH_ERROR_MAX]) {
        size_t len = strcspn(text, "\r\n");

        if (strspn(text + len, "\r\n") != strlen(text + len) || len == 0) {
                snprintf(error, PUSH_ERROR_MAX, "%.300s: not a token; expected one line with nothing but the secret",
                         path);
                return -EINVAL;
        }
        text[len] = 0;
        for (const unsigned char *c = (const unsigned char *) text; *c; c++)
                if (*c <= ' ' || *c > '~') {
                        snprintf(error, PUSH_ERROR_MAX,
                                 "%.300s: not a token; expected printable ASCII without blanks", path);
                        return -EINVAL;
                }
        return 0;
}

static void forget(char *token) {
        if (token)
                secret_file_free(token, strlen(token));
}

static int read_token(const char *path, char **ret, char error[PUSH_ERROR_MAX]) {
        char *text;
        ssize_t len;
        int r;

        if (!path) {
                *ret = NULL;
                return 0;
        }
        len = secret_file_read(path, TOKEN_MAX, true, &text, error, PUSH_ERROR_MAX);
        if (len < 0)
                return (int) len;
        r = take_token(path, text, error);
        if (r < 0)
                secret_file_free(text, (size_t) len);
        else
                *ret = text;
        return r;
}

int push_check_files(const struct config *config, char error[PUSH_ERROR_MAX]) {
        for (unsigned i = 0; i < config->n_remote_write; i++) {
                const char *path = config->remote_write[i].token_path;
                char *token;
                int r;

                if (path && secret_file_is_out_of_reach(path))
                        continue;
                r = read_token(path, &token, error);
                if (r < 0)
                        return r;
                forget(token);
        }
        return 0;
}

/* ---- senders ---- */

static struct sender *sender_free(struct sender *s) {
        if (!s)
                return NULL;
        poster_free(s->poster);
        receiver_free(s->receiver);
        forget(s->token);
        free(s);
        return NULL;
}

static void sender_freep(struct sender **s) {
        sender_free(*s);
}

/* NULL: no memory. */
static char *header_line(const char *name, const char *text) {
        const char *scheme = strcmp(name, TOKEN_HEADER) == 0 ? "Bearer " : "";
        char *line;

        return asprintf(&line, "%s: %s%s", name, scheme, text) < 0 ? NULL : line;
}

static int make_poster(struct sender *s, struct curl_loop *curl) {
        char *lines[REMOTE_WRITE_HEADERS_MAX + 1] = { NULL };
        unsigned n = 0;
        int r = 0;

        for (; n < s->config->n_headers; n++)
                lines[n] = header_line(s->config->headers[n].name, s->config->headers[n].text);
        if (s->token)
                lines[n++] = header_line(TOKEN_HEADER, s->token);
        for (unsigned i = 0; i < n; i++)
                if (!lines[i])
                        r = -ENOMEM;
        if (r == 0)
                r = poster_new(curl, s->config->url, (const char *const *) lines, n, on_done, s, &s->poster);
        for (unsigned i = 0; i < n; i++)
                forget(lines[i]);
        return r;
}

/* Takes the token over. */
static int sender_new(struct push *p, struct curl_loop *curl, const struct remote_write_config *config, char *token,
                      struct sender **ret) {
        CLEANUP(sender_freep) struct sender *s = calloc(1, sizeof *s);
        struct receiver_options options = {
                .history = p->history, .config = config, .directory = p->directory, .save_ms = p->save_ms,
                .post = post, .tell = tell, .userdata = s,
        };
        int r;

        if (!s) {
                forget(token);
                return -ENOMEM;
        }
        s->push = p;
        s->config = config;
        s->token = token;
        if (getrandom(&options.seed, sizeof options.seed, 0) < 0)
                options.seed = clock_now_ms();
        r = receiver_new(&options, &s->receiver);
        if (r >= 0)
                r = make_poster(s, curl);
        if (r < 0)
                return r;
        *ret = TAKE(s);
        return 0;
}

/* ---- the set ---- */

static bool same_token(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct sender *find_same(const struct push *p, const struct remote_write_config *config, const char *token) {
        for (unsigned i = 0; i < p->n; i++)
                if (remote_write_config_equal(p->senders[i]->config, config) &&
                    same_token(p->senders[i]->token, token))
                        return p->senders[i];
        return NULL;
}

static int prepare_one(struct push *p, struct push_set *set, unsigned i, char error[PUSH_ERROR_MAX]) {
        const struct remote_write_config *config = &set->config->remote_write[i];
        char *token;
        int r;

        r = read_token(config->token_path, &token, error);
        if (r < 0)
                return r;
        set->kept[i] = find_same(p, config, token);
        if (set->kept[i]) {
                forget(token);
                return 0;
        }
        if (!p->curl && !set->curl)
                r = curl_loop_new(p->event, &set->curl);
        if (r < 0)
                forget(token);
        else
                r = sender_new(p, p->curl ? p->curl : set->curl, config, token, &set->made[i]);
        if (r < 0)
                snprintf(error, PUSH_ERROR_MAX, "remote_write %s: it cannot be started: %s", config->name,
                         strerror(-r));
        return r;
}

int push_prepare(struct push *p, const struct config *config, struct push_set **ret, char error[PUSH_ERROR_MAX]) {
        CLEANUP(push_set_freep) struct push_set *set = calloc(1, sizeof *set);

        if (!set)
                return -ENOMEM;
        set->config = config;
        for (unsigned i = 0; i < config->n_remote_write; i++) {
                int r = prepare_one(p, set, i, error);

                if (r < 0)
                        return r;
        }
        *ret = TAKE(set);
        return 0;
}

struct push_set *push_set_free(struct push_set *set) {
        if (!set)
                return NULL;
        for (unsigned i = 0; i < REMOTE_WRITE_MAX; i++)
                sender_free(set->made[i]);
        curl_loop_free(set->curl);
        free(set);
        return NULL;
}

static void keep(struct sender *s, const struct remote_write_config *config) {
        s->config = config;
        receiver_set_config(s->receiver, config);
}

static bool is_kept(const struct push_set *set, const struct sender *s) {
        for (unsigned i = 0; i < REMOTE_WRITE_MAX; i++)
                if (set->kept[i] == s)
                        return true;
        return false;
}

void push_take(struct push *p, struct push_set *set) {
        /* Those that end keep their positions before others read them. */
        for (unsigned i = 0; i < p->n; i++)
                if (!is_kept(set, p->senders[i]))
                        sender_free(p->senders[i]);
        if (set->curl)
                p->curl = TAKE(set->curl);
        p->n = set->config->n_remote_write;
        for (unsigned i = 0; i < p->n; i++) {
                if (set->kept[i])
                        keep(set->kept[i], &set->config->remote_write[i]);
                p->senders[i] = set->kept[i] ? set->kept[i] : TAKE(set->made[i]);
        }
        if (p->n == 0)
                p->curl = curl_loop_free(p->curl);
        push_set_free(set);
        turn(p);
}

int push_new(sd_event *event, struct history *h, struct events *events, const char *directory, uint32_t save_ms,
             struct push **ret) {
        CLEANUP(push_freep) struct push *p = calloc(1, sizeof *p);
        int r;

        if (!p)
                return -ENOMEM;
        p->event = event;
        p->history = h;
        p->events = events;
        p->directory = directory;
        p->save_ms = save_ms;
        r = sd_event_add_time(event, &p->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US, on_timer, p);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        /* Meters and clients go first. */
        r = sd_event_source_set_priority(p->timer, SD_EVENT_PRIORITY_IDLE);
        if (r < 0)
                return r;
        *ret = TAKE(p);
        return 0;
}

struct push *push_free(struct push *p) {
        if (!p)
                return NULL;
        for (unsigned i = 0; i < p->n; i++)
                sender_free(p->senders[i]);
        curl_loop_free(p->curl);
        sd_event_source_disable_unref(p->timer);
        free(p);
        return NULL;
}

const char *push_facts(const struct push *p, unsigned i, struct receiver_facts *ret) {
        struct receiver_time t = time_now();

        if (!p || i >= p->n)
                return NULL;
        *ret = receiver_facts(p->senders[i]->receiver, &t);
        return p->senders[i]->config->name;
}
