#include "history/store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- pages of a file ---- */

int store_read_pages(struct store *s, int fd, uint32_t page, uint8_t *buf, uint32_t n) {
        size_t len = (size_t) n * PAGE_BYTES, at = 0;

        while (at < len) {
                ssize_t got = s->io.pread(s->io.userdata, fd, buf + at, len - at,
                                          (off_t) page * PAGE_BYTES + (off_t) at);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (got == 0)
                        break;
                at += (size_t) got;
        }
        memset(buf + at, 0, len - at);
        return 0;
}

int store_write_pages(struct store *s, int fd, uint32_t page, const uint8_t *buf, uint32_t n) {
        size_t len = (size_t) n * PAGE_BYTES, at = 0;

        while (at < len) {
                ssize_t put = s->io.pwrite(s->io.userdata, fd, buf + at, len - at,
                                           (off_t) page * PAGE_BYTES + (off_t) at);

                if (put < 0 && errno == EINTR)
                        continue;
                if (put <= 0)
                        return put < 0 ? -errno : -EIO;
                at += (size_t) put;
                s->written_bytes += (uint64_t) put;
        }
        s->dirty = true;
        return 0;
}

int store_sync_file(struct store *s, int fd) {
        while (s->io.sync(s->io.userdata, fd) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

/* The first failure is the one that is told. Nothing is tried again: after a failed sync the system may have thrown
 * away what was not written, and say that all is well the next time. */
int store_fail(struct store *s, int r, const char *what) {
        if (s->writable)
                s->failure = r;
        s->writable = false;
        if (s->error[0] == '\0')
                snprintf(s->error, sizeof s->error, "%s: %s: %s; new values are kept in memory only until a restart",
                         s->path, what, strerror(-r));
        return r;
}

void store_note(struct store *s, const char *format, ...) {
        va_list args;

        if (s->n_notes == NOTES_MAX)
                return;
        va_start(args, format);
        vsnprintf(s->notes[s->n_notes++], STORE_ERROR_MAX, format, args);
        va_end(args);
}

const char *store_next_note(struct store *s) {
        return s->notes_taken < s->n_notes ? s->notes[s->notes_taken++] : NULL;
}

/* ---- the index ---- */

static uint32_t seconds(int64_t ticks) {
        int64_t s = ticks / TICKS_PER_S;

        return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t) s;
}

/* Of all chunks of the page. */
static uint32_t only_schema(const uint8_t *page) {
        uint32_t schema = SCHEMA_SEVERAL;
        struct chunk_reader r;

        page_chunks(&r, page);
        while (page_next_chunk(&r)) {
                if (r.schema >= STORE_SCHEMAS_MAX || (schema != SCHEMA_SEVERAL && schema != r.schema))
                        return SCHEMA_SEVERAL;
                schema = r.schema;
        }
        return schema;
}

struct index_entry index_make(const struct page_header *header, const uint8_t *page) {
        struct index_entry e = {
                .t_min_s = seconds(header->t_min),
                .t_max_s = seconds(header->t_max < INT64_MAX - TICKS_PER_S ? header->t_max + TICKS_PER_S - 1
                                                                           : INT64_MAX),
                .n_values = header->n_values < 0xffffff ? header->n_values : 0xffffff,
        };

        e.schema = only_schema(page) & 0xff;
        return e;
}

int rings_allocate(struct pages_file *f) {
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                uint32_t n = f->superblock.rings[t].count;

                f->rings[t].index = calloc(n, sizeof f->rings[t].index[0]);
                if (!f->rings[t].index)
                        return -ENOMEM;
                for (uint32_t i = 0; i < n; i++)
                        f->rings[t].index[i] = index_none;
        }
        return 0;
}

void pages_file_close(struct pages_file *f) {
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                free(f->rings[t].index);
                free(f->rings[t].seqs);
        }
        if (f->fd >= 0)
                close(f->fd);
        *f = (struct pages_file) { .fd = -1 };
}

/* ---- getting ready ---- */

static int slice(struct store *s) {
        switch (s->phase) {
        case PHASE_SCAN:
                return store_scan(s);
        case PHASE_ZEROS:
                return store_create_zeros(s);
        case PHASE_COPY:
                return store_create_copy(s);
        case PHASE_CLEAN:
                return store_clean(s);
        case PHASE_READY:
                break;
        case PHASE_FAILED:
                return s->failure;
        }
        return 0;
}

int store_step(struct store *s) {
        int r = slice(s);

        if (r < 0) {
                s->phase = PHASE_FAILED;
                (void) store_fail(s, r, "cannot be used");
        }
        if (s->phase == PHASE_READY || s->phase == PHASE_FAILED) {
                free(s->slice);
                s->slice = NULL;
                s->done = s->total;
        }
        return r < 0 ? r : s->phase != PHASE_READY;
}

void store_progress(const struct store *s, uint64_t *ret_done, uint64_t *ret_total) {
        *ret_done = s->done;
        *ret_total = s->total;
}

/* ---- reading ---- */

bool store_recovered(const struct store *s, uint8_t *page) {
        if (s->recovered)
                memcpy(page, s->checkpoint, PAGE_BYTES);
        return s->recovered;
}

uint64_t store_reserved(const struct store *s) {
        return s->reserved;
}

bool store_is_writable(const struct store *s) {
        return s->writable;
}

uint64_t store_next_seq(const struct store *s, enum history_tier tier) {
        return s->file.rings[tier].next;
}

uint64_t store_oldest_seq(const struct store *s, enum history_tier tier) {
        return s->file.rings[tier].oldest;
}

uint64_t store_n_pages(const struct store *s, enum history_tier tier) {
        return s->file.superblock.rings[tier].count;
}

static const struct index_entry *entry_of(const struct store *s, enum history_tier tier, uint64_t seq) {
        const struct ring *ring = &s->file.rings[tier];

        if (seq < ring->oldest || seq >= ring->next)
                return &index_none;
        return &ring->index[seq % s->file.superblock.rings[tier].count];
}

struct page_info store_page_info(const struct store *s, enum history_tier tier, uint64_t seq) {
        const struct index_entry *e = entry_of(s, tier, seq);

        if (!index_is_valid(e))
                return (struct page_info) { .valid = false };
        return (struct page_info) {
                .valid = true, .n_values = e->n_values,
                .t_min = (int64_t) e->t_min_s * TICKS_PER_S, .t_max = (int64_t) e->t_max_s * TICKS_PER_S,
                .schema = e->schema == SCHEMA_SEVERAL ? SCHEMA_NONE : (uint16_t) e->schema,
        };
}

int store_read(struct store *s, enum history_tier tier, uint64_t seq, uint8_t *page) {
        struct page_header header;
        int r;

        if (!index_is_valid(entry_of(s, tier, seq)))
                return -ENOENT;
        r = store_read_pages(s, s->file.fd, ring_page(&s->file.superblock, tier, seq), page, 1);
        if (r < 0)
                return r;
        if (!page_read_header(page, &header) || header.tier != tier)
                return -EBADMSG;
        return header.seq == seq ? 0 : -ENOENT;
}

/* ---- writing ---- */

static void take_out(struct store *s, unsigned tier, uint64_t seq) {
        struct ring *ring = &s->file.rings[tier];
        uint32_t n = s->file.superblock.rings[tier].count;
        struct index_entry *e = &ring->index[seq % n];

        if (index_is_valid(e)) {
                ring->used--;
                ring->values -= e->n_values;
        }
        *e = index_none;
        if (seq >= n && ring->oldest <= seq - n)
                ring->oldest = seq - n + 1;
}

/* What is at risk in a power cut stays within bounds whatever is above: recovery relies on it. */
static int limit_in_flight(struct store *s, unsigned tier) {
        const struct ring *ring = &s->file.rings[tier];

        if (ring->next - ring->synced < ring_in_flight(s->file.superblock.rings[tier].count))
                return 0;
        return store_sync(s);
}

int store_append(struct store *s, const uint8_t *page) {
        struct page_header header;
        struct ring *ring;
        struct index_entry *e;
        int r;

        if (!s->writable)
                return s->failure;
        if (!page_read_header(page, &header) || header.version != 0 || header.seq != s->file.rings[header.tier].next)
                return -EINVAL;
        r = limit_in_flight(s, header.tier);
        if (r < 0)
                return r;
        ring = &s->file.rings[header.tier];
        take_out(s, header.tier, header.seq);
        r = store_write_pages(s, s->file.fd, ring_page(&s->file.superblock, header.tier, header.seq), page, 1);
        if (r < 0)
                return store_fail(s, r, "cannot be written");
        e = &ring->index[header.seq % s->file.superblock.rings[header.tier].count];
        *e = index_make(&header, page);
        ring->next++;
        ring->used++;
        ring->values += e->n_values;
        store_schema_refer(s, header.tier, header.seq, page);
        return 0;
}

int store_checkpoint(struct store *s, const uint8_t *page) {
        struct page_header header;
        int r = 0;

        if (!s->writable)
                return s->failure;
        if (!page_read_header(page, &header) || header.tier != TIER_RAW || header.version == 0 ||
            header.seq != s->file.rings[TIER_RAW].next)
                return -EINVAL;
        /* The one that is surely on the disk is not overwritten before another one is. */
        if (s->checkpoints_in_flight + 1 == s->file.superblock.scratch.count)
                r = store_sync(s);
        if (r < 0)
                return r;
        r = store_write_pages(s, s->file.fd, s->file.superblock.scratch.first + s->scratch_at, page, 1);
        if (r < 0)
                return store_fail(s, r, "cannot be written");
        s->checkpoints_in_flight++;
        s->scratch_at = (s->scratch_at + 1) % s->file.superblock.scratch.count;
        store_schema_refer(s, TIER_RAW, header.seq, page);
        return 0;
}

int store_start_sync(struct store *s) {
        if (!s->writable)
                return s->failure;
        if (s->io.start_sync(s->io.userdata, s->file.fd) < 0)
                return store_fail(s, -errno, "cannot be written");
        return 0;
}

int store_sync(struct store *s) {
        int r;

        if (!s->writable)
                return s->failure;
        if (!s->dirty)
                return 0;
        r = store_sync_file(s, s->file.fd);
        if (r < 0)
                return store_fail(s, r, "cannot be written");
        s->dirty = false;
        s->checkpoints_in_flight = 0;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                s->file.rings[t].synced = s->file.rings[t].next;
        return 0;
}

uint64_t store_synced(const struct store *s, enum history_tier tier) {
        return s->file.rings[tier].synced;
}

bool store_is_dirty(const struct store *s) {
        return s->dirty;
}

/* ---- for people ---- */

struct store_stats store_stats(const struct store *s) {
        struct store_stats stats = {
                .bytes_allocated = (uint64_t) superblock_pages(&s->file.superblock) * PAGE_BYTES,
                .written_bytes = s->written_bytes, .error = s->error,
        };

        for (unsigned t = 0; t < TIER_COUNT; t++) {
                stats.n_pages[t] = s->file.superblock.rings[t].count;
                stats.used_pages[t] = s->file.rings[t].used;
                stats.damaged_pages[t] = s->file.rings[t].damaged;
                stats.values[t] = s->file.rings[t].values;
        }
        return stats;
}

const char *store_error(const struct store *s) {
        return s->error;
}
