/* Logic of a script. None of it is executed; one pattern is understood, because a profile can say it: a power in one
 * channel that counts negative when another channel holds a number. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/openbeken_parts.h"

/* Copies what stands between start and end without its blanks; false when it does not fit. */
static bool copy_dense(const char *start, const char *end, char *out, size_t size) {
        size_t n = 0;

        for (; start < end; start++) {
                if (isspace((unsigned char) *start))
                        continue;
                if (n + 1 >= size)
                        return false;
                out[n++] = *start;
        }
        out[n] = 0;
        return true;
}

/* The number behind "$CH", with *text behind it; -1 when there is none. */
static int read_channel(const char **text) {
        char *end;
        long n;

        if (strncasecmp(*text, "$CH", 3) != 0 || !isdigit((unsigned char) (*text)[3]))
                return -1;
        n = strtol(*text + 3, &end, 10);
        if (n >= OPENBEKEN_CHANNELS)
                return -1;
        *text = end;
        return (int) n;
}

/* "$CH3": 1, "$CH3*-1", "-$CH3", "0-$CH3", "-1*$CH3": -1, anything else: 0. */
static int read_expression(const char *text, unsigned *ret_channel) {
        static const char *const fronts[] = { "-1*", "0-", "-" };
        int sign = 1, channel;

        for (size_t i = 0; sign > 0 && i < sizeof fronts / sizeof fronts[0]; i++)
                if (strncmp(text, fronts[i], strlen(fronts[i])) == 0) {
                        text += strlen(fronts[i]);
                        sign = -1;
                }
        channel = read_channel(&text);
        if (channel < 0)
                return 0;
        if (sign > 0 && strcmp(text, "*-1") == 0)
                sign = -1;
        else if (*text)
                return 0;
        *ret_channel = (unsigned) channel;
        return sign;
}

/* A command, or the alias of one, that sets a channel to another one or its negative; returns the sign or 0. */
static int read_assignment(struct openbeken *o, const char *text, size_t len, unsigned *ret_from, unsigned *ret_to) {
        struct openbeken_alias *alias;
        struct openbeken_words w;
        char expression[64];
        int64_t to = 0;

        if (openbeken_split(text, len, &w) < 0 || w.n == 0)
                return 0;
        alias = w.n == 1 ? openbeken_find_alias(o, w.word[0]) : NULL;
        if (alias && openbeken_split(alias->text, strlen(alias->text), &w) < 0)
                return 0;
        if (w.n < 3 || strcasecmp(w.word[0], "setChannel") != 0 ||
            openbeken_integer(w.word[1], 0, OPENBEKEN_CHANNELS - 1, &to) < 0 ||
            !copy_dense(w.rest[2], w.rest[2] + strlen(w.rest[2]), expression, sizeof expression))
                return 0;
        if (alias)
                alias->used = true;
        *ret_to = (unsigned) to;
        return read_expression(expression, ret_from);
}

/* "$CH4==0" or "$CH4!=1". */
static bool read_condition(const char *start, const char *end, unsigned *ret_channel, bool *ret_equal,
                           uint8_t *ret_n) {
        char text[64];
        const char *p = text;
        int64_t n = 0;
        int channel;

        if (!copy_dense(start, end, text, sizeof text))
                return false;
        channel = read_channel(&p);
        if (channel < 0 || (strncmp(p, "==", 2) != 0 && strncmp(p, "!=", 2) != 0) ||
            openbeken_integer(p + 2, 0, 255, &n) < 0)
                return false;
        *ret_channel = (unsigned) channel;
        *ret_equal = *p == '=';
        *ret_n = (uint8_t) n;
        return true;
}

static void add_sign(struct openbeken *o, const struct openbeken_sign *sign) {
        for (unsigned i = 0; i < o->n_signs; i++)
                if (o->signs[i].value_channel == sign->value_channel) {
                        o->signs[i] = *sign;
                        return;
                }
        if (o->n_signs < OPENBEKEN_SIGNS_MAX)
                o->signs[o->n_signs++] = *sign;
        else
                openbeken_note(o, sign->line, "more than %d signs, skipped", OPENBEKEN_SIGNS_MAX);
}

bool openbeken_find_sign(struct openbeken *o, unsigned line, const char *text) {
        const char *then = strcasestr(text, " then "), *otherwise = then ? strcasestr(then, " else ") : NULL;
        unsigned from[2] = { 0 }, to[2] = { 0 };
        struct openbeken_sign sign = { .line = line };
        int signs[2];
        bool equal = false;
        uint8_t n = 0;

        if (strncasecmp(text, "if ", 3) != 0 || !then || !otherwise ||
            !read_condition(text + 3, then, &sign.sign_channel, &equal, &n))
                return false;
        then += strlen(" then ");
        signs[0] = read_assignment(o, then, (size_t) (otherwise - then), &from[0], &to[0]);
        otherwise += strlen(" else ");
        signs[1] = read_assignment(o, otherwise, strlen(otherwise), &from[1], &to[1]);
        if (signs[0] * signs[1] != -1 || from[0] != from[1] || to[0] != to[1])
                return false;
        /* Where any number but n makes it negative, such a datapoint has two numbers, and n is one of them. */
        sign.reverse = equal == (signs[0] < 0) ? n : n == 0;
        sign.value_channel = from[0];
        add_sign(o, &sign);
        return true;
}

static bool starts_with(const char *text, const char *word) {
        size_t len = strlen(word);

        return strncasecmp(text, word, len) == 0 && (!text[len] || isspace((unsigned char) text[len]));
}

void openbeken_finish_logic(struct openbeken *o) {
        for (unsigned i = 0; i < o->n_aliases; i++) {
                struct openbeken_alias *a = &o->aliases[i];

                if (starts_with(a->text, "if") && openbeken_find_sign(o, a->line, a->text))
                        a->used = true;
        }
        for (unsigned i = 0; i < o->n_logic; i++) {
                const struct openbeken_logic *l = &o->logic[i];
                const struct openbeken_alias *alias = openbeken_find_alias(o, l->command);

                if (!alias || !alias->used || !starts_with(alias->text, "if"))
                        openbeken_note(o, l->line, "%s is logic, skipped", l->said);
        }
        for (unsigned i = 0; i < o->n_aliases; i++)
                if (!o->aliases[i].used)
                        openbeken_note(o, o->aliases[i].line, "alias \"%s\" only runs on events, skipped",
                                       o->aliases[i].name);
}
