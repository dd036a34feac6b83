#include "config/profile_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "protocols/protocol.h"

#define SCALE_PLACES 12
#define SCALE_MAX_UNITS INT64_C(1000000)
#define EVIDENCE_COUNT (EVIDENCE_DISPUTED + 1)

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static struct profile *profile_of(struct schema_walk *w) {
        return w->user;
}

static int read_name(struct schema_walk *w, const yaml_node_t *node, void *target) {
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, PROFILE_NAME_MAX, &text);
        if (r < 0)
                return r;
        if (strspn(text, LOWER DIGITS "-") != strlen(text))
                return schema_fail(w, node, "%s is not a name", yaml_show(node, shown));
        strcpy(target, text);
        return 0;
}

static int read_protocol(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = profile_of(w);
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, sizeof p->protocol - 1, &text);
        if (r < 0)
                return r;
        if (!protocol_find(text))
                return schema_fail(w, node, "there is no protocol %s", yaml_show(node, shown));
        strcpy(target, text);
        return 0;
}

static int read_product_key(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = target;
        char shown[YAML_SHOW_MAX];
        const char *text;
        size_t len;
        int r;

        r = schema_text(w, node, PRODUCT_KEY_MAX, &text);
        if (r < 0)
                return r;
        len = strlen(text);
        if (strspn(text, LOWER UPPER DIGITS) != len || (len != 8 && len != 16))
                return schema_fail_expected(w, node, "8 or 16 letters and digits", "%s is not a product key",
                                            yaml_show(node, shown));
        for (unsigned i = 0; i < p->n_product_keys; i++)
                if (strcmp(p->product_keys[i], text) == 0)
                        return schema_fail_expected(w, node, "each key once", "%s stands here a second time",
                                                    yaml_show(node, shown));
        strcpy(p->product_keys[p->n_product_keys++], text);
        return 0;
}

static int read_product_keys(struct schema_walk *w, const yaml_node_t *node, void *target) {
        return schema_read_items(w, node, PRODUCT_KEYS_MAX, read_product_key, target);
}

static int read_evidence(struct schema_walk *w, const yaml_node_t *node, unsigned *ret) {
        return schema_choice(w, node, profile_evidence_names, EVIDENCE_COUNT, ret);
}

static int read_profile_evidence(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = target;
        unsigned i = 0;
        int r;

        r = read_evidence(w, node, &i);
        if (r < 0)
                return r;
        p->evidence = (enum profile_evidence) i;
        return 0;
}

static int read_speed(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = target;
        int r;

        r = schema_baud(w, node, &p->bauds[p->n_bauds]);
        if (r < 0)
                return r;
        p->n_bauds++;
        return 0;
}

static int read_baud(struct schema_walk *w, const yaml_node_t *node, void *target) {
        return schema_read_items(w, node, PROFILE_BAUDS_MAX, read_speed, target);
}

static int read_poll(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const struct protocol *protocol = protocol_find(profile_of(w)->protocol);

        return schema_duration(w, node, protocol->min_poll_ms, protocol->max_poll_ms, target);
}

static int find_channel(const struct profile *p, const char *name) {
        for (unsigned i = 1; i < p->n_channels; i++)
                if (strcmp(p->channels[i], name) == 0)
                        return (int) i;
        return -ENOENT;
}

static int read_channel_name(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = target;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, CHANNEL_NAME_MAX, &text);
        if (r < 0)
                return r;
        if (strspn(text, LOWER DIGITS) != strlen(text))
                return schema_fail_expected(w, node, "1 to 8 of a-z and 0-9", "%s is not a channel's name",
                                            yaml_show(node, shown));
        if (find_channel(p, text) >= 0)
                return schema_fail_expected(w, node, "each channel once", "%s stands here a second time",
                                            yaml_show(node, shown));
        strcpy(p->channels[p->n_channels++], text);
        return 0;
}

static int read_channels(struct schema_walk *w, const yaml_node_t *node, void *target) {
        return schema_read_items(w, node, CHANNELS_MAX - 1, read_channel_name, target);
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
        r = find_channel(profile_of(w), text);
        if (r < 0)
                return schema_fail(w, node, "%s is not in the profile's channels", yaml_show(node, shown));
        d->channel = (uint8_t) r;
        return 0;
}

static int read_quantity(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const struct profile *p = profile_of(w);
        struct profile_datapoint *d = target;
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
        if (d->type == DATAPOINT_STRING || d->type == DATAPOINT_RAW)
                return schema_fail_expected(w, node, "type: value", "a datapoint of type %s holds no number",
                                            datapoint_type_names[d->type]);
        for (unsigned i = 0; i < p->n_datapoints; i++)
                if (p->datapoints[i].quantity == q && p->datapoints[i].channel == d->channel)
                        return schema_fail_expected(w, node, "each quantity of a channel once",
                                                    "%s comes from datapoint %u already", yaml_show(node, shown),
                                                    p->datapoints[i].id);
        d->quantity = (uint8_t) q;
        return 0;
}

static int64_t common_divisor(int64_t a, int64_t b) {
        while (b) {
                int64_t rest = a % b;

                a = b;
                b = rest;
        }
        return a;
}

static void set_scale(struct profile_datapoint *d, int64_t num, int64_t den) {
        unsigned decimals = d->quantity < Q_COUNT ? quantity_catalogue[d->quantity].decimals : 0;
        int64_t divisor;

        for (; decimals > 0; decimals--) {
                if (den % 10 == 0)
                        den /= 10;
                else
                        num *= 10;
        }
        divisor = common_divisor(num, den);
        d->scale_num = num / divisor;
        d->scale_den = den / divisor;
}

static int read_scale(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const int64_t one = INT64_C(1000000000000);
        char shown[YAML_SHOW_MAX];
        const char *text;
        int64_t num;
        int r;

        r = schema_text(w, node, 32, &text);
        if (r < 0)
                return r;
        if (decimal_parse(text, SCALE_PLACES, &num) < 0 || num <= 0 || num > SCALE_MAX_UNITS * one)
                return schema_fail(w, node, "%s is not a scale", yaml_show(node, shown));
        set_scale(target, num, one);
        return 0;
}

static int read_sign(struct schema_walk *w, const yaml_node_t *node, void *target) {
        static const char *const words[] = { "normal", "inverted" };
        struct profile_datapoint *d = target;
        unsigned i = 0;
        int r;

        r = schema_choice(w, node, words, ELEMENTS(words), &i);
        if (r < 0)
                return r;
        d->inverted = i == 1;
        return 0;
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
        static const char *const words[] = { "r", "rw" };
        struct profile_datapoint *d = target;
        unsigned i = 0;
        int r;

        r = schema_choice(w, node, words, ELEMENTS(words), &i);
        if (r < 0)
                return r;
        d->writable = i == 1;
        return 0;
}

static int read_datapoint_evidence(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile_datapoint *d = target;
        unsigned i = 0;
        int r;

        r = read_evidence(w, node, &i);
        if (r < 0)
                return r;
        d->evidence = (uint8_t) i;
        return 0;
}

/* quantity needs type and channel, scale needs quantity. */
static const struct schema_row datapoint_fields[] = {
        { .key = "dp", .required = true, .read = read_dp, .form = "a datapoint number, 1 to 255",
          .meaning = "Number of the datapoint." },
        { .key = "type", .required = true, .read = read_type, .form = "raw, bool, value, string, enum or bitmap",
          .meaning = "Its type on the wire." },
        { .key = "name", .offset = offsetof(struct profile_datapoint, name),
          .size = sizeof(((struct profile_datapoint *) NULL)->name), .read = schema_read_chars,
          .form = "a text of up to 47 bytes", .fallback = "the quantity's", .meaning = "What it is, for people." },
        { .key = "channel", .read = read_channel, .form = "one of the profile's channels",
          .meaning = "Phase or clamp to which the value belongs." },
        { .key = "quantity", .read = read_quantity, .form = "a quantity's key such as power_w",
          .meaning = "What it measures. Without it the datapoint is shown as it is." },
        { .key = "scale", .read = read_scale,
          .form = "a positive decimal number with up to 12 places such as 0.001",
          .fallback = "1", .meaning = "Units of the quantity in one step of the raw value." },
        { .key = "sign", .read = read_sign, .form = "normal or inverted", .fallback = "normal",
          .meaning = "inverted: the meter calls export positive." },
        { .key = "direction", .shape = SCHEMA_SECTION, .fields = direction_fields, .form = "a map",
          .meaning = "For a value without a sign whose direction is told elsewhere." },
        { .key = "access", .read = read_access, .form = "r or rw", .fallback = "r",
          .meaning = "rw: set-datapoint may write it." },
        { .key = "evidence", .read = read_datapoint_evidence, .form = "captured, stated or disputed",
          .fallback = "the profile's", .meaning = "How well this row is proven." },
        { .key = NULL },
};

static int check_datapoint(struct schema_walk *w, const yaml_node_t *node, const struct profile_datapoint *d) {
        const struct profile *p = profile_of(w);
        unsigned mapped = 0;

        if (d->quantity == Q_NONE && (d->channel || d->inverted || d->direction_id))
                return schema_fail_expected(w, node, "a quantity beside them",
                                            "channel, sign and direction mean nothing without a quantity");
        for (unsigned i = 0; i < p->n_datapoints; i++)
                mapped += p->datapoints[i].quantity != Q_NONE;
        if (d->quantity != Q_NONE && mapped >= READINGS_MAX)
                return schema_fail_expected(w, node, "fewer", "more than %d datapoints have a quantity",
                                            READINGS_MAX);
        return 0;
}

static int read_datapoint(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = target;
        struct profile_datapoint *d = &p->datapoints[p->n_datapoints];
        int r;

        d->quantity = Q_NONE;
        d->evidence = (uint8_t) p->evidence;
        r = schema_read_map(w, node, datapoint_fields, d);
        if (r == 0)
                r = check_datapoint(w, node, d);
        if (r < 0)
                return r;
        if (d->scale_den == 0)
                set_scale(d, 1, 1);
        p->n_datapoints++;
        return 0;
}

static int read_datapoints(struct schema_walk *w, const yaml_node_t *node, void *target) {
        return schema_read_items(w, node, PROFILE_DATAPOINTS_MAX, read_datapoint, target);
}

#define TEXT_FIELD(member) \
        .offset = offsetof(struct profile, member), .size = sizeof(((struct profile *) NULL)->member)

const struct schema_row profile_fields[] = {
        { .key = "name", .required = true, TEXT_FIELD(name), .read = read_name, .form = "1 to 32 of a-z, 0-9 and -",
          .meaning = "Name of the profile." },
        { .key = "title", .required = true, TEXT_FIELD(title), .read = schema_read_chars,
          .form = "a text of up to 95 bytes", .meaning = "The device, for people." },
        { .key = "protocol", .required = true, TEXT_FIELD(protocol), .read = read_protocol,
          .form = "the name of a protocol such as tuyamcu", .meaning = "What the device speaks." },
        { .key = "product_keys", .read = read_product_keys, .form = "a list of product keys", .fallback = "[]",
          .meaning = "Devices that tell one of these get this profile." },
        { .key = "evidence", .required = true, .read = read_profile_evidence, .form = "captured, stated or disputed",
          .meaning = "How well the rows below are proven." },
        { .key = "source", TEXT_FIELD(source), .read = schema_read_chars, .form = "a text of up to 255 bytes",
          .meaning = "Where the facts come from." },
        { .key = "baud", .read = read_baud, .form = "a list of speeds such as [115200, 9600]",
          .fallback = "the protocol's", .meaning = "Speeds to try, likeliest first." },
        { .key = "poll", .offset = offsetof(struct profile, poll_ms), .read = read_poll,
          .form = "a duration such as 10s (units ms, s, min, h, d)", .fallback = "the protocol's",
          .meaning = "Time between two questions to the device." },
        { .key = "channels", .read = read_channels, .form = "a list of channel names such as [a, b]",
          .fallback = "[]", .meaning = "Phases or clamps." },
        { .key = "datapoints", .shape = SCHEMA_LIST, .required = true, .read = read_datapoints,
          .fields = datapoint_fields, .form = "a list of datapoints", .meaning = "What the datapoints mean." },
        { .key = NULL },
};
