/* The configuration: YAML in, one validated, immutable struct out. Everything in it is owned by it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "protocols/protocol.h"
#include "protocols/quantity.h"

#define REPLAY_SPEED_ONE 1000  /* a recording is replayed as fast as it was made */
#define METERS_MAX        32   /* a Pi with a full USB hub; each costs some 40 KiB */
#define METER_ID_MAX      32
#define CONFIG_ERROR_MAX  512
#define CONFIG_WARNINGS_MAX 8
#define LISTEN_MAX        8
#define TARIFFS_MAX       32
#define REMOTE_WRITE_MAX  8    /* receivers; each costs up to a MiB while it is behind */
#define REMOTE_WRITE_HEADERS_MAX 16
#define REMOTE_WRITE_LABELS_MAX  16  /* the instance included */
#define TARIFF_NAME_SIZE  65
#define DAY_QUARTERS      96   /* prices change at these: the history keeps energy that fine for years */
#define HISTORY_SIZE_DEFAULT (UINT64_C(64) << 20)
#define HISTORY_FLUSH_DEFAULT_MS 60000

struct config_error {
        char text[CONFIG_ERROR_MAX];  /* "FILE:LINE:COLUMN: KEY: what is wrong; what was expected" in one line */
};

enum access_mode {
        ACCESS_OPEN,
        ACCESS_TOKEN,
};

enum meter_role {
        ROLE_MODULE,  /* we are the Wi-Fi module, or its like */
        ROLE_LISTEN,  /* never transmit */
};

struct limit {
        bool set;
        int64_t min, max;  /* catalogue resolution */
};

struct meter_config {
        char id[METER_ID_MAX + 1];
        char *name;                       /* defaults to the id */
        const struct protocol *protocol;
        char *profile_name;               /* as written, NULL when the product key is to pick it, or there is none */
        struct profile *profile;          /* NULL when profile_name is NULL */
        char *port;                       /* /dev/..., tcp://host:port or replay://file */
        char *port_tx;                    /* what is sent to the meter, only listening; NULL: not heard apart */
        struct {
                char *path;               /* NULL: port is no recording */
                uint32_t speed;           /* in 1/REPLAY_SPEED_ONE of that of the recording */
        } replay;
        uint32_t baud;                    /* 0: auto */
        enum meter_role role;
        uint32_t poll_ms;
        uint32_t stale_after_ms;
        bool poll_aligned;                /* polls fall on multiples of poll_ms of the wall clock */
        uint32_t console_log_level;       /* 0: as it is */
        struct limit limits[Q_COUNT];
        int64_t scale_num, scale_den;     /* instrument-transformer factor */
        unsigned line;                    /* where it stands in the file */
};

/* A price of energy and when it holds, both by the clock on the wall. */
struct tariff {
        char name[TARIFF_NAME_SIZE];
        char currency[4];
        int64_t price;                    /* of a kWh, in 10^-6 of the currency */
        uint8_t days;                     /* bit 0: Monday */
        uint8_t quarters[DAY_QUARTERS / 8];  /* of the day: bit n % 8 of byte n / 8 */
};

struct listen_address {
        char *text;                       /* as written */
        struct sockaddr_storage address;
        socklen_t address_len;
        bool loopback;                    /* loopback IP or unix socket */
};

struct name_text {
        char *name, *text;
};

/* Somebody to whom everything measured is sent. */
struct remote_write_config {
        char *name;
        char *url;
        char *token_path;                 /* or credential:NAME; NULL: no token */
        unsigned n_series;
        char **series;                    /* none: all */
        unsigned n_headers, n_labels;
        struct name_text headers[REMOTE_WRITE_HEADERS_MAX];
        struct name_text labels[REMOTE_WRITE_LABELS_MAX];  /* the instance is always one of them */
        unsigned line;                    /* where it stands in the file */
};

struct config {
        char *path;
        struct {
                char *name;
                char *timezone;           /* NULL: the system's */
        } site;
        struct {
                unsigned n_listen;
                struct listen_address listen[LISTEN_MAX];
                enum access_mode access;
                bool access_stated;       /* else nothing may listen beyond this machine */
                char *tokens_path;        /* or credential:NAME; set when access is ACCESS_TOKEN */
                char *certificate_path, *key_path;  /* likewise; both or none */
                unsigned n_hosts, n_cors_origins;
                char **hosts, **cors_origins;
        } http;
        struct {
                char *directory;          /* NULL: where systemd lets us keep things, else /var/lib/metergate */
                uint64_t size_bytes;
                uint32_t flush_ms;
        } history;
        unsigned n_tariffs;
        struct tariff *tariffs;           /* all in one currency; the first that fits wins (config/tariffs.h) */
        unsigned n_remote_write;
        struct remote_write_config *remote_write;
        unsigned n_meters;
        struct meter_config *meters;
        unsigned n_warnings;
        char *warnings[CONFIG_WARNINGS_MAX];  /* "FILE:LINE:COLUMN: ..." */
};

/* 0, or a negative errno with a one-line text in error: -EINVAL for content, -ENOENT and the like for the file.
 * path "-" reads stdin. */
int config_load(const char *path, struct config **ret, struct config_error *error);

/* The same from memory; name stands for the file in messages, relative paths in it start from its folder. */
int config_parse(const char *name, const char *text, size_t len, struct config **ret, struct config_error *error);

struct config *config_free(struct config *c);
static inline void config_freep(struct config **c) { config_free(*c); }

/* True for the full path of a device and for tcp://HOST:PORT. */
bool config_is_port(const char *text);

/* True when a running meter need not be restarted to follow the new configuration. */
bool meter_config_equal(const struct meter_config *a, const struct meter_config *b);

/* True when what is running for the one can go on for the other. */
bool remote_write_config_equal(const struct remote_write_config *a, const struct remote_write_config *b);

/* Every key of the configuration, one line each: key, form, default, meaning, with tabs between. */
void config_schema_print(FILE *out);
