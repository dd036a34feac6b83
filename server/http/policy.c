#include "http/policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"

#define HOST_MAX 255  /* of a DNS name */
#define PAGE_SECURITY_MAX 4096  /* of the 16 KiB that an answer's headers may have */

/* Everything the page loads comes from here, and none of it stands in the page itself. Who may show it in a frame
 * comes behind: Home Assistant's ingress does so from the same origin, for the browser sees Home Assistant's alone; a
 * panel that shows another address needs its origin in http.cors_origins, which may read all of it anyway. */
#define PAGE_SECURITY                                                                                                \
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "              \
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

struct names {
        unsigned n;
        char *name[HTTP_POLICY_NAMES_MAX];
};

struct policy {
        bool token_required;
        struct auth_tokens *tokens;
        struct tls_identity *identity;
        char hostname[HOST_NAME_MAX + 1];
        struct names hosts, origins;
        struct buffer page_security;
};

struct policy *policy_free(struct policy *p) {
        if (!p)
                return NULL;
        auth_tokens_free(p->tokens);
        tls_identity_unref(p->identity);
        for (unsigned i = 0; i < p->hosts.n; i++)
                free(p->hosts.name[i]);
        for (unsigned i = 0; i < p->origins.n; i++)
                free(p->origins.name[i]);
        buffer_free(&p->page_security);
        free(p);
        return NULL;
}

static int copy_names(struct names *names, char *const *from, unsigned n, const char *key, char *error) {
        if (n > HTTP_POLICY_NAMES_MAX) {
                snprintf(error, HTTP_ERROR_MAX, "%s: at most %d entries", key, HTTP_POLICY_NAMES_MAX);
                return -E2BIG;
        }
        for (unsigned i = 0; i < n; i++) {
                names->name[i] = strdup(from[i]);
                if (!names->name[i]) {
                        snprintf(error, HTTP_ERROR_MAX, "%s: %s", key, strerror(ENOMEM));
                        return -ENOMEM;
                }
                names->n++;
        }
        return 0;
}

static int load_tokens(struct policy *p, const struct http_policy *policy, char *error) {
        p->token_required = policy->token_required;
        if (policy->tokens_path)
                return auth_tokens_load(policy->tokens_path, &p->tokens, error, HTTP_ERROR_MAX);
        if (!policy->token_required)
                return 0;
        snprintf(error, HTTP_ERROR_MAX, "http.access: token needs http.tokens, a file of lines \"read SECRET\"");
        return -EINVAL;
}

static int write_page_security(struct policy *p, char *error) {
        buffer_puts(&p->page_security, PAGE_SECURITY);
        for (unsigned i = 0; i < p->origins.n; i++)
                buffer_printf(&p->page_security, " %s", p->origins.name[i]);
        if (!p->page_security.failed)
                return 0;
        snprintf(error, HTTP_ERROR_MAX, "http.cors_origins: all of them together are longer than %d bytes",
                 PAGE_SECURITY_MAX);
        return -E2BIG;
}

int policy_new(const struct http_policy *policy, struct policy **ret, char *error) {
        CLEANUP(policy_freep) struct policy *p = calloc(1, sizeof *p);
        int r;

        if (!p) {
                snprintf(error, HTTP_ERROR_MAX, "%s", strerror(ENOMEM));
                return -ENOMEM;
        }
        buffer_init(&p->page_security, PAGE_SECURITY_MAX);
        if (gethostname(p->hostname, sizeof p->hostname - 1) < 0)
                p->hostname[0] = 0;
        if (policy) {
                r = load_tokens(p, policy, error);
                if (r < 0)
                        return r;
                if (policy->certificate_path)
                        r = tls_identity_load(policy->certificate_path, policy->key_path, &p->identity, error,
                                              HTTP_ERROR_MAX);
                if (r < 0)
                        return r;
                r = copy_names(&p->hosts, policy->hosts, policy->n_hosts, "http.hosts", error);
                if (r < 0)
                        return r;
                r = copy_names(&p->origins, policy->cors_origins, policy->n_cors_origins, "http.cors_origins",
                               error);
                if (r < 0)
                        return r;
        }
        r = write_page_security(p, error);
        if (r < 0)
                return r;
        *ret = TAKE(p);
        return 0;
}

struct tls_identity *policy_identity(const struct policy *p) {
        return p->identity;
}

bool policy_has_tokens(const struct policy *p) {
        return p->tokens;
}

enum http_role policy_role(const struct policy *p, const char *authorization, bool *ret_known) {
        enum http_role role = auth_role(p->tokens, authorization);

        *ret_known = role != HTTP_ROLE_NONE;
        if (role == HTTP_ROLE_NONE && !p->token_required)
                return HTTP_ROLE_READ;
        return role;
}

/* The host alone: no port, no brackets, no dot at the end. False when there is none. */
static bool host_without_port(const char *host, char name[HOST_MAX + 1]) {
        size_t len;
        const char *port;

        if (host[0] == '[') {
                len = strcspn(host, "]");
                port = host[len] ? host + len + 1 : NULL;
                host++;
                len--;
        } else {
                len = strcspn(host, ":");
                port = host + len;
        }
        if (!port || (*port && (*port != ':' || port[1 + strspn(port + 1, "0123456789")])))
                return false;
        if (len > 0 && host[len - 1] == '.')
                len--;
        if (len == 0 || len > HOST_MAX)
                return false;
        memcpy(name, host, len);
        name[len] = 0;
        return true;
}

static bool is_ip_literal(const char *host, const char *name) {
        unsigned char address[sizeof(struct in6_addr)];

        return inet_pton(host[0] == '[' ? AF_INET6 : AF_INET, name, address) == 1;
}

/* This host: "pi", "pi.local", and where the name is "pi.lan" that and its first part. */
static bool is_own_name(const struct policy *p, const char *name) {
        size_t full = strlen(p->hostname), first = strcspn(p->hostname, ".");

        if (full == 0 || first == 0)
                return false;
        if (strcasecmp(name, p->hostname) == 0)
                return true;
        return strncasecmp(name, p->hostname, first) == 0 &&
               (name[first] == 0 || strcasecmp(name + first, ".local") == 0);
}

bool policy_knows_host(const struct policy *p, const char *host) {
        char name[HOST_MAX + 1];

        if (!host_without_port(host, name))
                return false;
        if (is_ip_literal(host, name))
                return true;
        if (host[0] == '[')
                return false;
        if (strcasecmp(name, "localhost") == 0 || is_own_name(p, name))
                return true;
        for (unsigned i = 0; i < p->hosts.n; i++)
                if (strcasecmp(name, p->hosts.name[i]) == 0)
                        return true;
        return false;
}

bool policy_has_origins(const struct policy *p) {
        return p->origins.n > 0;
}

bool policy_allows_origin(const struct policy *p, const char *origin) {
        for (unsigned i = 0; i < p->origins.n; i++)
                if (strcasecmp(origin, p->origins.name[i]) == 0)
                        return true;
        return false;
}

const char *policy_page_security(const struct policy *p) {
        return p->page_security.data;
}
