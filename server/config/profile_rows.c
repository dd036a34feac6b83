#include "config/profile_parts.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "protocols/quantity.h"
#include "protocols/tuyamcu/layout.h"

static struct profile *profile_of(struct schema_walk *w) {
        return w->user;
}

static int read_dp(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        char shown[YAML_SHOW_MAX];
        int64_t id = 0;
        int r;

        r = schema_integer(w, node, 1, 255, &id);
        if (r < 0)
                return r;
        if (profile_datapoint(profile_of(w), (uint8_t) id))
                return schema_fail_expected(w, node, "each datapoint once", "datapoint %s stands here a second time",
                                            yaml_show(node, shown));
        d->id = (uint8_t) id;
        return 0;
}

static int read_type(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        unsigned i = 0;
        int r;

        r = schema_choice(w, node, datapoint_type_names, DATAPOINT_TYPE_COUNT, &i);
        if (r < 0)
                return r;
        d->type = (uint8_t) i;
        return 0;
}

static int read_channel(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, CHANNEL_NAME_MAX, &text);
        if (r < 0)
                return r;
        r = profile_find_channel(profile_of(w), text);
        if (r < 0)
                return schema_fail(w, node, "%s is not in the profile's channels", yaml_show(node, shown));
        d->channel = (uint8_t) r;
        return 0;
}

static bool holds_number(const struct profile_datapoint *d) {
        return d->type != DATAPOINT_STRING && d->type != DATAPOINT_RAW;
}

static int fail_without_number(struct schema_walk *w, const yaml_node_t *node, const struct profile_datapoint *d) {
        return schema_fail_expected(w, node, "type: value", "a datapoint of type %s holds no number",
                                    datapoint_type_names[d->type]);
}

static bool is_block(const struct profile_datapoint *d) {
        return d->layout == LAYOUT_VOLTAGES || d->layout == LAYOUT_CURRENTS || d->layout == LAYOUT_POWERS;
}

static bool is_phase(const struct profile_datapoint *d) {
        return d->layout == LAYOUT_PHASE || d->layout == LAYOUT_PHASE_VCPQFF || d->layout == LAYOUT_PHASE_PQFCV;
}

static int read_layout(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        unsigned i = 0;
        int r;

        r = schema_choice(w, node, datapoint_layout_names + 1, LAYOUT_COUNT - 1, &i);
        if (r < 0)
                return r;
        if (d->type != DATAPOINT_RAW)
                return schema_fail_expected(w, node, "type: raw", "a datapoint of type %s has no layout",
                                            datapoint_type_names[d->type]);
        d->layout = (uint8_t) (i + 1);
        if (is_block(d) && d->channel)
                return schema_fail_expected(w, node, "no channel beside it", "it brings the first three channels");
        if (is_block(d) && profile_of(w)->n_channels < 1 + 3)
                return schema_fail_expected(w, node, "three channels in the profile",
                                            "it brings the first three channels");
        return 0;
}

static int read_power_scale(struct schema_walk *w, const yaml_node_t *node, void *target) {
        static const char *const words[] = { "1", "0.1" };
        struct profile_datapoint *d = target;
        unsigned i = 0;
        int r;

        r = schema_choice(w, node, words, ELEMENTS(words), &i);
        if (r < 0)
                return r;
        if (!is_phase(d) && d->layout != LAYOUT_POWERS)
                return schema_fail_expected(w, node, "the layout of a phase or of powers beside it",
                                            "there is no power to scale");
        d->power_den = i == 0 ? 1 : 10;
        return 0;
}

static int read_increment(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;

        return schema_either(w, node, "false", "true", &d->is_increment);
}

static int read_unit(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        const char *text;
        int r;

        r = schema_text(w, node, sizeof d->unit - 1, &text);
        if (r < 0)
                return r;
        if (d->quantity != Q_NONE)
                return schema_fail_expected(w, node, "no unit beside it", "the quantity has its own unit");
        if (!holds_number(d))
                return fail_without_number(w, node, d);
        strcpy(d->unit, text);
        return 0;
}

/* Another row that brings the same. Layouts do not count: several datapoints may tell of one phase, and the last one
 * on the wire wins. */
static const struct profile_datapoint *find_feeder(const struct profile *p, const struct profile_datapoint *d) {
        for (unsigned i = 0; i < p->n_datapoints; i++) {
                const struct profile_datapoint *other = &p->datapoints[i];

                if (other->quantity == d->quantity && other->channel == d->channel && !other->is_increment &&
                    !d->is_increment)
                        return other;
        }
        return NULL;
}

static int read_quantity(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        const struct profile_datapoint *feeder;
        char shown[YAML_SHOW_MAX];
        const char *text;
        enum quantity q;
        int r;

        r = schema_text(w, node, 64, &text);
        if (r < 0)
                return r;
        q = quantity_from_key(text);
        if (q == Q_NONE)
                return schema_fail(w, node, "there is no quantity %s", yaml_show(node, shown));
        if (!holds_number(d))
                return fail_without_number(w, node, d);
        if (d->is_increment && q != Q_ENERGY_IMPORT && q != Q_ENERGY_EXPORT)
                return schema_fail_expected(w, node, "energy_import_kwh or energy_export_kwh",
                                            "%s does not come in increments", yaml_show(node, shown));
        d->quantity = (uint8_t) q;
        feeder = find_feeder(profile_of(w), d);
        if (feeder)
                return schema_fail_expected(w, node, "each quantity of a channel once",
                                            "%s comes from datapoint %u already", yaml_show(node, shown), feeder->id);
        return 0;
}

static int read_scale(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        struct profile_datapoint *d = target;
        int64_t num;
        int r;

        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (decimal_parse(text, PROFILE_SCALE_PLACES, &num) < 0 || num <= 0 ||
            num > PROFILE_SCALE_MAX * PROFILE_SCALE_ONE)
                return schema_fail(w, node, "%s is not a scale", yaml_show(node, shown));
        if (d->layout != LAYOUT_NONE)
                return schema_fail_expected(w, node, "no scale beside it", "the layout has its own scales");
        profile_set_scale(d, num, PROFILE_SCALE_ONE);
        return 0;
}

static int read_sign(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;

        return schema_either(w, node, "normal", "inverted", &d->inverted);
}

static int read_direction_dp(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        int64_t id = 0;
        int r;

        r = schema_integer(w, node, 1, 255, &id);
        if (r < 0)
                return r;
        if (id == d->id)
                return schema_fail_expected(w, node, "another datapoint", "a datapoint cannot be its own direction");
        d->direction_id = (uint8_t) id;
        return 0;
}

static int read_direction_reverse(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        int64_t value = 0;
        int r;

        r = schema_integer(w, node, 0, 255, &value);
        if (r < 0)
                return r;
        d->direction_reverse = (uint8_t) value;
        return 0;
}

static const struct schema_row direction_fields[] = {
        { .key = "dp", .required = true, .read = read_direction_dp, .form = "a datapoint number, 1 to 255",
          .meaning = "Datapoint that tells the direction." },
        { .key = "reverse", .required = true, .read = read_direction_reverse, .form = "a number, 0 to 255",
          .meaning = "Its value that means export." },
        { .key = NULL },
};

static int read_access(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;

        return schema_either(w, node, "r", "rw", &d->writable);
}

static int read_range_end(struct schema_walk *w, const yaml_node_t *node, void *target) {
        int r = schema_integer(w, node, INT32_MIN, UINT32_MAX, target);

        return r < 0 ? r : 0;
}

static int read_range(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        const yaml_node_item_t *items = node->data.sequence.items.start;
        int r;

        if (schema_count(node) != 2)
                return schema_fail(w, node, "not a pair of numbers");
        if (!d->writable)
                return schema_fail_expected(w, node, "access: rw beside it", "only what is written has a range");
        if (!holds_number(d) || d->type == DATAPOINT_BOOL)
                return schema_fail_expected(w, node, "type: value or enum", "a datapoint of type %s has no range",
                                            datapoint_type_names[d->type]);
        r = schema_read_child(w, NULL, 0, yaml_file_node(w->file, items[0]), read_range_end, &d->range_min);
        if (r == 0)
                r = schema_read_child(w, NULL, 1, yaml_file_node(w->file, items[1]), read_range_end, &d->range_max);
        if (r < 0)
                return r;
        if (d->range_min > d->range_max)
                return schema_fail(w, node, "the first number is above the second");
        d->has_range = true;
        return 0;
}

static int read_danger(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        unsigned i = 0;
        int r;

        r = schema_choice(w, node, datapoint_danger_names + 1, DANGER_COUNT - 1, &i);
        if (r < 0)
                return r;
        if (d->writable)
                return schema_fail_expected(w, node, "access: r beside it", "what is dangerous is never written");
        d->danger = (uint8_t) (i + 1);
        return 0;
}

static int read_datapoint_evidence(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        unsigned i = 0;
        int r;

        r = profile_read_evidence(w, node, &i);
        if (r < 0)
                return r;
        d->evidence = (uint8_t) i;
        return 0;
}

/* Each row may look at those before it: quantity at type, channel and increment, scale and unit at quantity. */
const struct schema_row profile_datapoint_fields[] = {
        { .key = "dp", .required = true, .read = read_dp, .form = "a datapoint number, 1 to 255",
          .meaning = "Number of the datapoint." },
        { .key = "type", .required = true, .read = read_type, .form = "raw, bool, value, string, enum or bitmap",
          .meaning = "Its type on the wire." },
        { .key = "name", .offset = offsetof(struct profile_datapoint, name),
          .size = sizeof(((struct profile_datapoint *) NULL)->name), .read = schema_read_chars,
          .form = "a text of up to 47 bytes", .fallback = "the quantity's", .meaning = "What it is, for people." },
        { .key = "channel", .read = read_channel, .form = "one of the profile's channels",
          .meaning = "Phase or clamp to which the value belongs." },
        { .key = "layout", .read = read_layout,
          .form = "phase, phase-vcpqff, phase-pqfcv, voltages, currents, powers, month, day, limits-meter or "
                  "limits-breaker",
          .meaning = "What a raw datapoint holds." },
        { .key = "increment", .read = read_increment, .form = "true or false", .fallback = "false",
          .meaning = "true: an energy since the last report, not a register." },
        { .key = "quantity", .read = read_quantity, .form = "a quantity's key such as power_w",
          .meaning = "What it measures. Without it the datapoint is shown as it is." },
        { .key = "scale", .read = read_scale,
          .form = "a positive decimal number with up to 12 places such as 0.001",
          .fallback = "1", .meaning = "Units of the quantity in one step of the raw value." },
        { .key = "power_scale", .read = read_power_scale, .form = "1 or 0.1", .fallback = "the layout's",
          .meaning = "Watts in one step of the layout's power." },
        { .key = "unit", .read = read_unit, .form = "a text of up to 7 bytes",
          .meaning = "Unit of the scaled value, for people, where there is no quantity." },
        { .key = "sign", .read = read_sign, .form = "normal or inverted", .fallback = "normal",
          .meaning = "inverted: the meter calls export positive." },
        { .key = "direction", .shape = SCHEMA_SECTION, .fields = direction_fields, .form = "a map",
          .meaning = "For a value without a sign whose direction is told elsewhere." },
        { .key = "access", .read = read_access, .form = "r or rw", .fallback = "r",
          .meaning = "rw: set-datapoint may write it." },
        { .key = "range", .read = read_range, .form = "[LOWEST, HIGHEST], such as [0, 86400]",
          .fallback = "what the type holds", .meaning = "Raw numbers that may be written." },
        { .key = "danger", .read = read_danger, .form = "calibration, reset or test",
          .meaning = "Why it is never written." },
        { .key = "evidence", .read = read_datapoint_evidence, .form = "captured, stated or disputed",
          .fallback = "the profile's", .meaning = "How well this row is proven." },
        { .key = NULL },
};

/* How many values the profile's rows can bring into one report. */
static unsigned count_brought(const struct profile *p, unsigned n_rows) {
        unsigned count = 0;

        for (unsigned c = 0; c < p->n_channels; c++)
                for (unsigned q = 0; q < Q_COUNT; q++)
                        for (unsigned i = 0; i < n_rows; i++)
                                if (tuya_row_brings(&p->datapoints[i], c, q)) {
                                        count++;
                                        break;
                                }
        return count;
}

static int check_datapoint(struct schema_walk *w, const yaml_node_t *node, const struct profile_datapoint *d) {
        const struct profile *p = profile_of(w);
        bool measures = d->quantity != Q_NONE || is_phase(d) || is_block(d);

        if (!measures && (d->channel || d->inverted || d->direction_id))
                return schema_fail_expected(w, node, "a quantity beside them",
                                            "channel, sign and direction mean nothing without a quantity");
        if (d->is_increment && d->quantity == Q_NONE)
                return schema_fail_expected(w, node, "energy_import_kwh or energy_export_kwh beside it",
                                            "an increment means nothing without a quantity");
        if (measures && count_brought(p, p->n_datapoints + 1) > READINGS_MAX)
                return schema_fail_expected(w, node, "fewer", "more than %d quantities come from the datapoints",
                                            READINGS_MAX);
        return 0;
}

static int read_datapoint(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = target;
        struct profile_datapoint *d = &p->datapoints[p->n_datapoints];
        int r;

        d->quantity = Q_NONE;
        d->evidence = (uint8_t) p->evidence;
        r = schema_read_map(w, node, profile_datapoint_fields, d);
        if (r == 0)
                r = check_datapoint(w, node, d);
        if (r < 0)
                return r;
        if (d->scale_den == 0)
                profile_set_scale(d, 1, 1);
        p->n_datapoints++;
        return 0;
}

int profile_read_datapoints(struct schema_walk *w, const yaml_node_t *node, void *target) {
        return schema_read_items(w, node, PROFILE_DATAPOINTS_MAX, read_datapoint, target);
}
