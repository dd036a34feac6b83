#include "protocols/quantity.h"

#include <string.h>

#define GAUGE(base) QUANTITY_GAUGE, "metergate_" base, "metergate_channel_" base
#define COUNTER(base) QUANTITY_COUNTER, "metergate_" base "_total", "metergate_channel_" base "_total"

const struct quantity_info quantity_catalogue[Q_COUNT] = {
        [Q_VOLTAGE] = { "voltage_v", "Voltage", "V", 3, GAUGE("voltage_volts"), "volts", 1, 3,
                        "voltage", "measurement", "V" },
        [Q_CURRENT] = { "current_a", "Current", "A", 3, GAUGE("current_amperes"), "amperes", 1, 3,
                        "current", "measurement", "A" },
        [Q_POWER] = { "power_w", "Active power", "W", 3, GAUGE("power_watts"), "watts", 1, 3,
                      "power", "measurement", "W" },
        [Q_APPARENT_POWER] = { "apparent_power_va", "Apparent power", "VA", 3,
                               GAUGE("apparent_power_volt_amperes"), "volt_amperes", 1, 3,
                               "apparent_power", "measurement", "VA" },
        [Q_REACTIVE_POWER] = { "reactive_power_var", "Reactive power", "var", 3,
                               GAUGE("reactive_power_var"), "var", 1, 3,
                               "reactive_power", "measurement", "var" },
        [Q_POWER_FACTOR] = { "power_factor", "Power factor", "", 3, GAUGE("power_factor_ratio"), "ratio", 1, 3,
                             "power_factor", "measurement", NULL },
        [Q_FREQUENCY] = { "frequency_hz", "Frequency", "Hz", 3, GAUGE("frequency_hertz"), "hertz", 1, 3,
                          "frequency", "measurement", "Hz" },
        [Q_TEMPERATURE] = { "temperature_c", "Temperature", "°C", 3, GAUGE("temperature_celsius"), "celsius", 1, 3,
                            "temperature", "measurement", "°C" },
        /* Stored in mWh: 1 mWh = 3.6 J, hence 36 and one more place. */
        [Q_ENERGY_IMPORT] = { "energy_import_kwh", "Imported energy", "kWh", 6,
                              COUNTER("energy_imported_joules"), "joules", 36, 1,
                              "energy", "total", "kWh" },
        [Q_ENERGY_EXPORT] = { "energy_export_kwh", "Exported energy", "kWh", 6,
                              COUNTER("energy_exported_joules"), "joules", 36, 1,
                              "energy", "total", "kWh" },
};

enum quantity quantity_from_key(const char *key) {
        for (unsigned q = 0; q < Q_COUNT; q++)
                if (strcmp(quantity_catalogue[q].key, key) == 0)
                        return (enum quantity) q;
        return Q_NONE;
}
