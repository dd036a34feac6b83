/* Parameters of requests: one description from which the check, the error text and the API's document come. Knows
 * nothing of requests and of what the values mean. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum parameter_type {
        PARAMETER_TEXT,      /* min to max printable ASCII characters; what they mean is the handler's to check */
        PARAMETER_INTEGER,   /* min to max, not negative */
        PARAMETER_CHOICE,    /* one of the choices */
        PARAMETER_CHOICES,   /* some of the choices, with commas between */
        PARAMETER_NAME,      /* 1 to max characters: a letter or digit, then also _ . - */
        PARAMETER_NAMES,     /* 1 to max names of at most PARAMETER_NAME_MAX characters, with commas between */
        PARAMETER_TIME,      /* now, -24h, RFC 3339, seconds since 1970 */
        PARAMETER_DURATION,  /* min to max ms, a multiple of step ms; or one of the choices, if there are any */
        PARAMETER_CURSOR,    /* the number of a row, as text */
        PARAMETER_URL,       /* http(s)://HOST[:PORT][/PATH] of at most max characters */
};

#define PARAMETER_NAME_MAX    40   /* "l1.apparent_power_va" and what else a series may be called */
#define PARAMETER_CHOICES_MAX 31   /* a set of them is a word of bits */

struct parameter {
        const char *name;                /* NULL ends an array of them */
        enum parameter_type type;
        const char *description;         /* for the document: a sentence or two */
        int64_t min, max;
        int64_t step;                    /* of a duration: 1 (or 0), 10, 100 or 1000 ms */
        const char *const *choices;
        unsigned n_choices;              /* PARAMETER_CHOICES_MAX at most */
        const char *fallback;            /* what stands for one that was not given; NULL: nothing does */
        const char *example;             /* a good one, shown in the document and in error texts */
};

struct parameter_value {
        bool given;
        const char *text;                /* as given, else the fallback; NULL: neither */
        int64_t number;                  /* integer, cursor (INT64_MAX for all above); ms of a duration or a time */
        int choice;                      /* index, -1: none of them */
        uint32_t choices;                /* set of indices, bit by bit */
        bool before_now;                 /* number is a distance from now */
};

/* Reads text, which ret then points at. False: it does not fit, ret is untouched. */
bool parameter_read(const struct parameter *p, const char *text, struct parameter_value *ret);

/* What would have fitted: "a whole number from 1 to 1000". */
void parameter_put_form(const struct parameter *p, struct buffer *out);

/* A regular expression (of POSIX and of JSON Schema alike, without anchors) for texts that fit, of lists for one
 * item; nothing for integers and choices, for which JSON Schema has words. Spellings that nobody needs are not in it
 * though they fit: leading zeros, a lower-case t. */
void parameter_put_pattern(const struct parameter *p, struct buffer *out);

/* The next item of a text with commas between; false past the last. *rest begins as the text. */
bool parameter_next_item(const char **rest, const char **ret, size_t *ret_len);
