#include "tools/mgm111.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "tools/random.h"

enum {
        DEFAULT_FIRMWARE = 8,
        CONSOLE_FIRMWARE = 8,    /* the first one whose console has been seen, and `e` frames */
        ATTRIBUTES_FIRMWARE = 7, /* the first one with attributes; the record of 152 bytes before it */

        DEFAULT_BOOT_MS = 2000,
        CONTROL_MS = 5,          /* from a request to its answer, without the radio */
        RADIO_MS = 85,           /* with it, as one published log shows */
        LEVEL_PROMPTS = 10,
        LEVEL_ALL = 20,

        RECORD_SIZE = 152,
        READING_MAX = RECORD_SIZE,
        FRAME_EXTRA = 5,
        NOTICE_CHANCE = 3,       /* one lost reading in that many gets an `e` frame */

        CONSOLE_TEXT_MAX = 320,
};

/* mW * ms in a kWh. */
#define MWMS_PER_KWH INT64_C(3600000000000)
#define MWH_PER_KWH  INT64_C(1000000)

typedef __int128 wide;

const char *const mgm111_state_names[] = { "reachable", "out-of-reach", "unprovisioned", "silent" };
const char *const mgm111_flaw_names[] = { "spike", "all-ones", "all-zero", "no-power", "duplicate" };

static const uint8_t mac_on_the_wire[] = { 0xbc, 0x9a, 0x00, 0x80, 0xeb, 0xd5, 0xb3, 0x70 };
static const uint8_t install_code[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab };  /* invented */

/* --- bytes out --------------------------------------------------------------------------------------------- */

static void put_bytes(struct mgm111 *m, const void *data, size_t len) {
        if (len > sizeof m->output - m->n_output)
                return;  /* lost, as in a small UART buffer */
        memcpy(m->output + m->n_output, data, len);
        m->n_output += len;
}

static void put_frame(struct mgm111 *m, char letter, const uint8_t *payload, size_t len) {
        uint8_t frame[READING_MAX + FRAME_EXTRA] = { '$', 1, (uint8_t) letter, (uint8_t) len };

        memcpy(frame + 4, payload, len);
        frame[4 + len] = '\r';
        put_bytes(m, frame, len + FRAME_EXTRA);
}

static void put_byte_frame(struct mgm111 *m, char letter, unsigned value) {
        put_frame(m, letter, &(uint8_t) { (uint8_t) value }, 1);
}

static bool console_shows(const struct mgm111 *m, unsigned level) {
        return m->options.firmware >= CONSOLE_FIRMWARE && m->log_level >= level && m->log_level > 0;
}

static void put_console(struct mgm111 *m, unsigned level, const char *text) {
        if (console_shows(m, level))
                put_bytes(m, text, strlen(text));
}

/* --- numbers ----------------------------------------------------------------------------------------------- */

static wide divide_rounded(wide a, wide b) {
        return a < 0 ? -((-a + b / 2) / b) : (a + b / 2) / b;
}

/* Counts in mW or mWh. */
static int64_t scaled(const struct mgm111 *m, int64_t counts) {
        return (int64_t) divide_rounded((wide) counts * m->options.multiplier * MWH_PER_KWH, m->options.divisor);
}

/* What fits the 24 bits of the wire, whose lowest number is no value. */
static int32_t power_counts(const struct mgm111 *m) {
        wide power_mw = m->house_is_off ? 0 : m->power_mw;
        wide counts = divide_rounded(power_mw * m->options.divisor, (wide) m->options.multiplier * MWH_PER_KWH);

        return (int32_t) (counts > 0x7fffff ? 0x7fffff : counts < -0x7fffff ? -0x7fffff : counts);
}

int64_t mgm111_ledger_import(const struct mgm111 *m) {
        return scaled(m, (int64_t) m->import.told);
}

int64_t mgm111_ledger_export(const struct mgm111 *m) {
        return scaled(m, (int64_t) m->export.told);
}

static void put_little(uint8_t *p, uint64_t value, size_t width) {
        for (size_t i = 0; i < width; i++)
                p[i] = (uint8_t) (value >> 8 * i);
}

static void put_big(uint8_t *p, uint64_t value, size_t width) {
        for (size_t i = 0; i < width; i++)
                p[i] = (uint8_t) (value >> 8 * (width - 1 - i));
}

/* --- the utility's meter ----------------------------------------------------------------------------------- */

static void count(const struct mgm111 *m, struct mgm111_register *r, uint64_t power_mw, uint64_t duration_ms) {
        unsigned __int128 per_count = (unsigned __int128) m->options.multiplier * MWMS_PER_KWH;
        uint64_t counts;

        r->rest += (unsigned __int128) power_mw * duration_ms * m->options.divisor;
        counts = (uint64_t) (r->rest / per_count);
        r->rest %= per_count;
        r->shown += counts;
        r->ledger += counts;
}

static void count_up_to(struct mgm111 *m, uint64_t now_ms) {
        uint64_t duration_ms = now_ms - m->counted_ms;

        m->counted_ms = now_ms;
        if (m->house_is_off)
                return;
        if (m->power_mw > 0)
                count(m, &m->import, (uint64_t) m->power_mw, duration_ms);
        else if (m->power_mw < 0)
                count(m, &m->export, (uint64_t) -m->power_mw, duration_ms);
}

static void change_meter(struct mgm111 *m) {
        m->house_is_off = m->replace_due;
        if (m->replace_due) {
                m->import.shown = m->new_import;
                m->export.shown = m->new_export;
        } else if (m->reset_due) {
                m->import.shown = m->export.shown = 0;
        }
        m->reset_due = m->replace_due = false;
}

/* --- readings ---------------------------------------------------------------------------------------------- */

static bool is_record(const struct mgm111 *m) {
        return m->options.firmware < ATTRIBUTES_FIRMWARE;
}

static bool take_flaw(struct mgm111 *m, enum mgm111_flaw flaw) {
        if (m->flaws[flaw] == 0)
                return false;
        m->flaws[flaw]--;
        return true;
}

/* The raw numbers of one answer; has as far as somebody may believe them. */
struct values {
        bool has_import, has_export, has_power, has_scale;
        uint64_t import, export;
        uint32_t power;
};

static void take_values(struct mgm111 *m, struct values *v) {
        *v = (struct values) {
                .has_import = true, .has_export = !m->options.no_export && !is_record(m), .has_power = true,
                .has_scale = true,
                .import = m->import.shown, .export = m->export.shown,
                .power = (uint32_t) power_counts(m) & 0xffffff,
        };
        if (take_flaw(m, MGM111_SPIKE)) {
                v->import += is_record(m) ? UINT64_C(1) << 31 : UINT64_C(1) << 32;
                v->has_import = false;
        }
        if (take_flaw(m, MGM111_ALL_ONES)) {
                v->import = v->export = UINT64_MAX;
                v->has_import = v->has_export = false;
        }
        if (take_flaw(m, MGM111_NO_POWER)) {
                v->power = 0x800000;
                v->has_power = false;
        }
        if (take_flaw(m, MGM111_ALL_ZERO))
                *v = (struct values) { .import = 0 };
        if (is_record(m) && v->import == 0)
                v->has_import = false;  /* how the record says that it has none */
}

static size_t put_attribute(uint8_t *p, unsigned id, uint8_t type, uint64_t value, size_t width) {
        put_little(p, id, 2);
        p[2] = 0;
        p[3] = type;
        put_little(p + 4, value, width);
        return 4 + width;
}

static size_t write_attributes(struct mgm111 *m, const struct values *v, uint8_t *p) {
        size_t n = 3;

        p[0] = 0x18;
        p[1] = m->sequence++;
        p[2] = 0x01;
        n += put_attribute(p + n, 0x0000, 0x25, v->import, 6);
        if (m->options.no_export) {
                put_little(p + n, 0x860001, 3);
                n += 3;
        } else {
                n += put_attribute(p + n, 0x0001, 0x25, v->export, 6);
        }
        n += put_attribute(p + n, 0x0301, 0x22, v->has_scale ? m->options.multiplier : 0, 3);
        n += put_attribute(p + n, 0x0302, 0x22, v->has_scale ? m->options.divisor : 0, 3);
        return n + put_attribute(p + n, 0x0400, 0x2a, v->power, 3);
}

static size_t write_record(const struct mgm111 *m, uint64_t now_ms, const struct values *v, uint8_t *p) {
        memset(p, 0, RECORD_SIZE);
        put_big(p + 4, v->import, 4);
        put_big(p + 44, v->has_scale ? m->options.multiplier : 0, 4);
        put_big(p + 48, v->has_scale ? m->options.divisor : 0, 4);
        p[52] = v->has_scale ? 0x2c : 0;  /* 5 digits and 4, 5 digits and 3, as one device has them */
        p[53] = v->has_scale ? 0x2b : 0;
        put_big(p + 57, v->power, 3);
        put_little(p + 148, now_ms - m->powered_ms, 4);
        return RECORD_SIZE;
}

/* The lines that come before a reading, in their published order. */
static void put_reading_log(struct mgm111 *m, const uint8_t *p, size_t len) {
        char text[CONSOLE_TEXT_MAX];
        size_t n;

        put_console(m, LEVEL_PROMPTS, "SeIhd>");
        n = (size_t) snprintf(text, sizeof text, "\r\nT00000000:RX len %zu, ep 01, clus 0x0702 (Simple Metering) "
                              "FC %02X seq %02X cmd %02X payload[", len, p[0], p[1], p[2]);
        for (size_t i = 3; i < len && n + 8 < sizeof text; i++)
                n += (size_t) snprintf(text + n, sizeof text - n, "%02X ", p[i]);
        snprintf(text + n, sizeof text - n, "]\r\n");
        put_console(m, LEVEL_ALL, text);
        snprintf(text, sizeof text, "-- Got Meter Rsp, len=%zu, %u = %u?\r\nsMRB len %zu\r\n", len, p[1], p[1], len);
        put_console(m, LEVEL_ALL, text);
}

static void add_answer(struct mgm111 *m, uint64_t due_ms, char letter) {
        if (m->n_answers < MGM111_ANSWERS_MAX)
                m->answers[m->n_answers++] = (struct mgm111_pending) { due_ms, letter };
}

static void tell_answer(struct mgm111 *m, const struct values *v) {
        const struct mgm111_expected expected = {
                .has_power = v->has_power, .has_import = v->has_import, .has_export = v->has_export,
                .power_mw = scaled(m, power_counts(m)),
                .import_mwh = mgm111_ledger_import(m), .export_mwh = mgm111_ledger_export(m),
        };

        m->readings++;
        if (m->options.answered && v->has_scale)
                m->options.answered(m->options.userdata, &expected);
}

static void answer_reading(struct mgm111 *m, uint64_t now_ms) {
        uint8_t payload[READING_MAX];
        struct values v;
        size_t len;

        take_values(m, &v);
        len = is_record(m) ? write_record(m, now_ms, &v, payload) : write_attributes(m, &v, payload);
        put_reading_log(m, payload, len);
        put_frame(m, 'r', payload, len);
        if (take_flaw(m, MGM111_DUPLICATE))
                put_frame(m, 'r', payload, len);
        m->import.told = m->import.ledger;
        m->export.told = m->export.ledger;
        tell_answer(m, &v);
        change_meter(m);
}

void mgm111_notice(struct mgm111 *m, uint8_t code) {
        if (m->options.firmware >= CONSOLE_FIRMWARE && m->ready && m->state != MGM111_SILENT)
                put_byte_frame(m, 'e', code);
}

static void try_reading(struct mgm111 *m, uint64_t now_ms) {
        bool lost = m->options.loss_percent > 0 && random_below(&m->random, 100) < m->options.loss_percent;

        if (m->state == MGM111_REACHABLE && !lost)
                answer_reading(m, now_ms);
        else if (m->state != MGM111_UNPROVISIONED && random_below(&m->random, NOTICE_CHANCE) == 0)
                mgm111_notice(m, (uint8_t) random_below(&m->random, 3));
}

/* --- requests ---------------------------------------------------------------------------------------------- */

/* CRC-16 as X.25 has it, low byte first. */
static void write_install_code(uint8_t *p) {
        uint16_t crc = 0xffff;

        memcpy(p, install_code, sizeof install_code);
        for (size_t i = 0; i < 8 * sizeof install_code; i++) {
                bool odd = (crc ^ install_code[i / 8] >> i % 8) & 1;

                crc = (uint16_t) (crc >> 1 ^ (odd ? 0x8408 : 0));
        }
        put_little(p + sizeof install_code, (uint16_t) ~crc, 2);
}

static void answer(struct mgm111 *m, uint64_t now_ms, char letter) {
        uint8_t code[sizeof install_code + 2];

        switch (letter) {
        case 'f':
                put_byte_frame(m, letter, m->options.firmware);
                break;
        case 'm':
                put_frame(m, letter, mac_on_the_wire, sizeof mac_on_the_wire);
                break;
        case 'i':
                write_install_code(code);
                put_frame(m, letter, code, sizeof code);
                break;
        case 'j':
                put_byte_frame(m, letter, m->state != MGM111_UNPROVISIONED);
                break;
        default:
                try_reading(m, now_ms);
        }
}

static void request(struct mgm111 *m, uint64_t now_ms, char letter) {
        if (letter == 'r')
                add_answer(m, now_ms + RADIO_MS, letter);
        else if (strchr("fmij", letter))
                add_answer(m, now_ms + CONTROL_MS, letter);
        else if (letter == 'd')
                m->state = MGM111_UNPROVISIONED;
        m->forbidden += letter == 'd' || letter == 's';
}

static void console_command(struct mgm111 *m, uint64_t now_ms, const char *line) {
        static const char *const forbidden[] = { "leave", "reset", "btldr", "keys", "printKeys" };
        unsigned level;

        for (size_t i = 0; i < ELEMENTS(forbidden); i++)
                if (strncasecmp(line, forbidden[i], strlen(forbidden[i])) == 0)
                        m->forbidden++;
        if (strcasecmp(line, "leave") == 0)
                m->state = MGM111_UNPROVISIONED;
        else if (strcasecmp(line, "reset") == 0)
                mgm111_power_cycle(m, now_ms);
        else if (strncasecmp(line, "loglevel ", 9) == 0 && sscanf(line + 9, "%3u", &level) == 1)
                m->log_level = level;
        else if (*line)
                put_console(m, 1, "No such command\r\nUsage:\r\n<int>: 123 or 0x1ABC\r\n");
}

/* At the highest level the console repeats what it hears, with the `$` that also begins a frame. */
static void run_line(struct mgm111 *m, uint64_t now_ms) {
        char line[MGM111_LINE_MAX + 1], echo[MGM111_LINE_MAX + 3];

        memcpy(line, m->line, m->n_line);
        line[m->n_line] = '\0';
        m->n_line = 0;
        snprintf(echo, sizeof echo, "%s\r\n", line);
        put_console(m, LEVEL_ALL, echo);
        if (line[0] == '$' && line[1] != '\0' && line[2] == '\0')
                request(m, now_ms, line[1]);
        else
                console_command(m, now_ms, line);
        put_console(m, LEVEL_PROMPTS, "SeIhd>");
}

static bool is_up(const struct mgm111 *m, uint64_t now_ms) {
        return now_ms >= m->ready_ms && m->state != MGM111_SILENT;
}

void mgm111_input(struct mgm111 *m, uint64_t now_ms, const uint8_t *data, size_t len) {
        mgm111_run(m, now_ms);
        for (size_t i = 0; i < len && is_up(m, now_ms); i++) {
                if (data[i] == '\r')
                        run_line(m, now_ms);
                else if (data[i] != '\n' && m->n_line < sizeof m->line)
                        m->line[m->n_line++] = (char) data[i];
        }
}

/* --- life -------------------------------------------------------------------------------------------------- */

static void forget(struct mgm111 *m) {
        m->n_answers = 0;
        m->n_line = 0;
        m->n_output = 0;
}

void mgm111_power_cycle(struct mgm111 *m, uint64_t now_ms) {
        forget(m);
        m->powered_ms = now_ms;
        m->ready_ms = now_ms + m->options.boot_ms;
        m->ready = false;
        m->log_level = m->options.log_level;
        m->sequence = 0;
}

static void begin_register(struct mgm111_register *r, uint64_t counts) {
        r->shown = r->ledger = r->told = counts;
}

void mgm111_init(struct mgm111 *m, const struct mgm111_options *options, uint64_t now_ms) {
        *m = (struct mgm111) { .options = *options, .state = options->state, .random = random_seed(options->seed),
                               .counted_ms = now_ms };
        if (m->options.firmware == 0)
                m->options.firmware = DEFAULT_FIRMWARE;
        if (m->options.multiplier == 0)
                m->options.multiplier = 1;
        if (m->options.divisor == 0)
                m->options.divisor = 1000;
        if (m->options.boot_ms == 0)
                m->options.boot_ms = DEFAULT_BOOT_MS;
        begin_register(&m->import, options->import_counts);
        begin_register(&m->export, options->export_counts);
        mgm111_power_cycle(m, now_ms);
}

void mgm111_set_state(struct mgm111 *m, enum mgm111_state state) {
        m->state = state;
        if (state == MGM111_SILENT)
                forget(m);
}

void mgm111_set_power(struct mgm111 *m, uint64_t now_ms, int64_t power_mw) {
        mgm111_run(m, now_ms);
        count_up_to(m, now_ms);
        m->power_mw = power_mw;
}

void mgm111_set_loss(struct mgm111 *m, unsigned percent) {
        m->options.loss_percent = percent;
}

void mgm111_set_flaw(struct mgm111 *m, enum mgm111_flaw flaw, unsigned answers) {
        m->flaws[flaw] = answers;
}

void mgm111_reset(struct mgm111 *m) {
        m->reset_due = true;
}

void mgm111_replace(struct mgm111 *m, uint64_t import_counts, uint64_t export_counts) {
        m->replace_due = true;
        m->new_import = import_counts;
        m->new_export = export_counts;
}

static void start_up(struct mgm111 *m) {
        m->ready = true;
        if (m->state != MGM111_SILENT)
                put_console(m, LEVEL_PROMPTS, "SeIhd>");
}

/* Each at its own time, however late somebody looks. */
void mgm111_run(struct mgm111 *m, uint64_t now_ms) {
        if (!m->ready && now_ms >= m->ready_ms)
                start_up(m);
        while (m->n_answers > 0) {
                unsigned next = 0;
                struct mgm111_pending due;

                for (unsigned i = 1; i < m->n_answers; i++)
                        if (m->answers[i].due_ms < m->answers[next].due_ms)
                                next = i;
                due = m->answers[next];
                if (due.due_ms > now_ms)
                        break;
                m->n_answers--;
                memmove(m->answers + next, m->answers + next + 1, (m->n_answers - next) * sizeof *m->answers);
                count_up_to(m, due.due_ms);
                answer(m, due.due_ms, due.letter);
        }
}

uint64_t mgm111_deadline(const struct mgm111 *m) {
        uint64_t next_ms = m->ready ? MGM111_NEVER : m->ready_ms;

        for (unsigned i = 0; i < m->n_answers; i++)
                if (m->answers[i].due_ms < next_ms)
                        next_ms = m->answers[i].due_ms;
        return next_ms;
}

size_t mgm111_output(struct mgm111 *m, uint8_t *buf) {
        size_t n = m->n_output;

        memcpy(buf, m->output, n);
        m->n_output = 0;
        return n;
}
