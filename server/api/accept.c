#include "api/accept.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "config/profile_parts.h"
#include "protocols/quantity.h"

#define WORDS_MAX 8  /* dp : meaning : scale : direction : dp : value : inverted : increment */
#define FORM "DP:MEANING[:SCALE] such as 19:power_w:0.1"

struct piece {
        unsigned n;
        const char *words[WORDS_MAX];
        struct buffer *error;
        const char *text;
};

__attribute__((format(printf, 2, 3)))
static int fail(const struct piece *p, const char *format, ...) {
        char what[200];
        va_list args;

        va_start(args, format);
        vsnprintf(what, sizeof what, format, args);
        va_end(args);
        buffer_printf(p->error, "\"%.80s\": %s", p->text, what);
        return -EINVAL;
}

/* A number of a datapoint, or a value of one: up to three digits. */
static bool read_byte(const char *text, unsigned min, uint8_t *ret) {
        size_t len = strlen(text);
        unsigned long n;

        if (len == 0 || len > 3 || strspn(text, "0123456789") != len)
                return false;
        n = strtoul(text, NULL, 10);
        if (n < min || n > UINT8_MAX)
                return false;
        *ret = (uint8_t) n;
        return true;
}

/* "l1.power_w", "phase", "direction" */
static int read_meaning(const struct piece *p, struct accepted_row *a) {
        const char *meaning = p->words[1], *dot = strchr(meaning, '.');
        size_t channel = dot ? (size_t) (dot - meaning) : 0;
        enum quantity quantity;

        if (dot && (channel == 0 || channel > CHANNEL_NAME_MAX ||
                    strspn(meaning, "abcdefghijklmnopqrstuvwxyz0123456789") != channel))
                return fail(p, "%.40s does not begin with a channel's name: 1 to 8 of a-z and 0-9", meaning);
        memcpy(a->channel, meaning, channel);
        meaning = dot ? dot + 1 : meaning;
        quantity = quantity_from_key(meaning);
        a->row.quantity = (uint8_t) quantity;
        if (quantity != Q_NONE)
                return 0;
        if (strcmp(meaning, "direction") == 0) {
                strcpy(a->row.name, "direction");
                return 0;
        }
        for (unsigned i = LAYOUT_NONE + 1; i < LAYOUT_COUNT; i++)
                if (strcmp(meaning, datapoint_layout_names[i]) == 0)
                        a->row.layout = (uint8_t) i;
        if (a->row.layout == LAYOUT_NONE)
                return fail(p, "%.40s is neither a quantity's key nor a layout nor direction", meaning);
        return 0;
}

/* Of a layout it is that of its power. */
static int read_scale(const struct piece *p, const char *word, struct accepted_row *a) {
        int64_t units;

        if (a->row.layout != LAYOUT_NONE) {
                if (strcmp(word, "1") != 0 && strcmp(word, "0.1") != 0)
                        return fail(p, "%.40s is not 1 or 0.1, the scales that a layout's power may have", word);
                a->row.power_den = word[1] ? 10 : 1;
                return 0;
        }
        if (decimal_parse(word, PROFILE_SCALE_PLACES, &units) < 0 || units <= 0 ||
            units > PROFILE_SCALE_MAX * PROFILE_SCALE_ONE)
                return fail(p, "%.40s is not a scale: a decimal number above 0 with up to 12 places, or inverted, "
                            "increment or direction:DP:VALUE", word);
        profile_set_scale(&a->row, units, PROFILE_SCALE_ONE);
        return 0;
}

static int read_direction(const struct piece *p, unsigned i, struct accepted_row *a) {
        if (i + 2 >= p->n || !read_byte(p->words[i + 1], 1, &a->row.direction_id) ||
            !read_byte(p->words[i + 2], 0, &a->row.direction_reverse))
                return fail(p, "direction is not followed by a datapoint and its value that means export");
        return 0;
}

static int read_rest(const struct piece *p, struct accepted_row *a) {
        int r = 0;

        for (unsigned i = 2; r == 0 && i < p->n; i++) {
                const char *word = p->words[i];

                if (strcmp(word, "inverted") == 0)
                        a->row.inverted = true;
                else if (strcmp(word, "increment") == 0)
                        a->row.is_increment = true;
                else if (strcmp(word, "direction") == 0) {
                        r = read_direction(p, i, a);
                        i += 2;
                } else
                        r = read_scale(p, word, a);
        }
        return r;
}

static int read_piece(const char *text, char *scratch, struct accepted_row *a, struct buffer *error) {
        struct piece p = { .error = error, .text = text };
        char *rest = strcpy(scratch, text), *word;
        int r;

        while ((word = strsep(&rest, ":"))) {
                if (p.n == WORDS_MAX)
                        return fail(&p, "too long; a piece is %s", FORM);
                p.words[p.n++] = word;
        }
        *a = (struct accepted_row) { .text = text, .row = { .scale_num = 1, .scale_den = 1, .quantity = Q_NONE } };
        if (p.n < 2 || !read_byte(p.words[0], 1, &a->row.id))
                return fail(&p, "a piece is %s", FORM);
        r = read_meaning(&p, a);
        if (r == 0 && a->row.quantity != Q_NONE)
                profile_set_scale(&a->row, 1, 1);
        return r < 0 ? r : read_rest(&p, a);
}

int accept_parse(const char *text, struct accepted *ret, struct buffer *error) {
        char scratch[ACCEPT_TEXT_MAX + 1], *rest, *piece;
        int r = 0;

        ret->count = 0;
        strcpy(ret->text, text);
        rest = ret->text;
        while (r == 0 && (piece = strsep(&rest, ","))) {
                if (ret->count == ACCEPT_ROWS_MAX) {
                        buffer_printf(error, "there are more than %d pieces", ACCEPT_ROWS_MAX);
                        return -EINVAL;
                }
                r = read_piece(piece, scratch, &ret->rows[ret->count++], error);
        }
        return r;
}

static void put_decimal(struct buffer *out, int64_t num, int64_t den) {
        int64_t power = 1;
        unsigned places = 0;

        while (power % den != 0 && places < PROFILE_SCALE_PLACES) {
                power *= 10;
                places++;
        }
        buffer_putc(out, ':');
        buffer_put_decimal(out, num * (power / den), places);
}

bool accept_put(struct buffer *out, const struct suggestion *s, const struct hypothesis *h) {
        const char *dot = h->channel[0] ? "." : "";

        if (s->is_word || s->id > UINT8_MAX || h->direction_id > UINT8_MAX)
                return false;
        if (h->quantity < Q_COUNT)
                buffer_printf(out, "%u:%s%s%s", s->id, h->channel, dot, quantity_catalogue[h->quantity].key);
        else if (h->layout != LAYOUT_NONE)
                buffer_printf(out, "%u:%s%s%s", s->id, h->channel, dot, datapoint_layout_names[h->layout]);
        else if (h->is_direction)
                buffer_printf(out, "%u:direction", s->id);
        else
                return false;
        if (h->quantity < Q_COUNT)
                put_decimal(out, h->scale_num, h->scale_den);
        else if (h->power_den != 0)
                put_decimal(out, 1, h->power_den);
        if (h->is_increment)
                buffer_puts(out, ":increment");
        if (h->inverted)
                buffer_puts(out, ":inverted");
        if (h->direction_id != 0)
                buffer_printf(out, ":direction:%u:%u", h->direction_id, h->direction_reverse);
        return true;
}
