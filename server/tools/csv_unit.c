#include "tools/csv_unit.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

static const struct csv_unit units[] = {
        { "kW", "power_w", 1000000, CSV_UNIT_POWER },       { "W", "power_w", 1000, CSV_UNIT_POWER },
        { "MW", "power_w", 1000000000, CSV_UNIT_POWER },    { "mW", "power_w", 1, CSV_UNIT_POWER },
        { "kWh", "energy_import_kwh", 1000, CSV_UNIT_ENERGY }, { "Wh", "energy_import_kwh", 1, CSV_UNIT_ENERGY },
        { "MWh", "energy_import_kwh", 1000000, CSV_UNIT_ENERGY },
        { "V", "voltage_v", 1000, 'V' },                    { "mV", "voltage_v", 1, 'V' },
        { "A", "current_a", 1000, 'A' },                    { "mA", "current_a", 1, 'A' },
        { "VA", "apparent_power_va", 1, 'S' },              { "kVA", "apparent_power_va", 1000, 'S' },
        { "var", "reactive_power_var", 1, 'Q' },            { "kvar", "reactive_power_var", 1000, 'Q' },
        { "Hz", "frequency_hz", 1, 'f' },                   { "C", "temperature_c", 1, 'T' },
        { "PF", "power_factor", 1, 'F' },
};

/* Words that stand for one of them. */
static const struct { const char *word, *name; } unit_words[] = {
        { "kwatts", "kW" },  { "kilowatts", "kW" }, { "kilowatt", "kW" }, { "watts", "W" }, { "watt", "W" },
        { "kwhs", "kWh" },   { "volts", "V" },      { "volt", "V" },      { "amps", "A" },  { "amp", "A" },
        { "amperes", "A" },  { "celsius", "C" },
};

const struct csv_unit *csv_unit_find(const char *name, size_t len) {
        for (unsigned i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == len && strncmp(units[i].name, name, len) == 0)
                        return &units[i];
        for (unsigned i = 0; i < ELEMENTS(unit_words); i++)
                if (strlen(unit_words[i].word) == len && strncasecmp(unit_words[i].word, name, len) == 0)
                        return csv_unit_find(unit_words[i].name, strlen(unit_words[i].name));
        for (unsigned i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == len && strncasecmp(units[i].name, name, len) == 0)
                        return &units[i];
        return NULL;
}

const char *csv_unit_names(void) {
        return "W, kW, MW, mW, Wh, kWh, MWh, V, mV, A, mA, VA, kVA, var, kvar, Hz, C or PF";
}

/* The A of "phase A" is no ampere: a letter counts in brackets, behind an underline or a comma, or alone. */
static bool may_be_unit(const char *header, const char *word, size_t len) {
        const char *before = word;

        if (len > 1 || (word == header && word[1] == '\0'))
                return true;
        while (before > header && before[-1] == ' ')
                before--;
        return before > header && strchr("([_,/", before[-1]);
}

const struct csv_unit *csv_unit_in(const char *header) {
        const struct csv_unit *found = NULL;

        for (const char *p = header; *p;) {
                size_t len = 0;

                while (isalpha((unsigned char) p[len]))
                        len++;
                if (len > 0 && may_be_unit(header, p, len) && csv_unit_find(p, len))
                        found = csv_unit_find(p, len);
                p += len > 0 ? len : 1;
        }
        return found;
}

int64_t csv_unit_kilowatts(const struct csv_unit *unit) {
        return unit->kind == CSV_UNIT_POWER ? unit->size * 1000 : 0;
}

bool csv_unit_convert(const struct csv_unit *from, const struct csv_unit *to, int64_t *value) {
        int64_t product;

        if (from->kind != to->kind || __builtin_mul_overflow(*value, from->size, &product))
                return false;
        *value = product / to->size;
        return true;
}
