/* What commands of a script would send to the meter. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "protocols/tuyamcu/frame.h"
#include "tools/openbeken_parts.h"

/* The words from i on as bytes. -EINVAL with *ret_wrong: the word that is no hex. -EILSEQ: half a byte at the end. */
static ssize_t read_hex(const struct openbeken_words *w, unsigned i, uint8_t *bytes, const char **ret_wrong) {
        size_t digits = 0;

        for (; i < w->n; i++)
                for (const char *p = w->word[i]; *p; p++, digits++) {
                        unsigned nibble = isdigit((unsigned char) *p) ? (unsigned) (*p - '0')
                                                                      : (unsigned) ((*p | 0x20) - 'a' + 10);

                        if (!isxdigit((unsigned char) *p)) {
                                *ret_wrong = w->word[i];
                                return -EINVAL;
                        }
                        bytes[digits / 2] = (uint8_t) (digits % 2 == 0 ? nibble << 4 : bytes[digits / 2] | nibble);
                }
        return digits % 2 == 0 ? (ssize_t) (digits / 2) : -EILSEQ;
}

/* What the gateway says by itself: start-up, states, answers about time and signal. */
static bool is_own(unsigned command) {
        static const uint8_t own[] = { TUYA_HEARTBEAT, TUYA_PRODUCT, TUYA_MODE, TUYA_NETWORK_STATE, TUYA_GMT_TIME,
                                       TUYA_LOCAL_TIME, TUYA_SIGNAL, TUYA_NETWORK_STATUS };

        return memchr(own, (int) command, sizeof own);
}

static enum openbeken_request judge(struct openbeken *o, unsigned line, unsigned command, size_t data_len) {
        if (command == TUYA_QUERY && data_len == 0)
                return OPENBEKEN_QUERY;
        if (is_own(command))
                return OPENBEKEN_OWN;
        if (command == TUYA_SET)
                openbeken_note(o, line, "writes a datapoint: not imported; the action set-datapoint can do that");
        else
                openbeken_note(o, line, "custom request, command %02X with %zu bytes of data: a profile cannot hold "
                               "it", command, data_len);
        return OPENBEKEN_CUSTOM;
}

static enum openbeken_request refuse_frame(struct openbeken *o, unsigned line, const uint8_t *bytes, size_t len) {
        size_t body = len >= TUYA_HEADER_SIZE ? (size_t) bytes[4] << 8 | bytes[5] : 0;
        uint8_t sum = 0;

        if (len < TUYA_FRAME_OVERHEAD || bytes[0] != 0x55 || bytes[1] != 0xaa || body + TUYA_FRAME_OVERHEAD > len) {
                openbeken_note(o, line, "uartSendHex: not a whole TuyaMCU frame (55 AA ...), skipped");
                return OPENBEKEN_BAD_REQUEST;
        }
        for (size_t i = 0; i < body + TUYA_HEADER_SIZE; i++)
                sum = (uint8_t) (sum + bytes[i]);
        openbeken_note(o, line, "uartSendHex: the checksum is %02X and should be %02X, skipped",
                       bytes[body + TUYA_HEADER_SIZE], sum);
        return OPENBEKEN_BAD_REQUEST;
}

/* Each frame of the bytes has to be whole; the most interesting one tells what it is. */
static enum openbeken_request judge_frames(struct openbeken *o, unsigned line, const uint8_t *bytes, size_t len) {
        enum openbeken_request found = OPENBEKEN_NO_REQUEST;

        if (len == 0) {
                openbeken_note(o, line, "uartSendHex: the bytes are missing, skipped");
                return OPENBEKEN_BAD_REQUEST;
        }
        while (len > 0) {
                ssize_t n = tuya_frame_check(bytes, len);
                enum openbeken_request one;
                struct tuya_frame frame;

                if (n <= 0)
                        return refuse_frame(o, line, bytes, len);
                frame = tuya_frame_open(bytes, (size_t) n);
                one = judge(o, line, frame.command, frame.data.len);
                if (found == OPENBEKEN_NO_REQUEST || one == OPENBEKEN_QUERY)
                        found = one;
                bytes += n;
                len -= (size_t) n;
        }
        return found;
}

static enum openbeken_request send_hex(struct openbeken *o, unsigned line, const struct openbeken_words *w) {
        uint8_t bytes[OPENBEKEN_LINE_MAX / 2 + 1];
        const char *wrong = NULL;
        ssize_t n;

        n = read_hex(w, 1, bytes, &wrong);
        if (n >= 0)
                return judge_frames(o, line, bytes, (size_t) n);
        if (wrong && strchr(wrong, '$'))
                openbeken_note(o, line, "uartSendHex: \"%.40s\" is only known while the script runs, skipped", wrong);
        else if (wrong)
                openbeken_note(o, line, "uartSendHex: \"%.40s\" is not hex, skipped", wrong);
        else
                openbeken_note(o, line, "uartSendHex: half a byte at the end, skipped");
        return OPENBEKEN_BAD_REQUEST;
}

static enum openbeken_request send_command(struct openbeken *o, unsigned line, const struct openbeken_words *w) {
        uint8_t bytes[OPENBEKEN_LINE_MAX / 2 + 1];
        const char *wrong = NULL;
        int64_t command = 0;
        ssize_t n;

        if (w->n < 2 || openbeken_integer(w->word[1], 0, 255, &command) < 0) {
                openbeken_note(o, line, "tuyaMcu_sendCmd: command \"%.40s\" is not a number from 0 to 255, skipped",
                               w->n < 2 ? "" : w->word[1]);
                return OPENBEKEN_BAD_REQUEST;
        }
        n = read_hex(w, 2, bytes, &wrong);
        if (n < 0) {
                openbeken_note(o, line, "tuyaMcu_sendCmd: data \"%.40s\" is not bytes in hex, skipped",
                               wrong ? wrong : w->word[w->n - 1]);
                return OPENBEKEN_BAD_REQUEST;
        }
        return judge(o, line, (unsigned) command, (size_t) n);
}

static enum openbeken_request send_state(struct openbeken *o, unsigned line, const struct openbeken_words *w) {
        int64_t id = 0;

        if (w->n < 4 || openbeken_integer(w->word[1], 1, 255, &id) < 0) {
                openbeken_note(o, line, "tuyaMcu_sendState: takes a datapoint from 1 to 255, a type and a value, "
                               "skipped");
                return OPENBEKEN_BAD_REQUEST;
        }
        openbeken_note(o, line, "writes datapoint %d: not imported; the action set-datapoint can do that", (int) id);
        return OPENBEKEN_CUSTOM;
}

enum openbeken_request openbeken_request(struct openbeken *o, unsigned line, const struct openbeken_words *w) {
        if (strcasecmp(w->word[0], "uartSendHex") == 0)
                return send_hex(o, line, w);
        if (strcasecmp(w->word[0], "tuyaMcu_sendCmd") == 0)
                return send_command(o, line, w);
        if (strcasecmp(w->word[0], "tuyaMcu_sendState") == 0)
                return send_state(o, line, w);
        if (strcasecmp(w->word[0], "tuyaMcu_sendQueryState") == 0)
                return OPENBEKEN_QUERY;
        if (strcasecmp(w->word[0], "tuyaMcu_sendRSSI") == 0 || strcasecmp(w->word[0], "tuyaMcu_sendCurTime") == 0)
                return OPENBEKEN_OWN;
        return OPENBEKEN_NO_REQUEST;
}
