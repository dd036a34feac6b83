#include "push/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <snappy-c.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "server/push/remote_write.pb-c.h"

#define DOUBLE_EXACT (INT64_C(1) << 53)
#define OWN_LABELS 3             /* name, meter, channel */
#define LABELS_MAX (OWN_LABELS + REMOTE_WRITE_LABELS_MAX)

/* Everything that the messages point at; freed as a whole. */
struct body {
        Push__Sample *samples;                  /* series by series */
        Push__Sample **sample_list;
        Push__TimeSeries *series;
        Push__TimeSeries **series_list;
        Push__Label *own_labels;                /* OWN_LABELS for each series */
        Push__Label **labels;                   /* LABELS_MAX for each series */
        char (*channels)[SCHEMA_KEY_MAX + 1];
        Push__Label common[REMOTE_WRITE_LABELS_MAX];
};

double encode_double(int64_t value, unsigned places) {
        static const double powers[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };
        char text[DECIMAL_TEXT_MAX];

        /* Both are exact then, and a division rounds once. */
        if (value >= -DOUBLE_EXACT && value <= DOUBLE_EXACT && places < ELEMENTS(powers))
                return (double) value / powers[places];
        decimal_format(value, places, text);
        return strtod(text, NULL);
}

static void free_body(struct body *body) {
        free(body->samples);
        free(body->sample_list);
        free(body->series);
        free(body->series_list);
        free(body->own_labels);
        free(body->labels);
        free(body->channels);
}

static int allocate(struct body *body, const struct batch *b) {
        body->samples = calloc(b->n_samples, sizeof *body->samples);
        body->sample_list = calloc(b->n_samples, sizeof *body->sample_list);
        body->series = calloc(b->n_series, sizeof *body->series);
        body->series_list = calloc(b->n_series, sizeof *body->series_list);
        body->own_labels = calloc(b->n_series * OWN_LABELS, sizeof *body->own_labels);
        body->labels = calloc(b->n_series * LABELS_MAX, sizeof *body->labels);
        body->channels = calloc(b->n_series, sizeof *body->channels);
        return body->samples && body->sample_list && body->series && body->series_list && body->own_labels &&
               body->labels && body->channels ? 0 : -ENOMEM;
}

static void put_label(Push__TimeSeries *series, Push__Label *label, const char *name, const char *value) {
        push__label__init(label);
        /* The messages are only read from here on. */
        label->name = (char *) name;
        label->value = (char *) value;
        series->labels[series->n_labels++] = label;
}

static int by_name(const void *a, const void *b) {
        return strcmp((*(Push__Label *const *) a)->name, (*(Push__Label *const *) b)->name);
}

/* Name and labels are those of GET /metrics. */
static void put_labels(struct body *body, unsigned i, const struct batch_series *s, unsigned n_common) {
        const struct quantity_info *info = &quantity_catalogue[s->quantity];
        const char *key = s->schema->columns[s->column].key, *dot = strrchr(key, '.');
        Push__TimeSeries *series = &body->series[i];
        Push__Label *own = &body->own_labels[i * OWN_LABELS];

        series->labels = &body->labels[i * LABELS_MAX];
        put_label(series, &own[0], "__name__", dot ? info->channel_metric : info->metric);
        put_label(series, &own[1], "meter", s->schema->meter);
        if (dot) {
                memcpy(body->channels[i], key, (size_t) (dot - key));
                put_label(series, &own[2], "channel", body->channels[i]);
        }
        for (unsigned l = 0; l < n_common; l++)
                series->labels[series->n_labels++] = &body->common[l];
        qsort(series->labels, series->n_labels, sizeof *series->labels, by_name);
}

static void put_series(struct body *body, const struct batch *b, const struct remote_write_config *config) {
        unsigned next = 0;

        for (unsigned l = 0; l < config->n_labels; l++) {
                push__label__init(&body->common[l]);
                body->common[l].name = config->labels[l].name;
                body->common[l].value = config->labels[l].text;
        }
        for (unsigned i = 0; i < b->n_series; i++) {
                push__time_series__init(&body->series[i]);
                body->series_list[i] = &body->series[i];
                body->series[i].samples = &body->sample_list[next];
                next += b->series[i].n_samples;
                put_labels(body, i, &b->series[i], config->n_labels);
        }
}

static void put_samples(struct body *body, const struct batch *b) {
        const uint64_t stale = STALE_MARKER;

        for (unsigned i = 0; i < b->n_samples; i++) {
                const struct batch_sample *from = &b->samples[i];
                Push__TimeSeries *series = &body->series[from->series];
                Push__Sample *sample = &body->samples[i];

                push__sample__init(sample);
                sample->timestamp = from->utc_ms;
                if (from->is_stale)
                        memcpy(&sample->value, &stale, sizeof stale);
                else
                        sample->value = encode_double(from->value, from->places);
                series->samples[series->n_samples++] = sample;
        }
}

static int compress(const uint8_t *plain, size_t len, uint8_t **ret, size_t *ret_len) {
        size_t n = snappy_max_compressed_length(len);
        uint8_t *compressed = malloc(n), *fitting;

        if (!compressed)
                return -ENOMEM;
        if (snappy_compress((const char *) plain, len, (char *) compressed, &n) != SNAPPY_OK) {
                free(compressed);
                return -ENOMEM;
        }
        /* It may have to wait for a long time. */
        fitting = realloc(compressed, n);
        *ret = fitting ? fitting : compressed;
        *ret_len = n;
        return 0;
}

static int pack(struct body *body, const struct batch *b, uint8_t **ret, size_t *ret_len) {
        Push__WriteRequest request = PUSH__WRITE_REQUEST__INIT;
        uint8_t *plain;
        size_t len;
        int r;

        request.n_timeseries = b->n_series;
        request.timeseries = body->series_list;
        len = push__write_request__get_packed_size(&request);
        plain = malloc(len);
        if (!plain)
                return -ENOMEM;
        push__write_request__pack(&request, plain);
        r = compress(plain, len, ret, ret_len);
        free(plain);
        return r;
}

int encode_batch(const struct batch *b, const struct remote_write_config *config, uint8_t **ret, size_t *ret_len) {
        CLEANUP(free_body) struct body body = { 0 };
        int r;

        r = allocate(&body, b);
        if (r < 0)
                return r;
        put_series(&body, b, config);
        put_samples(&body, b);
        return pack(&body, b, ret, ret_len);
}
