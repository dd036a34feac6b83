/* Numbers: they go on by one, and after an end that was not clean by NUMBERS_LEFT_OUT more, for what was given out
 * last may have been lost with the power. That is a multiple of EVENTS_MAX, so the ring goes on without a gap, and
 * far more than could have been given out while the file could not be written. The header tells where a run began: a
 * run of which nothing is left counts as well. */
#include "history/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "history/events_file.h"

#define NUMBERS_LEFT_OUT (UINT64_C(1) << 32)
#define RECENT_MAX 128

/* An event that was written less than a minute ago, and the last one of those that were only counted since. */
struct recent {
        bool used;
        uint64_t since_ms;
        uint32_t n_counted;
        uint8_t record[EVENT_RECORD_BYTES];
};

struct events {
        struct events_file file;
        bool begun;                         /* a number was given out since it was opened */
        uint64_t next;
        uint64_t file_end;                  /* numbers from here on are in memory alone */
        uint64_t numbers[EVENTS_MAX];       /* kept, by number % EVENTS_MAX; ascending from next's slot; 0: none */
        uint8_t memory[EVENTS_MEMORY_MAX][EVENT_RECORD_BYTES];  /* the newest of this run, by number */
        struct recent recent[RECENT_MAX];
};

/* ---- opening ---- */

/* A number that was lost with the power leaves an older one in its slot, out of order; it has had its time. */
static void drop_disordered(struct events *e) {
        uint64_t last = 0;

        for (unsigned i = 0; i < EVENTS_MAX; i++) {
                uint64_t *number = &e->numbers[(e->next + i) % EVENTS_MAX];

                if (*number < last)
                        *number = 0;
                else
                        last = *number;
        }
}

static void recover(struct events *e) {
        const struct events_header *header = &e->file.header;
        uint64_t highest = events_file_scan(&e->file, e->numbers);

        e->next = header->next > highest ? header->next : highest + 1;
        if (!e->file.writable || !header->clean || header->next <= highest)
                e->next += NUMBERS_LEFT_OUT;
        drop_disordered(e);
}

int events_new(const char *directory, const struct store_io *io, struct events **ret) {
        CLEANUP(events_freep) struct events *e = calloc(1, sizeof *e);
        int r;

        if (!e)
                return -ENOMEM;
        e->file.fd = -1;
        e->next = 1;
        if (directory) {
                r = events_file_open(&e->file, directory, io);
                if (r < 0)
                        return r;
        }
        if (e->file.fd >= 0)
                recover(e);
        e->file_end = e->next;
        *ret = TAKE(e);
        return 0;
}

/* ---- writing ---- */

/* If the file cannot be told, numbers are given out that neither its clean end nor a crash leads to. */
static void begin(struct events *e) {
        if (!e->begun && e->file.writable && events_file_begin(&e->file, e->next) < 0)
                e->next += NUMBERS_LEFT_OUT / 2;
        e->begun = true;
}

static void append(struct events *e, uint8_t *record, uint32_t repeats) {
        uint8_t *place;
        uint64_t number, displaced;

        begin(e);
        number = e->next++;
        event_record_seal(record, number, repeats);
        place = e->memory[number % EVENTS_MEMORY_MAX];
        displaced = event_record_number(place);
        if (displaced >= e->file_end)
                e->numbers[displaced % EVENTS_MAX] = 0;
        memcpy(place, record, EVENT_RECORD_BYTES);
        e->numbers[number % EVENTS_MAX] = number;
        if (e->file.writable && events_file_put(&e->file, record) == 0)
                e->file_end = e->next;
}

/* ---- repeats ---- */

static void write_counted(struct events *e, struct recent *r) {
        append(e, r->record, r->n_counted - 1);
        r->n_counted = 0;
}

/* Minutes that are over. What was counted in one is written, and that begins another. */
static void settle(struct events *e, uint64_t boot_ms) {
        for (unsigned i = 0; i < RECENT_MAX; i++) {
                struct recent *r = &e->recent[i];

                if (!r->used || boot_ms - r->since_ms < EVENTS_REPEAT_MS)
                        continue;
                r->used = r->n_counted > 0;
                r->since_ms = boot_ms;
                if (r->used)
                        write_counted(e, r);
        }
}

/* Where this one is to be counted; NULL: it is to be written. A state is counted where one is already, so that states
 * never change their order. */
static struct recent *find_recent(struct events *e, const uint8_t *record) {
        struct recent *oldest = NULL;
        unsigned n_meter = 0;

        for (unsigned i = 0; i < RECENT_MAX; i++) {
                struct recent *r = &e->recent[i];

                if (!r->used || !event_record_same_meter(r->record, record))
                        continue;
                n_meter++;
                if (event_record_kind(r->record) != event_record_kind(record))
                        continue;
                if (event_record_kind(record) == EVENT_STATE ? r->n_counted > 0
                                                             : event_record_is_repeat(r->record, record))
                        return r;
                if (!oldest || r->since_ms < oldest->since_ms)
                        oldest = r;
        }
        return n_meter < EVENTS_PER_MINUTE ? NULL : oldest;
}

static struct recent *take_recent(struct events *e) {
        struct recent *oldest = &e->recent[0];

        for (unsigned i = 0; i < RECENT_MAX && oldest->used; i++)
                if (!e->recent[i].used || e->recent[i].since_ms < oldest->since_ms)
                        oldest = &e->recent[i];
        if (oldest->used && oldest->n_counted > 0)
                write_counted(e, oldest);
        return oldest;
}

void events_put(struct events *e, uint64_t boot_ms, const struct event *event) {
        uint8_t record[EVENT_RECORD_BYTES];
        struct recent *r;

        settle(e, boot_ms);
        event_record_write(event, record);
        r = find_recent(e, record);
        if (r) {
                r->n_counted++;
        } else {
                r = take_recent(e);
                *r = (struct recent) { .used = true, .since_ms = boot_ms };
                append(e, record, 0);
        }
        memcpy(r->record, record, sizeof record);
}

int events_sync(struct events *e, uint64_t boot_ms) {
        settle(e, boot_ms);
        return events_file_sync(&e->file);
}

struct events *events_free(struct events *e) {
        if (!e)
                return NULL;
        for (unsigned i = 0; i < RECENT_MAX; i++)
                if (e->recent[i].n_counted > 0)
                        write_counted(e, &e->recent[i]);
        events_file_close(&e->file, e->next);
        free(e);
        return NULL;
}

/* ---- reading ---- */

static bool read_event(const struct events *e, uint64_t number, struct event *ret) {
        const uint8_t *place = e->memory[number % EVENTS_MEMORY_MAX];
        uint8_t record[EVENT_RECORD_BYTES];

        if (event_record_number(place) == number)
                return event_record_read(place, ret);
        return events_file_get(&e->file, number, record) && event_record_read(record, ret);
}

bool events_next(const struct events *e, uint64_t after, struct event *ret) {
        bool kept = after > 0 && e->numbers[after % EVENTS_MAX] == after;
        uint64_t start = kept ? after + 1 : e->next;

        for (unsigned i = 0; i < EVENTS_MAX; i++) {
                uint64_t number = e->numbers[(start + i) % EVENTS_MAX];

                if (number > after && read_event(e, number, ret))
                        return true;
        }
        return false;
}

uint64_t events_end(const struct events *e) {
        return e->next;
}

const char *events_error(const struct events *e) {
        return e->file.error;
}

const char *events_note(const struct events *e) {
        return e->file.note;
}
