/* From what was found to what is told: hypotheses with their evidence in words. */
#pragma once

#include "workbench/suggest/bench.h"

/* Appends what was found of a column to s, best first. */
void hypotheses_of_column(const struct bench *b, unsigned column, struct suggestion *s);

/* Appends what was found of a raw value as a whole. */
void hypotheses_of_layout(const struct bench *b, const struct circuit *c, struct suggestion *s);

/* Puts the layout of three phases in the place of its words. */
void hypotheses_fold_blocks(const struct bench *b, struct suggestions *out);

/* Why nothing can be told of a numbered thing. */
void hypotheses_refuse(const struct bench *b, unsigned series, struct suggestion *s);

/* Appends one; the level follows from the confidence. NULL when there are SUGGEST_RANKS_MAX. */
struct hypothesis *hypothesis_add(struct suggestion *s, unsigned quantity, int exponent, double confidence);
void hypothesis_say(struct hypothesis *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
