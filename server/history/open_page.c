#include "history/history_parts.h"

#include <string.h>

/* A value is hardly ever longer: when nothing is known yet the page is looked at after so many. */
#define VALUE_BYTES_GUESS 8
/* With less room than this no more rows are tried. */
#define ROOM_LEFT_MIN 24

void open_page_init(struct open_page *o) {
        o->n_rows = o->n_values = o->n_chains = o->encoded_rows = o->fitting_rows = 0;
        o->check_rows = PAGE_BYTES / VALUE_BYTES_GUESS / 4;
}

static unsigned values_in(const struct schema *schema, uint64_t mask) {
        unsigned n = 0;

        for (; mask; mask &= mask - 1)
                n += schema->columns[__builtin_ctzll(mask)].kind == COLUMN_COUNTER ? 2 : 1;
        return n;
}

bool open_page_has_room(const struct open_page *o, const struct schema *schema, const struct history_row *row) {
        return o->n_rows < HISTORY_OPEN_ROWS && o->n_values + values_in(schema, row->mask) <= HISTORY_OPEN_VALUES;
}

static struct open_chain *find_chain(struct open_page *o, unsigned slot) {
        for (unsigned i = 0; i < o->n_chains; i++)
                if (o->chains[i].slot == slot)
                        return &o->chains[i];
        return NULL;
}

static void link_row(struct open_page *o, unsigned slot, const struct schema *schema, unsigned index) {
        struct open_chain *c = find_chain(o, slot);

        if (c) {
                o->rows[c->last].next = (uint16_t) index;
                c->last = (uint16_t) index;
                return;
        }
        o->chains[o->n_chains++] = (struct open_chain) { .schema = schema, .slot = (uint16_t) slot,
                                                         .first = (uint16_t) index, .last = (uint16_t) index };
}

static void put_values(struct open_page *o, const struct schema *schema, const struct history_row *row) {
        for (uint64_t mask = row->mask; mask; mask &= mask - 1) {
                unsigned i = (unsigned) __builtin_ctzll(mask);

                o->values[o->n_values++] = row->values[i];
                if (schema->columns[i].kind == COLUMN_COUNTER)
                        o->values[o->n_values++] = row->totals[i] - row->values[i];
        }
}

void open_page_add(struct open_page *o, unsigned slot, const struct schema *schema, int64_t tick, uint8_t flags,
                   const struct history_row *row) {
        link_row(o, slot, schema, o->n_rows);
        o->rows[o->n_rows++] = (struct open_row) { .tick = tick, .mask = row->mask, .slot = (uint16_t) slot,
                                                   .first_value = (uint16_t) o->n_values, .flags = flags };
        put_values(o, schema, row);
}

struct page_header open_page_header(const struct open_page *o, unsigned n) {
        struct page_header h = { .tier = TIER_RAW, .first_number = o->first_number, .n_rows = n };

        for (unsigned i = 0; i < n; i++) {
                const struct open_row *row = &o->rows[i];

                h.flags |= row->flags;
                h.n_values += (uint32_t) __builtin_popcountll(row->mask);
                if (i == 0 || row->tick < h.t_min)
                        h.t_min = row->tick;
                if (i == 0 || row->tick > h.t_max)
                        h.t_max = row->tick;
        }
        return h;
}

/* ---- encoding ---- */

/* The streams of one schema's rows. */
struct gathered {
        const int64_t *streams[STREAMS_MAX];
        uint16_t lengths[STREAMS_MAX];
        unsigned n_streams;
};

/* Finds out how long the streams are and lays them out one after the other. */
static void lay_out(const struct open_page *o, const struct open_chain *c, unsigned n, unsigned *ret_n_rows,
                    unsigned columns[SCHEMA_COLUMNS_MAX], struct gathered *g) {
        uint16_t counts[SCHEMA_COLUMNS_MAX] = { 0 };
        const int64_t *at = o->scratch;
        unsigned n_rows = 0;

        for (unsigned i = c->first; i < n; i = o->rows[i].next) {
                n_rows++;
                for (uint64_t mask = o->rows[i].mask; mask; mask &= mask - 1)
                        counts[__builtin_ctzll(mask)]++;
                if (i == c->last)
                        break;
        }
        g->n_streams = 0;
        for (unsigned i = 0; i < RAW_COLUMNS; i++, at += n_rows) {
                g->streams[g->n_streams] = at;
                g->lengths[g->n_streams++] = (uint16_t) n_rows;
        }
        for (unsigned i = 0; i < c->schema->n_columns; i++) {
                columns[i] = g->n_streams;
                for (unsigned k = c->schema->columns[i].kind == COLUMN_COUNTER ? 2 : 1; k > 0; k--, at += counts[i]) {
                        g->streams[g->n_streams] = at;
                        g->lengths[g->n_streams++] = counts[i];
                }
        }
        *ret_n_rows = n_rows;
}

static void fill_in(struct open_page *o, const struct open_chain *c, unsigned n, int64_t t_min,
                    const unsigned *columns, const struct gathered *g) {
        int64_t *next[STREAMS_MAX];

        for (unsigned i = 0; i < g->n_streams; i++)
                next[i] = o->scratch + (g->streams[i] - o->scratch);
        for (unsigned i = c->first; i < n; i = o->rows[i].next) {
                const int64_t *value = &o->values[o->rows[i].first_value];

                *next[RAW_TICK]++ = o->rows[i].tick - t_min;
                *next[RAW_NUMBER]++ = (int64_t) i;
                *next[RAW_MASK]++ = (int64_t) o->rows[i].mask;
                for (uint64_t mask = o->rows[i].mask; mask; mask &= mask - 1) {
                        unsigned column = (unsigned) __builtin_ctzll(mask);

                        *next[columns[column]]++ = *value++;
                        if (c->schema->columns[column].kind == COLUMN_COUNTER)
                                *next[columns[column] + 1]++ = *value++;
                }
                if (i == c->last)
                        break;
        }
}

static bool add_chain(struct open_page *o, const struct open_chain *c, unsigned n, int64_t t_min) {
        unsigned columns[SCHEMA_COLUMNS_MAX], n_rows;
        struct gathered g;
        struct chunk chunk;

        lay_out(o, c, n, &n_rows, columns, &g);
        fill_in(o, c, n, t_min, columns, &g);
        chunk = (struct chunk) { .schema = c->slot, .n_rows = (uint16_t) n_rows, .n_streams = g.n_streams,
                                 .streams = g.streams, .lengths = g.lengths };
        return page_add(&o->writer, &chunk);
}

bool open_page_encode(struct open_page *o, unsigned n) {
        int64_t t_min;

        if (n > 0 && o->encoded_rows == n)
                return true;
        o->encoded_rows = 0;
        t_min = open_page_header(o, n).t_min;
        page_begin(&o->writer, o->page);
        for (unsigned i = 0; i < o->n_chains; i++)
                if (o->chains[i].first < n && !add_chain(o, &o->chains[i], n, t_min))
                        return false;
        o->encoded_rows = n;
        if (n > o->fitting_rows)
                o->fitting_rows = n;
        return true;
}

/* ---- how much fits ---- */

bool open_page_is_complete(struct open_page *o) {
        size_t room;
        unsigned more;

        if (o->n_rows < o->check_rows)
                return false;
        if (!open_page_encode(o, o->n_rows))
                return true;
        room = page_room(&o->writer);
        if (room < ROOM_LEFT_MIN)
                return true;
        /* The next look is at seven eighths of what seems to fit. */
        more = (unsigned) (o->n_rows * room / (PAGE_BYTES - room) * 7 / 8);
        o->check_rows = o->n_rows + (more > 0 ? more : 1);
        return false;
}

unsigned open_page_fill(struct open_page *o) {
        unsigned too_many;

        if (open_page_encode(o, o->n_rows))
                return o->n_rows;
        too_many = o->n_rows;
        while (too_many - o->fitting_rows > 1 + o->fitting_rows / 128) {
                unsigned n = o->fitting_rows + (too_many - o->fitting_rows) / 2;

                if (!open_page_encode(o, n))
                        too_many = n;
        }
        open_page_encode(o, o->fitting_rows);
        return o->fitting_rows;
}

/* ---- sealed and recovered rows ---- */

/* Rows from first on become all there are, and their values stand in their order again. */
static void relink(struct open_page *o, unsigned first) {
        unsigned n = o->n_rows - first, n_values = 0;
        struct open_chain old[STORE_SCHEMAS_MAX];
        unsigned n_old = o->n_chains;

        memcpy(old, o->chains, sizeof old);
        o->n_chains = 0;
        for (unsigned i = 0; i < n; i++) {
                struct open_row row = o->rows[first + i];
                const struct open_chain *c = old;
                unsigned length;

                while (c->slot != row.slot && c < old + n_old - 1)
                        c++;
                length = values_in(c->schema, row.mask);
                memcpy(o->scratch + n_values, o->values + row.first_value, length * sizeof o->values[0]);
                row.first_value = (uint16_t) n_values;
                n_values += length;
                o->rows[i] = row;
                link_row(o, row.slot, c->schema, i);
        }
        memcpy(o->values, o->scratch, n_values * sizeof o->values[0]);
        o->n_rows = n;
        o->n_values = n_values;
        o->encoded_rows = o->fitting_rows = 0;
}

void open_page_drop(struct open_page *o, unsigned n) {
        o->first_number += n;
        relink(o, n);
        o->check_rows = n * 7 / 8 + 1;
}

struct loading {
        struct open_page *page;
        const struct schema *schema;
        uint16_t slot;
        bool bad;
};

static void load_row(void *userdata, uint64_t number, int64_t tick, const struct history_row *row) {
        struct loading *l = userdata;
        struct open_page *o = l->page;
        uint64_t i = number - o->first_number;

        if (i >= o->n_rows || o->rows[i].slot != SCHEMA_NONE ||
            o->n_values + values_in(l->schema, row->mask) > HISTORY_OPEN_VALUES) {
                l->bad = true;
                return;
        }
        o->rows[i] = (struct open_row) { .tick = tick, .mask = row->mask, .slot = l->slot,
                                         .first_value = (uint16_t) o->n_values };
        put_values(o, l->schema, row);
}

static bool load_chunks(struct history *h, const uint8_t *page, const struct page_header *header) {
        struct open_page *o = &h->open;
        struct chunk_reader r;

        page_chunks(&r, page);
        while (page_next_chunk(&r)) {
                const struct schema *schema = schema_at(h, r.schema);
                struct loading l = { .page = o, .schema = schema, .slot = r.schema };

                if (!schema || find_chain(o, r.schema) ||
                    chunk_rows(&r, header, schema, o->scratch, load_row, &l) < 0 || l.bad)
                        return false;
                o->chains[o->n_chains++] = (struct open_chain) { .schema = schema, .slot = r.schema };
        }
        for (unsigned i = 0; i < o->n_rows; i++)
                if (o->rows[i].slot == SCHEMA_NONE)
                        return false;
        return true;
}

bool open_page_load(struct history *h, const uint8_t *page) {
        struct open_page *o = &h->open;
        struct page_header header;

        open_page_init(o);
        if (!page_read_header(page, &header) || header.n_rows > HISTORY_OPEN_ROWS)
                return false;
        o->first_number = header.first_number;
        o->n_rows = header.n_rows;
        for (unsigned i = 0; i < o->n_rows; i++)
                o->rows[i].slot = SCHEMA_NONE;
        if (!load_chunks(h, page, &header)) {
                open_page_init(o);
                return false;
        }
        relink(o, 0);
        for (unsigned i = 0; i < o->n_rows; i++)
                o->rows[i].flags = header.flags;
        return true;
}
