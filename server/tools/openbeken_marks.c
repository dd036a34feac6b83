#include "tools/openbeken_marks.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

#define WORD_MAX 24

/* The next run of letters and digits, in lower case and cut to fit; false at the end. */
static bool next_word(const char **label, char *word) {
        size_t n = 0;

        while (**label && !isalnum((unsigned char) **label))
                (*label)++;
        for (; isalnum((unsigned char) **label); (*label)++)
                if (n < WORD_MAX)
                        word[n++] = (char) tolower((unsigned char) **label);
        word[n] = 0;
        return n > 0;
}

/* "word" is that word, "word*" all that begin with it. */
static bool matches(const char *word, const char *pattern) {
        size_t len = strlen(pattern);

        if (pattern[len - 1] == '*')
                return strncmp(word, pattern, len - 1) == 0;
        return strcmp(word, pattern) == 0;
}

static const char *find_word(const char *label, const char *const patterns[], size_t n) {
        char word[WORD_MAX + 1];

        while (next_word(&label, word))
                for (size_t i = 0; i < n; i++)
                        if (matches(word, patterns[i]))
                                return patterns[i];
        return NULL;
}

const char *openbeken_other_word(const char *label) {
        static const char *const patterns[] = {
                "leakage", "residual", "neutral", "limit", "limits", "threshold", "protection", "protect", "alarm",
                "alarms", "prepaid", "prepayment", "balance", "purchased", "charge", "set", "max", "min",
                "calibration", "today", "daily", "day", "hourly", "monthly", "month", "yesterday", "cost", "price",
                "setting", "settings",
        };

        return find_word(label, patterns, ELEMENTS(patterns));
}

enum datapoint_danger openbeken_danger(const char *label) {
        static const char *const reset[] = { "clear*", "reset*", "factory" };
        static const char *const calibration[] = { "calibrat*" };
        static const char *const test[] = { "test", "selftest" };

        if (find_word(label, reset, ELEMENTS(reset)))
                return DANGER_RESET;
        if (find_word(label, calibration, ELEMENTS(calibration)))
                return DANGER_CALIBRATION;
        return find_word(label, test, ELEMENTS(test)) ? DANGER_TEST : DANGER_NONE;
}

bool openbeken_channel_mark(const char *label, char *ret) {
        char word[WORD_MAX + 1], last[WORD_MAX + 1] = "", before[WORD_MAX + 1] = "";

        while (next_word(&label, word)) {
                strcpy(before, last);
                strcpy(last, word);
        }
        if (last[0] == 'l' && last[1] >= '1' && last[1] <= '3' && !last[2]) {
                strcpy(ret, last);
                return true;
        }
        if (!last[0] || last[1])
                return false;
        if (last[0] >= '1' && last[0] <= '4')
                last[0] = (char) ('a' + last[0] - '1');
        if (last[0] < 'a' || last[0] > 'd')
                return false;
        if (strcmp(before, "phase") == 0 && last[0] < 'd') {
                ret[0] = 'l';
                ret[1] = (char) ('1' + last[0] - 'a');
                ret[2] = 0;
        } else {
                strcpy(ret, last);
        }
        return true;
}
