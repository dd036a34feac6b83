#include "http/auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "http/limits.h"
#include "http/secret_file.h"

struct token {
        enum http_role role;
        char secret[AUTH_SECRET_MAX + 1];  /* filled up with zeros, so that all comparisons have one length */
};

struct auth_tokens {
        unsigned n;
        struct token tokens[AUTH_TOKENS_MAX];
};

struct auth_tokens *auth_tokens_free(struct auth_tokens *t) {
        if (t)
                explicit_bzero(t, sizeof *t);
        free(t);
        return NULL;
}

static bool equal_in_constant_time(const char *a, const char *b, size_t len) {
        volatile unsigned char difference = 0;

        for (size_t i = 0; i < len; i++)
                difference |= (unsigned char) a[i] ^ (unsigned char) b[i];
        return difference == 0;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static int fail(char *error, size_t error_size, const char *name, unsigned line, const char *why) {
        snprintf(error, error_size, "%s:%u: %s", name, line, why);
        return -EINVAL;
}

static const char *secret_problem(const struct auth_tokens *t, const char *secret, size_t len) {
        if (len == 0)
                return "no secret; expected \"read SECRET\" or \"control SECRET\"";
        if (len > AUTH_SECRET_MAX)
                return "the secret is longer than 255 characters";
        for (size_t i = 0; i < len; i++)
                if (secret[i] <= 0x20 || secret[i] >= 0x7f)
                        return "the secret may only have printable ASCII characters without blanks";
        for (unsigned i = 0; i < t->n; i++)
                if (strlen(t->tokens[i].secret) == len && memcmp(t->tokens[i].secret, secret, len) == 0)
                        return "the same secret stands on a line above";
        if (t->n == AUTH_TOKENS_MAX)
                return "more than 32 tokens";
        return NULL;
}

/* One line without its end. NULL, or what is wrong with it. */
static const char *parse_line(struct auth_tokens *t, const char *line, size_t len) {
        const char *p = line, *end = line + len, *word, *why;
        enum http_role role;

        while (end > p && (is_blank(end[-1]) || end[-1] == '\r'))
                end--;
        while (p < end && is_blank(*p))
                p++;
        if (p == end || *p == '#')
                return NULL;
        for (word = p; p < end && !is_blank(*p);)
                p++;
        if (p - word == 4 && memcmp(word, "read", 4) == 0)
                role = HTTP_ROLE_READ;
        else if (p - word == 7 && memcmp(word, "control", 7) == 0)
                role = HTTP_ROLE_CONTROL;
        else
                return "expected \"read SECRET\" or \"control SECRET\"";
        while (p < end && is_blank(*p))
                p++;
        why = secret_problem(t, p, (size_t) (end - p));
        if (why)
                return why;
        t->tokens[t->n].role = role;
        memcpy(t->tokens[t->n].secret, p, (size_t) (end - p));
        t->n++;
        return NULL;
}

int auth_tokens_parse(const char *name, const char *text, size_t len, struct auth_tokens **ret, char *error,
                      size_t error_size) {
        CLEANUP(auth_tokens_freep) struct auth_tokens *t = calloc(1, sizeof *t);
        unsigned line = 0;

        if (!t) {
                snprintf(error, error_size, "%s: %s", name, strerror(ENOMEM));
                return -ENOMEM;
        }
        for (const char *p = text, *end = text + len; p < end;) {
                const char *next = memchr(p, '\n', (size_t) (end - p));
                const char *why = parse_line(t, p, (size_t) ((next ? next : end) - p));

                line++;
                if (why)
                        return fail(error, error_size, name, line, why);
                p = next ? next + 1 : end;
        }
        if (t->n == 0)
                return fail(error, error_size, name, line ? line : 1,
                            "no token in the file; expected lines \"read SECRET\" or \"control SECRET\"");
        *ret = TAKE(t);
        return 0;
}

int auth_tokens_load(const char *path, struct auth_tokens **ret, char *error, size_t error_size) {
        char *text;
        ssize_t len;
        int r;

        len = secret_file_read(path, AUTH_FILE_MAX, true, &text, error, error_size);
        if (len < 0)
                return (int) len;
        r = auth_tokens_parse(path, text, (size_t) len, ret, error, error_size);
        secret_file_free(text, (size_t) len);
        return r;
}

static enum http_role role_of_secret(const struct auth_tokens *t, const char *secret, size_t len) {
        char padded[AUTH_SECRET_MAX + 1] = { 0 };
        enum http_role role = HTTP_ROLE_NONE;

        if (len == 0 || len > AUTH_SECRET_MAX)
                return HTTP_ROLE_NONE;
        memcpy(padded, secret, len);
        for (unsigned i = 0; i < t->n; i++)
                if (equal_in_constant_time(padded, t->tokens[i].secret, sizeof padded) && t->tokens[i].role > role)
                        role = t->tokens[i].role;
        explicit_bzero(padded, sizeof padded);
        return role;
}

static int base64_digit(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The length, -EINVAL for anything but base64, -ENOBUFS. Padding may be missing. */
static ssize_t base64_decode(const char *text, size_t len, char *out, size_t cap) {
        uint32_t bits = 0;
        unsigned n_bits = 0;
        size_t n = 0;

        while (len > 0 && text[len - 1] == '=')
                len--;
        for (size_t i = 0; i < len; i++) {
                int digit = base64_digit(text[i]);

                if (digit < 0)
                        return -EINVAL;
                bits = bits << 6 | (uint32_t) digit;
                n_bits += 6;
                if (n_bits < 8)
                        continue;
                n_bits -= 8;
                if (n == cap)
                        return -ENOBUFS;
                out[n++] = (char) (bits >> n_bits & 0xff);
        }
        return (ssize_t) n;
}

static enum http_role role_of_basic(const struct auth_tokens *t, const char *text, size_t len) {
        char plain[2 * (AUTH_SECRET_MAX + 1)];  /* as much again for a user name, which nobody looks at */
        ssize_t n = base64_decode(text, len, plain, sizeof plain);
        const char *colon = n > 0 ? memchr(plain, ':', (size_t) n) : NULL;
        enum http_role role = HTTP_ROLE_NONE;

        if (colon)
                role = role_of_secret(t, colon + 1, (size_t) (plain + n - colon - 1));
        explicit_bzero(plain, sizeof plain);
        return role;
}

enum http_role auth_role(const struct auth_tokens *t, const char *authorization) {
        const char *value;
        size_t scheme, len;

        if (!t || !authorization)
                return HTTP_ROLE_NONE;
        authorization += strspn(authorization, " \t");
        scheme = strcspn(authorization, " \t");
        value = authorization + scheme;
        value += strspn(value, " \t");
        len = strlen(value);
        while (len > 0 && is_blank(value[len - 1]))
                len--;
        if (scheme == 6 && strncasecmp(authorization, "Bearer", scheme) == 0)
                return role_of_secret(t, value, len);
        if (scheme == 5 && strncasecmp(authorization, "Basic", scheme) == 0)
                return role_of_basic(t, value, len);
        return HTTP_ROLE_NONE;
}
