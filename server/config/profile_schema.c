#include "config/profile_parts.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocols/protocol.h"

#define EVIDENCE_COUNT (EVIDENCE_DISPUTED + 1)

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static struct profile *profile_of(struct schema_walk *w) {
        return w->user;
}

int profile_find_channel(const struct profile *p, const char *name) {
        for (unsigned i = 1; i < p->n_channels; i++)
                if (strcmp(p->channels[i], name) == 0)
                        return (int) i;
        return -ENOENT;
}

void profile_name_phases(struct profile *p, uint8_t layout) {
        static const char *const phases[] = { "l1", "l2", "l3" };
        unsigned n = sizeof phases / sizeof *phases;

        if (layout != LAYOUT_VOLTAGES && layout != LAYOUT_CURRENTS && layout != LAYOUT_POWERS)
                return;
        for (unsigned i = 0; i < n && p->n_channels < 1 + n; i++)
                if (profile_find_channel(p, phases[i]) < 0)
                        strcpy(p->channels[p->n_channels++], phases[i]);
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

bool profile_key_fits(const char *key) {
        size_t len = strlen(key);

        return strspn(key, LOWER UPPER DIGITS) == len && (len == 8 || len == 16);
}

static int read_product_key(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = target;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, PRODUCT_KEY_MAX, &text);
        if (r < 0)
                return r;
        if (!profile_key_fits(text))
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

int profile_read_evidence(struct schema_walk *w, const yaml_node_t *node, unsigned *ret) {
        return schema_choice(w, node, profile_evidence_names, EVIDENCE_COUNT, ret);
}

static int read_profile_evidence(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct profile *p = target;
        unsigned i = 0;
        int r;

        r = profile_read_evidence(w, node, &i);
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
        if (profile_find_channel(p, text) >= 0)
                return schema_fail_expected(w, node, "each channel once", "%s stands here a second time",
                                            yaml_show(node, shown));
        strcpy(p->channels[p->n_channels++], text);
        return 0;
}

static int read_channels(struct schema_walk *w, const yaml_node_t *node, void *target) {
        return schema_read_items(w, node, CHANNELS_MAX - 1, read_channel_name, target);
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
        { .key = "datapoints", .shape = SCHEMA_LIST, .required = true, .read = profile_read_datapoints,
          .fields = profile_datapoint_fields, .form = "a list of datapoints", .meaning = "What the datapoints mean." },
        { .key = NULL },
};
