#include "tools/correlate_output.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "tools/ndjson.h"

#define LINE_MAX_BYTES 65536
#define NAME_MAX_BYTES 24

enum {
        PAIRS_WANTED = 10,        /* below, an answer rests on little */
        DISTINCT_WANTED = 6,
};

/* ---- pieces ---- */

/* Nine digits: more than any fit is good for. What is no number cannot come of a fit. */
static void put_number(struct json_writer *w, const char *key, double value) {
        char text[32];
        int n = snprintf(text, sizeof text, "%.9g", isfinite(value) ? value : 0);

        json_put_raw(w, key, text, (size_t) n);
}

static const char *unit_of(const struct correlate_report *r, const struct correlate_field *f) {
        return f->energy ? "kWh" : r->csv->unit->name;
}

static const char *quantity_of(const struct correlate_report *r, const struct correlate_field *f) {
        return f->energy > 0 ? "energy_import_kwh" : f->energy < 0 ? "energy_export_kwh" : r->csv->unit->quantity;
}

static void put_bool_or_null(struct json_writer *w, const char *key, bool known, bool value) {
        if (known)
                json_put_bool(w, key, value);
        else
                json_put_null(w, key);
}

static void put_group(const struct correlate_report *r, const struct correlate_field *f, char *name) {
        r->protocol->part_name(r->packets->groups[f->group].kind, name, NAME_MAX_BYTES);
}

/* ---- for programs ---- */

static void put_place(struct json_writer *w, const struct correlate_report *r, const struct correlate_field *f) {
        char name[NAME_MAX_BYTES];

        put_group(r, f, name);
        json_put_string(w, "group", name);
        json_put_uint(w, "length", r->packets->groups[f->group].length);
        json_put_uint(w, "offset", f->field.offset);
        json_put_uint(w, "width", f->field.width);
        json_put_string(w, "endian", f->order_known ? (f->field.big_endian ? "be" : "le") : NULL);
        put_bool_or_null(w, "signed", f->sign_known, f->field.sign != FIELD_UNSIGNED);
        put_bool_or_null(w, "sign_magnitude", f->sign_known, f->field.sign == FIELD_SIGN_MAGNITUDE);
}

static void put_line(struct json_writer *w, const struct correlate_report *r, const struct correlate_field *f) {
        put_number(w, "scale", f->scale);
        put_number(w, "intercept", f->has_intercept ? f->intercept : 0);
        json_put_string(w, "unit", unit_of(r, f));
        json_put_string(w, "quantity", quantity_of(r, f));
        if (f->energy)
                json_put_string(w, "from", "integral");
}

static void put_time(struct json_writer *w, const struct correlate_field *f) {
        json_array_begin(w, "lag_s");
        json_put_int(w, NULL, f->lag_from_s);
        json_put_int(w, NULL, f->lag_to_s);
        json_array_end(w);
        json_put_int(w, "zone_offset_s", f->zone_s);
}

static void put_evidence(struct json_writer *w, const struct correlate_field *f) {
        json_put_uint(w, "matched", f->matched);
        json_put_uint(w, "total", f->total);
        put_number(w, "max_error", f->max_error < 1e-9 ? 0 : f->max_error);
        put_number(w, "tolerance", f->tolerance);
        put_number(w, "by_chance", f->by_chance);
        json_put_bool(w, "decided", f->decided);
        json_array_begin(w, "undecided");
        for (unsigned i = 0; i < f->n_open; i++)
                json_put_string(w, NULL, f->open[i]);
        json_array_end(w);
}

/* ---- what to beware of ---- */

#define WARNING_MAX 240
#define SURE_CHANCE 0.01  /* of a field that is not there by chance */

static bool is_answered(const struct correlate_report *r) {
        for (unsigned i = 0; i < r->result->n_fields; i++)
                if (r->result->fields[i].decided)
                        return true;
        return false;
}

static void zone_warning(const struct correlate_report *r, char *text) {
        int s = r->result->fields[0].zone_s, minutes = s / 60;

        snprintf(text, WARNING_MAX, "the CSV's clock is %d:%02d h %s the recording's: a mistaken time zone",
                 (minutes < 0 ? -minutes : minutes) / 60, (minutes < 0 ? -minutes : minutes) % 60,
                 s > 0 ? "ahead of" : "behind");
}

static bool few_warning(const struct correlate_report *r, unsigned i, char *text) {
        const struct correlate_result *found = r->result;

        if (i == 0)
                snprintf(text, WARNING_MAX, "only %llu packets have a known value; %d would make an answer sure",
                         (unsigned long long) found->pairs, PAIRS_WANTED);
        else
                snprintf(text, WARNING_MAX, "only %zu different values; %d would make an answer sure: let the load "
                         "change", found->distinct, DISTINCT_WANTED);
        return i == 0 ? found->pairs < PAIRS_WANTED : found->distinct < DISTINCT_WANTED;
}

static bool cells_warning(const struct correlate_report *r, unsigned i, char *text) {
        const struct known_csv *csv = r->csv;

        switch (i) {
        case 0:
                snprintf(text, WARNING_MAX, "%llu cells with values hold no number, such as '%s': nothing is known "
                         "there", (unsigned long long) csv->not_numbers, csv->not_number);
                return csv->not_numbers > 0;
        case 1:
                snprintf(text, WARNING_MAX, "%llu rows have the time of another one: the last of each counts",
                         (unsigned long long) csv->known.repeated);
                return csv->known.repeated > 0;
        case 2:
                snprintf(text, WARNING_MAX, "points and commas in the values were taken to stand between thousands: "
                         "none has other than three digits behind it");
                return csv->were_thousands;
        default:
                snprintf(text, WARNING_MAX, "'%.40s' was compared; --column takes others: %.100s", csv->column,
                         csv->others);
                return csv->others[0] && !is_answered(r);
        }
}

static bool csv_warning(const struct correlate_report *r, unsigned i, char *text) {
        const struct known_csv *csv = r->csv;

        switch (i) {
        case 0:
                snprintf(text, WARNING_MAX, "the CSV names no unit: %s was assumed, --unit says another",
                         csv->unit->name);
                return csv->unit_assumed;
        case 1:
                snprintf(text, WARNING_MAX, "the CSV's dates do not show what is the day: read as %s",
                         csv->day_first ? "DD/MM/YYYY" : "MM/DD/YYYY");
                return csv->day_undecided;
        case 2:
                snprintf(text, WARNING_MAX, "the energies in the CSV do not only grow: taken for those of one "
                         "interval each, and added up. They find a register of energy, but no power");
                return csv->were_increments;
        default:
                snprintf(text, WARNING_MAX, "%llu lines of the CSV have no time and were passed over",
                         (unsigned long long) csv->skipped);
                return csv->skipped > 0;
        }
}

static bool result_warning(const struct correlate_report *r, unsigned i, char *text) {
        const struct correlate_result *found = r->result;
        bool any = found->n_fields > 0;

        switch (i) {
        case 0:
                snprintf(text, WARNING_MAX, !any ? "no field follows these values, up to two minutes earlier or later in "
                         "any time zone" :
                         found->fields[0].by_chance < SURE_CHANCE ? "more than one answer fits: see what is left open"
                         : "these fields may fit by chance: record for longer while the load changes, unless the CSV "
                         "tells of something else");
                return !is_answered(r);
        case 1:
                if (any)
                        zone_warning(r, text);
                return any && found->fields[0].zone_s != 0;
        case 2:
                snprintf(text, WARNING_MAX, "nothing fits exactly: %.4g %s of tolerance were needed",
                         any ? found->fields[0].tolerance : 0,
                         r->csv->unit->name);
                return any && !found->fields[0].energy && found->fields[0].tolerance > r->tolerance;
        default:
                snprintf(text, WARNING_MAX, "%llu parts of frames were left out: more than %d kinds of them",
                         (unsigned long long) r->packets->beyond, PACKET_GROUPS_MAX);
                return r->packets->beyond > 0;
        }
}

#define WARNINGS 14

static bool warning(const struct correlate_report *r, unsigned i, char *text) {
        if (i < 4)
                return result_warning(r, i, text);
        if (i < 6)
                return few_warning(r, i - 4, text);
        return i < 10 ? csv_warning(r, i - 6, text) : cells_warning(r, i - 10, text);
}

/* ---- lines ---- */

static void put_summary(struct json_writer *w, const struct correlate_report *r) {
        char text[WARNING_MAX];

        json_object_begin(w, "summary");
        json_put_uint(w, "packets", r->packets->total);
        json_put_uint(w, "groups", r->packets->n_groups);
        json_put_uint(w, "dropped", r->dropped);
        json_put_uint(w, "pairs", r->result->pairs);
        json_put_uint(w, "distinct", r->result->distinct);
        json_put_string(w, "column", r->csv->column);
        json_put_uint(w, "rows", r->csv->rows);
        json_put_uint(w, "blanks", r->csv->blanks);
        json_put_uint(w, "holes", r->csv->known.holes);
        json_put_decimal(w, "interval_s", r->csv->known.interval_ms, 3);
        json_array_begin(w, "warnings");
        for (unsigned i = 0; i < WARNINGS; i++)
                if (warning(r, i, text))
                        json_put_string(w, NULL, text);
        json_array_end(w);
        json_object_end(w);
}

int correlate_put_ndjson(const struct correlate_report *r) {
        struct json_writer w;
        struct buffer line;
        int status = 0;

        buffer_init(&line, LINE_MAX_BYTES);
        for (unsigned i = 0; status == 0 && i <= r->top && i <= r->result->n_fields; i++) {
                bool is_last = i == r->top || i == r->result->n_fields;

                json_begin(&w, &line);
                json_object_begin(&w, NULL);
                if (is_last)
                        put_summary(&w, r);
                else {
                        json_put_uint(&w, "rank", i + 1);
                        put_place(&w, r, &r->result->fields[i]);
                        put_line(&w, r, &r->result->fields[i]);
                        put_time(&w, &r->result->fields[i]);
                        put_evidence(&w, &r->result->fields[i]);
                }
                json_object_end(&w);
                status = ndjson_write(&line);
        }
        buffer_free(&line);
        return status;
}

/* ---- for people ---- */

#define COLUMNS 80  /* of a terminal that nobody has made wider */

/* What comes from a file can hold more than text. */
static void put_text(const char *text, size_t len) {
        for (size_t i = 0; i < len; i++)
                putchar(iscntrl((unsigned char) text[i]) ? '?' : text[i]);
}

/* Breaks text at blanks; what follows the first line stands as far in. */
static void put_wrapped(const char *first, const char *text) {
        size_t indent = strlen(first), room = COLUMNS - indent;

        printf("%s", first);
        while (strlen(text) > room) {
                size_t len = room;

                while (len > 0 && text[len] != ' ')
                        len--;
                if (len == 0)
                        len = strcspn(text, " ");
                put_text(text, len);
                printf("\n%*s", (int) indent, "");
                text += len + (text[len] == ' ');
        }
        put_text(text, strlen(text));
        putchar('\n');
}

#define ROW_FORM "%4s %-4s %-11s %6s %5s %-5s %-5s %-12s %-9s %s\n"

static void put_row(const struct correlate_report *r, unsigned i) {
        const struct correlate_field *f = &r->result->fields[i];
        char name[NAME_MAX_BYTES], rank[12], place[48], offset[8], width[8];
        char lag[24], matched[48], scale[40], text[64];

        put_group(r, f, name);
        snprintf(rank, sizeof rank, "%u", i + 1);
        snprintf(place, sizeof place, "%s[%zu]", name, r->packets->groups[f->group].length);
        snprintf(offset, sizeof offset, "%u", f->field.offset);
        snprintf(width, sizeof width, "%u", f->field.width);
        snprintf(lag, sizeof lag, "%d..%d", f->lag_from_s, f->lag_to_s);
        snprintf(matched, sizeof matched, "%llu/%llu", (unsigned long long) f->matched,
                 (unsigned long long) f->total);
        snprintf(scale, sizeof scale, "%.6g %s", f->scale, unit_of(r, f));
        printf(ROW_FORM, rank, f->decided ? "yes" : "no", place, offset, width,
               f->order_known ? (f->field.big_endian ? "be" : "le") : "?",
               !f->sign_known ? "?" : f->field.sign == FIELD_SIGN_MAGNITUDE ? "s+mag" : f->field.sign ? "yes" : "no",
               scale, lag, matched);
        snprintf(text, sizeof text, "plus %.6g %s", f->intercept, unit_of(r, f));
        if (f->has_intercept)
                put_wrapped("          ", text);
        for (unsigned k = 0; k < f->n_open; k++)
                put_wrapped("          ", f->open[k]);
}

int correlate_put_table(const struct correlate_report *r) {
        char text[WARNING_MAX];

        if (r->result->n_fields > 0)
                printf(ROW_FORM, "RANK", "SURE", "PART", "OFFSET", "WIDTH", "ORDER", "SIGN", "SCALE", "LAG S",
                       "MATCHED");
        for (unsigned i = 0; i < r->top && i < r->result->n_fields; i++)
                put_row(r, i);
        printf("%llu packets, %llu with a known value, %llu dropped\n", (unsigned long long) r->packets->total,
               (unsigned long long) r->result->pairs, (unsigned long long) r->dropped);
        for (unsigned i = 0; i < WARNINGS; i++)
                if (warning(r, i, text))
                        put_wrapped("beware: ", text);
        return fflush(stdout) == 0 ? 0 : -errno;
}
