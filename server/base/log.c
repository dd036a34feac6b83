#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static enum log_level max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level) {
        max_level = level;
}

/* A log line must stay one line, whatever a meter or a client put into it. */
static void replace_control_characters(char *text) {
        for (unsigned char *p = (unsigned char *) text; *p; p++)
                if (*p < 0x20 || *p == 0x7f)
                        *p = '?';
}

void log_write(enum log_level level, const char *format, ...) {
        char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 32];
        va_list args;
        int n;

        if (level > max_level)
                return;
        va_start(args, format);
        n = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        if (n < 0)
                return;
        replace_control_characters(text);
        if (getenv("JOURNAL_STREAM"))
                n = snprintf(line, sizeof line, "<%d>%s\n", (int) level, text);
        else
                n = snprintf(line, sizeof line, "metergate: %s\n", text);
        /* One write per line, so that lines of two processes do not mix; a closed stderr is nobody's problem. */
        if (write(STDERR_FILENO, line, (size_t) n) < 0)
                return;
}
