/* Looks through a file and finds out what a crash has left of it. All pages below Q of a ring are known to have been
 * safely on the disk, because a page or a superblock says so; what follows Q without a gap is accepted, too. Beyond
 * the first page that is missing there may be some that were never acknowledged: they are made zeros, so that they
 * cannot come back when the ring has got there. So are those that are there in part: what is written over them and
 * torn itself could make them whole. */
#include "history/store_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int store_scan_begin(struct store *s) {
        struct pages_file *f = &s->file;
        int r;

        r = rings_allocate(f);
        if (r < 0)
                return r;
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                uint32_t n = f->superblock.rings[t].count;

                f->rings[t].seqs = calloc(n, sizeof f->rings[t].seqs[0]);
                if (!f->rings[t].seqs)
                        return -ENOMEM;
                for (uint32_t i = 0; i < n; i++)
                        f->rings[t].seqs[i] = SEQ_NONE;
                s->found_synced[t] = f->superblock.synced[t];
        }
        for (unsigned i = 0; i < STORE_SCRATCH; i++)
                s->scratch[i].seq = SEQ_NONE;
        s->reserved = f->superblock.reserved;
        s->at = SUPERBLOCK_COPIES;
        s->total += superblock_pages(&f->superblock);
        s->phase = PHASE_SCAN;
        return 0;
}

/* ---- page by page ---- */

static bool read_header(const uint8_t *page, unsigned tier, struct page_header *ret) {
        struct page_header h;

        if (!page_read_header(page, &h) || h.tier != tier || h.seq >= SEQ_END || h.reserved >= SEQ_END)
                return false;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                if (h.synced[t] >= SEQ_END)
                        return false;
        *ret = h;
        return true;
}

static void learn(struct store *s, const struct page_header *h) {
        for (unsigned t = 0; t < TIER_COUNT; t++)
                if (h->synced[t] > s->found_synced[t])
                        s->found_synced[t] = h->synced[t];
        if (h->reserved > s->reserved)
                s->reserved = h->reserved;
}

static bool is_blank(const uint8_t *page) {
        static const uint8_t zeros[PAGE_BYTES];

        return memcmp(page, zeros, PAGE_BYTES) == 0;
}

static void look_at_scratch(struct store *s, uint32_t slot, const uint8_t *page) {
        struct page_header h;

        if (!read_header(page, TIER_RAW, &h) || h.version == 0) {
                s->scratch[slot].seq = is_blank(page) ? SEQ_NONE : SEQ_DAMAGED;
                return;
        }
        learn(s, &h);
        s->scratch[slot] = (struct scratch_slot) { .seq = h.seq, .version = h.version };
}

static void look_at_ring(struct store *s, unsigned tier, uint32_t slot, const uint8_t *page) {
        struct ring *ring = &s->file.rings[tier];
        struct page_header h;

        if (!read_header(page, tier, &h) || h.version != 0 || h.seq % s->file.superblock.rings[tier].count != slot) {
                ring->seqs[slot] = is_blank(page) ? SEQ_NONE : SEQ_DAMAGED;
                return;
        }
        learn(s, &h);
        ring->seqs[slot] = h.seq;
        ring->index[slot] = index_make(&h, page);
        store_schema_refer(s, tier, h.seq, page);
}

static int look_at(struct store *s, uint32_t number, const uint8_t *page) {
        const struct superblock *sb = &s->file.superblock;
        struct schema schema;

        if (number < sb->scratch.first)
                return schema_read(page, &schema) ? store_schema_found(s, number - sb->schemas.first, &schema) : 0;
        if (number < sb->rings[0].first)
                look_at_scratch(s, number - sb->scratch.first, page);
        else
                for (unsigned t = 0; t < TIER_COUNT; t++)
                        if (number - sb->rings[t].first < sb->rings[t].count)
                                look_at_ring(s, t, number - sb->rings[t].first, page);
        return 0;
}

/* A slice that cannot be read as a whole is read page by page: what is lost is only what is unreadable. */
static void read_slice(struct store *s, uint32_t n) {
        if (store_read_pages(s, s->file.fd, (uint32_t) s->at, s->slice, n) == 0)
                return;
        for (uint32_t i = 0; i < n; i++) {
                uint8_t *page = s->slice + (size_t) i * PAGE_BYTES;

                if (store_read_pages(s, s->file.fd, (uint32_t) s->at + i, page, 1) < 0) {
                        memset(page, 0xff, PAGE_BYTES);    /* damaged, not blank */
                        s->n_unreadable++;
                }
        }
}

/* ---- the end of each ring ---- */

/* Where the oldest pages may have been overwritten by what is now cut off, the ring begins behind the last of those:
 * a hole is not left. */
static uint64_t find_first(struct ring *ring, uint32_t n) {
        uint64_t first = ring->next > n ? ring->next - n : 0, begin = ring_expected(ring->next, n);

        while (begin > first && ring->seqs[(begin - 1) % n] == begin - 1)
                begin--;
        for (uint64_t seq = first; seq < begin; seq++)
                ring->index[seq % n] = index_none;
        return begin;
}

static void recover_ring(struct store *s, unsigned tier) {
        struct ring *ring = &s->file.rings[tier];
        uint32_t n = s->file.superblock.rings[tier].count;
        uint64_t first;

        ring->next = s->found_synced[tier];
        while (ring->seqs[ring->next % n] == ring->next)
                ring->next++;
        first = find_first(ring, n);
        ring->oldest = ring->next;
        for (uint64_t seq = first; seq < ring->next; seq++) {
                bool is_good = ring->seqs[seq % n] == seq, begins = ring->used + ring->damaged == 0;

                if (is_good) {
                        ring->used++;
                        ring->values += ring->index[seq % n].n_values;
                } else {
                        ring->index[seq % n] = index_none;
                        /* Before the first page that is there, others need never have been. */
                        if (begins && ring->seqs[seq % n] != SEQ_DAMAGED)
                                continue;
                        ring->damaged++;
                }
                if (begins)
                        ring->oldest = seq;
        }
        for (uint64_t seq = ring->next; seq < n; seq++)
                ring->index[seq] = index_none;
        if (ring->damaged > 0)
                store_note(s, "%s: %llu of %llu pages of the %s ring %s damaged and left out", s->path,
                           (unsigned long long) ring->damaged, (unsigned long long) (ring->damaged + ring->used),
                           tier_names[tier], ring->damaged == 1 ? "is" : "are");
}

/* The checkpoint that continues the newest page. The next one goes into another slot. */
static int recover_checkpoint(struct store *s) {
        uint64_t next = s->file.rings[TIER_RAW].next;
        const struct scratch_slot *newest = NULL;
        struct page_header h;
        int r;

        for (uint32_t i = 0; i < s->file.superblock.scratch.count; i++) {
                const struct scratch_slot *c = &s->scratch[i];

                if (c->seq <= next && (!newest || c->seq > newest->seq ||
                                       (c->seq == newest->seq && c->version > newest->version)))
                        newest = c;
        }
        if (!newest)
                return 0;
        s->scratch_at = (uint32_t) (newest - s->scratch + 1) % s->file.superblock.scratch.count;
        r = store_read_pages(s, s->file.fd, s->file.superblock.scratch.first + (uint32_t) (newest - s->scratch),
                             s->checkpoint, 1);
        if (r < 0)
                return r;
        s->recovered = page_read_header(s->checkpoint, &h) && h.seq == next && h.version == newest->version;
        if (s->recovered)
                store_schema_refer(s, TIER_RAW, next, s->checkpoint);
        return 0;
}

static void note_lost_schemas(struct store *s) {
        unsigned n = 0;

        for (unsigned i = 0; i < STORE_SCHEMAS_MAX; i++) {
                const struct schema_slot *slot = &s->schemas[i];
                bool referred = false;

                for (unsigned t = 0; t < TIER_COUNT; t++)
                        referred = referred || slot->referred[t] > s->file.rings[t].oldest;
                n += referred && !slot->schema;
        }
        if (n > 0)
                store_note(s, "%s: %u %s damaged: some rows cannot be read", s->path, n,
                           n == 1 ? "description of a meter is" : "descriptions of meters are");
}

/* The disk does not answer: what cannot be read now must not be taken for free. */
static bool too_many_unreadable(struct store *s) {
        uint32_t n_pages = superblock_pages(&s->file.superblock);

        if (s->n_unreadable > n_pages / 16)
                return true;
        if (s->n_unreadable > 0)
                store_note(s, "%s: %llu %s cannot be read from the disk", s->path,
                           (unsigned long long) s->n_unreadable, s->n_unreadable == 1 ? "page" : "pages");
        return false;
}

static int scan_end(struct store *s) {
        int r;

        if (too_many_unreadable(s))
                return store_fail(s, -EIO, "too much of it cannot be read");
        for (unsigned t = 0; t < TIER_COUNT; t++)
                recover_ring(s, t);
        r = recover_checkpoint(s);
        if (r < 0)
                return r;
        note_lost_schemas(s);
        s->phase = PHASE_CLEAN;
        return s->writable && s->wanted_pages > 0 ? store_create_begin(s, store_schema_slots_used(s)) : 0;
}

int store_scan(struct store *s) {
        uint32_t n_pages = superblock_pages(&s->file.superblock), n = SCAN_SLICE_PAGES;
        int r = 0;

        if (n > n_pages - s->at)
                n = n_pages - (uint32_t) s->at;
        read_slice(s, n);
        for (uint32_t i = 0; i < n && r == 0; i++)
                r = look_at(s, (uint32_t) s->at + i, s->slice + (size_t) i * PAGE_BYTES);
        s->at += n;
        s->done += n;
        return r < 0 || s->at < n_pages ? r : scan_end(s);
}

/* ---- making zeros of what was cut off ---- */

static bool scratch_is_beyond(const struct store *s, uint32_t slot) {
        return s->scratch[slot].seq != SEQ_NONE && s->scratch[slot].seq > s->file.rings[TIER_RAW].next;
}

static bool page_is_beyond(const struct ring *ring, uint32_t n, uint32_t slot) {
        if (ring->seqs[slot] == SEQ_DAMAGED)
                return (slot + n - ring->next % n) % n < ring_in_flight(n);
        return ring->seqs[slot] < SEQ_END && ring->seqs[slot] >= ring->next;
}

/* The page of the file with this number was cut off. */
static bool is_beyond(const struct store *s, uint32_t number) {
        const struct superblock *sb = &s->file.superblock;

        if (number < sb->scratch.first)
                return false;
        if (number < sb->rings[0].first)
                return scratch_is_beyond(s, number - sb->scratch.first);
        for (unsigned t = 0; t < TIER_COUNT; t++)
                if (number - sb->rings[t].first < sb->rings[t].count)
                        return page_is_beyond(&s->file.rings[t], sb->rings[t].count, number - sb->rings[t].first);
        return false;
}

/* What was cut off may have said how far pages were synced and numbers given: the superblock says it from now on. */
static int write_superblock(struct store *s) {
        struct pages_file *f = &s->file;
        uint8_t page[PAGE_BYTES];
        unsigned copy = !f->newest_copy;
        int r;

        f->superblock.generation++;
        f->superblock.reserved = s->reserved;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                f->superblock.synced[t] = f->rings[t].next;
        superblock_write(&f->superblock, page);
        r = store_write_pages(s, f->fd, copy, page, 1);
        if (r < 0)
                return r;
        f->newest_copy = copy;
        f->copy_damaged = false;
        return store_sync_file(s, f->fd);
}

static bool is_clean(const struct store *s) {
        uint32_t n_pages = superblock_pages(&s->file.superblock);

        for (uint32_t i = 0; i < n_pages; i++)
                if (is_beyond(s, i))
                        return false;
        return !s->file.copy_damaged;
}

/* The pages that were accepted may be in the system's memory only, when no more than the program had died: they are
 * synced before anything says that they are safe. */
static int clean(struct store *s) {
        static const uint8_t zeros[PAGE_BYTES];
        uint32_t n_pages = superblock_pages(&s->file.superblock);
        int r;

        r = store_sync_file(s, s->file.fd);
        if (r < 0 || is_clean(s))
                return r;
        r = write_superblock(s);
        for (uint32_t i = 0; i < n_pages && r == 0; i++)
                if (is_beyond(s, i))
                        r = store_write_pages(s, s->file.fd, i, zeros, 1);
        return r < 0 ? r : store_sync_file(s, s->file.fd);
}

/* A failure ends writing, not reading. */
int store_clean(struct store *s) {
        int r = 0;

        if (s->writable)
                r = clean(s);
        if (r < 0)
                (void) store_fail(s, r, "cannot be written");
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                struct ring *ring = &s->file.rings[t];

                free(ring->seqs);
                ring->seqs = NULL;
                ring->synced = s->writable ? ring->next : s->found_synced[t];
        }
        s->dirty = false;
        s->phase = PHASE_READY;
        return 0;
}
