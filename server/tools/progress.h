/* How far long work has come, on a terminal and only there. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
        const char *what;    /* borrowed: "reading the history" */
        bool on;
        int shown;           /* percent; -1: nothing is on the screen */
};

void progress_begin(struct progress *p, const char *what);
/* total 0: nobody knows how much it will be. */
void progress_show(struct progress *p, uint64_t done, uint64_t total);
/* What only words can tell; in place of what was there. */
void progress_say(struct progress *p, const char *text);
/* Takes it off the screen. */
void progress_end(struct progress *p);
