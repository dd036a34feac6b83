/* Everything a client can drive has its limit here, each with its reason. limits.c shows them to people: a number
 * that is added here has a line there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CONNECTIONS_MAX     1024  /* some 12 KiB each: 12 MiB at worst; one round over them stays below 10 ms */
#define HTTP_SECURE_MAX          128   /* of them over TLS: 34 KiB each, 57 at a client's worst, so 7 MiB in all */
#define HTTP_PER_ADDRESS_MAX     64    /* one broken client leaves room for others; loopback is spared, since all
                                        * clients of a reverse proxy come from there */
#define HTTP_DESCRIPTORS_LEFT    96    /* files that connections leave to the rest: 32 ports, listeners, the history */
#define HTTP_ACCEPT_BATCH        16    /* per wake-up, so that a flood of connections does not hold up the meters */
#define HTTP_LISTENERS_MAX       16    /* those of the configuration and as many from systemd */
#define HTTP_BACKLOG             128   /* connections the kernel keeps while we are at our limit */
#define HTTP_POOL_SIZE           10240 /* all headers of a request, of which others take 8 KiB, and of its answer; this
                                        * is nearly all that a connection costs */
#define HTTP_TARGET_MAX          4096  /* path and query; the longest of ours has some 300 bytes */
#define HTTP_BODY_MAX            4096  /* the longest body writes a text of 64 bytes, six characters for each; every
                                        * connection may hold one at the same time: 1 MiB */
#define HTTP_INACTIVITY_S        30    /* no byte in either direction: whole seconds, for libmicrohttpd */
#define HTTP_HEADER_MS           10000 /* from connecting, or from the request line, to the end of the headers;
                                        * absolute, because a byte now and then defeats the inactivity limit */
#define HTTP_IDLE_MS             30000 /* between two requests of one connection */
#define HTTP_BODY_MS             10000 /* from the end of the headers to the end of the body */
#define HTTP_SEND_MS             300000 /* from the answer to its last byte: 4 MiB over a slow mobile link */
#define HTTP_LONG_ANSWERS_MAX    8     /* produced at a time; one of history has some 150 KiB to work with */
#define HTTP_LENGTHS_MAX         32    /* remembered lengths of those sent: what a dashboard asks for again and again */
#define HTTP_PIECE_SIZE          16384 /* what the library asks a long answer for at a time */
#define HTTP_STREAMS_MAX         512   /* live streams; half the connections are left for everything else */
#define HTTP_STREAM_BATCH        32    /* streams that go on in one turn of the loop, */
#define HTTP_STREAM_TURN_MS      3     /* for so long: then whatever else is ready has its turn */
#define HTTP_STREAM_PIECE        4096  /* a stream is asked for so much at a time, or one event if that is longer */
#define HTTP_STREAM_PIECE_MAX    65536 /* with the longest event: a state with the sources of 64 series has 6 KiB */
#define HTTP_STREAM_BLOCK        1024  /* at a time to a client of HTTP/1.0 */
#define HTTP_STREAM_SEND_BUFFER  16384 /* in the kernel for a client that does not read: some 40 events */
#define HTTP_STREAM_STALLED_MS   30000 /* and its piece must then leave within this: it may come back to where it was */
#define HTTP_STREAM_UNACKED_MS   60000 /* a client whose host vanished: four heartbeats without an answer */
#define HTTP_RETRY_AFTER_S       2     /* what a client refused for that is told to wait */
#define HTTP_GZIP_MIN            1024  /* shorter bodies leave in one packet either way */
#define HTTP_GZIP_MAX            524288 /* of a body that is compressed at once: some 5 ms, 25 ms on a small board; the
                                        * longest, 1000 events, has 300 KiB */
#define HTTP_GZIP_LEVEL          4     /* rows of numbers: 32 % in half the time that level 6 takes for its 30 % */
#define HTTP_GZIP_WINDOW_BITS    12    /* with the memory level 32 KiB for each long answer; the usual 256 KiB would */
#define HTTP_GZIP_MEMORY_LEVEL   5     /* not make them smaller, for what repeats in them is near */
#define HTTP_CACHE_MS            100   /* the resolution of the ages in an answer */
#define HTTP_CACHE_ENTRIES       16    /* what is asked for many times a second: a few addresses */
#define HTTP_CACHE_BODY_MAX      65536 /* of one entry; /metrics of 16 meters with channels has half of that */
#define HTTP_CACHE_TARGET_MAX    128   /* path and query of one; no address that is kept is longer */
#define HTTP_CACHE_ACCEPT_MAX    320   /* Accept header of one, where the form goes by it; Prometheus' has 290 */
#define HTTP_CACHE_SUBJECT_MAX   32    /* whose changes end one: a meter's id */
#define HTTP_STARVED_US          1000000 /* pause of accepting when descriptors or memory run out */
#define HTTP_POLICY_NAMES_MAX    64    /* hosts, and origins; people have a handful */

#define AUTH_TOKENS_MAX          32    /* every request is compared with each of them */
#define AUTH_SECRET_MAX          255   /* tokens of other programs have 20 to 200 characters */
#define AUTH_FILE_MAX            65536 /* far above what that many tokens with comments need */

#define THROTTLE_TRIES           10    /* wrong tokens of an address in a row: a person mistypes two or three */
#define THROTTLE_TRY_MS          6000  /* until one of them comes back: 14400 guesses a day find no secret worth its
                                        * name; a Prometheus with a wrong token, every 15 s, is not even slowed */
#define THROTTLE_ENTRIES         64    /* addresses that are known to have failed; more have it easier, not harder */
#define THROTTLE_SILENCE_MS      600000 /* between two lines of the log about one address */
#define THROTTLE_LINE_MS         5000  /* between two lines of the log about any */
#define TLS_CHAIN_MAX            16    /* certificates in a file; the longest chains in use have five */
#define TLS_FILE_MAX             65536 /* bytes of such a file, or of a key */
#define TLS_MESSAGE_MAX          16384 /* of a handshake; the longest a client needs has some 2 KiB */
/* For /api/v1/diagnostics. */
struct http_limit {
        const char *name;      /* with its unit, as everywhere in the API */
        uint64_t value;
};
extern const struct http_limit http_limits_table[];
extern const size_t http_limits_count;

/* Those that tests shorten. */
struct http_limits {
        unsigned connections;
        unsigned secure_connections;
        unsigned per_address;
        bool spare_loopback;   /* per_address, and the slowing of wrong tokens, leave this host alone: all clients of
                                * a reverse proxy come from there, and one of them must not lock out the others */
        uint32_t header_ms;
        uint32_t idle_ms;
        uint32_t body_ms;
        uint32_t send_ms;
        unsigned streams;
        uint32_t stalled_ms;
};

/* Designated values for an initialiser. */
#define HTTP_LIMITS_DEFAULT                                                                                          \
        {                                                                                                            \
                .connections = HTTP_CONNECTIONS_MAX, .secure_connections = HTTP_SECURE_MAX,                          \
                .per_address = HTTP_PER_ADDRESS_MAX, .spare_loopback = true,    \
                .header_ms = HTTP_HEADER_MS, .idle_ms = HTTP_IDLE_MS, .body_ms = HTTP_BODY_MS,                       \
                .send_ms = HTTP_SEND_MS, .streams = HTTP_STREAMS_MAX, .stalled_ms = HTTP_STREAM_STALLED_MS,          \
        }
