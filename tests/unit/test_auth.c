/* The tokens file and the Authorization header. */
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

#include "base/cleanup.h"
#include "http/auth.h"
#include "http/limits.h"

static char error[256];

static int parse(const char *text, struct auth_tokens **ret) {
        error[0] = 0;
        return auth_tokens_parse("tokens", text, strlen(text), ret, error, sizeof error);
}

static void expect_bad(const char *text, const char *message) {
        struct auth_tokens *t = NULL;

        assert_int_equal(parse(text, &t), -EINVAL);
        assert_null(t);
        if (!strstr(error, message))
                print_error("%s: %s\n", text, error);
        assert_non_null(strstr(error, message));
}

static void test_file_forms(void **state) {
        CLEANUP(auth_tokens_freep) struct auth_tokens *t = NULL;

        (void) state;
        assert_int_equal(parse("# people\n\n  \t\nread abc\r\n\t control \t d#e:f  \nread  last", &t), 0);
        assert_int_equal(auth_role(t, "Bearer abc"), HTTP_ROLE_READ);
        assert_int_equal(auth_role(t, "Bearer d#e:f"), HTTP_ROLE_CONTROL);
        assert_int_equal(auth_role(t, "Bearer last"), HTTP_ROLE_READ);
        assert_int_equal(auth_role(t, "Bearer las"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "Bearer lastt"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "Bearer people"), HTTP_ROLE_NONE);
}

static void test_bad_files(void **state) {
        char many[64 * (AUTH_TOKENS_MAX + 1)] = "", secret[AUTH_SECRET_MAX + 2], line[AUTH_SECRET_MAX + 16];
        struct auth_tokens *t = NULL;

        (void) state;
        expect_bad("", "tokens:1: no token");
        expect_bad("# only this\n\n", "tokens:2: no token");
        expect_bad("read abc\nwrite def\n", "tokens:2: expected \"read SECRET\"");
        expect_bad("read\n", "tokens:1: no secret");
        expect_bad("read a b\n", "tokens:1: the secret may only");
        expect_bad("\n\nread \xc3\xa9\n", "tokens:3: the secret may only");
        expect_bad("read abc\n# again\ncontrol abc\n", "tokens:3: the same secret");
        expect_bad("Read abc\n", "tokens:1: expected");
        for (int i = 0; i <= AUTH_TOKENS_MAX; i++)
                sprintf(many + strlen(many), "read secret%d\n", i);
        expect_bad(many, "tokens:33: more than 32");
        memset(secret, 'x', sizeof secret - 1);
        secret[sizeof secret - 1] = 0;
        snprintf(line, sizeof line, "read %s\n", secret);
        expect_bad(line, "tokens:1: the secret is longer");
        snprintf(line, sizeof line, "read %s\n", secret + 1);
        assert_int_equal(parse(line, &t), 0);
        snprintf(line, sizeof line, "Bearer %s", secret + 1);
        assert_int_equal(auth_role(t, line), HTTP_ROLE_READ);
        snprintf(line, sizeof line, "Bearer %s", secret);
        assert_int_equal(auth_role(t, line), HTTP_ROLE_NONE);
        auth_tokens_free(t);
}

static void test_nul_in_file(void **state) {
        static const char text[] = "read a\0b\n";
        struct auth_tokens *t = NULL;

        (void) state;
        assert_int_equal(auth_tokens_parse("tokens", text, sizeof text - 1, &t, error, sizeof error), -EINVAL);
}

static void test_headers(void **state) {
        CLEANUP(auth_tokens_freep) struct auth_tokens *t = NULL;

        (void) state;
        assert_int_equal(parse("read s3cret\ncontrol a:b", &t), 0);
        assert_int_equal(auth_role(t, NULL), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(NULL, "Bearer s3cret"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, ""), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "Bearer"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "Bearer "), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "s3cret"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "Digest s3cret"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "Bearers3cret"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "bearer  s3cret "), HTTP_ROLE_READ);
        assert_int_equal(auth_role(t, "Bearer S3cret"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "Basic OnMzY3JldA=="), HTTP_ROLE_READ);         /* :s3cret */
        assert_int_equal(auth_role(t, "basic cHJvbTpzM2NyZXQ="), HTTP_ROLE_READ);     /* prom:s3cret */
        assert_int_equal(auth_role(t, "Basic cHJvbTpzM2NyZXQ"), HTTP_ROLE_READ);
        assert_int_equal(auth_role(t, "Basic dTphOmI="), HTTP_ROLE_CONTROL);          /* u:a:b */
        assert_int_equal(auth_role(t, "Basic czNjcmV0"), HTTP_ROLE_NONE);             /* s3cret */
        assert_int_equal(auth_role(t, "Basic czNjcmV0Og=="), HTTP_ROLE_NONE);         /* s3cret: */
        assert_int_equal(auth_role(t, "Basic *"), HTTP_ROLE_NONE);
        assert_int_equal(auth_role(t, "Basic ===="), HTTP_ROLE_NONE);
}

static void test_long_header(void **state) {
        CLEANUP(auth_tokens_freep) struct auth_tokens *t = NULL;
        static char text[8192] = "Basic ";

        (void) state;
        assert_int_equal(parse("read s3cret", &t), 0);
        memset(text + 6, 'A', sizeof text - 7);
        assert_int_equal(auth_role(t, text), HTTP_ROLE_NONE);
        memcpy(text, "Bearer ", 7);
        assert_int_equal(auth_role(t, text), HTTP_ROLE_NONE);
}

static void test_load(void **state) {
        char path[] = "/tmp/test-auth-XXXXXX";
        static char large[AUTH_FILE_MAX];
        struct auth_tokens *t = NULL;
        int fd = mkstemp(path);

        (void) state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "control k\n", 10), 10);
        assert_int_equal(auth_tokens_load(path, &t, error, sizeof error), 0);
        assert_int_equal(auth_role(t, "Bearer k"), HTTP_ROLE_CONTROL);
        t = auth_tokens_free(t);
        assert_int_equal(write(fd, "oops\n", 5), 5);
        assert_int_equal(auth_tokens_load(path, &t, error, sizeof error), -EINVAL);
        assert_non_null(strstr(error, ":2: expected"));
        memset(large, '\n', sizeof large);
        assert_int_equal(write(fd, large, sizeof large), sizeof large);
        assert_int_equal(auth_tokens_load(path, &t, error, sizeof error), -EFBIG);
        close(fd);
        unlink(path);
        assert_int_equal(auth_tokens_load(path, &t, error, sizeof error), -ENOENT);
        assert_non_null(strstr(error, path));
        assert_int_equal(auth_tokens_load("/tmp", &t, error, sizeof error), -EISDIR);
        assert_null(t);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_file_forms),
                cmocka_unit_test(test_bad_files),
                cmocka_unit_test(test_nul_in_file),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_long_header),
                cmocka_unit_test(test_load),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
