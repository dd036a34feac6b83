/* What decode knows of one protocol: how a frame becomes the members of a line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_writer.h"
#include "protocols/profile.h"

struct decode_settings {
        const struct profile *profile;  /* borrowed; NULL: none was given */
        bool show_secrets;
};

struct decode_part {
        const char *protocol;
        size_t state_size;              /* of what it remembers from frame to frame; handed in zeroed */
        void (*start)(void *state, const struct decode_settings *settings);
        void (*new_stream)(void *state);  /* what comes now may be another device's; NULL: all the same to it */
        /* Writes the members of the line's object that describe this frame. */
        void (*frame)(void *state, const uint8_t *frame, size_t len, struct json_writer *w);
        /* The same for a request of a form of its own; NULL: the protocol has none. */
        void (*request)(const uint8_t *frame, size_t len, struct json_writer *w);
};
