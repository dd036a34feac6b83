/* TuyaMCU frames: 55 AA, version, command, 16-bit length, data, 8-bit sum. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocols/bytes.h"

enum {
        TUYA_HEADER_SIZE = 6,
        TUYA_FRAME_OVERHEAD = TUYA_HEADER_SIZE + 1,
        TUYA_DATA_MAX = 1024,  /* the largest frame seen from a device holds 123 bytes, the largest public test 272 */
};

enum tuya_command {
        TUYA_HEARTBEAT = 0x00,
        TUYA_PRODUCT = 0x01,
        TUYA_MODE = 0x02,
        TUYA_NETWORK_STATE = 0x03,
        TUYA_RESET_WIFI = 0x04,
        TUYA_SELECT_PAIRING = 0x05,
        TUYA_SET = 0x06,
        TUYA_REPORT = 0x07,
        TUYA_QUERY = 0x08,
        TUYA_GMT_TIME = 0x0c,
        TUYA_WIFI_TEST = 0x0e,
        TUYA_FREE_MEMORY = 0x0f,
        TUYA_LOCAL_TIME = 0x1c,
        TUYA_WEATHER = 0x20,
        TUYA_WEATHER_DATA = 0x21,
        TUYA_REPORT_SYNC = 0x22,
        TUYA_REPORT_SYNC_ANSWER = 0x23,
        TUYA_SIGNAL = 0x24,
        TUYA_STOP_HEARTBEAT = 0x25,
        TUYA_NETWORK_STATUS = 0x2b,
        TUYA_CONNECTION_TEST = 0x2c,
        TUYA_MAC = 0x2d,
        TUYA_EXTENDED = 0x34,
        TUYA_FEATURES = 0x37,
        TUYA_DP_CACHE = 0x90,
};

/* The low-power set of battery devices: the same frame, other numbers. 01 is the product here too. */
enum tuya_low_power_command {
        TUYA_LOW_STATE = 0x02,
        TUYA_LOW_RESET_WIFI = 0x03,
        TUYA_LOW_SELECT_PAIRING = 0x04,
        TUYA_LOW_REPORT = 0x05,
        TUYA_LOW_LOCAL_TIME = 0x06,
        TUYA_LOW_RECORD = 0x08,
        TUYA_LOW_SIGNAL = 0x0b,
        TUYA_LOW_DP_CACHE = 0x10,
};

struct tuya_frame {
        uint8_t version;
        uint8_t command;
        struct span data;  /* points into the buffer that was parsed */
};

/* frame_check_fn, see framer.h. */
ssize_t tuya_frame_check(const uint8_t *buf, size_t len);

/* Takes apart a frame that tuya_frame_check has accepted. */
struct tuya_frame tuya_frame_open(const uint8_t *buf, size_t len);

/* Builds a frame with any version byte (a module always sends 0). Returns its length, or 0 when it does not fit
 * into cap. data may be NULL when data_len is 0. */
size_t tuya_frame_build(uint8_t *buf, size_t cap, uint8_t version, uint8_t command,
                        const uint8_t *data, size_t data_len);
