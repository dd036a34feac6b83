#include "tools/discover_output.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/suggestion_json.h"
#include "base/decimal.h"
#include "tools/ndjson.h"

#define LINE_MAX_BYTES  8192
#define TABLE_WIDTH     80
#define EVIDENCE_COLUMN 19
#define CANNOT_COLUMN   30  /* behind the place and "cannot tell: " */

/* ---- lines ---- */

static void put_attribute(struct json_writer *w, const struct protocol *p, const struct suggestion *s) {
        struct attribute_info info;

        p->attribute(&(struct datapoint) { .id = s->id, .type = s->type }, &info);
        json_put_string(w, "attribute", info.id);
        json_put_string(w, "type", info.type);
}

/* Where the values are: members that say so. */
static void put_place(struct json_writer *w, const struct protocol *p, const struct suggestion *s) {
        if (p->attribute)
                put_attribute(w, p, s);
        else {
                json_put_uint(w, "dp", s->id);
                json_put_string(w, "type", s->type < DATAPOINT_TYPE_COUNT ? datapoint_type_names[s->type] : NULL);
        }
        suggestion_put_word(w, s);
}

static int put_line(struct buffer *line, const struct protocol *p, const struct suggestion *s, unsigned i) {
        struct json_writer w;

        json_begin(&w, line);
        json_object_begin(&w, NULL);
        put_place(&w, p, s);
        if (i < s->count)
                suggestion_put_hypothesis(&w, s, i);
        else
                json_put_string(&w, "cannot_tell", s->cannot_tell);
        json_object_end(&w);
        return ndjson_write(line);
}

static int put_suggestion(struct buffer *line, const struct protocol *p, const struct suggestion *s) {
        unsigned i = 0;
        int r;

        do
                r = put_line(line, p, s, i);
        while (r >= 0 && ++i < s->count);
        return r;
}

int discover_put_lines(const struct discover_subject *subject, const struct suggestions *found) {
        struct buffer line;
        int r = 0;

        buffer_init(&line, LINE_MAX_BYTES);
        for (unsigned i = 0; r >= 0 && i < found->count; i++)
                r = put_suggestion(&line, subject->protocol, &found->items[i]);
        buffer_free(&line);
        return r < 0 ? r : 0;
}

/* ---- table ---- */

static void place_text(const struct protocol *p, const struct suggestion *s, char buf[48]) {
        struct attribute_info info = { .id = "" };
        int len;

        if (p->attribute)
                p->attribute(&(struct datapoint) { .id = s->id, .type = s->type }, &info);
        if (p->attribute)
                len = snprintf(buf, 48, "%s", info.id);
        else
                len = snprintf(buf, 48, "dp %u", s->id);
        if (s->is_word)
                snprintf(buf + len, 48 - (size_t) len, " +%u %u %s", s->offset, s->width,
                         s->big_endian ? "be" : "le");
}

/* Exact: the scales of hypotheses are powers of ten. */
static void scale_text(const struct hypothesis *h, char text[DECIMAL_TEXT_MAX]) {
        unsigned places = 0;

        for (int64_t den = h->scale_den; den > 1; den /= 10)
                places++;
        decimal_format(h->scale_num, places, text);
}

static void meaning_text(const struct hypothesis *h, char buf[96]) {
        char scale[DECIMAL_TEXT_MAX];
        int len;

        len = snprintf(buf, 96, "%s%s", h->channel, h->channel[0] ? "." : "");
        if (h->layout != LAYOUT_NONE)
                snprintf(buf + len, 96 - (size_t) len, "layout %s%s", datapoint_layout_names[h->layout],
                         h->power_den == 10 ? ", power_scale 0.1" : "");
        else if (h->is_direction)
                snprintf(buf + len, 96 - (size_t) len, "direction, %u is export", h->direction_reverse);
        else {
                scale_text(h, scale);
                snprintf(buf + len, 96 - (size_t) len, "%s%s, scale %s", quantity_catalogue[h->quantity].key,
                         h->is_increment ? " (increment)" : "", scale);
        }
}

/* Words from a column on, in lines as wide as the narrowest terminal that is common; further lines stand behind. */
static void print_words(const char *text, unsigned column) {
        unsigned at = column;

        while (*text) {
                int len = (int) strcspn(text, " ");

                if (at > column && at + 1 + (unsigned) len > TABLE_WIDTH) {
                        printf("\n%*s", (int) column + 1, "");
                        at = column + 1;
                }
                at += (unsigned) printf("%s%.*s", at > column ? " " : "", len, text);
                text += len;
                text += strspn(text, " ");
        }
        putchar('\n');
}

/* Rounded down, as the levels are. */
static void print_share(double confidence) {
        if (confidence < 0.01)
                printf(" <1 %%");
        else
                printf("%3.0f %%", floor(confidence * 100));
}

static void print_hypothesis(const char *place, const struct hypothesis *h, unsigned rank) {
        char meaning[96];

        meaning_text(h, meaning);
        printf("%-16s %-44s ", rank == 0 ? place : "  or", meaning);
        print_share(h->confidence);
        printf("  %s\n", suggest_level_names[h->level]);
        for (unsigned i = 0; rank == 0 && i < h->n_evidence; i++) {
                printf("%*s", EVIDENCE_COLUMN, "");
                print_words(h->evidence[i], EVIDENCE_COLUMN);
        }
}

int discover_put_table(const struct discover_subject *subject, const struct suggestions *found) {
        char place[48];

        for (unsigned i = 0; i < found->count; i++) {
                const struct suggestion *s = &found->items[i];

                place_text(subject->protocol, s, place);
                if (s->count == 0) {
                        printf("%-16s cannot tell: ", place);
                        print_words(s->cannot_tell, CANNOT_COLUMN);
                }
                for (unsigned k = 0; k < s->count; k++)
                        print_hypothesis(place, &s->hypotheses[k], k);
        }
        return fflush(stdout) == 0 ? 0 : -errno;
}
