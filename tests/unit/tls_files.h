/* Certificates made on the spot, and a client that speaks TLS. */
#pragma once

#include <gnutls/gnutls.h>

#include "http_client.h"

#define TLS_PATH_MAX 64

/* A self-signed certificate and its key in the new files of two patterns for mkstemp. days: valid from now; below 0:
 * it expired that long ago. passphrase: NULL for a key without one. */
void tls_make_files(char *certificate_path, char *key_path, const char *common_name, int days,
                    const char *passphrase);

/* The same in two files of the test's own, and their end. */
extern char certificate[TLS_PATH_MAX], key[TLS_PATH_MAX];
void make_files(const char *common_name, int days, const char *passphrase);
void remove_files(void);

void write_text(const char *path, const char *text);

/* A client's session on a connection of http_client.h: it takes from c->data what the server has sent. */
struct tls_client {
        struct client *c;
        gnutls_session_t session;
        gnutls_certificate_credentials_t credentials;
};

/* priorities: NULL for the library's own. */
void tls_client_open(struct tls_client *t, struct bench *b, const char *priorities);
void tls_client_close(struct tls_client *t);

/* Turns the loop until the handshake is done; the result of gnutls_handshake, GNUTLS_E_PREMATURE_TERMINATION when the
 * server closed. */
int tls_client_handshake(struct tls_client *t);

/* One step of it, without waiting. */
int tls_client_step(struct tls_client *t);

/* Sends text and takes an answer up to its body's end: the status, -1 when the connection ended before. */
int tls_client_ask(struct tls_client *t, const char *text, char *body, size_t body_size);

/* The common name in the certificate that the server has shown. */
void tls_client_server_name(struct tls_client *t, char *name, size_t size);
