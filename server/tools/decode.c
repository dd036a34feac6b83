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
#include "capture/capture_frames.h"
#include "config/profile_file.h"
#include "protocols/protocol.h"
#include "tools/decode_part.h"
#include "tools/decode_tuyamcu.h"
#include "tools/decode_vue.h"
#include "tools/ndjson.h"
#include "tools/profile_option.h"
#include "tools/protocol_option.h"
#include "tools/tools.h"

#define LINE_MAX_BYTES (1 << 18)  /* a full frame of the shortest datapoints needs 15 KiB */

struct decoder {
        const struct protocol *protocol;
        const struct decode_part *part;
        void *state;               /* owned; the part's */
        struct buffer line;
        struct json_writer json;
};

struct decode_options {
        const char *protocol, *profile, *path;
        bool stats, show_secrets;
};

static const struct decode_part *const parts[] = { &decode_tuyamcu, &decode_vue };

static const char *const direction_names[] = { [CAPTURE_RX] = "rx", [CAPTURE_TX] = "tx" };

static int put_frame(void *userdata, const struct captured_frame *frame) {
        struct decoder *d = userdata;
        char at[CLOCK_RFC3339_MAX];

        json_begin(&d->json, &d->line);
        json_object_begin(&d->json, NULL);
        json_put_string(&d->json, "protocol", d->protocol->name);
        if (frame->has_time) {
                clock_format_rfc3339(frame->utc_ms, at);
                json_put_string(&d->json, "at", at);
        }
        if (frame->direction != CAPTURE_UNKNOWN)
                json_put_string(&d->json, "direction", direction_names[frame->direction]);
        if (frame->is_request)
                d->part->request(frame->data, frame->len, &d->json);
        else
                d->part->frame(d->state, frame->data, frame->len, &d->json);
        json_object_end(&d->json);
        return ndjson_write(&d->line);
}

static void begin_stream(void *userdata) {
        struct decoder *d = userdata;

        if (d->part->new_stream)
                d->part->new_stream(d->state);
}

static int put_stats(struct decoder *d, const struct captured_stats *stats) {
        json_begin(&d->json, &d->line);
        json_object_begin(&d->json, NULL);
        json_object_begin(&d->json, "stats");
        json_put_uint(&d->json, "frames", stats->frames);
        json_put_uint(&d->json, "noise_bytes", stats->noise_bytes);
        json_put_uint(&d->json, "pending_bytes", stats->pending_bytes);
        json_put_uint(&d->json, "total_bytes", stats->total_bytes);
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
        const struct captured_frames_handler handler = { put_frame, begin_stream, d };
        struct captured_stats stats;
        int r;

        if (capture_open(o->path, &capture, error) < 0) {
                log_error("%s", error);
                return 1;
        }
        r = captured_frames_read(capture, d->protocol, &handler, &stats);
        if (r < 0 && capture_error(capture)[0]) {
                log_error("%s", capture_error(capture));
                return 1;
        }
        if (capture_remark(capture)[0])
                log_warning("%s", capture_remark(capture));
        if (r >= 0 && o->stats)
                r = put_stats(d, &stats);
        return r < 0 ? write_failed(r) : 0;
}

static const struct decode_part *find_part(const struct protocol *protocol) {
        unsigned i = 0;

        while (strcmp(parts[i]->protocol, protocol->name) != 0)
                i++;
        return parts[i];
}

static int load_profile(const char *name, const struct protocol *protocol, struct profile **ret) {
        if (!protocol->needs_profile) {
                log_error("--profile: %s needs none, its frames tell what they mean; expected no --profile",
                          protocol->name);
                return 2;
        }
        return profile_option("--profile", name, protocol, ret);
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
        protocol = protocol_option(o.protocol);
        if (!protocol)
                return 2;
        part = find_part(protocol);
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
