#include "http/headers.h"

#include <string.h>
#include <strings.h>

#define IS(name, size, text) ((size) == sizeof (text) - 1 && strncasecmp(name, text, sizeof (text) - 1) == 0)

static void take(const char **first, unsigned *n, const char *value) {
        if ((*n)++ == 0)
                *first = value ? value : "";
}

/* What a character spoils. */
enum { IN_NAME = 1, IN_VALUE = 2 };

static const uint8_t spoils[256] = {
        [0 ... 8] = IN_NAME | IN_VALUE, ['\t'] = IN_NAME, [10 ... 31] = IN_NAME | IN_VALUE, [' '] = IN_NAME,
        ['"'] = IN_NAME, ['('] = IN_NAME, [')'] = IN_NAME, [','] = IN_NAME, ['/'] = IN_NAME, [':'] = IN_NAME,
        [';'] = IN_NAME, ['<'] = IN_NAME, ['='] = IN_NAME, ['>'] = IN_NAME, ['?'] = IN_NAME, ['@'] = IN_NAME,
        ['['] = IN_NAME, ['\\'] = IN_NAME, [']'] = IN_NAME, ['{'] = IN_NAME, ['}'] = IN_NAME,
        [127] = IN_NAME | IN_VALUE, [128 ... 255] = IN_NAME,
};

static uint8_t look_at(const char *text, size_t size) {
        uint8_t found = 0;

        for (size_t i = 0; i < size; i++)
                found |= spoils[(unsigned char) text[i]];
        return found;
}

/* The library takes "Content-Length " for a name of its own, with a space that a proxy may have overlooked, and puts
 * the line ends of folded lines into names and values. */
static bool is_malformed(const char *name, size_t size, const char *value, size_t value_size) {
        return size == 0 || (look_at(name, size) & IN_NAME) || (value && (look_at(value, value_size) & IN_VALUE));
}

/* By length first: most headers of a browser are none of these. */
static enum MHD_Result note(void *userdata, enum MHD_ValueKind kind, const char *name, size_t size,
                            const char *value, size_t value_size) {
        struct request_headers *h = userdata;

        (void) kind;
        h->malformed |= is_malformed(name, size, value, value_size);
        if (IS(name, size, "Host"))
                take(&h->host, &h->n_host, value);
        else if (IS(name, size, "Accept-Encoding"))
                codings_add(&h->codings, value ? value : "");
        else if (IS(name, size, "Accept") && !h->accept)
                h->accept = value;
        else if (IS(name, size, "If-None-Match"))
                take(&h->if_none_match, &h->n_if_none_match, value);
        else if (IS(name, size, "Content-Length"))
                take(&h->content_length, &h->n_content_length, value);
        else if (IS(name, size, "Transfer-Encoding"))
                h->n_transfer_encoding++;
        else if (IS(name, size, "Authorization") && !h->authorization)
                h->authorization = value;
        else if (IS(name, size, "Content-Type") && !h->content_type)
                h->content_type = value;
        else if (IS(name, size, "Content-Encoding") && !h->content_encoding)
                h->content_encoding = value;
        else if (IS(name, size, "Last-Event-ID") && !h->last_event_id)
                h->last_event_id = value;
        else if (IS(name, size, "Origin") && !h->origin)
                h->origin = value;
        else if (IS(name, size, "Sec-Fetch-Site") && !h->fetch_site)
                h->fetch_site = value;
        return MHD_YES;
}

void request_headers_read(struct request_headers *h, struct MHD_Connection *mhd) {
        *h = (struct request_headers) { .codings = codings_init() };
        MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, note, h);
}

struct listed {
        uint64_t tag;
        bool found;
};

static enum MHD_Result look_into(void *userdata, enum MHD_ValueKind kind, const char *name, const char *value) {
        struct listed *l = userdata;

        (void) kind;
        if (strcasecmp(name, "If-None-Match") == 0 && value)
                l->found |= etag_is_listed(value, l->tag);
        return MHD_YES;
}

bool request_headers_have(const struct request_headers *h, uint64_t tag, struct MHD_Connection *mhd) {
        struct listed l = { .tag = tag };

        if (h->n_if_none_match < 2)
                return h->n_if_none_match == 1 && etag_is_listed(h->if_none_match, tag);
        MHD_get_connection_values(mhd, MHD_HEADER_KIND, look_into, &l);
        return l.found;
}
