/* The radio module of an Emporia Vue Utility Connect and the utility's meter behind it, as a witness of its own: it
 * builds its frames from the description of the wire alone and shares no code with the protocol that reads them. No
 * descriptors and no clock: bytes and a time in, bytes and the next deadline out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MGM111_NEVER       UINT64_MAX
#define MGM111_OUTPUT_MAX  4096
#define MGM111_LINE_MAX    64   /* of a command; the rest of a longer one is lost */
#define MGM111_ANSWERS_MAX 8    /* requests that wait for their answers; more are lost */

/* What the radio can reach. */
enum mgm111_state {
        MGM111_REACHABLE,
        MGM111_OUT_OF_REACH,
        MGM111_UNPROVISIONED,   /* belongs to no network: never did, or has lost its keys */
        MGM111_SILENT,          /* the module itself says nothing, as without power */
        MGM111_STATE_COUNT,
};
extern const char *const mgm111_state_names[MGM111_STATE_COUNT];

/* What can be wrong with an answer. */
enum mgm111_flaw {
        MGM111_SPIKE,           /* the imported total is 2^32 counts too high; in 32 bits: 2^31 off */
        MGM111_ALL_ONES,        /* totals without a value */
        MGM111_ALL_ZERO,        /* the whole reading, its scale included */
        MGM111_NO_POWER,        /* a power without a value */
        MGM111_DUPLICATE,       /* comes twice */
        MGM111_FLAW_COUNT,
};
extern const char *const mgm111_flaw_names[MGM111_FLAW_COUNT];

/* What whoever believes an answer has to show from then on, in mW and mWh. Energies are the ledger's: they go on
 * where registers are reset and meters replaced. */
struct mgm111_expected {
        bool has_power, has_import, has_export;
        int64_t power_mw, import_mwh, export_mwh;
};

struct mgm111_options {
        unsigned firmware;              /* 2: the record of 152 bytes; else attributes; 0: 8. 8 has a console */
        unsigned log_level;             /* of the console, from each power-up on; 0: none, 10: prompts, 20: all */
        enum mgm111_state state;
        bool no_export;                 /* the meter has no register for it */
        uint32_t multiplier, divisor;   /* of a count, in kWh and kW; 0: 1 and 1000 */
        unsigned loss_percent;          /* of readings that get lost on the radio */
        uint32_t boot_ms;               /* from power to the first command; 0: 2000 */
        uint64_t seed;
        uint64_t import_counts, export_counts;  /* in the registers at the start */
        /* An answer with a reading goes out; not called for one that is all zero. May be NULL. */
        void (*answered)(void *userdata, const struct mgm111_expected *expected);
        void *userdata;
};

struct mgm111_register {
        uint64_t shown;                 /* counts */
        uint64_t ledger;                /* counts ever, with what it held at the start */
        uint64_t told;                  /* the ledger at the last answer */
        unsigned __int128 rest;         /* mW * ms * divisor that make no count yet */
};

struct mgm111_pending {
        uint64_t due_ms;
        char letter;
};

struct mgm111 {
        struct mgm111_options options;
        enum mgm111_state state;
        uint64_t random;
        uint64_t powered_ms, ready_ms;
        bool ready;
        unsigned log_level;
        uint8_t sequence;               /* of the next reading */
        int64_t power_mw;               /* negative: export */
        uint64_t counted_ms;            /* energy is in the registers up to here */
        bool house_is_off;              /* while its meter is exchanged, up to the next answer */
        struct mgm111_register import, export;
        unsigned flaws[MGM111_FLAW_COUNT];  /* so many answers to come have them */
        bool reset_due, replace_due;    /* right after the next answer */
        uint64_t new_import, new_export;
        uint64_t readings;              /* answers with a reading that went out */
        uint64_t forbidden;             /* commands that no host must send by itself */
        unsigned n_answers;
        struct mgm111_pending answers[MGM111_ANSWERS_MAX];
        size_t n_line;
        char line[MGM111_LINE_MAX];
        size_t n_output;
        uint8_t output[MGM111_OUTPUT_MAX];
};

/* Powers it up at now_ms. */
void mgm111_init(struct mgm111 *m, const struct mgm111_options *options, uint64_t now_ms);

/* The module starts again; the utility's meter counts on. */
void mgm111_power_cycle(struct mgm111 *m, uint64_t now_ms);

void mgm111_set_state(struct mgm111 *m, enum mgm111_state state);
void mgm111_set_power(struct mgm111 *m, uint64_t now_ms, int64_t power_mw);
void mgm111_set_loss(struct mgm111 *m, unsigned percent);
void mgm111_set_flaw(struct mgm111 *m, enum mgm111_flaw flaw, unsigned answers);

/* Right after the next answer the registers start again from zero: nothing was counted that nobody was told. */
void mgm111_reset(struct mgm111 *m);

/* Right after the next answer another meter takes over, with these counts; the house is without power until it gives
 * its first answer. */
void mgm111_replace(struct mgm111 *m, uint64_t import_counts, uint64_t export_counts);

/* Sends an `e` frame; only firmware 8 does. */
void mgm111_notice(struct mgm111 *m, uint8_t code);

/* Bytes from the host. */
void mgm111_input(struct mgm111 *m, uint64_t now_ms, const uint8_t *data, size_t len);

/* Does what is due. */
void mgm111_run(struct mgm111 *m, uint64_t now_ms);

/* When to call mgm111_run at the latest. */
uint64_t mgm111_deadline(const struct mgm111 *m);

/* Takes out what is to be sent; buf holds MGM111_OUTPUT_MAX bytes. */
size_t mgm111_output(struct mgm111 *m, uint8_t *buf);

/* Energy as of the last answer, in mWh. */
int64_t mgm111_ledger_import(const struct mgm111 *m);
int64_t mgm111_ledger_export(const struct mgm111 *m);
