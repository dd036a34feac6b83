/* Which of a protocol's speeds a line has, found by listening: good frames tell. Times are handed in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SPEED_SEARCH_TRY_MS   20000  /* for one speed: a module greets its meter every 15 s */
#define SPEED_SEARCH_SOON_MS  2000   /* when so many bytes came since without a good frame: */
#define SPEED_SEARCH_BYTES    256    /* several frames of any meter that talks so much */

struct speed_search {
        const uint32_t *bauds;      /* those to try, ends with 0 */
        unsigned at;
        uint64_t since_ms, bytes_before;
        bool is_over;               /* found, or there was nothing to search for */
        bool tried_all;             /* none of them gave a good frame so far */
};

enum speed_step { SPEED_STAY, SPEED_NEXT, SPEED_FOUND };

/* bauds is borrowed; the first is set already. */
void speed_search_begin(struct speed_search *s, const uint32_t *bauds, uint64_t now_ms);

/* bytes and frames: all that came since the beginning. SPEED_NEXT: speed_search_baud is another one from now on. */
enum speed_step speed_search_look(struct speed_search *s, uint64_t now_ms, uint64_t bytes, uint64_t frames);

static inline uint32_t speed_search_baud(const struct speed_search *s) {
        return s->bauds[s->at];
}
