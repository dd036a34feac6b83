/* Texts and remarks as YAML: what people would write by hand where that is safe, quoted where it is not. What is
 * written here is read back as the same bytes, by our reader and by others. */
#pragma once

#include "base/buffer.h"

/* Whether a value can hold the text: one line of UTF-8 without control characters, not empty. */
bool yaml_text_fits(const char *text);

/* A text that fits as one scalar, fit for the inside of [] and {}: plain, or in double quotes. */
void yaml_put_text(struct buffer *out, const char *text);
/* The same, always in double quotes. */
void yaml_put_quoted(struct buffer *out, const char *text);
/* The value of a key at the start of a line, "key: " written already, and its line end: a long text is folded. */
void yaml_put_folded(struct buffer *out, const char *text);

/* Bytes of one line, for a comment or a message: those that YAML or a terminal would not take become '?'. */
void yaml_put_remark(struct buffer *out, const char *text, size_t len);
/* Each line of text as a comment, indented by so many spaces. */
void yaml_put_comment(struct buffer *out, unsigned indent, const char *text);
