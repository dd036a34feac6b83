/* A disk that loses its power. Stands below a store as its struct store_io and keeps the contents of every file in
 * memory: what is read, and what is surely on the disk. When the power comes back, each write that was not synced is
 * there, or not, or torn at 512 bytes, in any order, some of its sectors garbled; a file that had grown may be short
 * again. The files in the directory are empty shells of the right size: names, renames and removals are real, and
 * they too come back as they were when the power went. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "history/store.h"

struct cut_disk_files;

struct cut_disk {
        struct store_io io;                 /* give this to the store */
        uint64_t random;                    /* state of the generator */
        bool off;
        /* Faults, set at any time; 0: none. */
        int read_error, write_error, sync_error;    /* errno of every such call from now on */
        off_t read_error_from, read_error_to;       /* of reads only those that touch this stretch; both 0: all */
        /* What was done. */
        uint64_t reads, writes, syncs, bytes_written;
        uint64_t kept, dropped, torn, garbled;      /* un-synced writes when the power went */
        /* private */
        struct cut_disk_files *files;
        uint64_t power_off_at;
        char directory[256], shadow[300];
};

/* directory exists; the folder beside it with ".cut" at its end is used, too. */
struct cut_disk *cut_disk_new(const char *directory, uint64_t seed);
struct cut_disk *cut_disk_free(struct cut_disk *d);

/* The power goes at the n-th write or sync from now, in the middle of it; 0: at once. All calls fail from then on. */
void cut_disk_power_off(struct cut_disk *d, unsigned after);

/* The power comes back (it goes first, if it has not). Whatever used the disk must have been closed. */
void cut_disk_restart(struct cut_disk *d);

/* Changes bytes on the disk itself. */
void cut_disk_poke(struct cut_disk *d, const char *file_name, off_t offset, const void *data, size_t len);
/* Looks at what would be read. */
void cut_disk_peek(struct cut_disk *d, const char *file_name, off_t offset, void *data, size_t len);
