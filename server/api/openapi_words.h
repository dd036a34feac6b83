/* Words of the code in the API's document: what schemas.json only names. */
#pragma once

#include <jansson.h>

/* Everywhere in document: "enum": "states" becomes the names of all states, "enum": "tiers or null" with null behind
 * them; "properties": "quantities" becomes a property for each quantity of the catalogue. Returns 0, -ENOMEM, or
 * -EINVAL for words that nobody has. */
int openapi_fill_words(json_t *document);
