#include "http/route.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_writer.h"

#define DETAIL_MAX 512

static const struct {
        unsigned status;
        const char *text;
} statuses[] = {
        { 200, "OK" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 409, "Conflict" },
        { 411, "Length Required" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 421, "Misdirected Request" },
        { 422, "Unprocessable Content" },
        { 429, "Too Many Requests" },
        { 500, "Internal Server Error" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
};

const char *http_status_text(unsigned status) {
        for (size_t i = 0; i < ELEMENTS(statuses); i++)
                if (statuses[i].status == status)
                        return statuses[i].text;
        return "Unknown";
}

int reply_problem(struct reply *r, unsigned status, const char *parameter, const char *format, ...) {
        char detail[DETAIL_MAX];
        struct json_writer w;
        va_list args;

        va_start(args, format);
        vsnprintf(detail, sizeof detail, format, args);
        va_end(args);

        r->status = status;
        r->content_type = "application/problem+json";
        r->cache_control = "no-cache";
        r->disposition = NULL;
        r->fixed = r->fixed_gzip = NULL;
        r->fixed_len = 0;
        r->retry_after_s = 0;
        r->has_tag = false;
        r->subject = NULL;
        reply_drop_producer(r);
        buffer_clear(&r->body);
        json_begin(&w, &r->body);
        json_object_begin(&w, NULL);
        json_put_string(&w, "title", http_status_text(status));
        json_put_uint(&w, "status", status);
        json_put_string_n(&w, "detail", detail, strlen(detail));
        if (parameter)
                json_put_string_n(&w, "parameter", parameter, strlen(parameter));
        json_object_end(&w);
        return 0;
}
