#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "config/profile_file.h"
#include "protocols/framer.h"
#include "protocols/protocol.h"
#include "tools/capture_file.h"
#include "tools/decode_part.h"
#include "tools/decode_tuyamcu.h"
#include "tools/decode_vue.h"
#include "tools/ndjson.h"
#include "tools/tools.h"

#define LINE_MAX_BYTES (1 << 18)  /* a full frame of the shortest datapoints needs 15 KiB */

/* The bytes of one direction. */
struct stream {
        struct framer framer;
        bool has_time;
        int64_t utc_ms;           /* when its last bytes came */
        unsigned resolution_ms;
        enum capture_direction direction;
};

struct decoder {
        const struct protocol *protocol;
        const struct decode_part *part;
        void *state;               /* owned; the part's */
        struct stream streams[3];  /* by direction */
        uint64_t frames, noise_bytes, pending_bytes, total_bytes;  /* of streams that have ended */
        struct buffer line;
        struct json_writer json;
};

struct decode_options {
        const char *protocol, *profile, *path;
        bool stats, show_secrets;
};

static const struct decode_part *const parts[] = { &decode_tuyamcu, &decode_vue };

static const char *const direction_names[] = { [CAPTURE_RX] = "rx", [CAPTURE_TX] = "tx" };

static int put_frame(struct decoder *d, const struct stream *s, const uint8_t *frame, size_t len) {
        char at[CLOCK_RFC3339_MAX];

        json_begin(&d->json, &d->line);
        json_object_begin(&d->json, NULL);
        json_put_string(&d->json, "protocol", d->protocol->name);
        if (s->has_time) {
                clock_format_rfc3339(s->utc_ms, at);
                json_put_string(&d->json, "at", at);
        }
        if (s->direction != CAPTURE_UNKNOWN)
                json_put_string(&d->json, "direction", direction_names[s->direction]);
        d->part->frame(d->state, frame, len, &d->json);
        json_object_end(&d->json);
        return ndjson_write(&d->line);
}

static int put_frames(struct decoder *d, struct stream *s) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_next(&s->framer, &frame)) > 0) {
                int r = put_frame(d, s, frame, n);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void start_stream(struct decoder *d, struct stream *s, enum capture_direction direction) {
        framer_init(&s->framer, d->protocol->frame_check);
        s->direction = direction;
        s->has_time = false;
}

/* Nothing that comes later belongs to these bytes. */
static int end_stream(struct decoder *d, struct stream *s) {
        const uint8_t *frame;
        size_t n;

        while ((n = framer_finish(&s->framer, &frame)) > 0) {
                int r = put_frame(d, s, frame, n);

                if (r < 0)
                        return r;
        }
        d->frames += s->framer.frames;
        d->noise_bytes += s->framer.noise_bytes;
        d->total_bytes += s->framer.total_bytes;
        d->pending_bytes += framer_pending(&s->framer);
        start_stream(d, s, s->direction);
        return 0;
}

static int end_streams(struct decoder *d) {
        for (unsigned i = 0; i < ELEMENTS(d->streams); i++) {
                int r = end_stream(d, &d->streams[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* A gap that is surely longer than the protocol allows inside a frame gives up what has come of one. */
static int check_silence(struct decoder *d, struct stream *s, const struct capture_chunk *chunk) {
        int64_t sure_ms;

        if (!chunk->has_time || !s->has_time)
                return 0;
        sure_ms = chunk->utc_ms - s->utc_ms - (s->resolution_ms > 1 ? s->resolution_ms : 0);
        while (sure_ms > d->protocol->silence_ms && framer_pending(&s->framer) > 0) {
                int r;

                framer_timeout(&s->framer);
                r = put_frames(d, s);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int decode_chunk(struct decoder *d, const struct capture_chunk *chunk) {
        struct stream *s = &d->streams[chunk->direction];
        int r;

        if (chunk->new_stream) {
                r = end_streams(d);
                if (r < 0)
                        return r;
                if (d->part->new_stream)
                        d->part->new_stream(d->state);
        }
        r = check_silence(d, s, chunk);
        s->has_time = chunk->has_time;
        s->utc_ms = chunk->utc_ms;
        s->resolution_ms = chunk->resolution_ms;
        for (size_t done = 0; r >= 0 && done < chunk->len;) {
                done += framer_push(&s->framer, chunk->data + done, chunk->len - done);
                r = put_frames(d, s);
        }
        return r >= 0 && chunk->stands_alone ? end_stream(d, s) : r;
}

static int put_stats(struct decoder *d) {
        json_begin(&d->json, &d->line);
        json_object_begin(&d->json, NULL);
        json_object_begin(&d->json, "stats");
        json_put_uint(&d->json, "frames", d->frames);
        json_put_uint(&d->json, "noise_bytes", d->noise_bytes);
        json_put_uint(&d->json, "pending_bytes", d->pending_bytes);
        json_put_uint(&d->json, "total_bytes", d->total_bytes);
        json_object_end(&d->json);
        json_object_end(&d->json);
        return ndjson_write(&d->line);
}

static int write_failed(int r) {
        if (r != -EPIPE)
                log_error("cannot write: %s", strerror(-r));
        return 1;
}

static int decode_file(struct decoder *d, const struct decode_options *o) {
        CLEANUP(capture_freep) struct capture *capture = NULL;
        char error[CAPTURE_ERROR_MAX];
        struct capture_chunk chunk;
        int r;

        if (capture_open(o->path, &capture, error) < 0) {
                log_error("%s", error);
                return 1;
        }
        while ((r = capture_next(capture, &chunk)) > 0) {
                r = decode_chunk(d, &chunk);
                if (r < 0)
                        return write_failed(r);
        }
        if (r < 0) {
                log_error("%s", capture_error(capture));
                return 1;
        }
        r = end_streams(d);
        if (r >= 0 && o->stats)
                r = put_stats(d);
        return r < 0 ? write_failed(r) : 0;
}

static const struct decode_part *find_part(const char *protocol) {
        for (size_t i = 0; i < ELEMENTS(parts); i++)
                if (strcmp(parts[i]->protocol, protocol) == 0)
                        return parts[i];
        return NULL;
}

static int unknown_protocol(const char *name) {
        struct buffer names;

        buffer_init(&names, 512);
        for (unsigned i = 0; protocols[i]; i++)
                buffer_printf(&names, "%s%s", i ? ", " : "", protocols[i]->name);
        log_error("--protocol: there is no protocol '%s'; expected %s", name, names.data);
        buffer_free(&names);
        return 2;
}

static int unknown_profile(const char *name) {
        struct buffer names;
        const char *known;

        buffer_init(&names, 900);
        for (unsigned i = 0; (known = profile_builtin_name(i)); i++)
                buffer_printf(&names, "%s%s", i ? ", " : "", known);
        log_error("--profile: there is no profile '%.64s'; expected a file or one of %s", name,
                  names.data ? names.data : "none");
        buffer_free(&names);
        return 2;
}

static int load_profile(const char *name, const struct protocol *protocol, struct profile **ret) {
        CLEANUP(profile_freep) struct profile *profile = NULL;
        struct config_error error;
        int r;

        if (!protocol->needs_profile) {
                log_error("--profile: %s needs none, its frames tell what they mean; expected no --profile",
                          protocol->name);
                return 2;
        }
        r = profile_load(name, &profile, &error);
        if (r == -ENOENT && !strchr(name, '/'))
                return unknown_profile(name);
        if (r < 0) {
                log_error("%s", error.text);
                return 2;
        }
        if (strcmp(profile->protocol, protocol->name) != 0) {
                log_error("--profile: %s is for protocol %s, not for %s", name, profile->protocol, protocol->name);
                return 2;
        }
        *ret = TAKE(profile);
        return 0;
}

static void print_help(void) {
        puts("Usage: metergate decode [--protocol P] [--profile N] [--stats] [--show-secrets] FILE|-\n"
             "\n"
             "Turns captured bytes into one JSON object per frame and line.\n"
             "\n"
             "  --protocol P     what was captured (default: tuyamcu)\n"
             "  --profile N      name or file of the device's profile; without it the product key in the\n"
             "                   capture picks one, and without either there are no readings; vue needs none\n"
             "  --stats          a last line that counts frames and bytes\n"
             "  --show-secrets   do not mask what is secret about a meter: its install code\n"
             "  --help           this text\n"
             "\n"
             "FILE holds hex lines ('# kind: stream' joins them, '# kind: frames' makes each stand alone), lines\n"
             "TIME [rx|tx] HEX, entries \"YYYY-MM-DD HH:MM:SS\",HEX, or an OpenBeken log.");
}

/* Returns 0, or 1 for help, or 2 for a mistake, which has been told. */
static int parse_options(int argc, char **argv, struct decode_options *o) {
        static const struct option options[] = {
                { "protocol", required_argument, NULL, 'p' }, { "profile", required_argument, NULL, 'f' },
                { "stats", no_argument, NULL, 's' },          { "show-secrets", no_argument, NULL, 'S' },
                { "help", no_argument, NULL, 'h' },           { NULL, 0, NULL, 0 },
        };
        int c;

        *o = (struct decode_options) { .protocol = "tuyamcu" };
        optind = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'p':
                        o->protocol = optarg;
                        break;
                case 'f':
                        o->profile = optarg;
                        break;
                case 's':
                        o->stats = true;
                        break;
                case 'S':
                        o->show_secrets = true;
                        break;
                case 'h':
                        return 1;
                default:
                        return 2;
                }
        if (optind != argc - 1) {
                log_error("decode: expected one FILE or -; see metergate decode --help");
                return 2;
        }
        o->path = argv[optind];
        return 0;
}

static struct decoder *decoder_free(struct decoder *d) {
        if (!d)
                return NULL;
        buffer_free(&d->line);
        free(d->state);
        free(d);
        return NULL;
}
static void decoder_freep(struct decoder **d) { decoder_free(*d); }

static struct decoder *decoder_new(const struct protocol *protocol, const struct decode_part *part,
                                   const struct decode_settings *settings) {
        CLEANUP(decoder_freep) struct decoder *d = calloc(1, sizeof *d);

        if (!d)
                return NULL;
        d->state = calloc(1, part->state_size);
        if (!d->state)
                return NULL;
        d->protocol = protocol;
        d->part = part;
        part->start(d->state, settings);
        buffer_init(&d->line, LINE_MAX_BYTES);
        for (unsigned i = 0; i < ELEMENTS(d->streams); i++)
                start_stream(d, &d->streams[i], (enum capture_direction) i);
        return TAKE(d);
}

int decode_main(int argc, char **argv) {
        CLEANUP(profile_freep) struct profile *profile = NULL;
        CLEANUP(decoder_freep) struct decoder *decoder = NULL;
        const struct protocol *protocol;
        const struct decode_part *part;
        struct decode_options o;
        int r;

        r = parse_options(argc, argv, &o);
        if (r == 1) {
                print_help();
                return 0;
        }
        if (r != 0)
                return 2;
        protocol = protocol_find(o.protocol);
        part = find_part(o.protocol);
        if (!protocol || !part)
                return unknown_protocol(o.protocol);
        if (o.profile) {
                r = load_profile(o.profile, protocol, &profile);
                if (r != 0)
                        return r;
        }
        decoder = decoder_new(protocol, part, &(struct decode_settings) { profile, o.show_secrets });
        if (!decoder)
                return write_failed(-ENOMEM);
        signal(SIGPIPE, SIG_IGN);
        return decode_file(decoder, &o);
}
