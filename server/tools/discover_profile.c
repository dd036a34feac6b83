/* A profile of what discover found. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/log.h"
#include "config/profile_file.h"
#include "config/profile_parts.h"
#include "config/profile_text.h"
#include "tools/discover_output.h"
#include "tools/ndjson.h"

#define REMARKS_MAX (128 * 1024)

struct draft {
        struct profile *profile;           /* owned */
        char *remarks[PROFILE_DATAPOINTS_MAX];  /* owned: above each row */
        struct buffer rest;                /* what has no row */
};

static struct draft *draft_free(struct draft *d) {
        if (!d)
                return NULL;
        for (unsigned i = 0; i < PROFILE_DATAPOINTS_MAX; i++)
                free(d->remarks[i]);
        profile_free(d->profile);
        buffer_free(&d->rest);
        free(d);
        return NULL;
}
static void draft_freep(struct draft **d) { draft_free(*d); }

bool discover_check_name(const char *name) {
        size_t len = strlen(name);

        if (len > 0 && len <= PROFILE_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
                return true;
        log_error("--name: '%.64s' is no name of a profile; expected 1 to %u of a-z, 0-9 and -", name,
                  PROFILE_NAME_MAX);
        return false;
}

static struct draft *draft_new(const struct discover_subject *subject) {
        CLEANUP(draft_freep) struct draft *d = calloc(1, sizeof *d);
        struct profile *p;

        if (!d)
                return NULL;
        buffer_init(&d->rest, REMARKS_MAX);
        p = calloc(1, sizeof *p + PROFILE_DATAPOINTS_MAX * sizeof p->datapoints[0]);
        if (!p)
                return NULL;
        d->profile = p;
        snprintf(p->name, sizeof p->name, "%s", subject->name);
        snprintf(p->protocol, sizeof p->protocol, "%s", subject->protocol->name);
        snprintf(p->title, sizeof p->title, "Unknown meter");
        snprintf(p->source, sizeof p->source, "Guessed from a recording by metergate discover.");
        p->evidence = EVIDENCE_STATED;
        p->n_channels = 1;
        if (profile_key_fits(subject->product_key)) {
                snprintf(p->product_keys[0], sizeof p->product_keys[0], "%s", subject->product_key);
                p->n_product_keys = 1;
        }
        return TAKE(d);
}

/* Index of a channel, added when it is new; -1: there is no room. */
static int channel_index(struct profile *p, const char *name) {
        int i = name[0] ? profile_find_channel(p, name) : 0;

        if (i >= 0)
                return i;
        if (p->n_channels == CHANNELS_MAX)
                return -1;
        snprintf(p->channels[p->n_channels], sizeof p->channels[0], "%s", name);
        return (int) p->n_channels++;
}

/* A raw value that is a phase brings the three, one of three powers their total. */
static bool brings(const struct profile_datapoint *row, unsigned quantity) {
        bool is_phase = row->layout == LAYOUT_PHASE || row->layout == LAYOUT_PHASE_VCPQFF ||
                        row->layout == LAYOUT_PHASE_PQFCV;

        if (is_phase && (quantity == Q_VOLTAGE || quantity == Q_CURRENT || quantity == Q_POWER))
                return true;
        if (row->layout == LAYOUT_POWERS && quantity == Q_POWER)
                return true;
        return quantity != Q_NONE && row->quantity == quantity;
}

/* A channel has each quantity once: the better guess was there first. */
static bool is_taken(const struct profile *p, const struct profile_datapoint *row) {
        for (unsigned i = 0; i < p->n_datapoints; i++) {
                const struct profile_datapoint *other = &p->datapoints[i];

                if (other->id == row->id)
                        return true;
                if (other->channel == row->channel && (brings(other, row->quantity) || brings(row, other->quantity)))
                        return true;
        }
        return false;
}

static void set_scale(struct profile_datapoint *row, const struct hypothesis *h) {
        unsigned decimals = row->quantity < Q_COUNT ? quantity_catalogue[row->quantity].decimals : 0;

        row->scale_num = h->scale_num;
        row->scale_den = h->scale_den;
        for (unsigned i = 0; i < decimals; i++) {
                if (row->scale_den % 10 == 0)
                        row->scale_den /= 10;
                else
                        row->scale_num *= 10;
        }
}

static bool make_row(struct profile *p, const struct suggestion *s, struct profile_datapoint *ret) {
        const struct hypothesis *h = &s->hypotheses[0];
        int channel;

        if (s->count == 0 || s->is_word || h->level < SUGGEST_MEDIUM || s->id == 0 || s->id > UINT8_MAX)
                return false;
        channel = channel_index(p, h->channel);
        if (channel < 0)
                return false;
        profile_name_phases(p, h->layout);
        *ret = (struct profile_datapoint) {
                .id = (uint8_t) s->id, .type = s->type, .quantity = h->quantity, .channel = (uint8_t) channel,
                .evidence = p->evidence, .inverted = h->inverted, .direction_id = (uint8_t) h->direction_id,
                .direction_reverse = h->direction_reverse, .layout = h->layout, .power_den = h->power_den,
                .is_increment = h->is_increment, .scale_num = 1, .scale_den = 1,
        };
        if (h->is_direction) {
                ret->direction_reverse = 0;
                snprintf(ret->name, sizeof ret->name, "direction");
        }
        set_scale(ret, h);
        return true;
}

static void say_hypothesis(struct buffer *out, const struct hypothesis *h) {
        buffer_printf(out, "%s, confidence %.2f", suggest_level_names[h->level], h->confidence);
        for (unsigned i = 0; i < h->n_evidence; i++)
                buffer_printf(out, "%s%s", i == 0 ? ": " : "; ", h->evidence[i]);
}

static void say_rest(struct draft *d, const struct suggestion *s) {
        const struct hypothesis *h = &s->hypotheses[0];

        buffer_printf(&d->rest, "%sdp %u", d->rest.len > 0 ? "\n" : "", s->id);
        if (s->is_word)
                buffer_printf(&d->rest, ", %u bytes at %u, %s", s->width, s->offset,
                              s->big_endian ? "big-endian" : "little-endian");
        if (s->count == 0) {
                buffer_printf(&d->rest, ": cannot tell: %s", s->cannot_tell);
                return;
        }
        buffer_printf(&d->rest, ": perhaps %s%s%s, ", h->channel, h->channel[0] ? "." : "",
                      h->quantity < Q_COUNT ? quantity_catalogue[h->quantity].key : "something else");
        say_hypothesis(&d->rest, h);
}

static int add_row(struct draft *d, const struct suggestion *s, const struct profile_datapoint *row) {
        struct buffer remark;
        unsigned n = d->profile->n_datapoints++;

        d->profile->datapoints[n] = *row;
        buffer_init(&remark, REMARKS_MAX);
        say_hypothesis(&remark, &s->hypotheses[0]);
        d->remarks[n] = remark.len > 0 ? strndup(remark.data, remark.len) : NULL;
        buffer_free(&remark);
        return d->remarks[n] ? 0 : -ENOMEM;
}

/* By the numbers of the datapoints, as people write them. */
static void sort_rows(struct draft *d) {
        struct profile *p = d->profile;

        for (unsigned i = 1; i < p->n_datapoints; i++)
                for (unsigned k = i; k > 0 && p->datapoints[k].id < p->datapoints[k - 1].id; k--) {
                        struct profile_datapoint row = p->datapoints[k];
                        char *remark = d->remarks[k];

                        p->datapoints[k] = p->datapoints[k - 1];
                        p->datapoints[k - 1] = row;
                        d->remarks[k] = d->remarks[k - 1];
                        d->remarks[k - 1] = remark;
                }
}

static int fill_draft(struct draft *d, const struct suggestions *found) {
        for (unsigned i = 0; i < found->count; i++) {
                struct profile_datapoint row;
                int r = 0;

                if (make_row(d->profile, &found->items[i], &row) && !is_taken(d->profile, &row))
                        r = add_row(d, &found->items[i], &row);
                else
                        say_rest(d, &found->items[i]);
                if (r < 0)
                        return r;
        }
        sort_rows(d);
        return 0;
}

/* What serve would refuse must not leave here without a word. */
static int check_text(const struct buffer *text) {
        CLEANUP(profile_freep) struct profile *back = NULL;
        struct config_error error;
        int r = profile_parse("the profile", text->data, text->len, &back, &error);

        if (r < 0)
                log_error("%s", error.text);
        return r;
}

int discover_put_profile(const struct discover_subject *subject, const struct suggestions *found) {
        CLEANUP(draft_freep) struct draft *d = draft_new(subject);
        struct profile_comments comments = {
                .head = "Guessed by metergate discover. Compare with the meter's own display before you trust it.",
        };
        struct buffer text;
        int r;

        if (!d)
                return -ENOMEM;
        r = fill_draft(d, found);
        if (r < 0)
                return r;
        buffer_putc(&d->rest, '\0');
        comments.rows = (const char *const *) d->remarks;
        comments.tail = d->rest.len > 1 ? d->rest.data : NULL;
        buffer_init(&text, PROFILE_TEXT_MAX);
        r = profile_text_commented(d->profile, &comments, &text);
        if (r >= 0)
                r = check_text(&text);
        if (r >= 0 && text.len > 0)
                text.len--;  /* ndjson_write ends the last line */
        if (r >= 0)
                r = ndjson_write(&text);
        buffer_free(&text);
        return r;
}
