/* The store on a disk that loses its power at any moment: no page that was never completely written, nothing lost
 * that was synced, no hole, the right checkpoint, the right schemas. METERGATE_CUTS sets how often, METERGATE_SEED
 * repeats a run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cut_disk.h"
#include "from_environment.h"
#include "store_bench.h"
#include "tools/random.h"

#define CUTS_DEFAULT 500
#define SEQS_MAX 200000
#define CHECKPOINTS_MAX 4096
#define METERS 3
#define SMALL (2u * 1024 * 1024)
#define LARGE (3u * 1024 * 1024)

struct made {
        uint64_t seq, salt, serial;     /* serial of its schema */
        uint32_t version;
        unsigned slot;
        bool synced;
};

/* What must be there and what may be there. */
static struct {
        struct made *pages[TIER_COUNT];                 /* by seq */
        uint64_t oldest[TIER_COUNT], next[TIER_COUNT], synced[TIER_COUNT];
        struct made checkpoints[CHECKPOINTS_MAX];       /* those that may matter, in the order of writing */
        unsigned n_checkpoints;
        uint32_t version;                               /* of the newest one of the page to come; 0: none */
        uint64_t reserved, synced_reserved;             /* written with a page; surely on the disk */
        uint64_t count;
        unsigned slots[METERS];
        uint64_t serials[METERS];
} model;

static uint64_t seed, rng;
static char directory[BENCH_DIRECTORY_MAX];
static struct cut_disk *disk;
static struct store *store;

static unsigned n_cuts(unsigned share) {
        return (unsigned) number_from("METERGATE_CUTS", CUTS_DEFAULT) / share;
}

static int try_open(uint64_t size_bytes) {
        struct store_options options = { .directory = directory, .size_bytes = size_bytes, .io = &disk->io };
        char error[STORE_ERROR_MAX] = "";
        int r = bench_open(&options, &store, error);

        if (r < 0 && !disk->off)
                fail_msg("%d: %s", r, error);
        return r;
}

static void hold_schemas(void) {
        for (unsigned i = 0; i < METERS; i++)
                store_hold_schema(store, model.slots[i], true);
}

static void add_schema(unsigned meter, unsigned slot) {
        model.slots[meter] = slot;
        model.serials[meter] = store_schema(store, slot)->serial;
        store_hold_schema(store, slot, true);
}

static void begin(uint64_t size_bytes) {
        for (unsigned t = 0; t < TIER_COUNT; t++)
                free(model.pages[t]);
        memset(&model, 0, sizeof model);
        for (unsigned t = 0; t < TIER_COUNT; t++)
                assert_non_null(model.pages[t] = calloc(SEQS_MAX, sizeof *model.pages[t]));
        bench_directory(directory);
        disk = cut_disk_new(directory, seed);
        assert_int_equal(try_open(size_bytes), 0);
        assert_int_equal(store_reserved(store), 0);
        for (unsigned i = 0; i < METERS; i++) {
                struct schema schema = bench_schema("main");
                unsigned slot;

                assert_int_equal(store_add_schema(store, &schema, &slot), 0);
                add_schema(i, slot);
        }
}

static void end(void) {
        store = store_free(store);
        disk = cut_disk_free(disk);
        bench_directory_remove(directory);
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                free(model.pages[t]);
                model.pages[t] = NULL;
        }
}

/* ---- one life ---- */

static void have_synced(void) {
        unsigned n = 0;

        memcpy(model.synced, model.next, sizeof model.synced);
        model.synced_reserved = model.reserved;
        for (unsigned i = 0; i < model.n_checkpoints; i++)
                if (model.checkpoints[i].seq == model.next[TIER_RAW]) {
                        model.checkpoints[n] = model.checkpoints[i];
                        model.checkpoints[n++].synced = true;
                }
        model.n_checkpoints = n;
}

static struct made make(enum history_tier tier, uint32_t version, uint8_t *page) {
        unsigned meter = random_below(&rng, METERS);
        struct bench_page p = { .tier = tier, .slot = model.slots[meter], .tick = 1000, .version = version,
                                .reserved = ++model.count, .salt = model.count };

        bench_page_make(store, &p, page);
        return (struct made) { .seq = store_next_seq(store, tier), .salt = p.salt, .serial = model.serials[meter],
                               .version = version, .slot = p.slot };
}

static int life_append(enum history_tier tier) {
        uint64_t seq = store_next_seq(store, tier), synced = store_synced(store, tier);
        uint8_t page[PAGE_BYTES];
        int r;

        assert_true(seq < SEQS_MAX);
        model.pages[tier][seq] = make(tier, 0, page);
        r = store_append(store, page);
        /* It syncs by itself before there is too much at risk. */
        if (store_synced(store, tier) > synced)
                have_synced();
        model.reserved = model.count;
        model.next[tier] = seq + 1;
        /* Even if it is lost it may have destroyed what it was to take the place of. */
        if (model.next[tier] > model.oldest[tier] + store_n_pages(store, tier))
                model.oldest[tier] = model.next[tier] - store_n_pages(store, tier);
        if (tier == TIER_RAW)
                model.version = 0;
        return r;
}

static int life_checkpoint(void) {
        uint8_t page[PAGE_BYTES];

        assert_true(model.n_checkpoints < CHECKPOINTS_MAX);
        model.checkpoints[model.n_checkpoints++] = make(TIER_RAW, ++model.version, page);
        model.reserved = model.count;
        return store_checkpoint(store, page);
}

static int life_sync(void) {
        int r;

        r = store_start_sync(store);
        if (r == 0)
                r = store_sync(store);
        if (r == 0)
                have_synced();
        return r;
}

/* A meter gets a new schema; the slot of its old one is free when the pages that refer to it have gone. */
static int life_add_schema(void) {
        unsigned meter = random_below(&rng, METERS), slot;
        struct schema schema = bench_schema("main");
        int r;

        schema.era = random_below(&rng, 1000);
        r = store_add_schema(store, &schema, &slot);
        if (r == 0 || r == -ENOSPC)
                have_synced();
        if (r == -ENOSPC)
                return 0;
        if (r < 0)
                return r;
        store_hold_schema(store, model.slots[meter], false);
        add_schema(meter, slot);
        return 0;
}

static int life_step(void) {
        static const uint8_t tiers[] = { TIER_RAW, TIER_RAW, TIER_RAW, TIER_RAW, TIER_RAW, TIER_RAW,
                                         TIER_MINUTE, TIER_MINUTE, TIER_MINUTE, TIER_QUARTER };
        unsigned what = random_below(&rng, 16);

        if (what < ELEMENTS(tiers))
                return life_append(tiers[what]);
        if (what < 13)
                return life_checkpoint();
        if (what < 15)
                return life_sync();
        return random_below(&rng, 2) ? 0 : life_add_schema();
}

/* ---- after the power has come back ---- */

static void check_page(const uint8_t *page, const struct made *made) {
        struct chunk_reader r;

        assert_int_equal(bench_page_salt(page), made->salt);
        page_chunks(&r, page);
        assert_true(page_next_chunk(&r));
        assert_int_equal(r.schema, made->slot);
        assert_non_null(store_schema(store, made->slot));
        assert_int_equal(store_schema(store, made->slot)->serial, made->serial);
}

static void check_ring(enum history_tier tier) {
        uint64_t n = store_n_pages(store, tier), next = store_next_seq(store, tier), needed = model.oldest[tier];
        uint8_t page[PAGE_BYTES];

        assert_true(next >= model.synced[tier] && next <= model.next[tier]);
        assert_int_equal(store_stats(store).damaged_pages[tier], 0);
        if (next > needed + n)
                needed = next - n;
        for (uint64_t seq = next > n ? next - n : 0; seq < next; seq++) {
                if (seq < needed && !store_page_info(store, tier, seq).valid)
                        continue;
                assert_true(store_page_info(store, tier, seq).valid);
                assert_int_equal(store_read(store, tier, seq, page), 0);
                check_page(page, &model.pages[tier][seq]);
        }
        model.next[tier] = model.synced[tier] = next;
        model.oldest[tier] = needed;
        assert_int_equal(store_read(store, tier, next, page), -ENOENT);
}

static void check_checkpoint(void) {
        uint64_t next = store_next_seq(store, TIER_RAW);
        const struct made *found = NULL;
        struct page_header header = { .version = 0 };
        uint8_t page[PAGE_BYTES];
        uint32_t needed = 0;

        if (store_recovered(store, page))
                assert_true(page_read_header(page, &header) && header.seq == next && header.version > 0);
        for (unsigned i = 0; i < model.n_checkpoints; i++) {
                const struct made *c = &model.checkpoints[i];

                if (c->seq == next && c->synced && c->version > needed)
                        needed = c->version;
                if (c->seq == next && c->version == header.version)
                        found = c;
        }
        assert_true(header.version >= needed);
        model.version = header.version;
        model.n_checkpoints = 0;
        if (header.version == 0)
                return;
        assert_non_null(found);
        check_page(page, found);
        model.checkpoints[model.n_checkpoints] = *found;
        model.checkpoints[model.n_checkpoints++].synced = true;
}

static void check_everything(void) {
        assert_true(store_is_writable(store));
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                check_ring(t);
                assert_int_equal(store_synced(store, t), store_next_seq(store, t));
        }
        check_checkpoint();
        assert_true(store_reserved(store) >= model.synced_reserved);
        model.reserved = model.synced_reserved = store_reserved(store);
        if (model.count < model.reserved)
                model.count = model.reserved;
        for (unsigned i = 0; i < METERS; i++) {
                assert_non_null(store_schema(store, model.slots[i]));
                assert_int_equal(store_schema(store, model.slots[i])->serial, model.serials[i]);
        }
        hold_schemas();
}

struct outcome {
        uint64_t next[TIER_COUNT], reserved;
        uint32_t version;
};

static struct outcome outcome(void) {
        struct page_header header = { .version = 0 };
        struct outcome o = { .reserved = store_reserved(store) };
        uint8_t page[PAGE_BYTES];

        for (unsigned t = 0; t < TIER_COUNT; t++)
                o.next[t] = store_next_seq(store, t);
        if (store_recovered(store, page) && page_read_header(page, &header))
                o.version = header.version;
        return o;
}

/* What recovery finds does not depend on how often it is interrupted. */
static void interrupt_recovery(uint64_t size_bytes) {
        struct outcome first = { .version = 0 }, again;
        bool known = false;

        while (random_below(&rng, 3) == 0) {
                cut_disk_power_off(disk, 1 + random_below(&rng, 8));
                if (try_open(size_bytes) == 0) {
                        again = outcome();
                        if (known)
                                assert_memory_equal(&first, &again, sizeof first);
                        first = again;
                        known = true;
                }
                store = store_free(store);
                cut_disk_restart(disk);
        }
        assert_int_equal(try_open(size_bytes), 0);
        again = outcome();
        if (known)
                assert_memory_equal(&first, &again, sizeof first);
}

static void live_until(unsigned operations) {
        cut_disk_power_off(disk, operations);
        while (!disk->off)
                (void) life_step();
        store = store_free(store);
}

static void test_power_cuts(void **state) {
        unsigned n = n_cuts(1);

        (void) state;
        begin(SMALL);
        for (unsigned i = 0; i < n; i++) {
                live_until(1 + random_below(&rng, 60));
                cut_disk_restart(disk);
                interrupt_recovery(SMALL);
                check_everything();
        }
        print_message("# seed %llu, %u cuts: %llu un-synced writes kept, %llu dropped, %llu torn, %llu garbled; "
                      "%llu raw pages, %llu schemas\n", (unsigned long long) seed, n, (unsigned long long) disk->kept,
                      (unsigned long long) disk->dropped, (unsigned long long) disk->torn,
                      (unsigned long long) disk->garbled, (unsigned long long) model.next[TIER_RAW],
                      (unsigned long long) model.serials[0]);
        end();
}

/* Only the program dies: nothing is lost, and what was not synced is synced before it is relied on. */
static void test_killed_then_cut(void **state) {
        (void) state;
        begin(SMALL);
        for (unsigned i = 0; i < n_cuts(10); i++) {
                uint64_t next[TIER_COUNT];

                for (unsigned steps = random_below(&rng, 40); steps > 0; steps--)
                        assert_int_equal(life_step(), 0);
                memcpy(next, model.next, sizeof next);
                store = store_free(store);
                assert_int_equal(try_open(SMALL), 0);
                check_everything();
                assert_memory_equal(next, model.next, sizeof next);
                store = store_free(store);
                cut_disk_restart(disk);
                assert_int_equal(try_open(SMALL), 0);
                check_everything();
                assert_memory_equal(next, model.next, sizeof next);
        }
        end();
}

/* ---- a new file, another size ---- */

static void check_new_file(void) {
        for (unsigned t = 0; t < TIER_COUNT; t++) {
                assert_int_equal(store_next_seq(store, t), 0);
                assert_int_equal(store_stats(store).used_pages[t], 0);
        }
        assert_true(store_is_writable(store));
        assert_true(store_reserved(store) == 0 || store_reserved(store) == STORE_RESERVE);
        for (const char *note; (note = store_next_note(store));)
                assert_null(strstr(note, "set aside"));
}

static void test_cut_while_created(void **state) {
        unsigned n = n_cuts(20);

        (void) state;
        for (unsigned i = 0; i < n; i++) {
                bench_directory(directory);
                disk = cut_disk_new(directory, seed + i);
                cut_disk_power_off(disk, 1 + random_below(&rng, 20));
                while (try_open(SMALL) < 0 || disk->off) {
                        store = store_free(store);
                        cut_disk_restart(disk);
                        if (random_below(&rng, 2))
                                cut_disk_power_off(disk, 1 + random_below(&rng, 20));
                }
                check_new_file();
                store = store_free(store);
                cut_disk_restart(disk);
                assert_int_equal(try_open(SMALL), 0);
                check_new_file();
                store = store_free(store);
                disk = cut_disk_free(disk);
                bench_directory_remove(directory);
        }
}

/* Until it has its new size the power goes again and again, at times before the resize has got far. */
static void test_cut_while_resized(void **state) {
        uint64_t size = SMALL;
        unsigned n = n_cuts(40);

        (void) state;
        begin(size);
        for (unsigned i = 0; i < n; i++) {
                live_until(100 + random_below(&rng, 200));
                cut_disk_restart(disk);
                size = size == SMALL ? LARGE : SMALL;
                do
                        cut_disk_power_off(disk, 1 + random_below(&rng, 1000));
                while (try_open(size) < 0);
                while (disk->off) {
                        store = store_free(store);
                        cut_disk_restart(disk);
                        cut_disk_power_off(disk, 1 + random_below(&rng, 1000));
                        assert_int_equal(try_open(size), 0);
                }
                assert_int_equal(store_stats(store).bytes_allocated, size);
                check_everything();
                store = store_free(store);
                cut_disk_restart(disk);
                assert_int_equal(try_open(size), 0);
                check_everything();
        }
        end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_power_cuts),
                cmocka_unit_test(test_killed_then_cut),
                cmocka_unit_test(test_cut_while_created),
                cmocka_unit_test(test_cut_while_resized),
        };

        seed = test_seed();
        rng = random_seed(seed);
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
