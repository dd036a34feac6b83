#include "tools/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 30

void progress_begin(struct progress *p, const char *what) {
        *p = (struct progress) { .what = what, .on = isatty(STDERR_FILENO), .shown = -1 };
}

void progress_show(struct progress *p, uint64_t done, uint64_t total) {
        static const char bar[] = "##############################";
        int percent, filled;

        if (!p->on || total == 0)
                return;
        percent = done >= total ? 100 : (int) (done * 100 / total);
        if (percent == p->shown)
                return;
        p->shown = percent;
        filled = percent * BAR_WIDTH / 100;
        fprintf(stderr, "\r%s [%.*s%*s] %3d %%", p->what, filled, bar, BAR_WIDTH - filled, "", percent);
}

void progress_say(struct progress *p, const char *text) {
        if (!p->on)
                return;
        p->shown = 0;
        fprintf(stderr, "\r%s %s\033[K", p->what, text);
}

void progress_end(struct progress *p) {
        if (p->shown >= 0)
                fprintf(stderr, "\r\033[K");
        p->shown = -1;
}
