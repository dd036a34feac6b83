#include "protocols/vue/attribute.h"

#include <stdio.h>

static const struct {
        uint16_t id;
        uint8_t quantity;
        const char *name;
} attributes[] = {
        { 0x0000, Q_ENERGY_IMPORT, "CurrentSummationDelivered" },
        { 0x0001, Q_ENERGY_EXPORT, "CurrentSummationReceived" },
        { 0x0002, Q_NONE, "CurrentMaxDemandDelivered" },
        { 0x0003, Q_NONE, "CurrentMaxDemandReceived" },
        { 0x0200, Q_NONE, "Status" },
        { 0x0300, Q_NONE, "UnitofMeasure" },
        { 0x0301, Q_NONE, "Multiplier" },
        { 0x0302, Q_NONE, "Divisor" },
        { 0x0303, Q_NONE, "SummationFormatting" },
        { 0x0304, Q_NONE, "DemandFormatting" },
        { 0x0306, Q_NONE, "MeteringDeviceType" },
        { 0x0400, Q_POWER, "InstantaneousDemand" },
};

/* Families of eight: 1 to 8 bytes. */
static const struct {
        uint8_t first;
        const char *const names[8];
} families[] = {
        { 0x08, { "data8", "data16", "data24", "data32", "data40", "data48", "data56", "data64" } },
        { 0x18, { "map8", "map16", "map24", "map32", "map40", "map48", "map56", "map64" } },
        { 0x20, { "uint8", "uint16", "uint24", "uint32", "uint40", "uint48", "uint56", "uint64" } },
        { 0x28, { "int8", "int16", "int24", "int32", "int40", "int48", "int56", "int64" } },
};

static const struct {
        uint8_t type;
        const char *name;
} types[] = {
        { 0x00, "nodata" },  { 0x10, "bool" },    { 0x30, "enum8" },      { 0x31, "enum16" },     { 0x38, "float16" },
        { 0x39, "float32" }, { 0x3a, "float64" }, { 0x41, "octstr" },     { 0x42, "string" },     { 0xe0, "time" },
        { 0xe1, "date" },    { 0xe2, "utc" },     { 0xe8, "cluster-id" }, { 0xe9, "attribute-id" },
        { 0xea, "bacnet-oid" }, { 0xf0, "eui64" }, { 0xf1, "key128" },
};

static const char *type_name(uint8_t type) {
        for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
                if (type >= families[i].first && type < families[i].first + 8)
                        return families[i].names[type - families[i].first];
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
                if (types[i].type == type)
                        return types[i].name;
        return NULL;
}

void vue_attribute_info(const struct datapoint *d, struct attribute_info *ret) {
        *ret = (struct attribute_info) { .type = type_name(d->type), .quantity = Q_NONE };
        snprintf(ret->id, sizeof ret->id, "0x%04X", (unsigned) d->id);
        for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
                if (attributes[i].id == d->id) {
                        ret->name = attributes[i].name;
                        ret->quantity = attributes[i].quantity;
                }
}
