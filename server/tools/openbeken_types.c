#include "tools/openbeken_types.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

#define MEASURE(name, divider, quantity) { name, OPENBEKEN_MEASURE, divider, quantity, "" }
#define OTHER(name, divider, unit)       { name, OPENBEKEN_MEASURE, divider, Q_NONE, unit }
#define CONTROL(name)                    { name, OPENBEKEN_CONTROL, 1, Q_NONE, "" }
#define STATE(name)                      { name, OPENBEKEN_STATE, 1, Q_NONE, "" }

static const struct openbeken_channel_type channel_types[] = {
        MEASURE("Voltage_div10", 10, Q_VOLTAGE),
        MEASURE("Voltage_div100", 100, Q_VOLTAGE),
        MEASURE("Current_div10", 10, Q_CURRENT),
        MEASURE("Current_div100", 100, Q_CURRENT),
        MEASURE("Current_div1000", 1000, Q_CURRENT),
        MEASURE("Power", 1, Q_POWER),
        MEASURE("Power_div10", 10, Q_POWER),
        MEASURE("Power_div100", 100, Q_POWER),
        MEASURE("ActivePower", 1, Q_POWER),
        MEASURE("ReactivePower", 1, Q_REACTIVE_POWER),
        MEASURE("PowerFactor_div100", 100, Q_POWER_FACTOR),
        MEASURE("PowerFactor_div1000", 1000, Q_POWER_FACTOR),
        MEASURE("Frequency", 1, Q_FREQUENCY),
        MEASURE("Frequency_div10", 10, Q_FREQUENCY),
        MEASURE("Frequency_div100", 100, Q_FREQUENCY),
        MEASURE("Frequency_div1000", 1000, Q_FREQUENCY),
        MEASURE("EnergyTotal_kWh_div100", 100, Q_ENERGY_IMPORT),
        MEASURE("EnergyTotal_kWh_div1000", 1000, Q_ENERGY_IMPORT),
        MEASURE("EnergyImport_kWh_div1000", 1000, Q_ENERGY_IMPORT),
        MEASURE("EnergyExport_kWh_div1000", 1000, Q_ENERGY_EXPORT),
        MEASURE("Temperature", 1, Q_TEMPERATURE),
        MEASURE("Temperature_div2", 2, Q_TEMPERATURE),
        MEASURE("Temperature_div10", 10, Q_TEMPERATURE),
        MEASURE("Temperature_div100", 100, Q_TEMPERATURE),
        /* Units that fit into a datapoint's 7 bytes. */
        OTHER("EnergyToday_kWh_div1000", 1000, "kWh"),
        OTHER("LeakageCurrent_div1000", 1000, "A"),
        OTHER("Humidity", 1, "%"),
        OTHER("Humidity_div10", 10, "%"),
        OTHER("Pressure_div100", 100, ""),
        OTHER("Illuminance", 1, "lx"),
        OTHER("Illuminance_div10", 10, "lx"),
        OTHER("Ph", 100, "pH"),
        OTHER("Orp", 1, ""),
        OTHER("Tds", 1, ""),
        OTHER("BatteryLevelPercent", 1, "%"),
        OTHER("SmokePercent", 1, "%"),
        OTHER("ReadOnly_div10", 10, ""),
        OTHER("ReadOnly_div100", 100, ""),
        OTHER("ReadOnly_div1000", 1000, ""),
        STATE("ReadOnly"),
        STATE("ReadOnlyEnum"),
        STATE("ReadOnlyLowMidHigh"),
        STATE("Custom"),
        STATE("Error"),
        STATE("Motion"),
        STATE("Motion_n"),
        STATE("OpenClosed"),
        STATE("OpenClosed_Inv"),
        CONTROL("Default"),
        CONTROL("Toggle"),
        CONTROL("Toggle_Inv"),
        CONTROL("Enum"),
        CONTROL("TextField"),
        CONTROL("TimerSeconds"),
        CONTROL("Dimmer"),
        CONTROL("Dimmer256"),
        CONTROL("Dimmer1000"),
        CONTROL("LowMidHigh"),
        CONTROL("LowMidHighHighest"),
        CONTROL("LowestLowMidHighHighest"),
        CONTROL("OffLowMidHigh"),
        CONTROL("OffLowMidHighHighest"),
        CONTROL("OffLowestLowMidHighHighest"),
        CONTROL("OffDimBright"),
        CONTROL("OffOnRemember"),
        CONTROL("OpenStopClose"),
        CONTROL("StopUpDown"),
};

const struct openbeken_channel_type *openbeken_find_channel_type(const char *name) {
        for (size_t i = 0; i < ELEMENTS(channel_types); i++)
                if (strcasecmp(channel_types[i].name, name) == 0)
                        return &channel_types[i];
        return NULL;
}

/* The first six stand at their numbers. */
static const struct openbeken_wire_type wire_types[] = {
        { "raw", DATAPOINT_RAW, LAYOUT_NONE },
        { "bool", DATAPOINT_BOOL, LAYOUT_NONE },
        { "val", DATAPOINT_VALUE, LAYOUT_NONE },
        { "str", DATAPOINT_STRING, LAYOUT_NONE },
        { "enum", DATAPOINT_ENUM, LAYOUT_NONE },
        { "bitmap", DATAPOINT_BITMAP, LAYOUT_NONE },
        { "MQTT", DATAPOINT_VALUE, LAYOUT_NONE },
        { "RAW_TAC2121C_VCP", DATAPOINT_RAW, LAYOUT_PHASE },
        { "RAW_V2C3P3", DATAPOINT_RAW, LAYOUT_PHASE },
        { "RAW_VCPPfF", DATAPOINT_RAW, LAYOUT_PHASE_VCPQFF },
        { "RAW_DDS238", DATAPOINT_RAW, LAYOUT_PHASE_PQFCV },
        { "RAW_TAC2121C_Yesterday", DATAPOINT_RAW, LAYOUT_DAY },
        { "RAW_TAC2121C_LastMonth", DATAPOINT_RAW, LAYOUT_MONTH },
};

const struct openbeken_wire_type *openbeken_find_wire_type(const char *name) {
        if (name[0] >= '0' && name[0] <= '5' && !name[1])
                return &wire_types[name[0] - '0'];
        for (size_t i = 0; i < ELEMENTS(wire_types); i++)
                if (strcasecmp(wire_types[i].name, name) == 0)
                        return &wire_types[i];
        return NULL;
}
