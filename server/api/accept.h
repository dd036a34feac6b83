/* What an owner accepts of what is suggested, as text of a request and as rows of a profile: pieces such as
 * "19:power_w:0.1", "101:a.power_w:0.1:direction:102:1" and "6:l1.phase", with commas between. */
#pragma once

#include "base/buffer.h"
#include "protocols/profile.h"
#include "workbench/suggest/suggest.h"

#define ACCEPT_ROWS_MAX 64    /* the largest meters have some 40 datapoints with a meaning */
#define ACCEPT_TEXT_MAX 2000  /* of all pieces: half of the longest address that is taken */

struct accepted_row {
        const char *text;                    /* its piece, for messages */
        struct profile_datapoint row;        /* without type and channel */
        char channel[CHANNEL_NAME_MAX + 1];  /* "": none */
};

struct accepted {
        unsigned count;
        struct accepted_row rows[ACCEPT_ROWS_MAX];
        char text[ACCEPT_TEXT_MAX + 1];      /* what the rows' texts point into */
};

/* Text of at most ACCEPT_TEXT_MAX characters. -EINVAL with the reason, which names the piece, in error. Whether the
 * rows go together is for profile_parse to tell. */
int accept_parse(const char *text, struct accepted *ret, struct buffer *error);

/* The piece that accepts a hypothesis. False, with nothing written: no profile can say it. */
bool accept_put(struct buffer *out, const struct suggestion *s, const struct hypothesis *h);
