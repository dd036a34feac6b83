/* The file below the events: one, zero-filled, of fixed size, with two headers, each in a block of its own, and the
 * ring of records. From the first failure on it is not written any more. */
#pragma once

#include "history/event_record.h"

struct events_file {
        struct store_io io;
        char *path, *path_new;              /* path_new: while it is being made */
        int fd;                             /* -1: none */
        bool writable, dirty;
        unsigned in_flight;                 /* records since the last sync */
        unsigned newest_header;
        struct events_header header;
        char error[STORE_ERROR_MAX], note[STORE_ERROR_MAX];
};

/* Opens or creates it. -ENOMEM; anything else is told by error, with fd and writable as far as it came. */
int events_file_open(struct events_file *f, const char *directory, const struct store_io *io);
/* Syncs, and notes the end. */
void events_file_close(struct events_file *f, uint64_t next);

/* The numbers of all records that are there, by slot; those of other slots stay as they are. Returns the highest. */
uint64_t events_file_scan(struct events_file *f, uint64_t numbers[EVENTS_MAX]);

/* Numbers from next on are about to be given out. On the disk when it returns. */
int events_file_begin(struct events_file *f, uint64_t next);
int events_file_put(struct events_file *f, const uint8_t *record);
/* False when it is not there any more. */
bool events_file_get(const struct events_file *f, uint64_t number, uint8_t *record);
int events_file_sync(struct events_file *f);
