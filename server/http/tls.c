#include "http/tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http/limits.h"
#include "http/secret_file.h"

struct tls_identity {
        unsigned refs;
        unsigned n_chain;
        gnutls_pcert_st chain[TLS_CHAIN_MAX];
        gnutls_privkey_t key;
};

struct tls_identity *tls_identity_ref(struct tls_identity *t) {
        if (t)
                t->refs++;
        return t;
}

struct tls_identity *tls_identity_unref(struct tls_identity *t) {
        if (!t || --t->refs > 0)
                return NULL;
        for (unsigned i = 0; i < t->n_chain; i++)
                gnutls_pcert_deinit(&t->chain[i]);
        if (t->key)
                gnutls_privkey_deinit(t->key);
        free(t);
        return NULL;
}

__attribute__((format(printf, 3, 4)))
static int fail(char *error, size_t error_size, const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(error, error_size, format, args);
        va_end(args);
        return -EINVAL;
}

/* ---- the certificate ---- */

/* The wall clock of a small machine may be wrong for a while after its start, so this is no reason to refuse. */
static void warn_of_dates(const char *name, gnutls_x509_crt_t certificate) {
        time_t now = time(NULL);

        if (gnutls_x509_crt_get_expiration_time(certificate) < now)
                log_warning("%s: the certificate has expired; clients will refuse it", name);
        else if (gnutls_x509_crt_get_activation_time(certificate) > now)
                log_warning("%s: the certificate is not valid yet; clients will refuse it", name);
}

static int read_chain(struct tls_identity *t, const char *name, const gnutls_datum_t *text, char *error,
                      size_t error_size) {
        gnutls_x509_crt_t *list;
        unsigned n = 0, n_chain = 0;
        int r;

        r = gnutls_x509_crt_list_import2(&list, &n, text, GNUTLS_X509_FMT_PEM, 0);
        if (r == GNUTLS_E_NO_CERTIFICATE_FOUND || r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
                return fail(error, error_size,
                            "%s: no certificate in it; expected a PEM file with \"-----BEGIN CERTIFICATE-----\"", name);
        if (r < 0)
                return fail(error, error_size, "%s: %s", name, gnutls_strerror(r));
        if (n > TLS_CHAIN_MAX) {
                r = fail(error, error_size, "%s: %u certificates; at most %d are one server's", name, n,
                         TLS_CHAIN_MAX);
        } else {
                warn_of_dates(name, list[0]);
                while (r >= 0 && n_chain < n) {
                        r = gnutls_pcert_import_x509(&t->chain[n_chain], list[n_chain], 0);
                        if (r >= 0)
                                n_chain++;
                }
                t->n_chain = n_chain;
                if (r < 0)
                        r = fail(error, error_size, "%s: %s", name, gnutls_strerror(r));
        }
        for (unsigned i = 0; i < n; i++)
                gnutls_x509_crt_deinit(list[i]);
        gnutls_free(list);
        return r < 0 ? r : 0;
}

/* ---- the key ---- */

static int read_key(struct tls_identity *t, const char *name, const gnutls_datum_t *text, char *error,
                    size_t error_size) {
        int r;

        r = gnutls_privkey_init(&t->key);
        if (r >= 0)
                r = gnutls_privkey_import_x509_raw(t->key, text, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (r >= 0)
                return 0;
        if (r == GNUTLS_E_DECRYPTION_FAILED)
                return fail(error, error_size,
                            "%s: the key is encrypted; nobody can type its passphrase here, so store it without one",
                            name);
        if (r == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR || r == GNUTLS_E_BASE64_DECODING_ERROR ||
            r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
                return fail(error, error_size,
                            "%s: no private key in it; expected a PEM file with \"-----BEGIN PRIVATE KEY-----\"", name);
        return fail(error, error_size, "%s: %s", name, gnutls_strerror(r));
}

static bool is_of_same_key(const struct tls_identity *t) {
        unsigned char ours[64], theirs[64];
        size_t ours_len = sizeof ours, theirs_len = sizeof theirs;
        gnutls_pubkey_t public;
        bool same;

        if (gnutls_pubkey_init(&public) < 0)
                return false;
        same = gnutls_pubkey_import_privkey(public, t->key, 0, 0) >= 0 &&
               gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, ours, &ours_len) >= 0 &&
               gnutls_pubkey_get_key_id(t->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, theirs, &theirs_len) >= 0 &&
               ours_len == theirs_len && memcmp(ours, theirs, ours_len) == 0;
        gnutls_pubkey_deinit(public);
        return same;
}

/* ---- both ---- */

typedef int (*part_reader)(struct tls_identity *t, const char *name, const gnutls_datum_t *text, char *error,
                           size_t error_size);

static int read_part(struct tls_identity *t, const char *name, bool is_secret, part_reader read, char *error,
                     size_t error_size) {
        gnutls_datum_t text;
        char *content;
        ssize_t len;
        int r;

        len = secret_file_read(name, TLS_FILE_MAX, is_secret, &content, error, error_size);
        if (len < 0)
                return (int) len;
        text = (gnutls_datum_t) { .data = (unsigned char *) content, .size = (unsigned) len };
        r = read(t, name, &text, error, error_size);
        secret_file_free(content, (size_t) len);
        return r;
}

int tls_identity_load(const char *certificate, const char *key, struct tls_identity **ret, char *error,
                      size_t error_size) {
        CLEANUP(tls_identity_unrefp) struct tls_identity *t = calloc(1, sizeof *t);
        int r;

        if (!t) {
                snprintf(error, error_size, "%s: %s", certificate, strerror(ENOMEM));
                return -ENOMEM;
        }
        t->refs = 1;
        r = read_part(t, certificate, false, read_chain, error, error_size);
        if (r >= 0)
                r = read_part(t, key, true, read_key, error, error_size);
        if (r < 0)
                return r;
        if (!is_of_same_key(t))
                return fail(error, error_size, "%s: this is not the key of the certificate %s", key, certificate);
        *ret = TAKE(t);
        return 0;
}

int tls_retrieve_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
                             const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **ret_chain,
                             unsigned *ret_n_chain, gnutls_privkey_t *ret_key) {
        struct tls_identity *t = gnutls_session_get_ptr(session);

        (void) authorities, (void) n_authorities, (void) algorithms, (void) n_algorithms;
        *ret_chain = t->chain;
        *ret_n_chain = t->n_chain;
        *ret_key = t->key;
        return 0;
}
