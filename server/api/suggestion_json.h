/* What a datapoint may mean, as JSON: the same in the API and in the lines of "metergate discover". */
#pragma once

#include "base/json_writer.h"
#include "workbench/suggest/suggest.h"

/* The members of the open object that describe the word, if it is one: "offset", "width", "endian". */
void suggestion_put_word(struct json_writer *w, const struct suggestion *s);

/* The members of the open object for hypothesis i, from "rank" to "evidence". */
void suggestion_put_hypothesis(struct json_writer *w, const struct suggestion *s, unsigned i);
