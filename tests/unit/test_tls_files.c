/* The files that TLS needs: certificates, keys, credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/secret_file.h"
#include "http/tls.h"
#include "tls_files.h"

static char error[HTTP_ERROR_MAX];

static void expect_bad(const char *of, const char *why) {
        struct tls_identity *t = NULL;
        char *at;

        assert_true(tls_identity_load(certificate, key, &t, error, sizeof error) < 0);
        assert_null(t);
        at = strstr(error, of);
        if (at != error || !strstr(error, why))
                print_error("%s\n", error);
        assert_true(at == error);
        assert_non_null(strstr(error, why));
}

static void test_files(void **state) {
        struct tls_identity *t;

        (void) state;
        make_files("localhost", 30, NULL);
        assert_int_equal(tls_identity_load(certificate, key, &t, error, sizeof error), 0);
        assert_ptr_equal(tls_identity_ref(t), t);
        assert_null(tls_identity_unref(t));
        assert_null(tls_identity_unref(t));
        assert_null(tls_identity_unref(NULL));
        remove_files();
}

static void test_bad_files(void **state) {
        char other_certificate[] = "/tmp/test-tls-other-XXXXXX", other_key[] = "/tmp/test-tls-other-XXXXXX";
        static char large_text[70000], kept[TLS_PATH_MAX];

        (void) state;
        make_files("localhost", 30, NULL);
        tls_make_files(other_certificate, other_key, "other", 30, NULL);
        strcpy(kept, key);
        strcpy(key, other_key);
        expect_bad(key, "this is not the key of the certificate");
        strcpy(key, certificate);
        expect_bad(key, "no private key in it");
        strcpy(key, "/tmp");
        expect_bad(key, "Is a directory");
        strcpy(key, "/nowhere/key.pem");
        expect_bad(key, "No such file");
        strcpy(key, kept);
        write_text(certificate, "# nothing\n");
        expect_bad(certificate, "no certificate in it");
        write_text(certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        expect_bad(certificate, ": ");
        memset(large_text, 'a', sizeof large_text - 1);
        write_text(certificate, large_text);
        expect_bad(certificate, "File too large");
        unlink(certificate);
        expect_bad(certificate, "No such file");
        remove_files();
        unlink(other_certificate);
        unlink(other_key);
        make_files("localhost", 30, "secret");
        expect_bad(key, "the key is encrypted");
        remove_files();
}

/* Seventeen certificates, and every way to cut a good file. */
static void test_chains(void **state) {
        static char text[4096], chain[17 * 4096 + 1];
        struct tls_identity *t;
        FILE *file;
        size_t len;

        (void) state;
        make_files("localhost", 30, NULL);
        file = fopen(certificate, "r");
        assert_non_null(file);
        len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        for (int i = 0; i < 16; i++)
                strcat(chain, text);
        write_text(certificate, chain);
        assert_int_equal(tls_identity_load(certificate, key, &t, error, sizeof error), 0);
        tls_identity_unref(t);
        strcat(chain, text);
        write_text(certificate, chain);
        expect_bad(certificate, "17 certificates");
        assert_non_null(strstr(text, "-----END"));
        len = (size_t) (strstr(text, "-----END") - text);
        for (size_t cut = 0; cut < len; cut += 7) {
                snprintf(chain, sizeof chain, "%.*s", (int) cut, text);
                write_text(certificate, chain);
                expect_bad(certificate, ": ");
        }
        remove_files();
}

static void test_credentials(void **state) {
        char directory[] = "/tmp/test-credentials-XXXXXX", path[64], *text;
        ssize_t n;

        (void) state;
        unsetenv("CREDENTIALS_DIRECTORY");
        assert_true(secret_file_is_out_of_reach("credential:tokens"));
        assert_false(secret_file_is_out_of_reach("/etc/tokens"));
        assert_int_equal(secret_file_read("credential:tokens", 10, true, &text, error, sizeof error), -ENOENT);
        assert_non_null(strstr(error, "credential:tokens: "));
        assert_non_null(strstr(error, "LoadCredential=tokens:FILE"));
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/tokens", directory);
        write_text(path, "0123456789");
        setenv("CREDENTIALS_DIRECTORY", directory, 1);
        assert_false(secret_file_is_out_of_reach("credential:tokens"));
        n = secret_file_read("credential:tokens", 10, false, &text, error, sizeof error);
        assert_int_equal(n, 10);
        assert_string_equal(text, "0123456789");
        secret_file_free(text, (size_t) n);
        assert_int_equal(secret_file_read("credential:tokens", 9, false, &text, error, sizeof error), -EFBIG);
        assert_int_equal(secret_file_read("credential:none", 9, false, &text, error, sizeof error), -ENOENT);
        assert_string_equal(error, "credential:none: No such file or directory");
        unsetenv("CREDENTIALS_DIRECTORY");
        unlink(path);
        rmdir(directory);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_bad_files),
                cmocka_unit_test(test_chains),
                cmocka_unit_test(test_credentials),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
