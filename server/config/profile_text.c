#include "config/profile_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/decimal.h"
#include "base/units.h"
#include "config/profile_parts.h"
#include "config/yaml_text.h"
#include "protocols/quantity.h"

static bool scale_text(const struct profile_datapoint *d, char *text) {
        unsigned decimals = d->quantity < Q_COUNT ? quantity_catalogue[d->quantity].decimals : 0;
        /* Units of the quantity in one step, as a count of 10^-12: at most 10^6 of them, and 10^12 for a scale
         * that is not of a file, so that 128 bits hold it. */
        __int128 num = d->scale_num, den = d->scale_den;

        if (num <= 0 || den <= 0)
                return false;
        for (unsigned i = 0; i < PROFILE_SCALE_PLACES; i++)
                num *= 10;
        for (unsigned i = 0; i < decimals; i++)
                den *= 10;
        if (num % den != 0 || num / den > PROFILE_SCALE_MAX * PROFILE_SCALE_ONE)
                return false;
        decimal_format((int64_t) (num / den), PROFILE_SCALE_PLACES, text);
        return true;
}

static bool is_one(const char *text) {
        return strcmp(text, "1") == 0;
}

static void put_measure(const struct profile_datapoint *d, const char *scale, struct buffer *out) {
        if (d->quantity < Q_COUNT)
                buffer_printf(out, ", quantity: %s, scale: %s", quantity_catalogue[d->quantity].key, scale);
        else if (!is_one(scale))
                buffer_printf(out, ", scale: %s", scale);
        if (d->power_den)
                buffer_printf(out, ", power_scale: %s", d->power_den == 1 ? "1" : "0.1");
        if (*d->unit) {
                buffer_puts(out, ", unit: ");
                yaml_put_quoted(out, d->unit);
        }
        if (d->inverted)
                buffer_puts(out, ", sign: inverted");
        if (d->direction_id)
                buffer_printf(out, ", direction: { dp: %u, reverse: %u }", d->direction_id, d->direction_reverse);
}

static void put_rights(const struct profile *p, const struct profile_datapoint *d, struct buffer *out) {
        if (d->writable)
                buffer_puts(out, ", access: rw");
        if (d->has_range)
                buffer_printf(out, ", range: [%" PRId64 ", %" PRId64 "]", d->range_min, d->range_max);
        if (d->danger)
                buffer_printf(out, ", danger: %s", datapoint_danger_names[d->danger]);
        if (d->evidence != p->evidence)
                buffer_printf(out, ", evidence: %s", profile_evidence_names[d->evidence]);
}

static int put_row(const struct profile *p, const struct profile_datapoint *d, struct buffer *out) {
        char scale[DECIMAL_TEXT_MAX];

        if ((*d->name && !yaml_text_fits(d->name)) || (*d->unit && !yaml_text_fits(d->unit)) || !scale_text(d, scale))
                return -EINVAL;
        buffer_printf(out, "  - { dp: %u, type: %s", d->id, datapoint_type_names[d->type]);
        if (*d->name) {
                buffer_puts(out, ", name: ");
                yaml_put_text(out, d->name);
        }
        if (d->channel) {
                buffer_puts(out, ", channel: ");
                yaml_put_text(out, p->channels[d->channel]);
        }
        if (d->layout)
                buffer_printf(out, ", layout: %s", datapoint_layout_names[d->layout]);
        if (d->is_increment)
                buffer_puts(out, ", increment: true");
        put_measure(d, scale, out);
        put_rights(p, d, out);
        buffer_puts(out, " }\n");
        return 0;
}

static int put_rows(const struct profile *p, const char *const *comments, struct buffer *out) {
        int r = 0;

        buffer_puts(out, p->n_datapoints > 0 ? "datapoints:\n" : "datapoints: []\n");
        for (unsigned i = 0; r == 0 && i < p->n_datapoints; i++) {
                if (comments && comments[i])
                        yaml_put_comment(out, 2, comments[i]);
                r = put_row(p, &p->datapoints[i], out);
        }
        return r;
}

/* "key: [one, two]", nothing for an empty list. */
static void put_list(struct buffer *out, const char *key, const char *texts, size_t stride, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                if (i == 0)
                        buffer_printf(out, "%s: [", key);
                else
                        buffer_puts(out, ", ");
                yaml_put_text(out, texts + i * stride);
        }
        if (n > 0)
                buffer_puts(out, "]\n");
}

static void put_line(const struct profile *p, struct buffer *out) {
        char poll[32];

        for (unsigned i = 0; i < p->n_bauds; i++)
                buffer_printf(out, "%s%" PRIu32, i == 0 ? "baud: [" : ", ", p->bauds[i]);
        if (p->n_bauds > 0)
                buffer_puts(out, "]\n");
        if (p->poll_ms > 0) {
                units_format_duration_ms(p->poll_ms, poll);
                buffer_printf(out, "poll: %s\n", poll);
        }
}

static int put_head(const struct profile *p, struct buffer *out) {
        if (!yaml_text_fits(p->name) || !yaml_text_fits(p->title) || !yaml_text_fits(p->protocol) ||
            (*p->source && !yaml_text_fits(p->source)))
                return -EINVAL;
        buffer_puts(out, "name: ");
        yaml_put_text(out, p->name);
        buffer_puts(out, "\ntitle: ");
        yaml_put_folded(out, p->title);
        buffer_puts(out, "protocol: ");
        yaml_put_text(out, p->protocol);
        buffer_putc(out, '\n');
        put_list(out, "product_keys", p->product_keys[0], sizeof p->product_keys[0], p->n_product_keys);
        buffer_printf(out, "evidence: %s\n", profile_evidence_names[p->evidence]);
        if (*p->source) {
                buffer_puts(out, "source: ");
                yaml_put_folded(out, p->source);
        }
        put_line(p, out);
        put_list(out, "channels", p->channels[1], sizeof p->channels[0], p->n_channels - 1);
        return 0;
}

int profile_text_commented(const struct profile *p, const struct profile_comments *comments, struct buffer *out) {
        int r;

        if (comments->head)
                yaml_put_comment(out, 0, comments->head);
        r = put_head(p, out);
        if (r == 0)
                r = put_rows(p, comments->rows, out);
        if (comments->tail)
                yaml_put_comment(out, 0, comments->tail);
        if (r < 0)
                return r;
        return out->failed ? -ENOBUFS : 0;
}

int profile_text(const struct profile *p, struct buffer *out) {
        static const struct profile_comments none = { .head = NULL };

        return profile_text_commented(p, &none, out);
}
