#include "api/metrics_text.h"

#include <string.h>

void metrics_text_family(struct metrics_text *t, const char *name, enum metrics_type type, const char *unit,
                         const char *help) {
        t->name = name;
        t->type = type;
        t->unit = unit;
        t->help = help;
        t->has_header = false;
}

/* OpenMetrics calls a family by its samples' name without their suffix. */
static int family_len(const struct metrics_text *t) {
        static const char *const suffixes[] = {
                [METRICS_GAUGE] = "", [METRICS_COUNTER] = "_total", [METRICS_INFO] = "_info",
        };
        size_t len = strlen(t->name);

        return (int) (t->openmetrics ? len - strlen(suffixes[t->type]) : len);
}

static const char *type_name(const struct metrics_text *t) {
        if (t->type == METRICS_COUNTER)
                return "counter";
        return t->type == METRICS_INFO && t->openmetrics ? "info" : "gauge";
}

static void put_header(struct metrics_text *t) {
        int len = family_len(t);

        buffer_printf(t->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", len, t->name, t->help, len, t->name, type_name(t));
        if (t->openmetrics && t->unit[0])
                buffer_printf(t->out, "# UNIT %.*s %s\n", len, t->name, t->unit);
}

static void put_label(struct buffer *out, const char *separator, const char *name, const char *value) {
        buffer_printf(out, "%s%s=\"", separator, name);
        for (const char *p = value; *p; p++) {
                if (*p == '\n') {
                        buffer_puts(out, "\\n");
                        continue;
                }
                if (*p == '"' || *p == '\\')
                        buffer_putc(out, '\\');
                buffer_putc(out, *p);
        }
        buffer_putc(out, '"');
}

static void put_labels(struct buffer *out, const char *const *labels) {
        for (unsigned i = 0; labels[i]; i += 2)
                put_label(out, i > 0 ? "," : "{", labels[i], labels[i + 1]);
        buffer_puts(out, labels[0] ? "} " : " ");
}

static void put_value(struct buffer *out, int64_t value, unsigned places) {
        buffer_put_decimal(out, value, places);
        buffer_putc(out, '\n');
}

void metrics_text_sample(struct metrics_text *t, const char *const *labels, int64_t value, unsigned places,
                         const struct metrics_begin *begin) {
        if (!t->has_header)
                put_header(t);
        t->has_header = true;
        buffer_puts(t->out, t->name);
        put_labels(t->out, labels);
        put_value(t->out, value, places);
        if (!t->openmetrics || t->type != METRICS_COUNTER || !begin || !begin->known)
                return;
        buffer_printf(t->out, "%.*s_created", family_len(t), t->name);
        put_labels(t->out, labels);
        put_value(t->out, begin->utc_ms, 3);
}

void metrics_text_end(struct metrics_text *t) {
        if (t->openmetrics)
                buffer_puts(t->out, "# EOF\n");
}
