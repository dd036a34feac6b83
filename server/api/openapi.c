/* GET /api/v1/openapi.json: the table of routes as a document for programs. What answers look like is in
 * schemas.json; all else is taken from where the requests are checked. */
#include "config.h"

#include "api/handlers.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/openapi_words.h"
#include "base/cleanup.h"
#include "base/embedded.h"

#define PATTERN_MAX 4096
#define PROBLEM_TYPE "application/problem+json"
#define SCHEMAS "#/components/schemas/"

extern const struct embedded_file embedded_api[];  /* schemas.json, by build-aux/embed.sh */

struct document {
        json_t *root;
        bool failed;                     /* no memory */
};

/* Takes value over. */
static void put(struct document *d, json_t *object, const char *key, json_t *value) {
        if (json_object_set_new(object, key, value) < 0)
                d->failed = true;
}

static void put_text(struct document *d, json_t *object, const char *key, const char *text) {
        put(d, object, key, json_string(text));
}

static void append(struct document *d, json_t *array, json_t *value) {
        if (json_array_append_new(array, value) < 0)
                d->failed = true;
}

static json_t *reference(const char *prefix, const char *name) {
        return json_pack("{s:s+}", "$ref", prefix, name);
}

/* ---- parameters ---- */

/* The text of a value as what the schema says that it is. */
static json_t *value_of(struct document *d, const struct parameter *p, const char *text) {
        const char *item;
        json_t *array;
        size_t len;

        if (p->type == PARAMETER_INTEGER)
                return json_integer(strtoll(text, NULL, 10));
        if (p->type != PARAMETER_NAMES && p->type != PARAMETER_CHOICES)
                return json_string(text);
        array = json_array();
        while (parameter_next_item(&text, &item, &len))
                append(d, array, json_stringn(item, len));
        return array;
}

static json_t *choices_of(struct document *d, const struct parameter *p) {
        json_t *array = json_array();

        for (unsigned i = 0; i < p->n_choices; i++)
                append(d, array, json_string(p->choices[i]));
        return json_pack("{s:s, s:o}", "type", "string", "enum", array);
}

static json_t *text_schema(struct document *d, const struct parameter *p) {
        json_t *schema = json_pack("{s:s}", "type", "string");
        struct buffer pattern;

        buffer_init(&pattern, PATTERN_MAX);
        buffer_puts(&pattern, "^(");
        parameter_put_pattern(p, &pattern);
        buffer_puts(&pattern, ")$");
        if (pattern.failed)
                d->failed = true;
        else
                put_text(d, schema, "pattern", pattern.data);
        buffer_free(&pattern);
        if (p->type == PARAMETER_URL)
                put(d, schema, "maxLength", json_integer(p->max));
        return schema;
}

static json_t *schema_of(struct document *d, const struct parameter *p) {
        json_t *schema;

        switch (p->type) {
        case PARAMETER_INTEGER:
                schema = json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t) p->min, "maximum",
                                   (json_int_t) p->max);
                break;
        case PARAMETER_CHOICE:
                schema = choices_of(d, p);
                break;
        case PARAMETER_CHOICES:
                schema = json_pack("{s:s, s:i, s:o}", "type", "array", "minItems", 1, "items", choices_of(d, p));
                break;
        case PARAMETER_NAMES:
                schema = json_pack("{s:s, s:i, s:I, s:o}", "type", "array", "minItems", 1, "maxItems",
                                   (json_int_t) p->max, "items", text_schema(d, p));
                break;
        default:
                schema = text_schema(d, p);
        }
        if (p->fallback)
                put(d, schema, "default", value_of(d, p, p->fallback));
        return schema;
}

static void append_parameters(struct document *d, json_t *array, const char *in, const struct parameter *p) {
        for (; p && p->name; p++) {
                json_t *o = json_pack("{s:s, s:s, s:s}", "name", p->name, "in", in, "description", p->description);

                if (strcmp(in, "path") == 0)
                        put(d, o, "required", json_true());
                if (p->type == PARAMETER_CHOICES || p->type == PARAMETER_NAMES) {
                        put_text(d, o, "style", "form");
                        put(d, o, "explode", json_false());
                }
                put(d, o, "schema", schema_of(d, p));
                if (p->example)
                        put(d, o, "example", value_of(d, p, p->example));
                append(d, array, o);
        }
}

/* ---- answers ---- */

/* Without what follows a semicolon: that says nothing of the form. */
static void put_content(struct document *d, json_t *holder, const char *content_type, const char *schema) {
        json_t *content = json_object_get(holder, "content");
        char type[64];

        if (!content) {
                content = json_object();
                put(d, holder, "content", content);
        }
        snprintf(type, sizeof type, "%.*s", (int) strcspn(content_type, ";"), content_type);
        put(d, content, type,
            json_pack("{s:o}", "schema",
                      schema ? reference(SCHEMAS, schema) : json_pack("{s:s}", "type", "string")));
}

static json_t *response_of(struct document *d, json_t *responses, unsigned status, const char *description) {
        char key[12];
        json_t *response;

        snprintf(key, sizeof key, "%u", status);
        response = json_object_get(responses, key);
        if (response)
                return response;
        response = json_pack("{s:s}", "description", description);
        put(d, responses, key, response);
        return response;
}

/* What the server itself may say, unless the route has words of its own for it. */
static void put_common(struct document *d, json_t *responses, unsigned status) {
        char key[12];

        snprintf(key, sizeof key, "%u", status);
        if (!json_object_get(responses, key))
                put(d, responses, key, reference("#/components/responses/", key));
}

static json_t *answers_of(struct document *d, const struct route *route) {
        bool is_get = strcmp(route->method, "GET") == 0;
        json_t *responses = json_object();

        for (const struct route_answer *a = route->answers; a->status; a++) {
                json_t *response = response_of(d, responses, a->status, a->description);

                if (a->content_type)
                        put_content(d, response, a->content_type, a->schema);
        }
        if (is_get)
                (void) response_of(d, responses, 304, "What the tag in If-None-Match stands for has not changed.");
        put_common(d, responses, 400);
        if (!route->public)
                put_common(d, responses, 401);
        if (route->control || !is_get)
                put_common(d, responses, 403);
        for (unsigned status = 411; !is_get && status <= 415; status++)
                if (status != 412 && status != 414)
                        put_common(d, responses, status);
        put_common(d, responses, 414);
        put_common(d, responses, 421);
        if (!route->public)
                put_common(d, responses, 429);
        put_common(d, responses, 500);
        return responses;
}

/* Every shared answer is a problem. */
static void complete_responses(struct document *d) {
        json_t *responses = json_object_get(json_object_get(d->root, "components"), "responses"), *response;
        const char *status;

        json_object_foreach(responses, status, response)
                put_content(d, response, PROBLEM_TYPE, "Problem");
}

/* ---- operations ---- */

/* With open access a token may be given and need not. */
static json_t *security_of(struct document *d, const struct route *route, bool token_required) {
        json_t *security = json_array();

        if (route->public)
                return security;
        append(d, security, json_pack("{s:[]}", "bearer"));
        append(d, security, json_pack("{s:[]}", "basic"));
        if (!token_required && !route->control)
                append(d, security, json_object());
        return security;
}

static json_t *body_of(struct document *d, const struct route_body *body) {
        json_t *o = json_pack("{s:b, s:s}", "required", 1, "description", body->description);

        put_content(d, o, body->content_type, body->schema);
        return o;
}

static json_t *operation_of(struct document *d, const struct route *route, bool token_required) {
        json_t *o = json_object(), *parameters = json_array();

        put_text(d, o, "operationId", route->name);
        put(d, o, "tags", json_pack("[s]", route->tag));
        put_text(d, o, "summary", route->summary);
        put_text(d, o, "description", route->description);
        append_parameters(d, parameters, "path", route->arguments);
        append_parameters(d, parameters, "query", route->parameters);
        if (json_array_size(parameters) > 0)
                put(d, o, "parameters", parameters);
        else
                json_decref(parameters);
        if (route->body)
                put(d, o, "requestBody", body_of(d, route->body));
        put(d, o, "responses", answers_of(d, route));
        put(d, o, "security", security_of(d, route, token_required));
        return o;
}

static void put_paths(struct document *d, bool token_required) {
        json_t *paths = json_object();

        put(d, d->root, "paths", paths);
        for (size_t i = 0; i < api_n_routes; i++) {
                const struct route *route = &api_routes[i];
                json_t *item = json_object_get(paths, route->pattern);

                if (!route->name)
                        continue;
                if (!item) {
                        item = json_object();
                        put(d, paths, route->pattern, item);
                }
                put(d, item, strcmp(route->method, "GET") == 0 ? "get" : "post",
                    operation_of(d, route, token_required));
        }
}

/* NULL without memory. */
static char *make_document(bool token_required) {
        struct document d = { 0 };
        char *text = NULL;

        d.root = json_loadb((const char *) embedded_api[0].data, embedded_api[0].len, 0, NULL);
        if (!d.root)
                return NULL;
        put_text(&d, json_object_get(d.root, "info"), "version", PACKAGE_VERSION);
        put_paths(&d, token_required);
        complete_responses(&d);
        if (openapi_fill_words(d.root) == 0 && !d.failed)
                text = json_dumps(d.root, JSON_COMPACT);
        json_decref(d.root);
        return text;
}

/* Made when somebody first asks, and kept: all that it depends on is whether reading needs a token. */
int api_openapi(void *userdata, const struct request *request, struct reply *reply) {
        static char *documents[2];
        const struct app *app = userdata;
        bool token_required = app->config->http.access == ACCESS_TOKEN;
        char **document = &documents[token_required];

        (void) request;
        if (!*document)
                *document = make_document(token_required);
        if (!*document)
                return -ENOMEM;
        reply->fixed = *document;
        reply->fixed_len = strlen(*document);
        return 0;
}
