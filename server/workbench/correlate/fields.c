#include "workbench/correlate/fields.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define LOOKED_AT 4096  /* packets, evenly over the recording */

enum { KINDS_OF_FIELD = FIELD_WIDTH_MAX * 2 * 3 };  /* width, byte order, sign */

static size_t step_of(const struct packet_group *g) {
        return g->n / LOOKED_AT + 1;
}

static bool is_top_set(const struct packet_group *g, unsigned at) {
        for (size_t i = 0; i < g->n; i += step_of(g))
                if (packet_at(g, i)[at] & 0x80)
                        return true;
        return false;
}

static bool is_varied(const struct packet_group *g, struct field f) {
        uint64_t seen[FIELD_DISTINCT_MIN];
        unsigned n = 0;

        for (size_t i = 0; i < g->n; i += step_of(g)) {
                uint64_t v = field_bits(f, packet_at(g, i));
                unsigned k = 0;

                while (k < n && seen[k] != v)
                        k++;
                if (k == n)
                        seen[n++] = v;
                if (n == FIELD_DISTINCT_MIN)
                        return true;
        }
        return false;
}

static void note_variation(const struct packet_group *g, bool *varies) {
        for (size_t i = 0; i < g->n; i += step_of(g))
                for (size_t at = 0; at < g->length; at++)
                        varies[at] |= packet_at(g, i)[at] != g->bytes[at];
}

static void add_field(struct fields *f, const struct packet_group *g, struct field field, const bool *top) {
        if (!f->varies[field_lowest(field)] || !is_varied(g, field))
                return;
        f->list[f->n++] = field;
        if (!top[field_highest(field)])
                return;
        for (unsigned sign = FIELD_SIGNED; sign <= FIELD_SIGN_MAGNITUDE; sign++) {
                field.sign = (uint8_t) sign;
                f->list[f->n++] = field;
        }
}

void fields_free(struct fields *f) {
        free(f->list);
        free(f->varies);
        *f = (struct fields) { .list = NULL };
}

static void free_bools(bool **b) {
        free(*b);
}

int fields_of(const struct packet_group *g, struct fields *ret) {
        CLEANUP(free_bools) bool *top = calloc(g->length, sizeof *top);
        struct fields f = { .list = calloc(g->length * KINDS_OF_FIELD, sizeof *f.list),
                            .varies = calloc(g->length, sizeof *f.varies) };

        if (!top || !f.list || !f.varies) {
                fields_free(&f);
                return -ENOMEM;
        }
        note_variation(g, f.varies);
        for (unsigned at = 0; at < g->length; at++)
                top[at] = is_top_set(g, at);
        for (unsigned at = 0; at < g->length; at++)
                for (unsigned width = 1; width <= FIELD_WIDTH_MAX && width <= g->length - at; width++)
                        for (unsigned order = 0; order < (width > 1 ? 2U : 1U); order++)
                                add_field(&f, g, (struct field) { .offset = (uint16_t) at, .width = (uint8_t) width,
                                                                  .big_endian = order == 1 }, top);
        *ret = f;
        return 0;
}
