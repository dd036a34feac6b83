/* From the target of a request to values that its handler can use. */
#include "http/route.h"

#include <assert.h>
#include <string.h>

#define FORM_MAX 480  /* the longest of ours has some 120 bytes */

/* ---- the target ---- */

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* In place; the result is never longer. False for a broken escape and for %00, which would end the text early. In a
 * path %2F stays as it is: it is part of a name, not the end of one. */
static bool decode(char *text, bool is_path) {
        char *out = text;

        for (const char *p = text; *p; p++) {
                int high, low;

                if (*p == '+' && !is_path) {
                        *out++ = ' ';
                        continue;
                }
                if (*p != '%') {
                        *out++ = *p;
                        continue;
                }
                high = hex_digit(p[1]);
                low = high < 0 ? -1 : hex_digit(p[2]);
                if (low < 0 || (high == 0 && low == 0))
                        return false;
                if (is_path && (high << 4 | low) == '/') {
                        *out++ = *p;
                        continue;
                }
                *out++ = (char) (high << 4 | low);
                p += 2;
        }
        *out = 0;
        return true;
}

static bool add_query_item(struct request *r, char *item, struct reply *reply) {
        char *value = strchr(item, '=');

        if (value)
                *value++ = 0;
        else
                value = item + strlen(item);
        if (r->n_query == REQUEST_QUERY_MAX) {
                reply_problem(reply, 400, NULL, "more than %d query parameters", REQUEST_QUERY_MAX);
                return false;
        }
        if (!decode(item, false)) {
                reply_problem(reply, 400, NULL, "the name of a query parameter has a broken %% escape");
                return false;
        }
        if (!decode(value, false)) {
                reply_problem(reply, 400, item, "the value has a broken %% escape");
                return false;
        }
        r->query[r->n_query++] = (struct query_item) { .name = item, .value = value };
        return true;
}

bool request_set_target(struct request *r, char *target, struct reply *reply) {
        char *query = strchr(target, '?');

        if (query)
                *query++ = 0;
        r->path = target;
        r->n_query = 0;
        if (target[0] != '/' && strcmp(target, "*") != 0) {
                reply_problem(reply, 400, NULL, "the path of a request starts with '/'");
                return false;
        }
        if (!decode(target, true)) {
                reply_problem(reply, 400, NULL, "the path has a broken %% escape, or a NUL");
                return false;
        }
        while (query) {
                char *item = query;

                query = strchr(item, '&');
                if (query)
                        *query++ = 0;
                if (*item && !add_query_item(r, item, reply))
                        return false;
        }
        return true;
}

/* ---- what the route says of its parameters ---- */

static const struct parameter *find_parameter(const struct route *route, const char *name) {
        for (const struct parameter *p = route->parameters; p && p->name; p++)
                if (strcmp(p->name, name) == 0)
                        return p;
        return NULL;
}

static bool fail(const struct parameter *p, unsigned status, struct reply *reply) {
        struct buffer form;

        buffer_init(&form, FORM_MAX);
        parameter_put_form(p, &form);
        reply_problem(reply, status, p->name, "%s: expected %s", p->name, form.data ? form.data : "something else");
        buffer_free(&form);
        return false;
}

/* A misspelt parameter must not silently give something else. Pages are more lenient, because links to them are
 * passed around with marks of others on them. */
static bool take_query_item(struct request *r, const struct query_item *item, struct reply *reply) {
        const struct parameter *p = find_parameter(r->route, item->name);
        struct parameter_value *v;

        if (!p && strncmp(r->route->pattern, "/api/", 5) != 0)
                return true;
        if (!p) {
                reply_problem(reply, 400, item->name, "unknown query parameter");
                return false;
        }
        v = &r->values[p - r->route->parameters];
        if (v->given) {
                reply_problem(reply, 400, item->name, "given more than once");
                return false;
        }
        if (!parameter_read(p, item->value, v))
                return fail(p, 400, reply);
        v->given = true;
        return true;
}

static void set_fallbacks(struct request *r) {
        const struct parameter *p = r->route->parameters;
        bool fits;

        for (unsigned i = 0; p && p[i].name; i++) {
                assert(i < ROUTE_PARAMETERS_MAX);
                r->values[i] = (struct parameter_value) { .choice = -1 };
                fits = !p[i].fallback || parameter_read(&p[i], p[i].fallback, &r->values[i]);
                assert(fits);
                (void) fits;
        }
}

/* A name that is none is like one that nobody has: the handler knows which there are. */
static bool take_arguments(struct request *r, struct reply *reply) {
        const struct parameter *p = r->route->arguments;
        struct parameter_value v;

        for (unsigned i = 0; p && p[i].name; i++) {
                r->arg_choices[i] = -1;
                if (p[i].type != PARAMETER_CHOICE)
                        continue;
                if (!parameter_read(&p[i], r->args[i], &v))
                        return fail(&p[i], 404, reply);
                r->arg_choices[i] = v.choice;
        }
        return true;
}

bool request_check(struct request *r, struct reply *reply) {
        set_fallbacks(r);
        for (unsigned i = 0; i < r->n_query; i++)
                if (!take_query_item(r, &r->query[i], reply))
                        return false;
        return take_arguments(r, reply);
}

bool request_may_control(const struct request *r, const char *parameter, struct reply *reply) {
        if (r->role == HTTP_ROLE_CONTROL)
                return true;
        reply_problem(reply, 403, parameter, "this needs a token that may control: a line \"control SECRET\" in the "
                      "file that http.tokens of the configuration names");
        return false;
}

/* ---- values ---- */

static const struct parameter_value *value_of(const struct request *r, const char *name) {
        const struct parameter *p = find_parameter(r->route, name);

        assert(p);
        return &r->values[p - r->route->parameters];
}

bool request_given(const struct request *r, const char *name) {
        return value_of(r, name)->given;
}

const char *request_text(const struct request *r, const char *name) {
        return value_of(r, name)->text;
}

int64_t request_number(const struct request *r, const char *name) {
        return value_of(r, name)->number;
}

int request_choice(const struct request *r, const char *name) {
        const struct parameter *p = r->route->arguments;

        for (unsigned i = 0; p && p[i].name; i++)
                if (strcmp(p[i].name, name) == 0)
                        return r->arg_choices[i];
        return value_of(r, name)->choice;
}

uint32_t request_choices(const struct request *r, const char *name) {
        return value_of(r, name)->choices;
}

bool request_time(const struct request *r, const char *name, int64_t now_utc_ms, int64_t *ret_utc_ms) {
        const struct parameter_value *v = value_of(r, name);
        int64_t utc_ms = v->before_now ? now_utc_ms - v->number : v->number;

        if (!v->text)
                return false;
        *ret_utc_ms = utc_ms < 0 ? 0 : utc_ms;
        return true;
}
