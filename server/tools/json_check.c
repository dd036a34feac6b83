#include "tools/json_check.h"

#include <jansson.h>

bool json_check_object(const char *text, size_t len) {
        json_t *value = json_loadb(text, len, 0, NULL);
        bool is_object = json_is_object(value);

        json_decref(value);
        return is_object;
}

bool json_check_utf8(const char *text, size_t len) {
        json_t *value = json_stringn(text, len);

        json_decref(value);
        return value != NULL;
}
