/* From what a script links to the rows of a profile. A quantity is given only where the script leaves no doubt: what
 * is doubtful stays a datapoint with a name, and a remark says why. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "protocols/tuyamcu/layout.h"
#include "tools/openbeken_marks.h"
#include "tools/openbeken_parts.h"

#define MULT_ONE INT64_C(1000000000000)  /* links keep mult in 10^-12 */
#define MULT_MAX (INT64_C(1000000) * MULT_ONE)

static const struct openbeken_channel no_channel = { .type = NULL };

struct row {
        uint8_t id;
        const struct openbeken_link *link;
        const struct openbeken_channel *channel;
        enum quantity quantity;   /* that its channel's type names; Q_NONE: none, or it may not have it */
        unsigned part;            /* index into the profile's channels */
        struct buffer comment;
};

struct making {
        struct openbeken *o;
        struct profile *p;
        struct row *rows;         /* in the script's order */
        unsigned n_rows;
};

__attribute__((format(printf, 3, 4)))
static void remark(struct making *m, struct row *r, const char *format, ...) {
        char text[OPENBEKEN_NOTE_MAX - 16];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        buffer_printf(&r->comment, "%s%s", r->comment.len > 0 ? "\n" : "", text);
        openbeken_note(m->o, r->link->line, "dp %u: %s", r->id, text);
}

/* One that needs no look: it stands above the row alone. */
__attribute__((format(printf, 2, 3)))
static void explain(struct row *r, const char *format, ...) {
        char text[OPENBEKEN_NOTE_MAX];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        buffer_printf(&r->comment, "%s%s", r->comment.len > 0 ? "\n" : "", text);
}

static int compare_rows(const void *a, const void *b) {
        const struct row *x = a, *y = b;

        return x->link->order > y->link->order ? 1 : -1;
}

static void collect_rows(struct making *m) {
        for (unsigned id = 1; id <= 255; id++) {
                const struct openbeken_link *l = &m->o->links[id];
                struct row *r = &m->rows[m->n_rows];

                if (l->line == 0)
                        continue;
                *r = (struct row) { .id = (uint8_t) id, .link = l, .quantity = Q_NONE };
                r->channel = l->channel >= 0 ? &m->o->channels[l->channel] : &no_channel;
                if (r->channel->type && l->type->layout == LAYOUT_NONE)
                        r->quantity = r->channel->type->quantity;
                buffer_init(&r->comment, 4096);
                m->n_rows++;
        }
        qsort(m->rows, m->n_rows, sizeof *m->rows, compare_rows);
}

static void refuse_shared_channels(struct making *m) {
        for (struct row *r = m->rows; r < m->rows + m->n_rows; r++)
                for (struct row *later = r + 1; later < m->rows + m->n_rows; later++)
                        if (r->link->channel >= 0 && r->link->channel == later->link->channel) {
                                remark(m, r, "dp %u goes to channel %d as well, in line %u: the last one counts",
                                       later->id, r->link->channel, later->link->line);
                                r->quantity = Q_NONE;
                                break;
                        }
}

/* Units in one step as a count of 10^-12, 0 where a profile cannot say it. */
static int64_t scale_of(const struct row *r) {
        unsigned divider = r->channel->type ? r->channel->type->divider : 1;
        int64_t mult = r->link->mult < 0 ? -r->link->mult : r->link->mult;

        return mult % divider == 0 && mult / divider <= MULT_MAX ? mult / divider : 0;
}

/* Energies of both kinds: only the import counter feeds the import. */
static bool is_total(const struct row *r) {
        return r->quantity == Q_ENERGY_IMPORT && strncasecmp(r->channel->type->name, "EnergyTotal", 11) == 0;
}

static void refuse_totals(struct making *m) {
        bool imports = false;

        for (struct row *r = m->rows; r < m->rows + m->n_rows; r++)
                imports |= r->quantity == Q_ENERGY_IMPORT && !is_total(r);
        for (struct row *r = m->rows; imports && r < m->rows + m->n_rows; r++)
                if (is_total(r)) {
                        remark(m, r, "a total beside an import counter: the import counter is the energy");
                        r->quantity = Q_NONE;
                }
}

static void refuse_doubtful(struct making *m) {
        for (struct row *r = m->rows; r < m->rows + m->n_rows; r++) {
                const char *word = openbeken_other_word(r->channel->label);

                if (r->quantity == Q_NONE)
                        continue;
                if (word)
                        remark(m, r, "\"%s\" in its label: not what %s means", word,
                               quantity_catalogue[r->quantity].key);
                else if (r->link->has_delta)
                        remark(m, r, "an offset (delta) cannot be said in a profile; without it %s would be wrong",
                               quantity_catalogue[r->quantity].key);
                else if (scale_of(r) == 0)
                        remark(m, r, "mult cannot be said as a scale of 12 places up to 1000000");
                else
                        continue;
                r->quantity = Q_NONE;
        }
}

/* Index of a channel of the profile, made when it is new; 0 when there is no room. */
static unsigned find_part(struct profile *p, const char *name) {
        for (unsigned i = 1; i < p->n_channels; i++)
                if (strcmp(p->channels[i], name) == 0)
                        return i;
        if (p->n_channels == CHANNELS_MAX)
                return 0;
        strcpy(p->channels[p->n_channels], name);
        return p->n_channels++;
}

/* Whether all that measure this quantity are told apart by their labels. */
static bool are_marked(const struct making *m, enum quantity q) {
        char marks[CHANNELS_MAX][CHANNEL_NAME_MAX + 1];
        unsigned n = 0;

        for (const struct row *r = m->rows; r < m->rows + m->n_rows; r++) {
                if (r->quantity != q)
                        continue;
                if (n == CHANNELS_MAX || !openbeken_channel_mark(r->channel->label, marks[n]))
                        return false;
                for (unsigned i = 0; i < n; i++)
                        if (strcmp(marks[i], marks[n]) == 0)
                                return false;
                n++;
        }
        return n > 1;
}

static void place_quantity(struct making *m, enum quantity q) {
        bool marked = are_marked(m, q);
        const struct row *first = NULL;

        for (struct row *r = m->rows; r < m->rows + m->n_rows; r++) {
                char mark[CHANNEL_NAME_MAX + 1];

                if (r->quantity != q)
                        continue;
                if (marked && openbeken_channel_mark(r->channel->label, mark))
                        r->part = find_part(m->p, mark);
                if (r->part > 0)
                        continue;
                if (first) {
                        remark(m, r, "%s comes from dp %u already: give one of them a channel, or leave this a "
                               "number", quantity_catalogue[q].key, first->id);
                        r->quantity = Q_NONE;
                } else {
                        first = r;
                }
        }
}

static bool is_phase(const struct row *r) {
        return r->link->type->layout == LAYOUT_PHASE || r->link->type->layout == LAYOUT_PHASE_VCPQFF ||
               r->link->type->layout == LAYOUT_PHASE_PQFCV;
}

/* A meter with several of them has phases, in the order of their numbers. */
static void place_phases(struct making *m) {
        unsigned n_phases = 0;
        char name[CHANNEL_NAME_MAX + 1];

        for (unsigned i = 0; i < m->n_rows; i++)
                n_phases += is_phase(&m->rows[i]);
        if (n_phases < 2)
                return;
        for (struct row *r = m->rows; r < m->rows + m->n_rows; r++) {
                unsigned number = 1;

                if (!is_phase(r))
                        continue;
                for (unsigned i = 0; i < m->n_rows; i++)
                        number += is_phase(&m->rows[i]) && m->rows[i].id < r->id;
                snprintf(name, sizeof name, "l%u", number % 100);
                r->part = find_part(m->p, name);
        }
}

/* The channel of a layout is that of its first value, so its label is too narrow. */
static void set_name(struct profile_datapoint *d, const struct row *r, bool needed) {
        size_t len = is_phase(r) ? 0 : strlen(r->channel->label);

        if (len >= sizeof d->name)
                len = sizeof d->name - 1;
        /* A sequence that was cut goes. */
        while (len > 0 && ((unsigned char) r->channel->label[len] & 0xc0) == 0x80)
                len--;
        memcpy(d->name, r->channel->label, len);
        if (len == 0 && needed)
                snprintf(d->name, sizeof d->name, "dp %u", r->id);
}

static void set_numbers(struct making *m, struct profile_datapoint *d, struct row *r) {
        const struct openbeken_channel_type *type = r->channel->type;
        bool has_number = d->type != DATAPOINT_RAW && d->type != DATAPOINT_STRING;
        int64_t scale = scale_of(r);

        d->quantity = (uint8_t) r->quantity;
        d->channel = (uint8_t) r->part;
        d->inverted = r->quantity != Q_NONE && r->link->mult < 0;
        profile_set_scale(d, 1, 1);
        if (!has_number) {
                if (r->link->mult != MULT_ONE || r->link->has_delta)
                        remark(m, r, "mult and delta of a datapoint without a number are left out");
                return;
        }
        if (scale > 0)
                profile_set_scale(d, scale, MULT_ONE);
        if (r->quantity != Q_NONE)
                return;
        if (r->link->mult < 0)
                remark(m, r, "the sign of mult cannot be said without a quantity");
        if (r->link->has_delta && (!type || type->quantity == Q_NONE))
                remark(m, r, "an offset (delta) cannot be said in a profile");
        if (type)
                snprintf(d->unit, sizeof d->unit, "%s",
                         type->quantity < Q_COUNT ? quantity_catalogue[type->quantity].unit : type->unit);
}

/* Whether the script means what the layout says by the value that goes to a channel. */
static bool is_of_layout(const struct openbeken_channel_type *type, enum datapoint_layout layout) {
        bool has_short_form = layout == LAYOUT_PHASE;  /* of six bytes: tenths of all three */

        if (!type)
                return true;
        switch (type->quantity) {
        case Q_VOLTAGE:
                return type->divider == 10;
        case Q_CURRENT:
                return type->divider == 1000 || (has_short_form && type->divider == 10);
        case Q_POWER:
                return type->divider == 1 || (has_short_form && type->divider == 10);
        default:
                return true;
        }
}

/* The first of the channels that a layout's values go to which has another scale than the layout; -1: none has. */
static int channel_against_layout(const struct making *m, const struct row *r) {
        for (int channel = r->link->channel; is_phase(r) && channel >= 0 && channel < r->link->channel + 3 &&
             channel < OPENBEKEN_CHANNELS; channel++)
                if (!is_of_layout(m->o->channels[channel].type, r->link->type->layout))
                        return channel;
        return -1;
}

static void set_layout(struct making *m, struct profile_datapoint *d, struct row *r) {
        int channel = channel_against_layout(m, r);

        profile_set_scale(d, 1, 1);
        if (r->link->has_delta) {
                remark(m, r, "offsets (delta) cannot be said in a profile; without them %s would be wrong",
                       datapoint_layout_names[r->link->type->layout]);
                return;
        }
        if (r->link->mult != MULT_ONE)
                remark(m, r, "mult means nothing for %s", r->link->type->name);
        if (channel >= 0) {
                remark(m, r, "channel %d is a %s, but %s has another scale: left raw, add layout: %s if the numbers "
                       "are true then", channel, m->o->channels[channel].type->name, r->link->type->name,
                       datapoint_layout_names[r->link->type->layout]);
                return;
        }
        d->layout = (uint8_t) r->link->type->layout;
        d->channel = (uint8_t) r->part;
}

static void set_type(struct profile_datapoint *d, struct row *r) {
        const struct openbeken_link *l = r->link;

        d->type = (uint8_t) l->type->type;
        if (l->type->layout != LAYOUT_NONE || !r->channel->type || r->channel->type->kind != OPENBEKEN_MEASURE ||
            d->type == DATAPOINT_VALUE)
                return;
        /* OpenBeken goes by the length on the wire, so that nobody notices a wrong type. */
        explain(r, "declared as %s; what is measured is a value of 4 bytes", l->type->name);
        d->type = DATAPOINT_VALUE;
}

static void explain_use(struct making *m, struct profile_datapoint *d, struct row *r) {
        const struct openbeken_channel_type *type = r->channel->type;

        if (*r->channel->values)
                explain(r, "%s", r->channel->values);
        if (r->link->inverse)
                remark(m, r, "inverse cannot be said in a profile");
        if (d->quantity == Q_NONE && d->layout == LAYOUT_NONE)
                d->danger = (uint8_t) openbeken_danger(r->channel->label);
        if (type && type->kind == OPENBEKEN_CONTROL && !d->danger)
                explain(r, "%s in OpenBeken: access: rw would let set-datapoint write it", type->name);
}

/* How many values a report would have. */
static unsigned count_brought(const struct profile *p) {
        unsigned n = 0;

        for (unsigned c = 0; c < p->n_channels; c++)
                for (unsigned q = 0; q < Q_COUNT; q++)
                        for (unsigned i = 0; i < p->n_datapoints; i++)
                                if (tuya_row_brings(&p->datapoints[i], c, q)) {
                                        n++;
                                        break;
                                }
        return n;
}

/* Whether the values that a layout brings into the same part of the meter are told by this row as well. */
static const struct row *find_layout(const struct making *m, const struct row *r) {
        for (const struct row *other = m->rows; other < m->rows + m->n_rows; other++) {
                struct profile_datapoint d = { .layout = (uint8_t) other->link->type->layout, .quantity = Q_NONE,
                                               .type = DATAPOINT_RAW, .channel = (uint8_t) other->part };

                if (is_phase(other) && !other->link->has_delta && other->part == r->part &&
                    channel_against_layout(m, other) < 0 && tuya_row_brings(&d, r->part, r->quantity))
                        return other;
        }
        return NULL;
}

static void add_row(struct making *m, struct row *r) {
        struct profile_datapoint *d = &m->p->datapoints[m->p->n_datapoints];
        const struct row *layout = r->quantity == Q_NONE ? NULL : find_layout(m, r);

        if (layout) {
                remark(m, r, "%s comes from dp %u already", quantity_catalogue[r->quantity].key, layout->id);
                r->quantity = Q_NONE;
                r->part = 0;
        }
        d->id = r->id;
        d->quantity = Q_NONE;
        d->evidence = (uint8_t) m->p->evidence;
        set_type(d, r);
        if (r->link->type->layout != LAYOUT_NONE)
                set_layout(m, d, r);
        else
                set_numbers(m, d, r);
        m->p->n_datapoints++;
        if (count_brought(m->p) > READINGS_MAX) {
                remark(m, r, "more than %d values in one report: left a number", READINGS_MAX);
                d->quantity = Q_NONE;
                d->layout = LAYOUT_NONE;
                d->channel = 0;
                d->inverted = false;
                profile_set_scale(d, 1, 1);
        }
        set_name(d, r, d->quantity == Q_NONE && d->layout == LAYOUT_NONE);
        explain_use(m, d, r);
}

static struct row *row_of_channel(struct making *m, unsigned channel) {
        struct row *found = NULL;

        for (struct row *r = m->rows; r < m->rows + m->n_rows; r++)
                if (r->link->channel == (int) channel)
                        found = r;
        return found;
}

static void add_signs(struct making *m) {
        for (unsigned i = 0; i < m->o->n_signs; i++) {
                const struct openbeken_sign *s = &m->o->signs[i];
                struct row *value = row_of_channel(m, s->value_channel), *sign = row_of_channel(m, s->sign_channel);
                struct profile_datapoint *d = value ? &m->p->datapoints[value - m->rows] : NULL;

                if (!value || !sign || value == sign || d->quantity == Q_NONE) {
                        openbeken_note(m->o, s->line, "channel %u tells the sign of channel %u, but no datapoints "
                                       "with a measurement and a direction go there", s->sign_channel,
                                       s->value_channel);
                        continue;
                }
                d->direction_id = sign->id;
                d->direction_reverse = s->reverse;
                explain(value, "negative while dp %u is %u: line %u", sign->id, s->reverse, s->line);
        }
}

static void set_line(struct making *m) {
        struct openbeken *o = m->o;
        uint32_t poll_ms = o->poll_ms;
        char text[32];

        m->p->bauds[m->p->n_bauds++] = o->baud ? o->baud : 9600;
        if (o->baud == 0)
                openbeken_note(o, 0, "the script sets no speed: 9600, OpenBeken's own");
        if (poll_ms > 0 && poll_ms < o->min_poll_ms)
                poll_ms = o->min_poll_ms;
        if (poll_ms > o->max_poll_ms)
                poll_ms = o->max_poll_ms;
        units_format_duration_ms(poll_ms, text);
        if (poll_ms != o->poll_ms)
                openbeken_note(o, 0, "the period of its query is out of range, %s is taken", text);
        m->p->poll_ms = poll_ms;
}

/* Without a datapoint a measurement of the script is lost, unless a raw datapoint fills the channels by itself. */
static void note_unfed_channels(struct making *m) {
        for (unsigned i = 0; i < m->n_rows; i++)
                if (is_phase(&m->rows[i]))
                        return;
        for (unsigned c = 0; c < OPENBEKEN_CHANNELS; c++) {
                const struct openbeken_channel *channel = &m->o->channels[c];

                if (channel->type && channel->type->quantity < Q_COUNT && !row_of_channel(m, c))
                        openbeken_note(m->o, channel->type_line, "channel %u is a %s, but no datapoint goes there", c,
                                       channel->type->name);
        }
}

static void take_comments(struct making *m, struct openbeken_profile *ret) {
        for (unsigned i = 0; i < m->n_rows; i++) {
                struct buffer *comment = &m->rows[i].comment;

                m->o->failed |= comment->failed;
                ret->comments[i] = TAKE(comment->data);
                buffer_free(comment);
        }
}

static void make_rows(struct making *m) {
        collect_rows(m);
        refuse_shared_channels(m);
        refuse_totals(m);
        refuse_doubtful(m);
        place_phases(m);
        for (unsigned q = 0; q < Q_COUNT; q++)
                place_quantity(m, (enum quantity) q);
        for (unsigned i = 0; i < m->n_rows; i++)
                add_row(m, &m->rows[i]);
        add_signs(m);
}

int openbeken_make_profile(struct openbeken *o, struct openbeken_profile *ret) {
        struct making m = { .o = o };

        *ret = (struct openbeken_profile) { .profile = NULL };
        if (o->n_links == 0)
                return -ENOENT;
        m.rows = calloc(255, sizeof *m.rows);
        m.p = calloc(1, sizeof *m.p + 255 * sizeof m.p->datapoints[0]);
        ret->profile = m.p;
        if (!m.rows || !m.p) {
                free(m.rows);
                return -ENOMEM;
        }
        strcpy(m.p->protocol, "tuyamcu");
        m.p->evidence = EVIDENCE_STATED;
        m.p->n_channels = 1;
        set_line(&m);
        make_rows(&m);
        note_unfed_channels(&m);
        take_comments(&m, ret);
        free(m.rows);
        openbeken_sort_notes(o);
        return o->failed ? -ENOMEM : 0;
}

void openbeken_profile_free(struct openbeken_profile *p) {
        for (size_t i = 0; i < ELEMENTS(p->comments); i++)
                free(p->comments[i]);
        free(p->profile);
        *p = (struct openbeken_profile) { .profile = NULL };
}
