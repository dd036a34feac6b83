/* Who may ask: our own copy of struct http_policy, with the tokens read and the host's name looked up. */
#pragma once

#include <stdbool.h>

#include "http/auth.h"
#include "http/server.h"
#include "http/tls.h"

struct policy;

/* policy NULL: open access, no names beside the built-in ones. error (HTTP_ERROR_MAX bytes) says why on failure. */
int policy_new(const struct http_policy *policy, struct policy **ret, char *error);
struct policy *policy_free(struct policy *p);
static inline void policy_freep(struct policy **p) { policy_free(*p); }

/* What TLS connections show; NULL: no TLS. Borrowed. */
struct tls_identity *policy_identity(const struct policy *p);

bool policy_has_tokens(const struct policy *p);

/* What a request may do: with open access everybody may read. ret_known: its token is one of ours. */
enum http_role policy_role(const struct policy *p, const char *authorization, bool *ret_known);

/* A Host header we answer to: a page of somebody else whose name was made to point here (DNS rebinding) has its
 * own name in it. */
bool policy_knows_host(const struct policy *p, const char *host);

/* False without any origin configured. */
bool policy_has_origins(const struct policy *p);
bool policy_allows_origin(const struct policy *p, const char *origin);

/* The Content-Security-Policy of the page. */
const char *policy_page_security(const struct policy *p);
