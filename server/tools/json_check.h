/* What a piece of wire bytes is, as text. Apart from its users because the names of the parser's library and those
 * of json_writer.h do not go together in one file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One whole JSON object, nothing behind it but blanks. */
bool json_check_object(const char *text, size_t len);

bool json_check_utf8(const char *text, size_t len);
