/* What a TLS server shows: its certificate with the chain below it, and the key that belongs to it. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stddef.h>

/* TLS 1.3 and 1.2 with keys exchanged over curves and authenticated ciphers; clients that know none of these are ten
 * years old. No finite-field Diffie-Hellman, which costs many times as much for each connection that a stranger
 * opens. X25519 and ChaCha20 come first: many a small machine has no instructions for AES, and on others both are
 * fast enough. */
#define TLS_PRIORITIES                                                                                               \
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+CHACHA20-POLY1305:" \
        "+AES-128-GCM:+AES-256-GCM:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"       \
        "%SERVER_PRECEDENCE"

/* Counted, because a handshake under way goes on with the key that it began with while a reload brings another. */
struct tls_identity;

/* Both are PEM files, or "credential:NAME" (http/secret_file.h); the certificate comes first in its file, what it was
 * signed by after it. On failure error names the file and says why, and the result is a negative errno: -EINVAL for
 * content, others for the file. What is odd but works is logged as a warning. */
int tls_identity_load(const char *certificate, const char *key, struct tls_identity **ret, char *error,
                      size_t error_size);

struct tls_identity *tls_identity_ref(struct tls_identity *t);
struct tls_identity *tls_identity_unref(struct tls_identity *t);  /* NULL is fine */
static inline void tls_identity_unrefp(struct tls_identity **t) { tls_identity_unref(*t); }

/* For libmicrohttpd: what to show to a client. The session's pointer is a struct tls_identity. */
int tls_retrieve_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
                             const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **ret_chain,
                             unsigned *ret_n_chain, gnutls_privkey_t *ret_key);
