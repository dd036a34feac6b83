/* A profile as YAML: what profile_parse takes back to an equal one. */
#pragma once

#include "base/buffer.h"
#include "protocols/profile.h"

#define PROFILE_TEXT_MAX (256 * 1024)  /* room for the largest profile and a few lines about each of its rows */

/* Remarks for people. Each may have several lines, or be NULL. They may hold any bytes. */
struct profile_comments {
        const char *head;         /* above the first key */
        const char *const *rows;  /* above each row: as many as the profile has datapoints. NULL: none at all */
        const char *tail;         /* below the last row */
};

/* Appends the text. -EINVAL when the struct holds what no file can say: a text that is empty where one is needed, not
 * UTF-8 or has a control character, a scale that no decimal number of 12 places is. -ENOBUFS when the buffer
 * failed. Whether the rows go together (each quantity of a channel once, ...) is for profile_parse to tell. */
int profile_text(const struct profile *p, struct buffer *out);
int profile_text_commented(const struct profile *p, const struct profile_comments *comments, struct buffer *out);
