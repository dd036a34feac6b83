#include "protocols/framer.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void framer_init(struct framer *f, frame_check_fn check) {
        *f = (struct framer) { .check = check };
}

void framer_add_check(struct framer *f, frame_check_fn other) {
        f->other = other != f->check ? other : NULL;
}

void framer_on_text(struct framer *f, framer_text_fn text, void *userdata) {
        f->text = text;
        f->text_userdata = userdata;
}

static void drop(struct framer *f, size_t n) {
        if (f->text && n > 0)
                f->text(f->text_userdata, f->buf + f->start, n);
        f->start += n;
        f->len -= n;
        f->noise_bytes += n;
}

void framer_reset(struct framer *f) {
        drop(f, f->len);
        f->start = 0;
}

size_t framer_push(struct framer *f, const uint8_t *data, size_t len) {
        size_t room;

        if (f->start > 0) {
                memmove(f->buf, f->buf + f->start, f->len);
                f->start = 0;
        }
        room = sizeof f->buf - f->len;
        if (len > room)
                len = room;
        if (len > 0)
                memcpy(f->buf + f->len, data, len);
        f->len += len;
        f->total_bytes += len;
        return len;
}

/* What starts at so many unread bytes. */
static ssize_t look_at(const struct framer *f, size_t skip) {
        const uint8_t *at = f->buf + f->start + skip;
        ssize_t n = f->check(at, f->len - skip);

        return n == -EPROTO && f->other ? f->other(at, f->len - skip) : n;
}

static void count_error(struct framer *f, ssize_t error) {
        if (error == -EBADMSG)
                f->checksum_errors++;
        else if (error == -EMSGSIZE)
                f->oversize++;
}

static size_t take(struct framer *f, size_t len, const uint8_t **ret_frame) {
        *ret_frame = f->buf + f->start;
        f->start += len;
        f->len -= len;
        f->frames++;
        return len;
}

size_t framer_next(struct framer *f, const uint8_t **ret_frame) {
        while (f->len > 0) {
                ssize_t n = look_at(f, 0);

                if (n > 0)
                        return take(f, (size_t) n, ret_frame);
                if (n == 0 && f->len < sizeof f->buf)
                        return 0;
                /* A check that asks for more than the buffer can ever hold is answered by giving up. */
                count_error(f, n);
                drop(f, 1);
        }
        return 0;
}

void framer_timeout(struct framer *f) {
        if (f->len == 0)
                return;
        f->timeouts++;
        drop(f, 1);
}

size_t framer_finish(struct framer *f, const uint8_t **ret_frame) {
        size_t n = framer_next(f, ret_frame);

        if (n > 0)
                return n;
        for (size_t skip = 1; skip < f->len; skip++) {
                ssize_t r = look_at(f, skip);

                if (r > 0) {
                        drop(f, skip);
                        return take(f, (size_t) r, ret_frame);
                }
        }
        return 0;
}
