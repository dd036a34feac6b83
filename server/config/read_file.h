/* A whole small file into memory, with an error that names it. */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "config/config.h"

/* Reads path ("-": stdin) up to the buffer's limit; a longer one is cut there, which its parser refuses by size.
 * regular_only: nothing that could block or never end. Returns 0, or -errno with the error written. */
int read_file(const char *path, bool regular_only, struct buffer *out, struct config_error *error);
