/* What the history costs a gateway with three meters of five values at 1 Hz: bytes written in a day, memory, and how
 * far back each tier reaches. Time is simulated. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "history/query.h"
#include "our_history.h"

enum {
        DAY_S = 86400,
        FLUSH_S = 60,
        JOURNAL_S = 5,          /* ext4 commits its journal so often, if there is something */
        SECTOR = 512,
};

#define STORE_BYTES   (UINT64_C(64) * 1024 * 1024)
#define WRITES_MAX_MB 16
#define MEMORY_MAX_MB 1.5

/* The system's calls, counted. really: with the waiting for the disk. */
static struct {
        bool really, dirty;
        int fd;
        uint64_t bytes, writes, syncs;
} disk;

static ssize_t counted_pread(void *userdata, int fd, void *buf, size_t len, off_t offset) {
        (void) userdata;
        return pread(fd, buf, len, offset);
}

static ssize_t counted_pwrite(void *userdata, int fd, const void *buf, size_t len, off_t offset) {
        ssize_t r = pwrite(fd, buf, len, offset);

        (void) userdata;
        disk.fd = fd;
        disk.dirty = true;
        disk.writes++;
        disk.bytes += r > 0 ? (uint64_t) r : 0;
        return r;
}

static int counted_start_sync(void *userdata, int fd) {
        (void) userdata;
        return disk.really ? sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) : 0;
}

static int counted_sync(void *userdata, int fd) {
        (void) userdata;
        disk.syncs++;
        return disk.really ? fdatasync(fd) : 0;
}

static const struct store_io counted = {
        .pread = counted_pread, .pwrite = counted_pwrite, .start_sync = counted_start_sync, .sync = counted_sync,
};

/* The time of the last change is metadata: in real time the journal would write it soon after. */
static void commit_journal(void) {
        if (disk.really && disk.dirty && syncfs(disk.fd) < 0)
                err(1, "syncfs");
        disk.dirty = false;
}

/* Seconds from to to; the house is repeated, its counters go on. */
static void feed(struct our_history *o, const struct house *house, uint32_t from, uint32_t to) {
        for (uint32_t i = from; i < to; i++) {
                for (unsigned m = 0; m < house->n_meters; m++) {
                        int32_t (*rows)[HOUSE_VALUES] = house->rows[m], *last = rows[house->n_rows - 1];
                        int32_t row[HOUSE_VALUES];

                        memcpy(row, rows[i % house->n_rows], sizeof row);
                        for (unsigned c = 0; c < HOUSE_VALUES; c++)
                                if (house_values[c].counter)
                                        row[c] += (last[c] - rows[0][c]) * (int32_t) (i / house->n_rows);
                        our_history_append(o, m, HOUSE_BEGIN_S + i, row);
                }
                our_history_tick(o, HOUSE_BEGIN_S + i);
                if (i % JOURNAL_S == 0)
                        commit_journal();
        }
}

static bool at_most(const char *what, double v, double limit, const char *unit) {
        printf("%s  %-58s %7.2f, at most %g %s\n", v <= limit ? "ok    " : "MISSED", what, v, limit, unit);
        return v <= limit;
}

/* ---- bytes written ---- */

static uint64_t sectors_written(const char *stat_file) {
        unsigned long long ret;
        FILE *f = fopen(stat_file, "re");

        if (!f || fscanf(f, "%*u %*u %*u %*u %*u %*u %llu", &ret) != 1)
                err(1, "%s", stat_file);
        fclose(f);
        return ret;
}

/* stat_file: of the block device that the folder is on; NULL: the device is not looked at. */
static bool measure_writes(const char *folder, const char *stat_file, const struct house *house) {
        struct our_history o;
        uint64_t sectors = 0;
        bool good;

        disk.really = stat_file;
        our_history_open(&o, folder, STORE_BYTES, FLUSH_S, house, &counted);
        history_flush(o.history);
        commit_journal();
        if (stat_file)
                sectors = sectors_written(stat_file);
        disk.bytes = disk.writes = disk.syncs = 0;
        feed(&o, house, 0, DAY_S);
        commit_journal();
        printf("a day at flush 60 s: %llu writes, %llu syncs\n", (unsigned long long) disk.writes,
               (unsigned long long) disk.syncs);
        good = at_most("a day's writes by the program", (double) disk.bytes / 1e6, WRITES_MAX_MB, "MB");
        if (stat_file)
                good &= at_most("a day's writes on the device, ext4",
                                (double) (sectors_written(stat_file) - sectors) * SECTOR / 1e6, WRITES_MAX_MB, "MB");
        our_history_close(&o);
        return good;
}

/* ---- memory ---- */

static double allocated_mb(void) {
        struct mallinfo2 m = mallinfo2();

        return (double) (m.uordblks + m.hblkhd) / 1e6;
}

static double resident_mb(void) {
        unsigned long kib = 0;
        char line[256];
        FILE *f = fopen("/proc/self/status", "re");

        if (!f)
                err(1, "/proc/self/status");
        while (fgets(line, sizeof line, f) && sscanf(line, "RssAnon: %lu", &kib) != 1)
                ;
        fclose(f);
        return (double) kib * 1024 / 1e6;
}

/* The day's curves of everything a meter has. */
static struct query *ask(const struct our_history *o, uint32_t end_s) {
        int64_t end = (HOUSE_BEGIN_S + end_s) * TICKS_PER_S;
        struct query_spec spec = {
                .meter = "meter1", .n_series = HOUSE_VALUES, .from = end - (int64_t) DAY_S * TICKS_PER_S,
                .to = end, .now = end, .auto_points = 1000,
        };
        const uint32_t aggregates = 1u << QUERY_AVG | 1u << QUERY_MIN | 1u << QUERY_MAX | 1u << QUERY_DELTA;
        struct query_row row;
        struct query *q;
        unsigned index;
        int r;

        for (unsigned i = 0; i < HOUSE_VALUES; i++) {
                snprintf(spec.series[i].key, sizeof spec.series[i].key, "%s", house_values[i].key);
                spec.series[i].aggregates = aggregates;
        }
        r = query_new(o->history, &spec, &q, &index);
        if (r < 0)
                errx(1, "query_new: %s", strerror(-r));
        while ((r = query_next(q, 64, &row)) != 0)
                if (r < 0 && r != -EAGAIN)
                        errx(1, "query_next: %s", strerror(-r));
        return q;
}

static bool measure_memory(const char *folder, const struct house *house) {
        double allocated = allocated_mb(), resident = resident_mb();
        struct our_history o;
        struct query *q;
        bool good;

        our_history_open(&o, folder, STORE_BYTES, FLUSH_S, house, &our_history_no_sync);
        feed(&o, house, 0, DAY_S);
        good = at_most("memory allocated, 64 MiB store, 3 meters", allocated_mb() - allocated, MEMORY_MAX_MB, "MB");
        q = ask(&o, DAY_S);
        good &= at_most("memory allocated, a query of all values open", allocated_mb() - allocated, MEMORY_MAX_MB,
                        "MB");
        good &= at_most("memory resident, a query of all values open", resident_mb() - resident, MEMORY_MAX_MB, "MB");
        query_free(q);
        our_history_close(&o);
        return good;
}

/* ---- how far back it reaches ---- */

/* Days that the full ring will hold, from the time that its pages cover; aggregated pages are of one meter each. */
static double days_kept(const struct our_history *o, enum history_tier tier, unsigned n_meters) {
        uint64_t first = history_oldest(o->history, tier), end = history_end(o->history, tier);
        unsigned meters_a_page = tier == TIER_RAW ? n_meters : 1, n = 0;
        int64_t covered = 0;

        end -= tier == TIER_RAW ? 1 : n_meters;         /* the open ones */
        for (uint64_t seq = first; seq < end; seq++, n++) {
                struct page_info info = history_page_info(o->history, tier, seq);

                covered += info.t_max - info.t_min;
        }
        return n == 0 ? 0 : (double) covered / n * (double) history_stats(o->history).store.n_pages[tier] *
                            meters_a_page / n_meters / TICKS_PER_S / DAY_S;
}

static bool measure_retention(const char *folder, const struct house *house, uint32_t n_days) {
        struct our_history o;

        our_history_open(&o, folder, STORE_BYTES, FLUSH_S, house, &our_history_no_sync);
        feed(&o, house, 0, n_days * DAY_S);
        printf("after %u days, 3 meters of 5 values at 1 Hz in 64 MiB:\n", n_days);
        for (enum history_tier tier = TIER_RAW; tier < TIER_COUNT; tier++) {
                struct history_stats stats = history_stats(o.history);
                struct page_info oldest = history_page_info(o.history, tier, history_oldest(o.history, tier));

                printf("  %-6s %6llu of %6llu pages used, oldest %7.1f days old; a full ring holds %7.1f days\n",
                       tier_names[tier], (unsigned long long) stats.store.used_pages[tier],
                       (unsigned long long) stats.store.n_pages[tier],
                       n_days - (double) (oldest.t_min - HOUSE_BEGIN_S * TICKS_PER_S) / TICKS_PER_S / DAY_S,
                       days_kept(&o, tier, house->n_meters));
        }
        our_history_close(&o);
        return true;
}

int main(int argc, char *argv[]) {
        struct house house;
        bool good;

        if (argc != 4 && argc != 5)
                errx(2, "usage: measure writes FOLDER TRACES [STAT-FILE]\n"
                        "       measure memory FOLDER TRACES\n"
                        "       measure retention FOLDER TRACES [DAYS]");
        house_make(&house, HOUSE_METERS, 7 * DAY_S, 1, argv[3]);
        if (strcmp(argv[1], "writes") == 0)
                good = measure_writes(argv[2], argv[4], &house);
        else if (strcmp(argv[1], "memory") == 0)
                good = measure_memory(argv[2], &house);
        else
                good = measure_retention(argv[2], &house, argc == 5 ? (uint32_t) strtoul(argv[4], NULL, 10) : 7);
        house_free(&house);
        return good ? 0 : 1;
}
