#include "tls_files.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY 86400

char certificate[TLS_PATH_MAX], key[TLS_PATH_MAX];

static void write_file(char *pattern, const gnutls_datum_t *text) {
        int fd = mkstemp(pattern);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text->data, text->size), text->size);
        close(fd);
        gnutls_free(text->data);
}

static void sign(gnutls_x509_crt_t public, gnutls_x509_privkey_t private, const char *common_name, int days) {
        time_t now = time(NULL), begin = days < 0 ? now + (2 * days) * DAY : now - DAY;

        assert_int_equal(gnutls_x509_crt_set_version(public, 3), 0);
        assert_int_equal(gnutls_x509_crt_set_serial(public, "\1", 1), 0);
        assert_int_equal(gnutls_x509_crt_set_activation_time(public, begin), 0);
        assert_int_equal(gnutls_x509_crt_set_expiration_time(public, now + days * DAY), 0);
        assert_int_equal(gnutls_x509_crt_set_dn_by_oid(public, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
                                                       (unsigned) strlen(common_name)), 0);
        assert_int_equal(gnutls_x509_crt_set_key(public, private), 0);
        assert_int_equal(gnutls_x509_crt_sign2(public, public, private, GNUTLS_DIG_SHA256, 0), 0);
}

void tls_make_files(char *certificate_path, char *key_path, const char *common_name, int days,
                    const char *passphrase) {
        gnutls_x509_privkey_t private;
        gnutls_x509_crt_t public;
        gnutls_datum_t text;

        assert_int_equal(gnutls_x509_privkey_init(&private), 0);
        assert_int_equal(gnutls_x509_privkey_generate(private, GNUTLS_PK_ECDSA,
                                                      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
        assert_int_equal(gnutls_x509_crt_init(&public), 0);
        sign(public, private, common_name, days);
        assert_int_equal(gnutls_x509_crt_export2(public, GNUTLS_X509_FMT_PEM, &text), 0);
        write_file(certificate_path, &text);
        assert_int_equal(gnutls_x509_privkey_export2_pkcs8(private, GNUTLS_X509_FMT_PEM, passphrase,
                                                           passphrase ? GNUTLS_PKCS_PBES2_AES_128 : GNUTLS_PKCS_PLAIN,
                                                           &text), 0);
        write_file(key_path, &text);
        gnutls_x509_crt_deinit(public);
        gnutls_x509_privkey_deinit(private);
}

void make_files(const char *common_name, int days, const char *passphrase) {
        strcpy(certificate, "/tmp/test-tls-certificate-XXXXXX");
        strcpy(key, "/tmp/test-tls-key-XXXXXX");
        tls_make_files(certificate, key, common_name, days, passphrase);
}

void remove_files(void) {
        unlink(certificate);
        unlink(key);
}

void write_text(const char *path, const char *text) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static ssize_t pull(gnutls_transport_ptr_t userdata, void *out, size_t max) {
        struct tls_client *t = userdata;
        size_t n = t->c->len < max ? t->c->len : max;

        if (n == 0 && !t->c->closed) {
                gnutls_transport_set_errno(t->session, EAGAIN);
                return -1;
        }
        memcpy(out, t->c->data, n);
        t->c->len -= n;
        memmove(t->c->data, t->c->data + n, t->c->len);
        return (ssize_t) n;
}

static ssize_t push(gnutls_transport_ptr_t userdata, const void *data, size_t len) {
        struct tls_client *t = userdata;

        client_send_n(t->c, data, len);
        return (ssize_t) len;
}

void tls_client_open(struct tls_client *t, struct bench *b, const char *priorities) {
        t->c = client_tcp(b);
        assert_int_equal(gnutls_init(&t->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
        assert_int_equal(gnutls_certificate_allocate_credentials(&t->credentials), 0);
        assert_int_equal(gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, t->credentials), 0);
        if (priorities)
                assert_int_equal(gnutls_priority_set_direct(t->session, priorities, NULL), 0);
        else
                assert_int_equal(gnutls_set_default_priority(t->session), 0);
        gnutls_transport_set_ptr(t->session, t);
        gnutls_transport_set_pull_function(t->session, pull);
        gnutls_transport_set_push_function(t->session, push);
}

void tls_client_close(struct tls_client *t) {
        gnutls_deinit(t->session);
        gnutls_certificate_free_credentials(t->credentials);
        client_close(t->c);
}

int tls_client_step(struct tls_client *t) {
        return gnutls_handshake(t->session);
}

int tls_client_handshake(struct tls_client *t) {
        int r;

        while ((r = gnutls_handshake(t->session)) == GNUTLS_E_AGAIN) {
                if (t->c->closed)
                        return GNUTLS_E_PREMATURE_TERMINATION;
                bench_turn(t->c->bench);
        }
        return r;
}

/* False at the end of the connection. */
static bool receive_more(struct tls_client *t, char *text, size_t *len, size_t size) {
        ssize_t n;

        while ((n = gnutls_record_recv(t->session, text + *len, size - 1 - *len)) == GNUTLS_E_AGAIN)
                bench_turn(t->c->bench);
        if (n <= 0)
                return false;
        *len += (size_t) n;
        text[*len] = 0;
        return true;
}

int tls_client_ask(struct tls_client *t, const char *request, char *body, size_t body_size) {
        static char text[CLIENT_BUFFER];
        const char *end = NULL, *length;
        size_t len = 0, want = 0;
        int status = -1;

        assert_true(gnutls_record_send(t->session, request, strlen(request)) > 0);
        text[0] = 0;
        while (!end || len < (size_t) (end - text) + want) {
                if (!receive_more(t, text, &len, sizeof text))
                        return -1;
                if (end || !(end = strstr(text, "\r\n\r\n")))
                        continue;
                end += 4;
                length = strstr(text, "Content-Length: ");
                want = length ? strtoul(length + strlen("Content-Length: "), NULL, 10) : 0;
        }
        assert_int_equal(sscanf(text, "HTTP/1.%*d %d", &status), 1);
        snprintf(body, body_size, "%s", end);
        return status;
}

void tls_client_server_name(struct tls_client *t, char *name, size_t size) {
        const gnutls_datum_t *shown;
        gnutls_x509_crt_t crt;
        unsigned n;

        shown = gnutls_certificate_get_peers(t->session, &n);
        assert_non_null(shown);
        assert_int_equal(gnutls_x509_crt_init(&crt), 0);
        assert_int_equal(gnutls_x509_crt_import(crt, shown, GNUTLS_X509_FMT_DER), 0);
        assert_int_equal(gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size), 0);
        gnutls_x509_crt_deinit(crt);
}
