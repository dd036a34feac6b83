/* A test case of the HTTP server: the one that listens, a few pages for it to serve, and how most tests start it. */
#pragma once

#include "http_client.h"

extern struct bench bench;

/* "/": a public page; /api/large: 100,000 bytes; POST /api/act: takes a text, answers with the page. */
extern const struct http_options plain_options;
int serve_page(void *app, const struct request *request, struct reply *reply);
int serve_large(void *app, const struct request *request, struct reply *reply);

/* cmocka fixtures: a server with the plain options; the end of any. */
int start_plain(void **state);
int stop_bench(void **state);

void expect_status(const char *request, int status);
