/* GET /api/v1/meters/{id}/profile.yaml: the profile in use as a file, with what its owner accepts of the
 * suggestions. */
#include "api/handlers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "config/profile_file.h"
#include "config/profile_parts.h"
#include "config/profile_text.h"
#include "config/yaml_text.h"

const struct parameter api_profile_parameters[] = {
        { .name = "accept", .type = PARAMETER_TEXT, .min = 1, .max = ACCEPT_TEXT_MAX,
          .example = "19:power_w:0.1,20:voltage_v:0.1",
          .description = "What becomes part of the profile: pieces as the key accept of a suggestion has them, with "
                         "commas between. A piece is DP:MEANING, the meaning a quantity's key or a layout, with a "
                         "channel before it where it has one (l1.power_w), or direction; then, with colons between, "
                         "a scale, inverted, increment, direction:DP:VALUE. It takes the place of the datapoint's "
                         "row." },
        { .name = "name", .type = PARAMETER_TEXT, .min = 1, .max = PROFILE_NAME_MAX, .example = "my-meter",
          .description = "Name of the profile: a-z, 0-9 and -. Without it: the meter's id, or its own if nothing is "
                         "accepted." },
        { .name = NULL },
};

/* What the parts of the handler share. */
struct making {
        const struct meter *meter;
        const struct profile *base;      /* in use; NULL: none */
        const struct accepted *accepted;
        const char *name;                /* as asked for, or NULL */
        unsigned n_kept;                 /* rows of the base, which come first */
        struct reply *reply;
};

static bool is_replaced(const struct making *m, uint8_t id) {
        for (unsigned i = 0; i < m->accepted->count; i++)
                if (m->accepted->rows[i].row.id == id)
                        return true;
        return false;
}

static int find_channel(const struct profile *p, const char *name) {
        for (unsigned i = 0; i < p->n_channels; i++)
                if (strcmp(p->channels[i], name) == 0)
                        return (int) i;
        return -1;
}

/* Index of a channel, which is made where there is none of that name; -1: there are too many. */
static int need_channel(struct profile *p, const char *name) {
        int i = find_channel(p, name);

        if (i >= 0 || p->n_channels == CHANNELS_MAX)
                return i;
        strcpy(p->channels[p->n_channels], name);
        return (int) p->n_channels++;
}

static bool fail(const struct making *m, const char *piece, const char *why) {
        reply_problem(m->reply, 400, "accept", "\"%.80s\": %s", piece, why);
        return false;
}

/* The type is what the meter sends, or what the profile says of it. */
static bool find_type(const struct making *m, struct profile_datapoint *row) {
        const struct datapoint *d = datapoint_table_get(&meter_session(m->meter)->datapoints, row->id);
        const struct profile_datapoint *known = m->base ? profile_datapoint(m->base, row->id) : NULL;

        if (d && d->type < DATAPOINT_TYPE_COUNT)
                row->type = d->type;
        else if (known)
                row->type = known->type;
        else
                return false;
        return true;
}

static bool add_row(const struct making *m, const struct accepted_row *a, struct profile *p) {
        struct profile_datapoint row = a->row;
        int channel = need_channel(p, a->channel);

        if (!find_type(m, &row))
                return fail(m, a->text, "the meter has not sent this datapoint");
        if (channel < 0)
                return fail(m, a->text, "there are too many channels");
        profile_name_phases(p, row.layout);
        row.channel = (uint8_t) channel;
        row.evidence = EVIDENCE_CAPTURED;
        p->datapoints[p->n_datapoints++] = row;
        return true;
}

static void copy_base(struct making *m, struct profile *p) {
        const struct profile *base = m->base;

        *p = *base;
        p->n_datapoints = 0;
        for (unsigned i = 0; i < base->n_datapoints; i++)
                if (!is_replaced(m, base->datapoints[i].id))
                        p->datapoints[p->n_datapoints++] = base->datapoints[i];
        m->n_kept = p->n_datapoints;
}

static void begin(const struct making *m, struct profile *p) {
        const struct meter_config *config = meter_config(m->meter);
        const char *title = config->name;

        if (strlen(title) >= sizeof p->title || !yaml_text_fits(title))
                title = config->id;
        strcpy(p->title, title);
        strcpy(p->protocol, config->protocol->name);
        strcpy(p->source, "What the meter sent, explained by Metergate and accepted by its owner.");
        p->evidence = EVIDENCE_CAPTURED;
        p->n_channels = 1;
}

/* The meter picks its profile by it, wherever that becomes a built-in one. */
static void add_key(const struct making *m, struct profile *p) {
        const char *key = meter_session(m->meter)->product_key;

        if (!profile_key_fits(key) || p->n_product_keys == PRODUCT_KEYS_MAX)
                return;
        for (unsigned i = 0; i < p->n_product_keys; i++)
                if (strcmp(p->product_keys[i], key) == 0)
                        return;
        strcpy(p->product_keys[p->n_product_keys++], key);
}

static bool fill(struct making *m, struct profile *p) {
        if (m->base)
                copy_base(m, p);
        else
                begin(m, p);
        if (m->accepted->count > 0) {
                strcpy(p->name, meter_config(m->meter)->id);
                add_key(m, p);
        }
        if (m->name)
                strcpy(p->name, m->name);
        for (unsigned i = 0; i < m->accepted->count; i++)
                if (!add_row(m, &m->accepted->rows[i], p))
                        return false;
        return true;
}

/* The reader's own words, "NAME:LINE:COLUMN: datapoints[5].quantity: ...", about the piece that made row 5. */
static bool tell_mistake(const struct making *m, const char *error) {
        const char *words = strstr(error, ": "), *row = words ? strstr(words, "datapoints[") : NULL;
        unsigned long index;
        char *end;

        if (!row)
                return fail(m, m->accepted->text, words ? words + 2 : error);
        index = strtoul(row + strlen("datapoints["), &end, 10);
        if (index < m->n_kept || index - m->n_kept >= m->accepted->count)
                return fail(m, m->accepted->text, row);
        return fail(m, m->accepted->rows[index - m->n_kept].text, end + strspn(end, "].: "));
}

/* What serve would read. */
static bool check(const struct making *m, const struct buffer *text) {
        CLEANUP(profile_freep) struct profile *read = NULL;
        struct config_error error = { .text = "" };

        if (profile_parse("profile", text->data, text->len, &read, &error) == 0)
                return true;
        return tell_mistake(m, error.text);
}

static int put_text(const struct making *m, const struct profile *p) {
        const char *rows[UINT8_MAX + ACCEPT_ROWS_MAX] = { NULL };
        struct profile_comments comments = { .rows = rows };
        char head[256];

        snprintf(head, sizeof head, "Profile of the meter %s. Keep it as a file that ends in .yaml, and give its "
                 "path as the meter's \"profile\" in the configuration.", meter_config(m->meter)->id);
        if (m->accepted->count > 0) {
                comments.head = head;
                rows[m->n_kept] = "Accepted of what was suggested:";
        }
        return profile_text_commented(p, &comments, &m->reply->body);
}

static int answer(struct making *m) {
        unsigned n = (m->base ? m->base->n_datapoints : 0) + m->accepted->count;
        CLEANUP(profile_freep) struct profile *p = calloc(1, sizeof *p + n * sizeof p->datapoints[0]);
        int r;

        if (!p)
                return -ENOMEM;
        if (!fill(m, p))
                return 0;
        r = put_text(m, p);
        if (r < 0)
                return r;
        if (!check(m, &m->reply->body))
                return 0;
        m->reply->content_type = "application/yaml";
        m->reply->disposition = "attachment; filename=\"profile.yaml\"";
        return view_finish(m->reply);
}

/* False: the reply says why there can be none. */
static bool can_have_profile(const struct making *m) {
        const struct meter_config *config = meter_config(m->meter);

        if (!config->protocol->needs_profile)
                reply_problem(m->reply, 404, NULL, "meter \"%s\" speaks %s, which needs no profile", config->id,
                              config->protocol->name);
        else if (!m->base && m->accepted->count == 0)
                reply_problem(m->reply, 404, NULL, "meter \"%s\" has no profile: accept= makes one, of what "
                              "/api/v1/meters/%s/datapoints?suggest=1 says", config->id, config->id);
        else
                return true;
        return false;
}

/* False: the reply is a problem. */
static bool read_question(const struct request *request, struct making *m, struct accepted *accepted) {
        const char *accept = request_text(request, "accept");
        struct buffer error;
        bool good = true;

        m->name = request_text(request, "name");
        if (m->name && strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(m->name)) {
                reply_problem(m->reply, 400, "name", "\"%.40s\" is no profile's name: 1 to 32 of a-z, 0-9 and -",
                              m->name);
                return false;
        }
        if (!accept)
                return true;
        buffer_init(&error, 400);
        if (accept_parse(accept, accepted, &error) < 0) {
                reply_problem(m->reply, 400, "accept", "%s", error.data ? error.data : "out of memory");
                good = false;
        }
        buffer_free(&error);
        return good;
}

int api_profile(void *userdata, const struct request *request, struct reply *reply) {
        struct making m = { .meter = view_find_meter(userdata, request, reply), .reply = reply };
        struct accepted accepted = { .count = 0 };

        if (!m.meter)
                return 0;
        m.base = meter_profile(m.meter);
        m.accepted = &accepted;
        if (!read_question(request, &m, &accepted) || !can_have_profile(&m))
                return 0;
        return answer(&m);
}
