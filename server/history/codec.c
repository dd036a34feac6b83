/* A block:
 *
 *   u8      bit 7: extras follow; bits 6..5: mode; bits 4..0: place of the width in the list of WIDTHS
 *   varint  for each of the mode's bases, zigzag: see below
 *   u8      extras, if there are any: bit 7: there is a factor; bits 6..0: number of exceptions
 *   varint  factor, if there is one: 1 otherwise
 *   bits    residuals, width bits each, the low ones first
 *   u8      place of each exception among the residuals
 *   varint  of each exception, the part above width bits
 *
 * What the i-th value is made of, r its residual, which is at least 0; only those of DELTA have a sign and are folded
 * (zigzag). All sums wrap around, so nothing overflows and everything comes back:
 *
 *   PLAIN   base least value;               least + factor * r
 *   LINE    bases start, rise;              start + i * rise + factor * r: times of a poll, now and then late
 *   DELTA   base first value;               value before + factor * r
 *   RISE    bases first value, least rise;  value before + least rise + factor * r
 *
 * Differences of differences were tried as well: beside these they save nothing.
 *
 * The factor is there because meters count in coarser steps than we do: one that reports whole watts has values of
 * which all differences are multiples of 1000 mW. */
#include "history/codec.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/little_endian.h"
#include "history/varint.h"

enum mode { PLAIN, LINE, DELTA, RISE, MODES };

/* What the five bits of a width stand for: wide ones are rare and need no fine steps. Wherever in a byte a value of
 * these begins, it does not reach beyond 64 bits from that byte's beginning. */
#define WIDTHS(of) \
        of(0) of(1) of(2) of(3) of(4) of(5) of(6) of(7) of(8) of(9) of(10) of(11) of(12) of(13) of(14) of(15) of(16) \
        of(17) of(18) of(19) of(20) of(21) of(22) of(23) of(24) of(28) of(32) of(36) of(40) of(48) of(56) of(64)

#define WIDTH(width) width,
static const uint8_t widths[] = { WIDTHS(WIDTH) };

#define HAS_EXTRAS 0x80
#define MODE_SHIFT 5
#define MODE_BITS 0x03
#define WIDTH_BITS 0x1f
#define HAS_FACTOR 0x80
#define EXCEPTIONS_MAX 0x7f
#define FACTOR_PAYS 32
_Static_assert(ELEMENTS(widths) == WIDTH_BITS + 1 && MODES == MODE_BITS + 1, "the head names all of them");

static const struct {
        uint8_t n_bases;
        uint8_t skipped;    /* values that are bases and have no residual */
} modes[MODES] = { [PLAIN] = { 1, 0 }, [LINE] = { 2, 0 }, [DELTA] = { 1, 1 }, [RISE] = { 2, 1 } };

/* A block in one of the modes. */
struct plan {
        enum mode mode;
        unsigned width_code, n_exceptions;
        size_t bytes;
        uint64_t bases[2], factor;
        size_t n;
        uint64_t residuals[CODEC_BLOCK + 8];    /* decoding works in groups of eight */
};

static size_t packed_bytes(size_t n, unsigned width) {
        return (n * width + 7) / 8;
}

static uint64_t low_bits(unsigned width) {
        return width == 64 ? UINT64_MAX : ((uint64_t) 1 << width) - 1;
}

/* ---- coding ---- */

static unsigned bit_length(uint64_t v) {
        return 63 - (unsigned) __builtin_clzll(v | 1) + (v > 0);
}

/* Leaves the n - 1 differences between neighbours; returns the first value. */
static uint64_t difference(uint64_t *v, size_t n) {
        uint64_t first = v[0];

        for (size_t i = 1; i < n; i++)
                v[i - 1] = v[i] - v[i - 1];
        return first;
}

/* Leaves what is above or below the line from the first value to the last; returns its rise. */
static uint64_t take_line(uint64_t *v, size_t n) {
        int64_t steps = (int64_t) n - 1, total = (int64_t) (v[n - 1] - v[0]), rise = total / steps;

        rise += total % steps * 2 / steps;
        for (size_t i = 0; i < n; i++)
                v[i] -= i * (uint64_t) rise;
        return (uint64_t) rise;
}

/* Leaves what is above the least value; returns that one. */
static uint64_t take_least(uint64_t *v, size_t n) {
        int64_t least = (int64_t) v[0];

        for (size_t i = 1; i < n; i++)
                if ((int64_t) v[i] < least)
                        least = (int64_t) v[i];
        for (size_t i = 0; i < n; i++)
                v[i] -= (uint64_t) least;
        return (uint64_t) least;
}

static void predict(struct plan *p, enum mode mode, const int64_t *values, size_t n) {
        p->mode = mode;
        p->factor = 1;
        p->n = n - modes[mode].skipped;
        memcpy(p->residuals, values, n * sizeof values[0]);
        if (mode == DELTA || mode == RISE)
                p->bases[0] = difference(p->residuals, n);
        else if (mode == LINE)
                p->bases[1] = take_line(p->residuals, n);
        if (mode == DELTA)
                for (size_t i = 0; i < p->n; i++)
                        p->residuals[i] = zigzag(p->residuals[i]);
        else
                p->bases[mode == RISE] = take_least(p->residuals, p->n);
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
        while (b > 0) {
                uint64_t rest = a % b;

                a = b;
                b = rest;
        }
        return a;
}

/* Of a folded residual, the size without its sign. */
static uint64_t magnitude(const struct plan *p, size_t i) {
        return p->mode == DELTA ? (p->residuals[i] >> 1) + (p->residuals[i] & 1) : p->residuals[i];
}

/* Divides the residuals by what they have in common. False when that is nothing. */
static bool divide(struct plan *p) {
        uint64_t factor = 0;

        for (size_t i = 0; i < p->n && factor != 1; i++)
                factor = common_divisor(magnitude(p, i), factor);
        if (factor <= 1)
                return false;
        p->factor = factor;
        for (size_t i = 0; i < p->n; i++) {
                uint64_t quotient = magnitude(p, i) / factor;

                p->residuals[i] = p->mode == DELTA ? 2 * quotient - (p->residuals[i] & 1) : quotient;
        }
        return true;
}

/* How many residuals have which length. Neighbours are often of one length: with a counter for each of them none
 * waits for the other. Returns the greatest length. */
static unsigned count_lengths(const struct plan *p, uint8_t *counts) {
        uint8_t odd[65] = { 0 };
        uint64_t all = 0;
        unsigned longest;
        size_t i;

        for (i = 0; i + 1 < p->n; i += 2) {
                counts[bit_length(p->residuals[i])]++;
                odd[bit_length(p->residuals[i + 1])]++;
                all |= p->residuals[i] | p->residuals[i + 1];
        }
        if (i < p->n) {
                counts[bit_length(p->residuals[i])]++;
                all |= p->residuals[i];
        }
        longest = bit_length(all);
        for (unsigned b = 0; b <= longest; b++)
                counts[b] = (uint8_t) (counts[b] + odd[b]);
        return longest;
}
_Static_assert(CODEC_BLOCK <= UINT8_MAX, "so many of one length can be counted");

/* Finds the width that makes the block the shortest; where two do, the one with fewer exceptions. */
static void choose_width(struct plan *p) {
        unsigned code = 0, n_exceptions = 0, longest, above;
        size_t fixed = 1 + (p->factor > 1 ? varint_len(p->factor) : 0);
        uint8_t counts[65] = { 0 };

        for (unsigned i = 0; i < modes[p->mode].n_bases; i++)
                fixed += varint_len(zigzag(p->bases[i]));
        longest = above = count_lengths(p, counts);
        while (widths[code] < longest)
                code++;
        p->width_code = code;
        p->n_exceptions = 0;
        p->bytes = fixed + (p->factor > 1) + packed_bytes(p->n, widths[code]);
        while (code-- > 0) {
                unsigned width = widths[code];
                size_t bytes = fixed + 1 + packed_bytes(p->n, width);

                for (; above > width; above--)
                        n_exceptions += counts[above];
                /* Each takes two bytes at least, and narrower ones leave no fewer. */
                if (n_exceptions > EXCEPTIONS_MAX || fixed + 1 + 2 * n_exceptions >= p->bytes)
                        break;
                for (unsigned b = width + 1; b <= longest; b++)
                        bytes += (size_t) counts[b] * (1 + (b - width + 6) / 7);
                if (bytes < p->bytes) {
                        p->width_code = code;
                        p->n_exceptions = n_exceptions;
                        p->bytes = bytes;
                }
        }
}

static void keep_shorter(struct plan *best, struct plan *trial) {
        choose_width(trial);
        if (trial->bytes < best->bytes)
                *best = *trial;
}

static uint8_t *pack(uint8_t *out, const uint64_t *residuals, size_t n, unsigned width) {
        uint64_t bits = 0, mask = low_bits(width);
        unsigned n_bits = 0;

        for (size_t i = 0; i < n; i++) {
                uint64_t v = residuals[i] & mask;

                bits |= v << n_bits;
                n_bits += width;
                if (n_bits >= 64) {
                        put_le64(out, bits);
                        out += 8;
                        n_bits -= 64;
                        bits = n_bits > 0 ? v >> (width - n_bits) : 0;
                }
        }
        for (unsigned done = 0; done < n_bits; done += 8)
                *out++ = (uint8_t) (bits >> done);
        return out;
}

static uint8_t *put_exceptions(uint8_t *out, const struct plan *p) {
        unsigned width = widths[p->width_code];

        for (size_t i = 0; i < p->n; i++)
                if (p->residuals[i] >> width > 0)
                        *out++ = (uint8_t) i;
        for (size_t i = 0; i < p->n; i++)
                if (p->residuals[i] >> width > 0)
                        out = varint_put(out, p->residuals[i] >> width);
        return out;
}

static uint8_t *put_block(uint8_t *out, const struct plan *p) {
        bool has_extras = p->n_exceptions > 0 || p->factor > 1;

        *out++ = (uint8_t) ((has_extras ? HAS_EXTRAS : 0) | p->mode << MODE_SHIFT | p->width_code);
        for (unsigned i = 0; i < modes[p->mode].n_bases; i++)
                out = varint_put(out, zigzag(p->bases[i]));
        if (has_extras)
                *out++ = (uint8_t) ((p->factor > 1 ? HAS_FACTOR : 0) | p->n_exceptions);
        if (p->factor > 1)
                out = varint_put(out, p->factor);
        out = pack(out, p->residuals, p->n, widths[p->width_code]);
        return p->n_exceptions > 0 ? put_exceptions(out, p) : out;
}

size_t codec_encode(const int64_t *values, size_t n, uint8_t *out, size_t cap) {
        struct plan best, trial;

        best.bytes = SIZE_MAX;
        for (unsigned m = 0; m < MODES; m++) {
                if (n < modes[m].n_bases)
                        continue;
                predict(&trial, (enum mode) m, values, n);
                /* Of many residuals the bits that a factor saves are more than it takes. */
                if (n < FACTOR_PAYS)
                        keep_shorter(&best, &trial);
                if (divide(&trial) || n >= FACTOR_PAYS)
                        keep_shorter(&best, &trial);
        }
        return best.bytes <= cap ? (size_t) (put_block(out, &best) - out) : 0;
}

size_t codec_bound(int64_t least, int64_t most, size_t n) {
        unsigned code = 0, longest = bit_length((uint64_t) most - (uint64_t) least);

        while (widths[code] < longest)
                code++;
        return 1 + varint_len(zigzag((uint64_t) least)) + packed_bytes(n, widths[code]);
}

/* ---- decoding ---- */

/* Eight values are width bytes. Reads up to 8 bytes, and gives up to 7 values, more than there are. With the width
 * known to the compiler a value costs a load, a shift and a mask. */
static inline __attribute__((always_inline)) uint64_t unpack_one(const uint8_t *in, unsigned k, unsigned width) {
        return get_le64(in + k * width / 8) >> k * width % 8 & low_bits(width);
}

static inline __attribute__((always_inline)) void unpack(const uint8_t *in, size_t n, unsigned width, uint64_t *ret) {
        for (size_t i = 0; i < n; i += 8, in += width) {
                ret[i] = unpack_one(in, 0, width);
                ret[i + 1] = unpack_one(in, 1, width);
                ret[i + 2] = unpack_one(in, 2, width);
                ret[i + 3] = unpack_one(in, 3, width);
                ret[i + 4] = unpack_one(in, 4, width);
                ret[i + 5] = unpack_one(in, 5, width);
                ret[i + 6] = unpack_one(in, 6, width);
                ret[i + 7] = unpack_one(in, 7, width);
        }
}

#define UNPACK(width) \
        static void unpack_##width(const uint8_t *in, size_t n, uint64_t *ret) { \
                unpack(in, n, width, ret); \
        }
WIDTHS(UNPACK)

#define UNPACK_NAME(width) unpack_##width,
static void (*const unpackers[])(const uint8_t *in, size_t n, uint64_t *ret) = { WIDTHS(UNPACK_NAME) };

/* Everything before the bits. Returns where they begin, NULL when it is not good. */
static const uint8_t *read_head(struct plan *p, const uint8_t *in, const uint8_t *end, size_t n) {
        uint8_t head, extras = 0;

        if (in == end)
                return NULL;
        head = *in++;
        p->mode = head >> MODE_SHIFT & MODE_BITS;
        p->width_code = head & WIDTH_BITS;
        if (n < modes[p->mode].n_bases || n > CODEC_BLOCK)
                return NULL;
        p->n = n - modes[p->mode].skipped;
        p->bases[1] = 0;
        for (unsigned i = 0; i < modes[p->mode].n_bases; i++) {
                if (!varint_get(&in, end, &p->bases[i]))
                        return NULL;
                p->bases[i] = unzigzag(p->bases[i]);
        }
        if (head & HAS_EXTRAS) {
                if (in == end)
                        return NULL;
                extras = *in++;
        }
        p->n_exceptions = extras & EXCEPTIONS_MAX;
        p->factor = 1;
        if (extras & HAS_FACTOR && !varint_get(&in, end, &p->factor))
                return NULL;
        return in;
}

/* Puts the exceptions' high parts in their places. Returns where they end, NULL when they are not good. */
static const uint8_t *patch(struct plan *p, const uint8_t *in, const uint8_t *end) {
        const uint8_t *places = in;
        unsigned width = widths[p->width_code];
        uint64_t high;

        if (p->n_exceptions > (size_t) (end - in) || width == 64)
                return NULL;
        in += p->n_exceptions;
        for (unsigned i = 0; i < p->n_exceptions; i++) {
                if (places[i] >= p->n || !varint_get(&in, end, &high))
                        return NULL;
                p->residuals[places[i]] |= high << width;
        }
        return in;
}

/* Nothing but a constant or a line. */
static void draw_line(const struct plan *p, size_t n, int64_t *ret) {
        uint64_t value = p->bases[0];

        for (size_t i = 0; i < n; i++, value += p->bases[1])
                ret[i] = (int64_t) value;
}

/* From residuals to values. */
static void rebuild(const struct plan *p, size_t n, int64_t *ret) {
        uint64_t value = p->bases[0], rise = p->bases[1], factor = p->factor;
        const uint64_t *r = p->residuals;

        switch (p->mode) {
        case PLAIN:
        case LINE:
                for (size_t i = 0; i < n; i++, value += rise)
                        ret[i] = (int64_t) (value + factor * r[i]);
                return;
        case DELTA:
                ret[0] = (int64_t) value;
                for (size_t i = 1; i < n; i++)
                        ret[i] = (int64_t) (value += factor * unzigzag(r[i - 1]));
                return;
        default:
                ret[0] = (int64_t) value;
                for (size_t i = 1; i < n; i++)
                        ret[i] = (int64_t) (value += rise + factor * r[i - 1]);
        }
}

ssize_t codec_decode(const uint8_t *in, size_t len, size_t n, int64_t *ret) {
        uint8_t packed[CODEC_BLOCK * 8 + 8];
        const uint8_t *p, *end = in + len;
        struct plan plan;
        size_t bytes;

        p = read_head(&plan, in, end, n);
        if (!p)
                return -EBADMSG;
        if (widths[plan.width_code] == 0 && plan.n_exceptions == 0) {
                draw_line(&plan, n, ret);
                return p - in;
        }
        bytes = packed_bytes(plan.n, widths[plan.width_code]);
        if (bytes > (size_t) (end - p))
                return -EBADMSG;
        memcpy(packed, p, bytes);
        unpackers[plan.width_code](packed, plan.n, plan.residuals);
        p += bytes;
        if (plan.n_exceptions > 0)
                p = patch(&plan, p, end);
        if (!p)
                return -EBADMSG;
        rebuild(&plan, n, ret);
        return p - in;
}
