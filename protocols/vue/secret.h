/* What may not leave the gateway by accident: install codes in frames, and keys and codes in the module's text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VUE_BLANK_WAIT_MAX 512  /* bytes of text that wait for the end of their line; the longest published one has
                                 * 153, the longest damaged frame 260 */

/* Where word, in lower case, begins in text; len when it is not there. */
size_t vue_text_find(const char *text, size_t len, const char *word);

/* A line about keys: nothing of it is to be shown. */
bool vue_secret_line(const char *line, size_t len);

/* Runs of hex digits in any other line that can be keys, one after the other. */
struct vue_secrets {
        const char *line;                   /* what lies behind at may not change in between */
        size_t len, at;
        bool is_open;                       /* the line was given up before its end: so may a key at its end be */
        size_t payload_from, payload_to;    /* the bytes of a meter's reading: the one long run that is no secret */
};

void vue_secret_begin(struct vue_secrets *s, const char *line, size_t len);
bool vue_secret_next(struct vue_secrets *s, size_t *ret_from, size_t *ret_len);

/* See protocol.h. */
size_t vue_blank_frame(uint8_t *frame, size_t len);
size_t vue_blank_text(uint8_t *bytes, size_t len, bool is_all, size_t *ret_changed);
bool vue_is_text_cut(const uint8_t *bytes, size_t len);
