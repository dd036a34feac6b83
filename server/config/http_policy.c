#include "config/http_policy.h"

#include "base/cleanup.h"
#include "http/policy.h"
#include "http/secret_file.h"

struct http_policy config_http_policy(const struct config *c) {
        return (struct http_policy) {
                .token_required = c->http.access == ACCESS_TOKEN,
                .tokens_path = c->http.tokens_path,
                .certificate_path = c->http.certificate_path,
                .key_path = c->http.key_path,
                .n_hosts = c->http.n_hosts,
                .hosts = c->http.hosts,
                .n_cors_origins = c->http.n_cors_origins,
                .cors_origins = c->http.cors_origins,
        };
}

int config_check_files(const struct config *c, char error[HTTP_ERROR_MAX]) {
        CLEANUP(policy_freep) struct policy *policy = NULL;
        struct http_policy p = config_http_policy(c);

        if (p.tokens_path && secret_file_is_out_of_reach(p.tokens_path)) {
                p.tokens_path = NULL;
                p.token_required = false;
        }
        if (p.certificate_path && (secret_file_is_out_of_reach(p.certificate_path) ||
                                   secret_file_is_out_of_reach(p.key_path)))
                p.certificate_path = p.key_path = NULL;
        return policy_new(&p, &policy, error);
}
