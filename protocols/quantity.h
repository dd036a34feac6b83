/* The catalogue of quantities: the one table that names, scales and classifies everything a meter can say.
 * JSON keys, metric names, units, Home Assistant classes and dashboard labels all come from here. */
#pragma once

#include <stdint.h>

enum quantity {
        Q_VOLTAGE,
        Q_CURRENT,
        Q_POWER,
        Q_APPARENT_POWER,
        Q_REACTIVE_POWER,
        Q_POWER_FACTOR,
        Q_FREQUENCY,
        Q_TEMPERATURE,
        Q_ENERGY_IMPORT,
        Q_ENERGY_EXPORT,
        Q_COUNT,
        Q_NONE = Q_COUNT,
};

enum quantity_kind {
        QUANTITY_GAUGE,
        QUANTITY_COUNTER,
};

struct quantity_info {
        const char *key;             /* JSON key and CSV header, with its unit: "power_w" */
        const char *label;           /* for people: "Active power" */
        const char *unit;            /* of the JSON value: "W"; "" where there is none */
        unsigned decimals;           /* a sample is an integer count of 10^-decimals units: 3 means mW */
        enum quantity_kind kind;
        const char *metric;          /* Prometheus name of the meter's own value */
        const char *channel_metric;  /* the same for a channel; the two never share a name */
        const char *metric_unit;     /* OpenMetrics unit: "watts" */
        unsigned metric_factor;      /* metric = sample * factor / 10^metric_decimals; mWh to J is 36 / 10 */
        unsigned metric_decimals;
        const char *ha_device_class;
        const char *ha_state_class;
        const char *ha_unit;         /* NULL where Home Assistant wants none */
};

extern const struct quantity_info quantity_catalogue[Q_COUNT];

/* Quantity of a JSON key such as "power_w"; Q_NONE when there is none of that name. */
enum quantity quantity_from_key(const char *key);
