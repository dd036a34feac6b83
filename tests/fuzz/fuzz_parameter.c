/* Values of parameters: read ones lie within what is declared, and every text that the published pattern describes is
 * read. The first byte of the input picks the parameter. */
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = { "auto", "raw", "min", "max" };

static const struct parameter parameters[] = {
        { .name = "text", .type = PARAMETER_TEXT, .min = 1, .max = 20 },
        { .name = "integer", .type = PARAMETER_INTEGER, .min = 1, .max = 11000 },
        { .name = "choice", .type = PARAMETER_CHOICE, .choices = words, .n_choices = ELEMENTS(words) },
        { .name = "choices", .type = PARAMETER_CHOICES, .choices = words, .n_choices = ELEMENTS(words) },
        { .name = "name", .type = PARAMETER_NAME, .max = 32 },
        { .name = "names", .type = PARAMETER_NAMES, .max = 16 },
        { .name = "time", .type = PARAMETER_TIME },
        { .name = "duration", .type = PARAMETER_DURATION, .choices = words, .n_choices = 2, .min = 100,
          .max = INT64_C(31622400000), .step = 100 },
        { .name = "cursor", .type = PARAMETER_CURSOR },
        { .name = "url", .type = PARAMETER_URL, .max = 255 },
};

static void check_value(const struct parameter *p, const struct parameter_value *v) {
        if (v->number < 0 || v->choice < -1 || v->choice >= (int) p->n_choices)
                abort();
        if (p->type == PARAMETER_INTEGER && (v->number < p->min || v->number > p->max))
                abort();
        if (p->type == PARAMETER_DURATION && v->choice < 0 &&
            (v->number < p->min || v->number > p->max || v->number % p->step != 0))
                abort();
        if (p->type == PARAMETER_CHOICES && (v->choices == 0 || v->choices >> p->n_choices))
                abort();
}

static const regex_t *pattern_of(size_t i) {
        static regex_t patterns[ELEMENTS(parameters)];
        static bool known[ELEMENTS(parameters)], empty[ELEMENTS(parameters)];
        struct buffer text;

        if (!known[i]) {
                buffer_init(&text, 4096);
                buffer_puts(&text, "^(");
                parameter_put_pattern(&parameters[i], &text);
                empty[i] = text.len == 2;
                buffer_puts(&text, ")$");
                if (text.failed || regcomp(&patterns[i], text.data, REG_EXTENDED | REG_NOSUB) != 0)
                        abort();
                buffer_free(&text);
                known[i] = true;
        }
        return empty[i] ? NULL : &patterns[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t i = size > 0 ? data[0] % ELEMENTS(parameters) : 0;
        struct parameter_value value = { .number = -1 };
        const regex_t *pattern = pattern_of(i);
        char *text;
        bool fits;

        if (size == 0 || size > 500)
                return 0;
        text = strndup((const char *) data + 1, size - 1);
        if (!text)
                abort();
        fits = parameter_read(&parameters[i], text, &value);
        if (fits)
                check_value(&parameters[i], &value);
        else if (value.number != -1)
                abort();
        /* The lengths of a list and of a URL are not in its pattern. */
        if (!fits && pattern && strlen(text) < 255 && regexec(pattern, text, 0, NULL, 0) == 0)
                abort();
        free(text);
        return 0;
}
