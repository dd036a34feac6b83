#include "config/config_parts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "http/secret_file.h"

#define STRINGS_MAX 32  /* hosts, origins */

static const char *const access_words[] = { [ACCESS_OPEN] = "open", [ACCESS_TOKEN] = "token" };

/* "8730" up to "65535"; only digits. */
static int parse_port(const char *text, uint16_t *ret) {
        unsigned long port = 0;

        if (!*text || strlen(text) > 5)
                return -EINVAL;
        for (; *text; text++) {
                if (*text < '0' || *text > '9')
                        return -EINVAL;
                port = port * 10 + (unsigned long) (*text - '0');
        }
        if (port > UINT16_MAX)
                return -EINVAL;
        *ret = (uint16_t) port;
        return 0;
}

static int parse_unix(const char *path, struct listen_address *ret) {
        struct sockaddr_un *un = (struct sockaddr_un *) &ret->address;

        if (*path != '/' || strlen(path) >= sizeof un->sun_path)
                return -EINVAL;
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, path);
        ret->address_len = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
        ret->loopback = true;
        return 0;
}

static int parse_ipv4(const char *host, uint16_t port, struct listen_address *ret) {
        struct sockaddr_in *in = (struct sockaddr_in *) &ret->address;

        if (inet_pton(AF_INET, strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host, &in->sin_addr) != 1)
                return -EINVAL;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        ret->address_len = sizeof *in;
        ret->loopback = ntohl(in->sin_addr.s_addr) >> 24 == 127;
        return 0;
}

static int parse_ipv6(const char *host, uint16_t port, struct listen_address *ret) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &ret->address;
        const uint8_t *bytes = in6->sin6_addr.s6_addr;

        if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
                return -EINVAL;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        ret->address_len = sizeof *in6;
        ret->loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
                        (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && bytes[12] == 127);
        return 0;
}

int config_listen_parse(const char *text, struct listen_address *ret) {
        const char *colon = strrchr(text, ':');
        char host[64];
        size_t len;
        uint16_t port;

        memset(&ret->address, 0, sizeof ret->address);
        if (strncmp(text, "unix:", 5) == 0)
                return parse_unix(text + 5, ret);
        if (!colon || parse_port(colon + 1, &port) < 0)
                return -EINVAL;
        len = (size_t) (colon - text);
        if (len == 0 || len >= sizeof host)
                return -EINVAL;
        memcpy(host, text, len);
        host[len] = 0;
        if (host[0] != '[')
                return parse_ipv4(host, port, ret);
        if (host[len - 1] != ']')
                return -EINVAL;
        host[len - 1] = 0;
        return parse_ipv6(host + 1, port, ret);
}

static bool any_port(const struct listen_address *l) {
        const struct sockaddr *a = (const struct sockaddr *) &l->address;

        return (a->sa_family == AF_INET && ((const struct sockaddr_in *) a)->sin_port == 0) ||
               (a->sa_family == AF_INET6 && ((const struct sockaddr_in6 *) a)->sin6_port == 0);
}

static int read_listen_item(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct config *c = target;
        struct listen_address *l = &c->http.listen[c->http.n_listen];
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, 200, &text);
        if (r < 0)
                return r;
        if (config_listen_parse(text, l) < 0)
                return schema_fail_expected(w, node,
                                            "ADDRESS:PORT such as \"127.0.0.1:8730\", \"[::1]:8730\" or unix:/path",
                                            "%s is not an address", yaml_show(node, shown));
        if (!l->loopback && !c->http.access_stated)
                return schema_fail_expected(w, node, "\"access: open\" or \"access: token\" beside it in http",
                                            "%s can be reached by other machines, and http.access is missing",
                                            yaml_show(node, shown));
        for (unsigned i = 0; i < c->http.n_listen; i++)
                if (c->http.listen[i].address_len == l->address_len && !any_port(l) &&
                    memcmp(&c->http.listen[i].address, &l->address, l->address_len) == 0)
                        return schema_fail_expected(w, node, "each address once", "%s stands here a second time",
                                                    yaml_show(node, shown));
        l->text = strdup(text);
        if (!l->text)
                return schema_no_memory(w);
        c->http.n_listen++;
        return 0;
}

static int read_listen(struct schema_walk *w, const yaml_node_t *node, void *target) {
        if (node->type == YAML_SEQUENCE_NODE && schema_count(node) == 0)
                return schema_fail(w, node, "the list is empty");
        return schema_read_items(w, node, LISTEN_MAX, read_listen_item, target);
}

static int read_access(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct config *c = target;
        unsigned i = 0;
        int r;

        r = schema_choice(w, node, access_words, ELEMENTS(access_words), &i);
        if (r < 0)
                return r;
        if (i == ACCESS_TOKEN && !c->http.tokens_path)
                return schema_fail_expected(w, node, "\"tokens: FILE\" beside it in http",
                                            "\"token\" needs the file with the tokens");
        c->http.access = (enum access_mode) i;
        c->http.access_stated = true;
        return 0;
}

/* The name that systemd gives to a credential is one file's, without a folder. */
static bool is_credential_name(const char *name) {
        return *name && *name != '.' && !strchr(name, '/');
}

int config_read_file_name(struct schema_walk *w, const yaml_node_t *node, void *target) {
        const char *text, *name;
        char **path = target, shown[YAML_SHOW_MAX];
        int r;

        r = schema_text(w, node, CONFIG_PATH_SIZE - 1, &text);
        if (r < 0)
                return r;
        name = strncmp(text, SECRET_FILE_CREDENTIAL, strlen(SECRET_FILE_CREDENTIAL)) == 0
                       ? text + strlen(SECRET_FILE_CREDENTIAL) : NULL;
        if (name && !is_credential_name(name))
                return schema_fail_expected(w, node, "the path of a file, or credential:NAME",
                                            "%s is no name of a credential", yaml_show(node, shown));
        *path = name ? strdup(text) : config_resolve_path(config_loader_of(w)->config, text);
        return *path ? 0 : schema_no_memory(w);
}

struct strings {
        char ***list;
        unsigned *n;
        bool (*good)(const char *text);
        const char *form;
};

static int read_strings_item(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct strings *s = target;
        char shown[YAML_SHOW_MAX];
        const char *text;
        int r;

        r = schema_text(w, node, 255, &text);
        if (r < 0)
                return r;
        if (!s->good(text))
                return schema_fail_expected(w, node, s->form, "%s is not one", yaml_show(node, shown));
        (*s->list)[*s->n] = strdup(text);
        if (!(*s->list)[*s->n])
                return schema_no_memory(w);
        ++*s->n;
        return 0;
}

static int read_strings(struct schema_walk *w, const yaml_node_t *node, struct strings *s) {
        *s->list = calloc(STRINGS_MAX, sizeof **s->list);
        if (!*s->list)
                return schema_no_memory(w);
        return schema_read_items(w, node, STRINGS_MAX, read_strings_item, s);
}

static bool is_host_name(const char *text) {
        return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == strlen(text) &&
               text[0] != '.' && text[0] != '-';
}

/* scheme://host[:port]: what browsers send, so a path, a final slash or an upper-case scheme could never match. */
static bool is_origin(const char *text) {
        size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
        const char *host = text + scheme + 3, *end;
        char name[256];
        uint16_t port;

        if (scheme == 0 || !islower((unsigned char) text[0]) || strncmp(text + scheme, "://", 3) != 0)
                return false;
        end = *host == '[' ? strchr(host, ']') : strchrnul(host, ':');
        if (!end || end == host)
                return false;
        if (*end == ']') {
                struct in6_addr address;

                snprintf(name, sizeof name, "%.*s", (int) (end - host - 1), host + 1);
                if (inet_pton(AF_INET6, name, &address) != 1)
                        return false;
                end++;
        } else {
                snprintf(name, sizeof name, "%.*s", (int) (end - host), host);
                if (!is_host_name(name))
                        return false;
        }
        return !*end || (*end == ':' && parse_port(end + 1, &port) == 0);
}

static int read_hosts(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct config *c = target;
        struct strings s = { &c->http.hosts, &c->http.n_hosts, is_host_name, "a host name without a port" };

        return read_strings(w, node, &s);
}

static int read_origins(struct schema_walk *w, const yaml_node_t *node, void *target) {
        struct config *c = target;
        struct strings s = { &c->http.cors_origins, &c->http.n_cors_origins, is_origin,
                             "an origin such as http://panel.local:3000" };

        return read_strings(w, node, &s);
}

static const struct schema_row tls_fields[] = {
        { .key = "certificate", .required = true, .offset = offsetof(struct config, http.certificate_path),
          .read = config_read_file_name, .form = "the path of a PEM file, or credential:NAME",
          .meaning = "Certificate of this machine, followed by those that it was signed with." },
        { .key = "key", .required = true, .offset = offsetof(struct config, http.key_path),
          .read = config_read_file_name, .form = "the path of a PEM file, or credential:NAME",
          .meaning = "Private key of the certificate, without a passphrase." },
        { .key = NULL },
};

/* Tokens come before access and access before listen: each is checked against the ones before it. */
const struct schema_row config_http_fields[] = {
        { .key = "tokens", .offset = offsetof(struct config, http.tokens_path), .read = config_read_file_name,
          .form = "the path of a file, or credential:NAME",
          .meaning = "File of lines \"read SECRET\" or \"control SECRET\"; needed by \"access: token\"." },
        { .key = "access", .read = read_access, .form = "open or token",
          .fallback = "open, while it listens on this machine only",
          .meaning = "Who may read: everybody who reaches it, or only those with a token." },
        { .key = "listen", .read = read_listen, .form = "a list of ADDRESS:PORT or unix:/path",
          .fallback = "[\"127.0.0.1:8730\", \"[::1]:8730\"]",
          .meaning = "Where it answers. Anything beyond this machine needs access to be stated." },
        { .key = "hosts", .read = read_hosts, .form = "a list of host names", .fallback = "[]",
          .meaning = "Names to answer to beside IP addresses, localhost and this machine's own name." },
        { .key = "cors_origins", .read = read_origins, .form = "a list of origins such as http://panel.local:3000",
          .fallback = "[]", .meaning = "Other web pages whose scripts may read the API." },
        { .key = "tls", .shape = SCHEMA_SECTION, .fields = tls_fields,
          .form = "a map with certificate and key",
          .meaning = "With it, every TCP address speaks HTTPS and nothing else; unix sockets stay plain." },
        { .key = NULL },
};
