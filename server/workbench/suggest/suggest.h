/* What unknown datapoints may mean, from physics alone: mains voltages, P = V * I * PF with PF <= 1, energy as the
 * integral of power, counters that only grow. All series are explained together by the one assignment that explains
 * them best. Nothing here knows a product; numbers of datapoints are the weakest of hints. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocols/protocol.h"
#include "workbench/suggest/observations.h"

#define SUGGEST_RANKS_MAX    3    /* hypotheses told of one thing */
#define SUGGEST_EVIDENCE_MAX 5    /* sentences of one hypothesis */
#define SUGGEST_TEXT_MAX     160  /* of a sentence, with its end */

enum suggest_level { SUGGEST_LOW, SUGGEST_MEDIUM, SUGGEST_HIGH, SUGGEST_LEVEL_COUNT };
extern const char *const suggest_level_names[SUGGEST_LEVEL_COUNT];  /* "low", "medium", "high" */

#define SUGGEST_CONFIDENCE_HIGH   0.9
#define SUGGEST_CONFIDENCE_MEDIUM 0.6

enum suggest_sign { SUGGEST_SIGN_UNKNOWN, SUGGEST_UNSIGNED, SUGGEST_SIGNED };

struct hypothesis {
        uint8_t quantity;          /* enum quantity; Q_NONE with a layout, and for a direction */
        uint8_t layout;            /* enum datapoint_layout: a raw value as a whole; LAYOUT_NONE: no layout */
        uint8_t power_den;         /* layouts: the power counts 1/power_den W (1 or 10); 0: the layout's own */
        bool is_increment;         /* quantity is an energy: added since the last report */
        bool is_direction;         /* bool or enum that tells the direction of others; no quantity */
        bool inverted;             /* negative is import */
        uint8_t sign;              /* enum suggest_sign: whether the raw number has one */
        uint8_t direction_reverse; /* its value that means export */
        uint16_t direction_id;     /* datapoint that tells the direction; 0: none */
        char channel[CHANNEL_NAME_MAX + 1];  /* "" : none */
        int64_t scale_num, scale_den;        /* raw * num / den is in the quantity's unit (V, kWh), reduced */
        double confidence;         /* 0..1 */
        enum suggest_level level;
        unsigned n_evidence;
        char evidence[SUGGEST_EVIDENCE_MAX][SUGGEST_TEXT_MAX];
};

/* A datapoint, or a word in a raw one. */
struct suggestion {
        uint16_t id;
        uint8_t type;              /* the protocol's own type code */
        bool is_word;              /* offset to big_endian are valid: some bytes of a raw value */
        uint8_t offset, width;
        bool big_endian;
        unsigned count;            /* hypotheses, the best first; 0: nothing can be told */
        struct hypothesis hypotheses[SUGGEST_RANKS_MAX];
        char cannot_tell[SUGGEST_TEXT_MAX];  /* why, when count is 0 */
};

struct suggest_settings {
        const struct protocol *protocol;  /* its own names of attributes are known; NULL: none are */
        const struct profile *profile;    /* its rows are known and tie the others; NULL: none are */
        bool has_no_times;                /* the times only tell the order: nothing can be said of energies */
};

struct suggestions {
        unsigned count;
        struct suggestion items[];        /* best first */
};

/* Bounded time, some 20 ms. What is known is left out. -ENOMEM. */
int suggest(const struct observations *o, const struct suggest_settings *settings, struct suggestions **ret);
struct suggestions *suggestions_free(struct suggestions *s);
static inline void suggestions_freep(struct suggestions **s) { suggestions_free(*s); }
