#include "http/parameter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/time_text.h"
#include "base/units.h"

#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

bool parameter_next_item(const char **rest, const char **ret, size_t *ret_len) {
        if (!*rest)
                return false;
        *ret = *rest;
        *ret_len = strcspn(*rest, ",");
        *rest = (*rest)[*ret_len] ? *rest + *ret_len + 1 : NULL;
        return true;
}

static int find_choice(const struct parameter *p, const char *text, size_t len) {
        for (unsigned i = 0; i < p->n_choices; i++)
                if (strlen(p->choices[i]) == len && memcmp(p->choices[i], text, len) == 0)
                        return (int) i;
        return -1;
}

/* ---- reading ---- */

static bool read_text(const struct parameter *p, const char *text, struct parameter_value *v) {
        size_t len = strlen(text);

        (void) v;
        if (len < (size_t) p->min || len > (size_t) p->max)
                return false;
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        return false;
        return true;
}

static bool read_digits(const char *text, int64_t *ret) {
        return text[0] && text[strspn(text, DIGITS)] == 0 && decimal_parse(text, 0, ret) == 0;
}

static bool read_integer(const struct parameter *p, const char *text, struct parameter_value *v) {
        return read_digits(text, &v->number) && v->number >= p->min && v->number <= p->max;
}

static bool read_choice(const struct parameter *p, const char *text, struct parameter_value *v) {
        v->choice = find_choice(p, text, strlen(text));
        return v->choice >= 0;
}

static bool read_choices(const struct parameter *p, const char *text, struct parameter_value *v) {
        const char *item;
        size_t len;

        while (parameter_next_item(&text, &item, &len)) {
                int i = find_choice(p, item, len);

                if (i < 0)
                        return false;
                v->choices |= UINT32_C(1) << i;
        }
        return true;
}

static bool is_name(const char *text, size_t len, size_t max) {
        return len > 0 && len <= max && !strchr("_.-", text[0]) && strspn(text, UPPER LOWER DIGITS "_.-") >= len;
}

static bool read_name(const struct parameter *p, const char *text, struct parameter_value *v) {
        (void) v;
        return is_name(text, strlen(text), (size_t) p->max);
}

static bool read_names(const struct parameter *p, const char *text, struct parameter_value *v) {
        const char *item;
        int64_t n = 0;
        size_t len;

        (void) v;
        while (parameter_next_item(&text, &item, &len))
                if (++n > p->max || !is_name(item, len, PARAMETER_NAME_MAX))
                        return false;
        return true;
}

/* What lies before now is kept as a distance: only the handler knows what now is. */
static bool read_time(const struct parameter *p, const char *text, struct parameter_value *v) {
        uint64_t distance_ms = 0;

        (void) p;
        if (time_text_point(text, 0, &v->number) < 0)
                return false;
        v->before_now = text[0] == '-' || strcmp(text, "now") == 0;
        if (text[0] == '-' && units_parse_duration_ms(text + 1, &distance_ms) < 0)
                return false;
        if (v->before_now)
                v->number = (int64_t) distance_ms;
        return true;
}

static int64_t step_of(const struct parameter *p) {
        return p->step > 0 ? p->step : 1;
}

static bool read_duration(const struct parameter *p, const char *text, struct parameter_value *v) {
        uint64_t ms;

        if (read_choice(p, text, v))
                return true;
        if (units_parse_duration_ms(text, &ms) < 0 || ms < (uint64_t) p->min || ms > (uint64_t) p->max)
                return false;
        v->number = (int64_t) ms;
        return v->number % step_of(p) == 0;
}

static bool read_cursor(const struct parameter *p, const char *text, struct parameter_value *v) {
        (void) p;
        return read_digits(text, &v->number);
}

/* Length of a name, an IPv4 address or an IPv6 address in brackets; 0 when there is none. */
static size_t host_length(const char *text) {
        size_t len;

        if (text[0] != '[')
                return strspn(text, UPPER LOWER DIGITS ".-_");
        len = 1 + strspn(text + 1, DIGITS "abcdefABCDEF:.");
        return len > 1 && text[len] == ']' ? len + 1 : 0;
}

static bool read_url(const struct parameter *p, const char *text, struct parameter_value *v) {
        const char *c = text;
        size_t len;

        (void) v;
        c += strncmp(c, "http://", 7) == 0 ? 7 : strncmp(c, "https://", 8) == 0 ? 8 : 0;
        len = host_length(c);
        if (c == text || len == 0 || strlen(text) > (size_t) p->max)
                return false;
        c += len;
        if (*c == ':') {
                len = strspn(c + 1, DIGITS);
                if (len < 1 || len > 5 || strtoul(c + 1, NULL, 10) > 65535)
                        return false;
                c += 1 + len;
        }
        if (*c && *c != '/')
                return false;
        for (; *c; c++)
                if (*c <= ' ' || *c > '~' || strchr("\"'<>\\^`{|}?#", *c))
                        return false;
        return true;
}

static bool (*const readers[])(const struct parameter *, const char *, struct parameter_value *) = {
        [PARAMETER_TEXT] = read_text,         [PARAMETER_INTEGER] = read_integer, [PARAMETER_CHOICE] = read_choice,
        [PARAMETER_CHOICES] = read_choices,   [PARAMETER_NAME] = read_name,       [PARAMETER_NAMES] = read_names,
        [PARAMETER_TIME] = read_time,         [PARAMETER_CURSOR] = read_cursor,   [PARAMETER_URL] = read_url,
        [PARAMETER_DURATION] = read_duration,
};

bool parameter_read(const struct parameter *p, const char *text, struct parameter_value *ret) {
        struct parameter_value v = { .text = text, .choice = -1 };

        if (!readers[p->type](p, text, &v))
                return false;
        *ret = v;
        return true;
}

/* ---- what would have fitted ---- */

/* "json, csv or ndjson" */
static void put_choices(const struct parameter *p, const char *last, struct buffer *out) {
        for (unsigned i = 0; i < p->n_choices; i++)
                buffer_printf(out, "%s%s", i == 0 ? "" : i + 1 < p->n_choices ? ", " : last, p->choices[i]);
}

static void put_duration_form(const struct parameter *p, struct buffer *out) {
        char min[32], max[32], step[32];

        units_format_duration_ms((uint64_t) p->min, min);
        units_format_duration_ms((uint64_t) p->max, max);
        units_format_duration_ms((uint64_t) step_of(p), step);
        if (p->n_choices > 0) {
                put_choices(p, ", ", out);
                buffer_puts(out, " or ");
        }
        buffer_printf(out, "a duration from %s to %s", min, max);
        if (p->step > 1)
                buffer_printf(out, " that is a multiple of %s", step);
        if (p->example)
                buffer_printf(out, ", such as %s", p->example);
}

static void put_example(const struct parameter *p, struct buffer *out) {
        if (p->example)
                buffer_printf(out, " such as %s", p->example);
}

void parameter_put_form(const struct parameter *p, struct buffer *out) {
        switch (p->type) {
        case PARAMETER_TEXT:
                buffer_printf(out, "%" PRId64 " to %" PRId64 " characters", p->min, p->max);
                put_example(p, out);
                break;
        case PARAMETER_INTEGER:
                buffer_printf(out, "a whole number from %" PRId64 " to %" PRId64, p->min, p->max);
                break;
        case PARAMETER_CHOICE:
                put_choices(p, " or ", out);
                break;
        case PARAMETER_CHOICES:
                put_choices(p, " or ", out);
                buffer_puts(out, ", with commas between");
                break;
        case PARAMETER_NAME:
                buffer_puts(out, "a name");
                put_example(p, out);
                buffer_printf(out, ": 1 to %" PRId64 " letters, digits, _ . and -", p->max);
                break;
        case PARAMETER_NAMES:
                buffer_printf(out, "1 to %" PRId64 " names", p->max);
                put_example(p, out);
                buffer_puts(out, ", with commas between");
                break;
        case PARAMETER_TIME:
                buffer_puts(out, TIME_TEXT_POINT_FORM);
                break;
        case PARAMETER_DURATION:
                put_duration_form(p, out);
                break;
        case PARAMETER_CURSOR:
                buffer_puts(out, "a cursor as an earlier answer gave it");
                break;
        case PARAMETER_URL:
                buffer_puts(out, "an address");
                put_example(p, out);
                buffer_printf(out, ", at most %" PRId64 " characters", p->max);
                break;
        }
}

/* ---- the same as regular expressions ---- */

/* Numbers from 1 to max without leading zeros: those with fewer digits, then for every digit those that begin like
 * max and are smaller there, then max itself. */
static void put_up_to(uint64_t max, struct buffer *out) {
        char digits[24];
        size_t len = decimal_format((int64_t) max, 0, digits);

        buffer_putc(out, '(');
        if (len > 1)
                buffer_printf(out, "[1-9][0-9]{0,%zu}|", len - 2);
        for (size_t i = 0; i < len; i++) {
                char lowest = i == 0 ? '1' : '0';

                if (digits[i] == lowest)
                        continue;
                buffer_printf(out, "%.*s[%c-%c]", (int) i, digits, lowest, digits[i] - 1);
                if (i + 1 < len)
                        buffer_printf(out, "[0-9]{%zu}", len - i - 1);
                buffer_putc(out, '|');
        }
        buffer_printf(out, "%s)", digits);
}

static void put_duration_pattern(const struct parameter *p, struct buffer *out) {
        static const struct { const char *name; int64_t ms; } units[] = {
                { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
        };
        char step[DECIMAL_TEXT_MAX];

        for (unsigned i = 0; i < p->n_choices; i++)
                buffer_printf(out, "%s|", p->choices[i]);
        decimal_format(step_of(p), 0, step);
        put_up_to((uint64_t) (p->max / step_of(p)), out);
        buffer_printf(out, "%sms", step + 1);
        for (size_t i = 0; i < ELEMENTS(units); i++) {
                if (p->max < units[i].ms)
                        break;
                buffer_putc(out, '|');
                put_up_to((uint64_t) (p->max / units[i].ms), out);
                buffer_puts(out, units[i].name);
        }
}

/* Times before now reach back to 1970 at least; the years are those that a time may have. */
static const char time_pattern[] =
        "now"
        "|-([0-9]{1,12}ms|[0-9]{1,9}s|[0-9]{1,7}min|[0-9]{1,6}h|[0-9]{1,4}d)"
        "|([0-9]{1,9}|[1-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7})(\\.[0-9]{1,3})?"
        "|(19[7-9][0-9]|20[0-9][0-9]|210[0-5])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        "[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";

static const char url_pattern[] =
        "https?://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])"
        "(:([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
        "(/[A-Za-z0-9._~%!$&()*+,;=:@/-]*)?";

void parameter_put_pattern(const struct parameter *p, struct buffer *out) {
        switch (p->type) {
        case PARAMETER_NAME:
                buffer_printf(out, "[A-Za-z0-9][A-Za-z0-9_.-]{0,%" PRId64 "}", p->max - 1);
                break;
        case PARAMETER_NAMES:
                buffer_printf(out, "[A-Za-z0-9][A-Za-z0-9_.-]{0,%d}", PARAMETER_NAME_MAX - 1);
                break;
        case PARAMETER_TIME:
                buffer_puts(out, time_pattern);
                break;
        case PARAMETER_DURATION:
                put_duration_pattern(p, out);
                break;
        case PARAMETER_CURSOR:
                buffer_puts(out, "0|");
                put_up_to(INT64_MAX, out);
                break;
        case PARAMETER_URL:
                buffer_puts(out, url_pattern);
                break;
        case PARAMETER_TEXT:
                buffer_printf(out, "[ -~]{%" PRId64 ",%" PRId64 "}", p->min, p->max);
                break;
        case PARAMETER_INTEGER:
        case PARAMETER_CHOICE:
        case PARAMETER_CHOICES:
                break;
        }
}
