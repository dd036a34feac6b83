#include "protocols/text_log.h"

void text_log_put(struct text_log *l, uint64_t at_ms, const char *text, size_t len) {
        struct text_log_line *line = &l->lines[l->total++ % TEXT_LOG_LINES];

        if (len > TEXT_LOG_LINE_MAX)
                len = TEXT_LOG_LINE_MAX;
        for (size_t i = 0; i < len; i++)
                line->text[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
        line->text[len] = '\0';
        line->at_ms = at_ms;
}

const struct text_log_line *text_log_get(const struct text_log *l, unsigned i) {
        uint64_t first = l->total > TEXT_LOG_LINES ? l->total - TEXT_LOG_LINES : 0;

        return first + i < l->total ? &l->lines[(first + i) % TEXT_LOG_LINES] : NULL;
}
