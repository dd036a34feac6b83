#include "correlate_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "capture/capture_frames.h"
#include "tools/random.h"

/* What a byte beside the field is. */
enum role {
        ROLE_CONSTANT,
        ROLE_RANDOM,
        ROLE_SEQUENCE,
        ROLE_UPTIME,      /* four bytes, ms, little-endian */
        ROLE_ENERGY,      /* four bytes, big-endian, grows */
        ROLE_SLOW,        /* two bytes, big-endian, such as a temperature */
        ROLE_FIELD,
};

static const uint8_t role_size[] = { 1, 1, 1, 4, 4, 2 };

static uint32_t below(struct correlate_case *c, uint32_t n) {
        return random_below(&c->random, n);
}

static bool one_in(struct correlate_case *c, uint32_t n) {
        return below(c, n) == 0;
}

/* ---- the meter ---- */

struct scale_choice {
        int64_t num, den;
        const char *unit;
        int64_t typical;          /* raw value of an ordinary load, mains or register */
};

static const struct scale_choice gauges[] = {
        { 1, 1000, "kW", 1500 },  { 1, 10000, "kW", 15000 }, { 1, 100000, "kW", 150000 }, { 3, 5000, "kW", 2500 },
        { 7, 10000, "kW", 2100 }, { 1, 10, "W", 15000 },     { 1, 1, "W", 1500 },         { 2, 1000, "kW", 800 },
        { 1, 5000, "kW", 7500 },  { 1, 10, "V", 2300 },      { 1, 100, "V", 23000 },      { 1, 1000, "A", 9000 },
        { 4, 10000, "kW", 4000 }, { 9, 1000, "kW", 180 },
};
static const struct scale_choice registers[] = {
        { 1, 1000, "kWh", 5858944 }, { 3, 5000, "kWh", 110612724 }, { 1, 100, "kWh", 123456 },
};

static bool fits(const struct correlate_case *c, int64_t v) {
        int64_t top = INT64_C(1) << (8 * c->field.width - (c->field.sign != FIELD_UNSIGNED));

        return v < top && v > (c->field.sign == FIELD_UNSIGNED ? -1 : -top);
}

static int64_t next_gauge(struct correlate_case *c, int64_t v, int64_t typical) {
        int64_t step = one_in(c, 8) ? typical / 2 : typical / 40 + 1;
        int64_t next = v + (int64_t) below(c, (uint32_t) (2 * step + 1)) - step;

        if (next > typical * 2)
                next = typical;
        if (next < (c->has_negative ? -typical : typical / 20))
                next = c->has_negative ? -typical / 2 : typical / 10;
        return fits(c, next) ? next : v;
}

static void make_values(struct correlate_case *c, int64_t typical) {
        int64_t v = c->is_total ? typical : typical / 2, speed = 3;

        c->n_values = (c->n_packets * c->packet_s + 1200) / c->meter_s + 2;
        c->values = calloc(c->n_values, sizeof *c->values);
        for (unsigned i = 0; c->values && i < c->n_values; i++) {
                c->values[i] = v;
                if (one_in(c, 6))
                        speed = 1 + below(c, 30);
                v = c->is_total ? v + speed + below(c, 3) : next_gauge(c, v, typical);
        }
}

static int64_t value_at(const struct correlate_case *c, int64_t ms) {
        int64_t at = (ms - c->start_ms + 600000) / (1000 * (int64_t) c->meter_s);

        at = at < 0 ? 0 : at >= c->n_values ? c->n_values - 1 : at;
        return c->values[at];
}

static unsigned bytes_needed(int64_t typical) {
        unsigned n = 1;

        while (typical * 2 >= INT64_C(1) << (8 * n - 1))
                n++;
        return n;
}

static void choose_field(struct correlate_case *c) {
        const struct scale_choice *choice = c->is_total ? &registers[below(c, ELEMENTS(registers))]
                                                        : &gauges[below(c, ELEMENTS(gauges))];
        unsigned least = bytes_needed(choice->typical);

        c->scale_num = choice->num;
        c->scale_den = choice->den;
        c->unit = choice->unit;
        c->field.width = (uint8_t) (least + below(c, FIELD_WIDTH_MAX - least + 1));
        c->field.big_endian = one_in(c, 2);
        c->field.sign = (uint8_t) (c->is_total || c->unit[0] == 'V' ? FIELD_UNSIGNED : below(c, 3));
        c->has_negative = c->field.sign != FIELD_UNSIGNED && one_in(c, 2);
        c->field.offset = (uint16_t) (1 + below(c, (uint32_t) c->length - c->field.width - 1));
        make_values(c, choice->typical);
}

/* ---- its packets ---- */

static void place_roles(struct correlate_case *c) {
        size_t at = 0;

        for (size_t i = 0; i < c->length; i++)
                c->fixed[i] = (uint8_t) (one_in(c, 3) ? 0 : 1 + below(c, 255));
        while (at < c->length) {
                enum role role = below(c, 4) ? ROLE_CONSTANT : (enum role) below(c, ROLE_FIELD);
                size_t end = at + role_size[role];

                if (at == c->field.offset) {
                        memset(c->role + at, ROLE_FIELD, c->field.width);
                        at += c->field.width;
                        continue;
                }
                if (end > c->length || (at < c->field.offset && end > c->field.offset)) {
                        role = ROLE_CONSTANT;
                        end = at + 1;
                }
                memset(c->role + at, role, end - at);
                at = end;
        }
}

static void put(uint8_t *out, uint64_t v, unsigned width, bool big_endian) {
        for (unsigned i = 0; i < width; i++)
                out[big_endian ? width - 1 - i : i] = (uint8_t) (v >> 8 * i);
}

static void put_field(const struct correlate_case *c, uint8_t *payload, int64_t v) {
        uint64_t bits = (uint64_t) v;

        if (c->field.sign == FIELD_SIGN_MAGNITUDE && v < 0)
                bits = (uint64_t) -v | UINT64_C(1) << (8 * c->field.width - 1);
        put(payload + c->field.offset, bits, c->field.width, c->field.big_endian);
}

static void fill(struct correlate_case *c, uint8_t *payload, unsigned number, int64_t ms) {
        for (size_t at = 0; at < c->length;) {
                int64_t since_ms = ms - c->start_ms;

                switch (c->role[at]) {
                case ROLE_RANDOM:
                        payload[at] = (uint8_t) below(c, 256);
                        break;
                case ROLE_SEQUENCE:
                        payload[at] = (uint8_t) (c->fixed[at] + number);
                        break;
                case ROLE_UPTIME:
                        put(payload + at, (uint64_t) (since_ms + 86400000), 4, false);
                        break;
                case ROLE_ENERGY:
                        put(payload + at, (uint64_t) (1234567 + since_ms / 1700 + number % 3), 4, true);
                        break;
                case ROLE_SLOW:
                        put(payload + at, (uint64_t) (2150 + 40 * sin((double) since_ms / 900000)), 2, true);
                        break;
                case ROLE_FIELD:
                        put_field(c, payload, value_at(c, ms));
                        at += c->field.width;
                        continue;
                default:
                        payload[at] = c->fixed[at];
                        break;
                }
                at += role_size[c->role[at]];
        }
}

static void put_stamp(FILE *out, const struct correlate_case *c, int64_t ms) {
        time_t t = ms / 1000;
        char text[40];
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
        if (c->is_entries)
                fprintf(out, "\"%s\",", text);
        else
                fprintf(out, "%s.%03dZ rx ", text, (int) (ms % 1000));
}

static void put_packet(struct correlate_case *c, FILE *out, unsigned number, int64_t ms) {
        uint8_t frame[CASE_PAYLOAD_MAX + 5] = { 0x24, 0x01, 'r', (uint8_t) c->length };
        size_t len = c->length + 5;
        bool cut = below(c, 100) < c->cut_percent;

        fill(c, frame + 4, number, ms);
        frame[len - 1] = '\r';
        if (cut) {
                len = 5 + below(c, (uint32_t) len - 6);
                c->packets_cut++;
        }
        put_stamp(out, c, ms);
        for (size_t i = 0; i < len; i++) {
                if (i > 0 && c->is_split && i % 17 == 0) {
                        fputs(c->has_line_breaks || !c->is_entries ? "\n" : "", out);
                        put_stamp(out, c, ms);
                }
                fprintf(out, "%02X", frame[i]);
        }
        fputs(c->has_line_breaks || !c->is_entries ? "\n" : "", out);
}

static void write_capture(struct correlate_case *c) {
        FILE *out = open_memstream(&c->capture, &c->capture_len);

        for (unsigned i = 0; out && i < c->n_packets; i++) {
                int64_t ms = c->start_ms + (int64_t) i * c->packet_s * 1000 + below(c, 900);

                if (c->is_entries)
                        ms -= ms % 1000;
                if (below(c, 100) >= c->loss_percent)
                        put_packet(c, out, i, ms);
        }
        if (out)
                fclose(out);
}

/* ---- the CSV ---- */

static void put_time(FILE *out, const struct correlate_case *c, int64_t ms) {
        static const char *const forms[] = { "%m/%d/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S",
                                             "%Y-%m-%dT%H:%M:%SZ" };
        time_t t = ms / 1000;
        char text[40];
        struct tm tm;

        if (c->time_form >= ELEMENTS(forms)) {
                fprintf(out, "%lld", (long long) (c->time_form == ELEMENTS(forms) ? ms / 1000 : ms));
                return;
        }
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, forms[c->time_form], &tm);
        fputs(text, out);
}

/* With a comma as the decimal point where fields have semicolons between them. */
static void put_value(struct correlate_case *c, FILE *out, int64_t ms) {
        double v = (double) value_at(c, ms) * (double) c->scale_num / (double) c->scale_den;
        double count = (double) c->scale_num / (double) c->scale_den;
        char text[40], *point;

        if (c->is_total)
                v -= 1000;
        if (c->noise > 0)
                v += count * ((double) below(c, 200 * c->noise + 1) / 1000 - c->noise / 10.0);
        if (below(c, 100) < c->outlier_percent)
                v *= 1.5;
        snprintf(text, sizeof text, "%.*f", (int) c->places, v);
        point = strchr(text, '.');
        if (c->time_form == 2 && point)
                *point = ',';
        fputs(text, out);
}

static void write_csv(struct correlate_case *c) {
        int64_t first = c->start_ms - 300000;
        int64_t last = c->start_ms + (int64_t) c->n_packets * c->packet_s * 1000 + 300000;
        FILE *out = open_memstream(&c->csv, &c->csv_len);
        const char *separator = c->time_form == 2 ? ";" : ",";
        int64_t hole_until = 0;

        if (!out)
                return;
        fprintf(out, "Time%sMains (%s)\n", separator, c->unit);
        first -= first % 1000;
        for (int64_t ms = first; ms < last; ms += c->row_s * 1000) {
                bool blank;

                if (ms >= hole_until && below(c, 2000) < c->hole_percent)
                        hole_until = ms + 1000 * (int64_t) (10 + below(c, 120));
                blank = below(c, 1000) < c->hole_percent;
                if (ms < hole_until)
                        continue;
                put_time(out, c, ms + (c->zone_s + c->lag_s) * INT64_C(1000));
                fputs(separator, out);
                if (!blank)
                        put_value(c, out, ms);
                fputc('\n', out);
        }
        fclose(out);
}

static unsigned places_for(const struct correlate_case *c) {
        unsigned places = 0;

        for (int64_t den = c->scale_den; den > 1; den /= 10)
                places++;
        return places;
}

void correlate_case_make(struct correlate_case *c, uint64_t seed) {
        static const unsigned intervals[] = { 5, 10, 30 };

        *c = (struct correlate_case) { .random = random_seed(seed), .start_ms = INT64_C(1702025141000) };
        c->length = 24 + below(c, CASE_PAYLOAD_MAX - 24);
        c->is_total = one_in(c, 8);
        c->n_packets = 25 + below(c, one_in(c, 3) ? 30 : 235);
        c->packet_s = intervals[below(c, 3)];
        c->meter_s = one_in(c, 2) ? 5 : c->packet_s;
        c->row_s = one_in(c, 3) ? (c->meter_s == 30 ? 10 : 2) : 1;
        c->lag_s = (int) below(c, 201) - 100;
        c->zone_s = one_in(c, 3) ? ((int) below(c, 49) - 24) * 1800 : 0;
        c->loss_percent = one_in(c, 2) ? below(c, 20) : 0;
        c->cut_percent = one_in(c, 2) ? below(c, 8) : 0;
        c->outlier_percent = one_in(c, 3) ? below(c, 4) : 0;
        c->hole_percent = one_in(c, 2) ? below(c, 20) : 0;
        c->noise = one_in(c, 3) ? (one_in(c, 3) ? 60 : 4) : 0;
        c->is_entries = one_in(c, 2);
        c->has_line_breaks = one_in(c, 2);
        c->is_split = one_in(c, 4);
        c->time_form = below(c, 6);
        choose_field(c);
        c->places = places_for(c) + below(c, 2);
        place_roles(c);
        write_capture(c);
        write_csv(c);
}

void correlate_case_free(struct correlate_case *c) {
        free(c->values);
        free(c->capture);
        free(c->csv);
}

/* ---- the answer ---- */

static const struct protocol *protocol(void) {
        return protocol_find("vue");
}

static int take_frame(void *userdata, const struct captured_frame *frame) {
        struct correlate_case_answer *a = userdata;
        struct frame_part part;
        size_t at = 0;
        int r = 0;

        while (r >= 0 && protocol()->part(frame->data, frame->len, &at, &part))
                r = packets_add(&a->packets, part.kind, part.bytes.data, part.bytes.len, frame->utc_ms);
        return r;
}

static void must(bool condition, const char *what) {
        if (condition)
                return;
        fprintf(stderr, "%s\n", what);
        abort();
}

void correlate_case_run(const struct correlate_case *c, struct correlate_case_answer *ret) {
        const struct captured_frames_handler handler = { .frame = take_frame, .userdata = ret };
        struct captured_stats stats;
        struct known_csv_options csv_options = { .column = NULL };
        struct correlate_options options = { .tolerance = 0 };
        char error[CSV_ERROR_MAX];
        struct capture *capture;

        *ret = (struct correlate_case_answer) { .result = calloc(1, sizeof *ret->result) };
        must(ret->result && packets_init(&ret->packets) == 0, "no memory");
        must(capture_open_stream(fmemopen(c->capture, c->capture_len, "r"), "capture", &capture) == 0, "capture");
        must(captured_frames_read(capture, protocol(), &handler, &stats) == 0, capture_error(capture));
        capture_free(capture);
        ret->broken = stats.broken;
        csv_options.near_first_ms = ret->packets.first_ms;
        csv_options.near_last_ms = ret->packets.last_ms;
        must(known_csv_read_stream(fmemopen(c->csv, c->csv_len, "r"), "csv", &csv_options, &ret->csv, error) == 0,
             error);
        options.kilowatt_units = csv_unit_kilowatts(ret->csv.unit);
        must(correlate(&ret->packets, &ret->csv.known, &options, ret->result) == 0, "correlate");
}

void correlate_answer_free(struct correlate_case_answer *a) {
        packets_free(&a->packets);
        known_csv_free(&a->csv);
        free(a->result);
}

static bool leaves_open(const struct correlate_field *f, const char *what) {
        for (unsigned i = 0; i < f->n_open; i++)
                if (strncmp(f->open[i], what, strlen(what)) == 0)
                        return true;
        return false;
}

/* Whether any packet that came through had a value below zero. */
static bool had_negative(const struct correlate_case *c, const struct correlate_case_answer *a, unsigned group) {
        const struct packet_group *g = &a->packets.groups[group];

        for (size_t i = 0; i < g->n; i++)
                if (field_read(c->field, packet_at(g, i)) < 0)
                        return true;
        return false;
}

static bool is_right(const struct correlate_case *c, const struct correlate_case_answer *a,
                     const struct correlate_field *f) {
        bool has_negative = had_negative(c, a, f->group);
        double scale = (double) c->scale_num / (double) c->scale_den;

        if (f->energy || field_lowest(f->field) != field_lowest(c->field) || fabs(f->scale - scale) > 1e-9 * scale)
                return false;
        if (f->order_known && f->field.big_endian != c->field.big_endian)
                return false;
        if (f->field.width != c->field.width && !leaves_open(f, "width"))
                return false;
        if (f->sign_known && f->field.sign != (has_negative ? c->field.sign : FIELD_UNSIGNED))
                return false;
        if (!f->sign_known && !leaves_open(f, "sign"))
                return false;
        /* A wrong row at the edge takes its lags away. */
        return f->zone_s == c->zone_s && f->lag_from_s - (int) c->row_s - 1 <= c->lag_s &&
               c->lag_s <= f->lag_to_s + (int) c->row_s + 1;
}

enum verdict correlate_case_judge(const struct correlate_case *c, const struct correlate_case_answer *a) {
        const struct correlate_field *f = &a->result->fields[0];

        if (a->result->n_fields > 0 && is_right(c, a, f))
                return VERDICT_RIGHT;
        return a->result->n_fields > 0 && f->decided ? VERDICT_WRONG : VERDICT_UNDECIDED;
}

static void print_field(const struct correlate_case_answer *a, unsigned i) {
        const struct correlate_field *f = &a->result->fields[i];

        fprintf(stderr, "# is %u: offset %u width %u %s sign %u scale %.9g intercept %.6g zone %d lag %d..%d "
                "matched %llu/%llu chance %.2g decided %d", i + 1, f->field.offset, f->field.width,
                f->field.big_endian ? "be" : "le", f->field.sign, f->scale, f->intercept, f->zone_s, f->lag_from_s,
                f->lag_to_s, (unsigned long long) f->matched, (unsigned long long) f->total, f->by_chance,
                f->decided);
        for (unsigned k = 0; k < f->n_open; k++)
                fprintf(stderr, "; %s", f->open[k]);
        fprintf(stderr, "\n");
}

void correlate_case_print(const struct correlate_case *c, const struct correlate_case_answer *a, uint64_t seed) {
        fprintf(stderr, "# seed %llu: offset %u width %u %s sign %u%s scale %.9g %s zone %d lag %d length %zu "
                "packets %u every %u s, meter %u s, rows %u s, %u places, loss %u cut %u outliers %u holes %u noise %u "
                "form %u\n",
                (unsigned long long) seed, c->field.offset, c->field.width, c->field.big_endian ? "be" : "le",
                c->field.sign, c->has_negative ? " negative" : "", (double) c->scale_num / (double) c->scale_den,
                c->unit, c->zone_s, c->lag_s, c->length, c->n_packets, c->packet_s, c->meter_s, c->row_s, c->places,
                c->loss_percent, c->cut_percent, c->outlier_percent, c->hole_percent, c->noise, c->time_form);
        for (unsigned i = 0; i < 2 && i < a->result->n_fields; i++)
                print_field(a, i);
}
