/* What is worth knowing about the module and its readings beyond the values: for the diagnostics. */
#include "protocols/vue/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocols/vue/zcl.h"

enum {
        V2_FIRMWARE_LAST = 3,    /* of 4 to 6 nobody has seen a reading */
        ZCL_FIRMWARE_FIRST = 7,
};

/* ---- helpers ---- */

static void set_number(struct session_detail *d, bool known, int64_t number) {
        d->kind = known ? DETAIL_NUMBER : DETAIL_UNKNOWN;
        d->number = known ? number : 0;
}

static void set_time(struct session_detail *d, bool known, uint64_t at_ms) {
        d->kind = known ? DETAIL_TIME : DETAIL_UNKNOWN;
        d->at_ms = known ? at_ms : 0;
}

static void set_flag(struct session_detail *d, bool known, bool value) {
        d->kind = known ? DETAIL_FLAG : DETAIL_UNKNOWN;
        d->number = known && value;
}

static void set_text(struct session_detail *d, bool known, const char *text) {
        d->kind = known ? DETAIL_TEXT : DETAIL_UNKNOWN;
        if (known)
                snprintf(d->text, sizeof d->text, "%s", text);
}

/* Adds to a list of things; one that does not fit whole ends it with dots. False when it did not. */
__attribute__((format(printf, 2, 3)))
static bool add_text(struct session_detail *d, const char *format, ...) {
        static const char dots[] = " ...";
        size_t len = strlen(d->text), room = sizeof d->text - len - sizeof dots;
        va_list args;
        int n;

        d->kind = DETAIL_TEXT;
        va_start(args, format);
        n = vsnprintf(d->text + len, room, format, args);
        va_end(args);
        if (n >= 0 && (size_t) n < room)
                return true;
        strcpy(d->text + len, dots);
        return false;
}

static bool has_layout(const struct vue_session *s, enum vue_layout layout) {
        return s->frame_len > 0 && s->reading.layout == layout;
}

static void set_raw(struct session_detail *d, const struct vue_session *s, const struct vue_value *v) {
        set_number(d, s->frame_len > 0 && v->has_raw, vue_number_clamped(v->raw));
}

static void set_factor(struct session_detail *d, const struct vue_session *s, const struct vue_factor *f) {
        set_number(d, s->frame_len > 0 && f->presence != VUE_ABSENT, vue_number_clamped(f->number));
}

/* Digits before and after the decimal point of the meter's display. */
static void set_format(struct session_detail *d, const struct vue_session *s, uint8_t format) {
        if (has_layout(s, VUE_V2))
                (void) add_text(d, "%02X (%u.%u digits)", (unsigned) format, format >> 3 & 15u, format & 7u);
}

/* ---- one function for each detail ---- */

static void mac(const struct vue_session *s, struct session_detail *d) {
        set_text(d, s->has_mac, s->mac);
}

static void install_code(const struct vue_session *s, struct session_detail *d) {
        d->is_secret = true;
        for (unsigned i = 0; s->has_install_code && i < VUE_INSTALL_CODE_SIZE; i++)
                (void) add_text(d, "%02X", (unsigned) s->install_code[i]);
}

static void install_code_crc(const struct vue_session *s, struct session_detail *d) {
        bool intact = vue_install_code_is_intact(span_of(s->install_code, sizeof s->install_code));

        set_text(d, s->has_install_code, intact ? "ok" : "bad");
}

static void firmware(const struct vue_session *s, struct session_detail *d) {
        set_number(d, s->has_firmware, s->firmware);
}

static void layout(const struct vue_session *s, struct session_detail *d) {
        set_text(d, s->frame_len > 0, vue_layout_names[s->reading.layout]);
}

/* The layout follows the payload alone; a version that suggests another one is worth telling. */
static void layout_fits_firmware(const struct vue_session *s, struct session_detail *d) {
        bool has = s->frame_len > 0 && s->reading.layout != VUE_LAYOUT_NONE && s->has_firmware;
        enum vue_layout expected = VUE_LAYOUT_NONE;

        if (s->firmware <= V2_FIRMWARE_LAST)
                expected = VUE_V2;
        else if (s->firmware >= ZCL_FIRMWARE_FIRST)
                expected = VUE_ZCL;
        set_flag(d, has && expected != VUE_LAYOUT_NONE, s->reading.layout == expected);
}

static void join(const struct vue_session *s, struct session_detail *d) {
        set_number(d, s->has_join, s->join);
}

static void join_at(const struct vue_session *s, struct session_detail *d) {
        set_time(d, s->has_join, s->join_at_ms);
}

static void last_heard_at(const struct vue_session *s, struct session_detail *d) {
        set_time(d, s->heard, s->last_heard_ms);
}

static void last_good_at(const struct vue_session *s, struct session_detail *d) {
        set_time(d, s->ever_good, s->last_good_ms);
}

static void poll_ms(const struct vue_session *s, struct session_detail *d) {
        set_number(d, s->config.poll_ms > 0, s->config.poll_ms);
}

static void poll_aligned(const struct vue_session *s, struct session_detail *d) {
        set_flag(d, s->config.poll_ms > 0, s->config.poll_aligned);
}

static void multiplier(const struct vue_session *s, struct session_detail *d) {
        set_factor(d, s, &s->reading.multiplier);
}

static void divisor(const struct vue_session *s, struct session_detail *d) {
        set_factor(d, s, &s->reading.divisor);
}

static void scale_changed_at(const struct vue_session *s, struct session_detail *d) {
        set_time(d, s->scale_changed, s->scale_changed_ms);
}

static void demand_raw(const struct vue_session *s, struct session_detail *d) {
        set_raw(d, s, &s->reading.power);
}

static void import_raw(const struct vue_session *s, struct session_detail *d) {
        set_raw(d, s, &s->reading.import);
}

static void export_raw(const struct vue_session *s, struct session_detail *d) {
        set_raw(d, s, &s->reading.export);
}

static void sequence(const struct vue_session *s, struct session_detail *d) {
        set_number(d, has_layout(s, VUE_ZCL), s->reading.sequence);
}

static void unit_of_measure(const struct vue_session *s, struct session_detail *d) {
        set_number(d, s->frame_len > 0 && s->reading.has_unit, s->reading.unit);
}

static void attribute_status(const struct vue_session *s, struct session_detail *d) {
        if (!has_layout(s, VUE_ZCL))
                return;
        for (unsigned i = 0; i < s->reading.n_attributes; i++) {
                const struct vue_attribute *a = &s->reading.attributes[i];
                const char *name = zcl_status_name(a->status);

                if (a->status != ZCL_SUCCESS &&
                    !add_text(d, "%s0x%04X: 0x%02X%s%s", d->text[0] ? ", " : "", (unsigned) a->id,
                              (unsigned) a->status, name ? " " : "", name ? name : ""))
                        return;
        }
}

static void meter_ts_ms(const struct vue_session *s, struct session_detail *d) {
        set_number(d, has_layout(s, VUE_V2), s->reading.meter_ts_ms);
}

static void summation_format(const struct vue_session *s, struct session_detail *d) {
        set_format(d, s, s->reading.summation_format);
}

static void demand_format(const struct vue_session *s, struct session_detail *d) {
        set_format(d, s, s->reading.demand_format);
}

/* "offset=value" of the bytes of a record dump that are zero everywhere else. */
static void unknown_nonzero(const struct vue_session *s, struct session_detail *d) {
        if (!has_layout(s, VUE_V2))
                return;
        for (unsigned i = 0; i < s->reading.n_nonzero; i++)
                if (!add_text(d, "%s%u=%02X", i > 0 ? " " : "", (unsigned) s->reading.nonzero[i].offset,
                              (unsigned) s->reading.nonzero[i].value))
                        return;
}

static void last_reject(const struct vue_session *s, struct session_detail *d) {
        set_text(d, s->frame_len > 0 && s->reading.reject != VUE_OK, vue_reject_names[s->reading.reject]);
}

static void last_frame(const struct vue_session *s, struct session_detail *d) {
        if (s->frame_len == 0)
                return;
        d->kind = DETAIL_HEX;
        d->bytes = s->frame;
        d->len = s->frame_len;
}

static void last_frame_at(const struct vue_session *s, struct session_detail *d) {
        set_time(d, s->frame_len > 0, s->frame_at_ms);
}

static void last_notice(const struct vue_session *s, struct session_detail *d) {
        set_number(d, s->has_notice, s->notice);
}

static void last_notice_at(const struct vue_session *s, struct session_detail *d) {
        set_time(d, s->has_notice, s->notice_at_ms);
}

/* ---- all of them ---- */

static const struct {
        const char *key, *label;
        void (*fill)(const struct vue_session *s, struct session_detail *d);
} details[] = {
        { "mac", "MAC", mac },
        { "install_code", "Install code", install_code },
        { "install_code_crc", "Install code checksum", install_code_crc },
        { "module_firmware", "Module firmware", firmware },
        { "layout", "Layout of the readings", layout },
        { "layout_fits_firmware", "Layout fits the firmware", layout_fits_firmware },
        { "join", "Answer to the last join", join },
        { "join_at", "Last join answered", join_at },
        { "last_heard_at", "Last message of the module", last_heard_at },
        { "last_good_reading_at", "Last good reading", last_good_at },
        { "poll_ms", "Poll interval (ms)", poll_ms },
        { "poll_aligned", "Polls on the wall clock", poll_aligned },
        { "multiplier", "Multiplier", multiplier },
        { "divisor", "Divisor", divisor },
        { "scale_changed_at", "Multiplier or divisor changed", scale_changed_at },
        { "demand_raw", "Raw demand", demand_raw },
        { "import_raw", "Raw imported total", import_raw },
        { "export_raw", "Raw exported total", export_raw },
        { "sequence", "Sequence number", sequence },
        { "unit_of_measure", "Unit of measure", unit_of_measure },
        { "attribute_status", "Attributes without a value", attribute_status },
        { "meter_ts_ms", "Module's counter (ms)", meter_ts_ms },
        { "summation_format", "Format of the totals", summation_format },
        { "demand_format", "Format of the demand", demand_format },
        { "unknown_nonzero", "Unknown bytes that are not zero", unknown_nonzero },
        { "last_reject", "Last reading refused as", last_reject },
        { "last_reading_frame", "Last reading frame", last_frame },
        { "last_reading_frame_at", "Last reading frame received", last_frame_at },
        { "last_notice", "Last notice", last_notice },
        { "last_notice_at", "Last notice received", last_notice_at },
};

bool vue_detail(const struct session *base, unsigned i, struct session_detail *ret) {
        if (i >= sizeof details / sizeof details[0])
                return false;
        *ret = (struct session_detail) { .key = details[i].key, .label = details[i].label, .kind = DETAIL_UNKNOWN };
        details[i].fill(vue_session_of(base), ret);
        return true;
}
