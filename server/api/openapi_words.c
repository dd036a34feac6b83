#include "api/openapi_words.h"

#include <errno.h>
#include <string.h>

#include "api/energy_periods.h"
#include "base/cleanup.h"
#include "history/event_record.h"
#include "history/tier.h"
#include "meters/series.h"
#include "protocols/protocol.h"
#include "protocols/quantity.h"

static const char *protocol_name(unsigned i) {
        return protocols[i] ? protocols[i]->name : NULL;
}

static const char *quantity_key(unsigned i) {
        return i < Q_COUNT ? quantity_catalogue[i].key : NULL;
}

static const struct {
        const char *word;
        const char *(*name)(unsigned i);     /* NULL: names */
        const char *const *names;
        unsigned n;
} vocabulary[] = {
        { "kinds", NULL, event_kind_names, EVENT_KINDS },
        { "periods", NULL, period_names, PERIODS },
        { "protocols", protocol_name, NULL, 0 },
        { "quantities", quantity_key, NULL, 0 },
        { "sources", NULL, value_source_names, SOURCE_RESTORED + 1 },
        { "states", NULL, meter_state_names, METER_STATE_COUNT },
        { "tiers", NULL, tier_names, TIER_COUNT },
};

static const char *name_at(size_t entry, unsigned i) {
        if (vocabulary[entry].name)
                return vocabulary[entry].name(i);
        return i < vocabulary[entry].n ? vocabulary[entry].names[i] : NULL;
}

/* NULL: no such words, or no memory. */
static json_t *words(const char *text) {
        size_t len = strcspn(text, " "), entry = 0;
        const char *name;
        json_t *array;

        while (entry < ELEMENTS(vocabulary) &&
               (strncmp(vocabulary[entry].word, text, len) != 0 || vocabulary[entry].word[len]))
                entry++;
        if (entry == ELEMENTS(vocabulary) || (text[len] && strcmp(text + len, " or null") != 0))
                return NULL;
        array = json_array();
        for (unsigned i = 0; (name = name_at(entry, i)); i++)
                json_array_append_new(array, json_string(name));
        if (text[len])
                json_array_append_new(array, json_null());
        return array;
}

static json_t *quantity_properties(void) {
        json_t *properties = json_object();

        for (unsigned q = 0; q < Q_COUNT; q++) {
                const struct quantity_info *info = &quantity_catalogue[q];

                json_object_set_new(properties, info->key,
                                    json_pack("{s:[ss], s:s+++}", "type", "number", "null", "description",
                                              info->label, info->unit[0] ? " in " : "", info->unit, "."));
        }
        return properties;
}

static int fill(json_t *value) {
        json_t *properties = json_object_get(value, "properties"), *choices = json_object_get(value, "enum");

        if (json_is_string(choices) && json_object_set_new(value, "enum", words(json_string_value(choices))) < 0)
                return -EINVAL;
        if (json_is_string(properties) && json_object_set_new(value, "properties", quantity_properties()) < 0)
                return -ENOMEM;
        return 0;
}

int openapi_fill_words(json_t *document) {
        const char *key;
        json_t *value;
        size_t i;
        int r = 0;

        if (json_is_object(document))
                r = fill(document);
        json_object_foreach(document, key, value)
                if (r == 0)
                        r = openapi_fill_words(value);
        json_array_foreach(document, i, value)
                if (r == 0)
                        r = openapi_fill_words(value);
        return r;
}
