/* libcurl inside the event loop: posts a body and says what became of it. One request at a time for each poster. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define CURL_ANSWER_TEXT 160

/* What came back. */
struct post_answer {
        unsigned status;                /* HTTP status; 0: no answer came */
        uint64_t retry_after_s;         /* 0: nothing was said */
        char text[CURL_ANSWER_TEXT];    /* the reason in one line: of the answer's first line, or of libcurl */
};

struct curl_loop;
struct poster;

/* The library is only set up here: who does not call it, does not pay for it. */
int curl_loop_new(sd_event *event, struct curl_loop **ret);
/* After all of its posters. */
struct curl_loop *curl_loop_free(struct curl_loop *l);
static inline void curl_loop_freep(struct curl_loop **l) { curl_loop_free(*l); }

/* headers: n lines "Name: text", beside those of every poster; copied. done may post again. */
int poster_new(struct curl_loop *l, const char *url, const char *const *headers, unsigned n,
               void (*done)(void *userdata, const struct post_answer *answer), void *userdata, struct poster **ret);
/* A request under way is given up; done is not called. */
struct poster *poster_free(struct poster *p);

/* The body has to stay until done is called. -EBUSY, -ENOMEM, -EIO. */
int poster_post(struct poster *p, const void *body, size_t len);
