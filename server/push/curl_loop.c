#include "config.h"

#include "push/curl_loop.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define CONNECT_TIMEOUT_S 10L
#define TIMEOUT_S 30L
#define TIMER_ACCURACY_US 10000

struct curl_loop {
        CURLM *multi;
        sd_event *event;                /* borrowed */
        sd_event_source *timer;
};

struct poster {
        struct curl_loop *loop;
        CURL *easy;
        struct curl_slist *headers;
        void (*done)(void *userdata, const struct post_answer *answer);
        void *userdata;
        bool busy;
        size_t text_len;
        char text[CURL_ANSWER_TEXT];    /* the beginning of the answer's body */
        char error[CURL_ERROR_SIZE];
};

/* ---- the loop ---- */

static void one_line(char *text) {
        text[strcspn(text, "\r\n")] = 0;
        for (unsigned char *p = (unsigned char *) text; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
}

static void finish(struct poster *p, CURLcode result) {
        struct post_answer answer = { 0 };
        curl_off_t retry_after = 0;
        long status = 0;

        p->busy = false;
        (void) curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
        (void) curl_easy_getinfo(p->easy, CURLINFO_RETRY_AFTER, &retry_after);
        if (result == CURLE_OK) {
                answer.status = (unsigned) status;
                answer.retry_after_s = retry_after > 0 ? (uint64_t) retry_after : 0;
                memcpy(answer.text, p->text, p->text_len);
        } else {
                snprintf(answer.text, sizeof answer.text, "%.159s",
                         p->error[0] ? p->error : curl_easy_strerror(result));
        }
        one_line(answer.text);
        p->done(p->userdata, &answer);
}

/* done may free its poster, or post again. */
static void collect(struct curl_loop *l) {
        CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(l->multi, &left))) {
                CURLcode result = message->data.result;
                CURL *easy = message->easy_handle;
                struct poster *p = NULL;

                if (message->msg != CURLMSG_DONE)
                        continue;
                (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &p);
                (void) curl_multi_remove_handle(l->multi, easy);
                finish(p, result);
        }
}

static void act(struct curl_loop *l, curl_socket_t fd, int events) {
        int running;

        (void) curl_multi_socket_action(l->multi, fd, events, &running);
        collect(l);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        int events = 0;

        (void) source;
        if (revents & (EPOLLIN | EPOLLHUP))
                events |= CURL_CSELECT_IN;
        if (revents & EPOLLOUT)
                events |= CURL_CSELECT_OUT;
        if (revents & EPOLLERR)
                events |= CURL_CSELECT_ERR;
        act(userdata, fd, events);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source, (void) usec;
        act(userdata, CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

static int watch(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data) {
        sd_event_source *source = socket_data;
        struct curl_loop *l = userdata;
        uint32_t events = what == CURL_POLL_IN ? EPOLLIN : what == CURL_POLL_OUT ? EPOLLOUT : EPOLLIN | EPOLLOUT;

        (void) easy;
        if (what == CURL_POLL_REMOVE) {
                sd_event_source_disable_unref(source);
                (void) curl_multi_assign(l->multi, fd, NULL);
                return 0;
        }
        if (source)
                return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
        if (sd_event_add_io(l->event, &source, fd, events, on_io, l) < 0)
                return -1;
        (void) curl_multi_assign(l->multi, fd, source);
        return 0;
}

/* Called from inside libcurl, which must not be called again from here: even a time of 0 goes through the loop. */
static int set_timer(CURLM *multi, long timeout_ms, void *userdata) {
        struct curl_loop *l = userdata;

        (void) multi;
        if (timeout_ms < 0)
                return sd_event_source_set_enabled(l->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
        if (sd_event_source_set_time_relative(l->timer, (uint64_t) timeout_ms * 1000) < 0)
                return -1;
        return sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

int curl_loop_new(sd_event *event, struct curl_loop **ret) {
        CLEANUP(curl_loop_freep) struct curl_loop *l = calloc(1, sizeof *l);
        int r;

        if (!l)
                return -ENOMEM;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -EIO;
        l->event = event;
        r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_US, on_timer, l);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        l->multi = curl_multi_init();
        if (!l->multi)
                return -ENOMEM;
        (void) curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, watch);
        (void) curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
        (void) curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, set_timer);
        (void) curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
        *ret = TAKE(l);
        return 0;
}

struct curl_loop *curl_loop_free(struct curl_loop *l) {
        if (!l)
                return NULL;
        (void) curl_multi_cleanup(l->multi);
        sd_event_source_disable_unref(l->timer);
        free(l);
        return NULL;
}

/* ---- a poster ---- */

/* Of a long answer only the beginning is kept. */
static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        struct poster *p = userdata;
        size_t room = sizeof p->text - 1 - p->text_len, len = size * n;

        if (room > 0) {
                memcpy(p->text + p->text_len, data, len < room ? len : room);
                p->text_len += len < room ? len : room;
        }
        return len;
}

static int add_header(struct poster *p, const char *line) {
        struct curl_slist *list = curl_slist_append(p->headers, line);

        if (!list)
                return -ENOMEM;
        p->headers = list;
        return 0;
}

static int add_headers(struct poster *p, const char *const *headers, unsigned n) {
        static const char *const fixed[] = {
                "Content-Type: application/x-protobuf", "Content-Encoding: snappy",
                "X-Prometheus-Remote-Write-Version: 0.1.0", "User-Agent: metergate/" PACKAGE_VERSION,
                /* The body is sent at once. */
                "Expect:",
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(fixed); i++)
                r = add_header(p, fixed[i]);
        for (unsigned i = 0; r == 0 && i < n; i++)
                r = add_header(p, headers[i]);
        return r;
}

static int set_options(struct poster *p, const char *url) {
        CURL *e = p->easy;
        bool good = curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_POST, 1L) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_HTTPHEADER, p->headers) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_TIMEOUT, TIMEOUT_S) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_WRITEDATA, p) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_PRIVATE, p) == CURLE_OK &&
                    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, p->error) == CURLE_OK;

        return good ? 0 : -EIO;
}

int poster_new(struct curl_loop *l, const char *url, const char *const *headers, unsigned n,
               void (*done)(void *userdata, const struct post_answer *answer), void *userdata, struct poster **ret) {
        struct poster *p = calloc(1, sizeof *p);
        int r;

        if (!p)
                return -ENOMEM;
        p->loop = l;
        p->done = done;
        p->userdata = userdata;
        p->easy = curl_easy_init();
        r = p->easy ? add_headers(p, headers, n) : -ENOMEM;
        if (r == 0)
                r = set_options(p, url);
        if (r < 0) {
                poster_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

struct poster *poster_free(struct poster *p) {
        if (!p)
                return NULL;
        if (p->busy)
                (void) curl_multi_remove_handle(p->loop->multi, p->easy);
        curl_easy_cleanup(p->easy);
        curl_slist_free_all(p->headers);
        free(p);
        return NULL;
}

int poster_post(struct poster *p, const void *body, size_t len) {
        if (p->busy)
                return -EBUSY;
        p->text_len = 0;
        p->error[0] = 0;
        if (curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, body) != CURLE_OK ||
            curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) len) != CURLE_OK ||
            curl_multi_add_handle(p->loop->multi, p->easy) != CURLM_OK)
                return -EIO;
        p->busy = true;
        return 0;
}
