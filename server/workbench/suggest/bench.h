/* What the parts of suggest.c share: everything that was seen as columns over common moments. Statistics are doubles,
 * as no measured value comes out of them: a scale is a power of ten, told exactly. */
#pragma once

#include "workbench/suggest/suggest.h"

#define MOMENTS_MAX   256
#define COLUMNS_MAX   160  /* numbers and words that are looked at; further words are left out */
#define CIRCUITS_MAX  (CHANNELS_MAX - 1)  /* a current and its power: three phases, or six clamps */
#define VOLTAGES_MAX  8    /* columns that may be a voltage */
#define REGISTERS_MAX 16   /* energies */

#define EXPONENT_MIN -5    /* of scales: 0.00001 */
#define EXPONENT_MAX 2

/* A numbered thing or a word of a raw one. */
struct column {
        unsigned series;           /* index in the observations */
        uint16_t id;
        bool is_word;
        uint8_t offset, width;     /* of words */
        bool big_endian;
        bool is_signed;            /* read as two's complement: negative numbers came */
        bool is_flag;              /* a bool, an enum or a bitmap */
        uint8_t layout, power_den, quantity;  /* a reading out of a raw value of a known layout; LAYOUT_NONE: none */
        uint8_t known;             /* the quantity that the profile says it is; Q_NONE: nothing is known */
        int known_exponent;        /* of its scale, valid when known */
        uint8_t length;            /* words: of the raw values they are in; others do not count */
        double x[MOMENTS_MAX];     /* NAN: not told yet */
        double log_x[MOMENTS_MAX]; /* of the magnitude, natural; NAN where there is none or it is 0 */
        unsigned n_known, n_zero, n_negative;
        unsigned changes;          /* from moment to moment */
        unsigned turns;            /* changes that go against the one before: what is measured does so a lot */
        unsigned distinct;         /* different values, counted up to DISTINCT_MAX */
        double min, max;           /* of what is not 0, as magnitudes */
        double median;             /* the same */
        double spread;             /* mean distance from the median, relative */
        double step;               /* all values are multiples of it */
        bool is_sum;               /* of two or three others */
        bool grows;                /* it never fell */
        int voltage_exponent;      /* its scale if it is one, valid when voltage_score > 0 */
        double voltage_score;      /* nats in favour of a voltage, by itself */
        int frequency_exponent;
        double frequency_score;
};

#define DISTINCT_MAX 32

/* A current and a power that belong together, at a voltage. */
struct circuit {
        int voltage, current, power;   /* columns */
        int ratio;                     /* exponent of the power's scale minus that of the current's */
        double score;                  /* nats in favour of it against chance */
        double rival;                  /* of the best other explanation of one of its columns */
        double swapped;                /* score of current and power the other way round */
        double nearest;                /* score of its current or its power with another column */
        double power_factor;           /* typical, at heavy load */
        double varied;                 /* share of the loads whose power factor is another one than that */
        double association;            /* nats of P / I being steadier than either */
        double steps;                  /* nats of both going up and down at the same moments */
        unsigned levels;               /* different loads it was seen at */
        double peak_current, peak_power;  /* raw */
        uint8_t layout, power_den;     /* of one raw value that brings all of it; LAYOUT_NONE: numbers of their own */
        double layout_confidence;
        unsigned samples;              /* layouts: different values */
        double volts_low, volts_high;  /* layouts */
        unsigned channel;              /* 0: none; else its number, from 1 */
        bool is_signed;                /* the power was negative at times */
        int apparent, reactive, factor;   /* columns; -1: none */
        int apparent_exponent, reactive_exponent;  /* of their scales minus that of the power's */
        int factor_exponent;              /* of its scale */
        double apparent_error, reactive_error, factor_error;  /* relative */
        bool is_apparent_sure;         /* it is not the power once more */
        int direction;                 /* column of a flag that tells where an unsigned power flows; -1: none */
        bool is_settled;               /* the energy or the power factor tells active from reactive power */
};

/* A counter of energy, or its increments. */
struct energy {
        int column;
        int circuit;                   /* index; -1: of all together or of a lone power */
        int power;                     /* column of a lone power that it fits; -1 */
        int ratio;                     /* exponent of its scale in kWh minus that of the power's */
        double error;                  /* relative, of the whole against the integral */
        double score;
        double ticks;                  /* that it moved on */
        bool is_export, is_increment;
        bool may_be_export;            /* the power has no sign, and what could be its direction said so all along */
        int flag;                      /* column: it grows only while this is flag_value; -1: none */
        int flag_value;
};

struct bench {
        const struct observations *o;
        const struct suggest_settings *settings;
        const struct observed_run **runs;   /* owned: by series, then by time */
        unsigned first_run[DATAPOINTS_MAX + 1];  /* of each series, in runs */
        unsigned n_moments;
        double at_s[MOMENTS_MAX];      /* since the first frame */
        double weight[MOMENTS_MAX];    /* how long it stayed so, limited */
        unsigned n_columns;
        struct column columns[COLUMNS_MAX];
        unsigned n_voltages;
        int voltages[VOLTAGES_MAX];    /* columns, the likeliest first */
        unsigned n_circuits;
        struct circuit circuits[CIRCUITS_MAX];
        unsigned n_energies;
        struct energy energies[REGISTERS_MAX];
        int total;                     /* column: the sum of the circuits' powers; -1 */
        int total_ratio;               /* exponent of its scale minus that of the powers */
        double total_error;
        bool used[COLUMNS_MAX];        /* by a circuit or what hangs on it */
};

/* moments.c */

/* Chooses the moments and makes a column of every number that is not known already, and of known quantities, which
 * explain the others. -ENOMEM. */
int bench_fill(struct bench *b);
/* Whether a column may be of a quantity: nothing is known of it, or just that. */
bool column_may_be(const struct column *c, enum quantity quantity);
/* The profile, or the protocol itself, says what it is. */
bool bench_is_known(const struct bench *b, const struct observed_series *s);
/* The runs of a series in order of time. */
const struct observed_run *const *bench_runs(const struct bench *b, unsigned series, unsigned *ret_count);
/* Seconds since the first frame. */
double bench_second(const struct bench *b, uint64_t ms);
/* What a column has in a run of its series; NAN: nothing. */
double column_value(const struct bench *b, const struct column *c, const struct observed_run *r);
/* Takes the values that hold at each moment, and works out their statistics. */
void bench_fill_column(const struct bench *b, struct column *c);
/* Does so again for all but voltages, now that those tell when the meter measured. */
void bench_refill(struct bench *b);
/* Changes the order of the values; 0 when there are none. */
double median_of(double *values, unsigned n);

/* layouts.c */

/* Circuits out of raw values that have a known layout. */
void bench_find_layouts(struct bench *b);

/* words.c */

/* Columns of the words in raw values whose layout is not known. */
void bench_add_words(struct bench *b);
/* The column is explained, and with it words that share a byte with it. */
void bench_use(struct bench *b, int column);
/* Whether two words share a byte, so that only one of them can be true. */
bool columns_overlap(const struct column *a, const struct column *b);

/* gauges.c */

/* Scores as voltages and frequencies, each by itself; fills voltages. */
void bench_rate_gauges(struct bench *b);

/* sums.c */

/* Marks the columns that are sums of others. */
void bench_find_sums(struct bench *b);

/* circuit.c */
void bench_find_circuits(struct bench *b);

/* attached.c */

/* What follows from circuits: apparent and reactive power, power factors, the total, directions. */
void bench_attach(struct bench *b);
/* Nats of what else would follow from a circuit. */
double bench_rate_explained(const struct bench *b, const struct circuit *c);

/* energy.c */
void bench_find_energies(struct bench *b);
/* Nats by which energies fit a circuit's power; 0: none does. */
double bench_rate_energies(const struct bench *b, int circuit);

/* scale.c */

/* The exponent of all currents' scale, which nothing but experience tells from ten times it. */
#define CURRENT_EXPONENT_MIN -4
#define CURRENT_EXPONENT_MAX 0

struct scale_choice {
        int current;               /* exponent */
        double confidence;         /* of it among all */
        int second;                /* the next best */
        double second_confidence;
        bool is_only;              /* no other one is known of any meter */
        double ohms;               /* of the wires, as seen under this scale; 0: cannot be seen */
};
struct scale_choice bench_choose_scale(const struct bench *b, const struct circuit *c);
/* The same for a power that only its energy shows; current is the exponent of the power's scale then. */
struct scale_choice bench_choose_lone_scale(const struct energy *e);
