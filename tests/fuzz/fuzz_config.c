/* Configurations and profiles: whatever the text, one good struct or one line of error. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "config/profile_file.h"
#include "config/profile_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(int r, const struct config_error *error) {
        size_t len = strnlen(error->text, sizeof error->text);

        if (r != -EINVAL || len == 0 || len == sizeof error->text || strchr(error->text, '\n'))
                abort();
}

static void check_config(const struct config *c) {
        if (c->n_meters > METERS_MAX || c->http.n_listen == 0)
                abort();
        for (unsigned i = 0; i < c->n_meters; i++) {
                const struct meter_config *m = &c->meters[i];

                if (!*m->id || !m->name || !m->port || !m->protocol || m->scale_num <= 0 || m->scale_den <= 0 ||
                    m->poll_ms == 0 || m->stale_after_ms < m->poll_ms || !meter_config_equal(m, m))
                        abort();
        }
}

static void check_profile(const struct profile *p) {
        for (unsigned i = 0; i < p->n_datapoints; i++) {
                const struct profile_datapoint *d = &p->datapoints[i];

                if (d->id == 0 || d->scale_num <= 0 || d->scale_den <= 0 || d->channel >= p->n_channels ||
                    d->quantity > Q_NONE || d->type >= DATAPOINT_TYPE_COUNT)
                        abort();
        }
}

/* Whatever a file said can be written, and says the same again. */
static void check_written(const struct profile *p) {
        CLEANUP(profile_freep) struct profile *back = NULL;
        struct config_error error;
        struct buffer text;

        buffer_init(&text, PROFILE_TEXT_MAX);
        if (profile_text(p, &text) < 0 || profile_parse("fuzz.yaml", text.data, text.len, &back, &error) < 0 ||
            !profile_equal(p, back))
                abort();
        buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(config_freep) struct config *c = NULL;
        CLEANUP(profile_freep) struct profile *p = NULL;
        struct config_error error = { .text = "" };
        int r;

        r = config_parse("fuzz.yaml", (const char *) data, size, &c, &error);
        if (r < 0)
                check_error(r, &error);
        else
                check_config(c);
        error.text[0] = 0;
        r = profile_parse("fuzz.yaml", (const char *) data, size, &p, &error);
        if (r < 0) {
                check_error(r, &error);
                return 0;
        }
        check_profile(p);
        check_written(p);
        return 0;
}
