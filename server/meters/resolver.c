#include "meters/resolver.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct resolver {
        struct gaicb request;
        struct addrinfo hints;
        char *host, *port;
        struct resolver *next;  /* in the list of abandoned ones */
};

/* glibc cannot cancel a look-up that is under way; its memory has to stay until it has ended. */
static struct resolver *abandoned;

static void release(struct resolver *r) {
        if (r->request.ar_result)
                freeaddrinfo(r->request.ar_result);
        free(r->host);
        free(r->port);
        free(r);
}

static void release_finished(void) {
        struct resolver **at = &abandoned;

        while (*at) {
                struct resolver *r = *at;

                if (gai_error(&r->request) == EAI_INPROGRESS) {
                        at = &r->next;
                        continue;
                }
                *at = r->next;
                release(r);
        }
}

int resolver_new(const char *host, const char *port, struct resolver **ret) {
        struct sigevent quiet = { .sigev_notify = SIGEV_NONE };
        struct resolver *r;
        struct gaicb *list[1];

        release_finished();
        r = calloc(1, sizeof *r);
        if (!r)
                return -ENOMEM;
        r->host = strdup(host);
        r->port = strdup(port);
        r->hints = (struct addrinfo) { .ai_socktype = SOCK_STREAM };
        r->request = (struct gaicb) { .ar_name = r->host, .ar_service = r->port, .ar_request = &r->hints };
        list[0] = &r->request;
        if (!r->host || !r->port || getaddrinfo_a(GAI_NOWAIT, list, 1, &quiet) != 0) {
                release(r);
                return -ENOMEM;
        }
        *ret = r;
        return 0;
}

int resolver_result(struct resolver *r, const struct addrinfo **ret) {
        int error = gai_error(&r->request);

        if (error == EAI_INPROGRESS)
                return -EAGAIN;
        if (error != 0 || !r->request.ar_result)
                return -EHOSTUNREACH;
        *ret = r->request.ar_result;
        return 0;
}

struct resolver *resolver_free(struct resolver *r) {
        if (!r)
                return NULL;
        if (gai_error(&r->request) == EAI_INPROGRESS && gai_cancel(&r->request) != EAI_CANCELED &&
            gai_error(&r->request) == EAI_INPROGRESS) {
                r->next = abandoned;
                abandoned = r;
                return NULL;
        }
        release(r);
        return NULL;
}
