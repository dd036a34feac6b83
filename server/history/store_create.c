/* A new file, made beside the place where it is to be and moved there when it is complete: zeros first (a file whose
 * blocks are all there costs a quarter less writing for ever after), then what is kept of the file before it, which
 * is not touched until the very end. */
#include "history/store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB (1024u * 1024)

struct size_text {
        char text[32];
};

static struct size_text size_text(uint64_t bytes) {
        struct size_text t;

        snprintf(t.text, sizeof t.text, "%llu.%u MiB", (unsigned long long) (bytes / MIB),
                 (unsigned) (bytes % MIB * 10 / MIB));
        return t;
}

static uint64_t free_bytes(const struct store *s) {
        struct statvfs v;

        return fstatvfs(s->directory_fd, &v) == 0 ? (uint64_t) v.f_bavail * v.f_frsize : 0;
}

void store_create_abandon(struct store *s) {
        if (s->coming.fd < 0)
                return;
        unlink(s->path_new);
        pages_file_close(&s->coming);
}

/* There is nothing to work with, or the file stays as it is. */
static int give_up(struct store *s, int r) {
        uint64_t bytes = (uint64_t) s->wanted_pages * PAGE_BYTES;
        char why[128];

        store_create_abandon(s);
        if (r == -ENOSPC)
                snprintf(why, sizeof why, "%s are needed and %s are free; make room or choose a smaller size",
                         size_text(bytes).text, size_text(free_bytes(s)).text);
        else
                snprintf(why, sizeof why, "%s", strerror(-r));
        if (s->file.fd < 0) {
                snprintf(s->error, sizeof s->error, "%s: cannot be created: %s", s->path, why);
                return r;
        }
        store_note(s, "%s: cannot be resized: %s; it stays as it is", s->path, why);
        s->wanted_pages = 0;
        s->phase = PHASE_CLEAN;
        return 0;
}

static int open_new(struct store *s, uint32_t n_schemas) {
        superblock_plan(s->wanted_pages, n_schemas, &s->coming.superblock);
        if (free_bytes(s) < (uint64_t) s->wanted_pages * PAGE_BYTES)
                return -ENOSPC;
        s->coming.fd = open(s->path_new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (s->coming.fd < 0)
                return -errno;
        return rings_allocate(&s->coming);
}

int store_create_begin(struct store *s, uint32_t n_schemas) {
        int r;

        r = open_new(s, n_schemas);
        if (r < 0)
                return give_up(s, r);
        memset(s->slice, 0, (size_t) SLICE_PAGES * PAGE_BYTES);
        s->at = 0;
        s->total += s->wanted_pages;
        s->phase = PHASE_ZEROS;
        return 0;
}

/* The oldest page of a ring that fits into the new file. If a power cut has left holes near the end it begins after
 * them: in the new file they would look like damage. */
static uint64_t first_kept(const struct store *s, unsigned tier) {
        const struct ring *ring = &s->file.rings[tier];
        uint64_t n = s->coming.superblock.rings[tier].count, first = ring->next > n ? ring->next - n : 0;
        uint64_t expected = ring_expected(ring->next, s->file.superblock.rings[tier].count);

        if (first < ring->oldest)
                first = ring->oldest;
        for (uint64_t seq = first; seq < expected && seq < ring->next; seq++)
                if (!store_page_info(s, tier, seq).valid)
                        first = seq + 1;
        return first;
}

static void begin_ring(struct store *s, unsigned tier) {
        s->copy_tier = tier;
        if (tier < TIER_COUNT)
                s->at = s->coming.rings[tier].oldest = s->coming.rings[tier].next = first_kept(s, tier);
}

/* Each slice is synced: one sync at the end would hold everything up for seconds. */
int store_create_zeros(struct store *s) {
        uint32_t n = SLICE_PAGES;
        int r;

        if (n > s->wanted_pages - s->at)
                n = s->wanted_pages - (uint32_t) s->at;
        r = store_write_pages(s, s->coming.fd, (uint32_t) s->at, s->slice, n);
        if (r == 0)
                r = store_sync_file(s, s->coming.fd);
        if (r < 0)
                return give_up(s, r);
        s->at += n;
        s->done += n;
        if (s->at == s->wanted_pages) {
                begin_ring(s, s->file.fd < 0 ? TIER_COUNT : 0);
                s->phase = PHASE_COPY;
        }
        return 0;
}

/* ---- what is kept ---- */

/* A page that cannot be read is not kept. */
static int copy_page(struct store *s, unsigned tier, uint64_t seq) {
        struct ring *ring = &s->coming.rings[tier];
        struct index_entry e;
        int r;

        ring->next = seq + 1;
        if (store_read(s, tier, seq, s->slice) < 0)
                return 0;
        r = store_write_pages(s, s->coming.fd, ring_page(&s->coming.superblock, tier, seq), s->slice, 1);
        if (r < 0)
                return r;
        e = s->file.rings[tier].index[seq % s->file.superblock.rings[tier].count];
        ring->index[seq % s->coming.superblock.rings[tier].count] = e;
        ring->used++;
        ring->values += e.n_values;
        return 0;
}

static int copy_slice(struct store *s) {
        int r;

        for (unsigned n = 0; n < SCAN_SLICE_PAGES; n++) {
                while (s->copy_tier < TIER_COUNT && s->at == s->file.rings[s->copy_tier].next)
                        begin_ring(s, s->copy_tier + 1);
                if (s->copy_tier == TIER_COUNT)
                        return 0;
                r = copy_page(s, s->copy_tier, s->at++);
                if (r < 0)
                        return r;
        }
        return store_sync_file(s, s->coming.fd);
}

static int copy_schemas(struct store *s) {
        int r = 0;

        for (unsigned i = 0; i < STORE_SCHEMAS_MAX && r == 0; i++) {
                if (!s->schemas[i].schema)
                        continue;
                schema_write(s->schemas[i].schema, s->slice);
                r = store_write_pages(s, s->coming.fd, s->coming.superblock.schemas.first + i, s->slice, 1);
        }
        return r;
}

static int copy_checkpoint(struct store *s) {
        s->scratch_at = s->recovered;
        if (!s->recovered)
                return 0;
        return store_write_pages(s, s->coming.fd, s->coming.superblock.scratch.first, s->checkpoint, 1);
}

static int write_superblocks(struct store *s) {
        struct superblock *sb = &s->coming.superblock;
        int r = 0;

        if (s->file.fd >= 0)
                memcpy(sb->uuid, s->file.superblock.uuid, sizeof sb->uuid);
        else if (getrandom(sb->uuid, sizeof sb->uuid, 0) < 0)
                return -errno;
        sb->generation = s->file.superblock.generation + 1;
        sb->reserved = s->file.fd >= 0 ? s->reserved : STORE_RESERVE;
        for (unsigned t = 0; t < TIER_COUNT; t++)
                sb->synced[t] = s->coming.rings[t].next;
        superblock_write(sb, s->slice);
        for (unsigned i = 0; i < SUPERBLOCK_COPIES && r == 0; i++)
                r = store_write_pages(s, s->coming.fd, i, s->slice, 1);
        return r;
}

/* ---- the new file takes its place ---- */

/* Some file systems cannot sync a directory, and say so. */
static int sync_directory(struct store *s) {
        return fsync(s->directory_fd) == 0 || errno == EINVAL ? 0 : -errno;
}

static int complete(struct store *s) {
        int r;

        r = copy_schemas(s);
        if (r == 0)
                r = copy_checkpoint(s);
        if (r == 0)
                r = write_superblocks(s);
        if (r == 0)
                r = store_sync_file(s, s->coming.fd);
        if (r == 0 && rename(s->path_new, s->path) < 0)
                r = -errno;
        return r;
}

static void take_place(struct store *s) {
        uint64_t bytes = (uint64_t) superblock_pages(&s->coming.superblock) * PAGE_BYTES;

        if (s->file.fd < 0)
                store_note(s, "%s: created, %s", s->path, size_text(bytes).text);
        else
                store_note(s, "%s: resized to %s, the newest data are kept", s->path, size_text(bytes).text);
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                s->coming.rings[t].synced = s->coming.rings[t].next;
                s->coming.rings[t].damaged = s->coming.rings[t].next - s->coming.rings[t].oldest
                                             - s->coming.rings[t].used;
        }
        pages_file_close(&s->file);
        s->file = s->coming;
        s->coming = (struct pages_file) { .fd = -1 };
        s->dirty = false;
        s->phase = PHASE_READY;
}

int store_create_copy(struct store *s) {
        int r;

        r = copy_slice(s);
        if (r < 0)
                return give_up(s, r);
        if (s->copy_tier < TIER_COUNT)
                return 0;
        r = complete(s);
        if (r < 0)
                return give_up(s, r);
        take_place(s);
        r = sync_directory(s);
        if (r < 0)
                (void) store_fail(s, r, "cannot be written");
        return 0;
}
