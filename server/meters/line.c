#include "meters/line.h"

#include <string.h>

#include "base/log.h"
#include "meters/replay.h"

/* ---- frames ---- */

static void give_frames(struct line *l, uint64_t now_ms) {
        const uint8_t *frame;
        size_t len;

        while ((len = framer_next(&l->framer, &frame)) > 0)
                l->frame(l, now_ms, frame, len);
}

void line_end_frame(struct line *l, uint64_t now_ms) {
        while (framer_pending(&l->framer) > 0) {
                framer_timeout(&l->framer);
                give_frames(l, now_ms);
        }
}

static uint64_t deadline(const struct line *l) {
        if (l->replay || framer_pending(&l->framer) == 0)
                return UINT64_MAX;
        return l->last_byte_ms + l->silence_ms;
}

static void check_silence(struct line *l, uint64_t now_ms) {
        if (now_ms >= deadline(l))
                line_end_frame(l, now_ms);
}

/* However late they are read: when they came nobody knows, and the silence before them would have been noticed in
 * time by a gateway that was not away itself. */
void line_take(struct line *l, uint64_t now_ms, const uint8_t *data, size_t len) {
        l->last_byte_ms = now_ms;
        while (len > 0) {
                size_t n = framer_push(&l->framer, data, len);

                data += n;
                len -= n;
                give_frames(l, now_ms);
        }
}

void lines_check_silence(struct lines *l, uint64_t now_ms) {
        for (unsigned i = 0; i < l->count; i++)
                check_silence(&l->items[i], now_ms);
}

uint64_t lines_deadline(const struct lines *l) {
        uint64_t next_ms = UINT64_MAX;

        for (unsigned i = 0; i < l->count; i++)
                if (deadline(&l->items[i]) < next_ms)
                        next_ms = deadline(&l->items[i]);
        return next_ms;
}

/* ---- where the bytes come from ---- */

struct link_info line_info(const struct line *l) {
        return l->replay ? replay_info(l->replay, l->side) : link_info(l->link);
}

static int open_replay(struct lines *l, sd_event *event, const struct meter_config *config,
                       const struct link_callbacks *callbacks) {
        struct replay_source source = { config->replay.path, config->replay.speed, config->protocol->silence_ms };
        void *const lines[LINE_COUNT] = { &l->items[LINE_RX], &l->items[LINE_TX] };
        int r = replay_new(event, config->id, &source, callbacks, lines, &l->replay);

        for (unsigned i = 0; i < l->count; i++)
                l->items[i].replay = l->replay;
        return r;
}

static int open_links(struct lines *l, sd_event *event, const struct meter_config *config,
                      const struct link_callbacks *callbacks) {
        const char *const ports[LINE_COUNT] = { config->port, config->port_tx };
        int r = 0;

        for (unsigned i = 0; r == 0 && i < l->count; i++)
                r = link_new(event, config->id, ports[i], config->role == ROLE_LISTEN, callbacks, &l->items[i],
                             &l->items[i].link);
        return r;
}

int lines_init(struct lines *l, sd_event *event, const struct meter_config *config,
               const struct link_callbacks *callbacks, line_frame_fn frame, void *userdata) {
        const struct protocol *protocol = config->protocol;
        const frame_check_fn checks[LINE_COUNT] = { protocol->frame_check, protocol->request_check };

        l->count = config->port_tx || config->replay.path ? LINE_COUNT : 1;
        for (unsigned i = 0; i < l->count; i++) {
                l->items[i] = (struct line) { .side = (enum line_side) i, .silence_ms = protocol->silence_ms,
                                              .frame = frame, .userdata = userdata };
                framer_init(&l->items[i].framer, checks[i]);
        }
        return config->replay.path ? open_replay(l, event, config, callbacks)
                                   : open_links(l, event, config, callbacks);
}

void lines_clear(struct lines *l) {
        for (unsigned i = 0; i < l->count; i++)
                l->items[i].link = link_free(l->items[i].link);
        l->replay = replay_free(l->replay);
}

int lines_start(struct lines *l, uint32_t baud) {
        int r = l->replay ? replay_start(l->replay) : 0;

        for (unsigned i = 0; r >= 0 && i < l->count; i++)
                if (l->items[i].link)
                        r = link_start(l->items[i].link, baud);
        return r;
}

static void follow_baud(struct line *l, const struct meter_config *config, uint32_t baud) {
        struct link_info info = line_info(l);
        int r;

        if (!info.open || info.baud == 0 || info.baud == baud)
                return;
        r = link_set_baud(l->link, baud);
        if (r < 0)
                log_warning("meter %s: %s cannot be set to %u baud: %s", config->id,
                            l->side == LINE_TX ? config->port_tx : config->port, (unsigned) baud, strerror(-r));
}

void lines_follow_baud(struct lines *l, const struct meter_config *config, uint32_t baud) {
        for (unsigned i = 0; baud != 0 && i < l->count; i++)
                follow_baud(&l->items[i], config, baud);
}

void lines_rename(struct lines *l, const struct meter_config *config) {
        const char *const ports[LINE_COUNT] = { config->port, config->port_tx };

        if (l->replay)
                replay_rename(l->replay, config->id);
        for (unsigned i = 0; i < l->count; i++)
                if (l->items[i].link)
                        link_rename(l->items[i].link, config->id, ports[i]);
}

bool lines_miss_one(const struct lines *l) {
        return l->count == LINE_COUNT && line_info(&l->items[LINE_RX]).open && !line_info(&l->items[LINE_TX]).open;
}
