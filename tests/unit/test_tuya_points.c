/* What a simulated meter of any profile measures, and the bytes that say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tools/circuits.h"
#include "tools/layout_writer.h"
#include "tools/tuya_points.h"
#include "tuya_mcu_bench.h"

static void write_row(struct profile_datapoint row, enum phase_form form, const struct measured *m, const char *hex) {
        uint8_t buf[LAYOUT_BYTES_MAX];
        char is[2 * LAYOUT_BYTES_MAX + 1] = "";
        size_t len;

        row.type = DATAPOINT_RAW;
        row.quantity = Q_NONE;
        len = layout_writer_put(&row, form, m, buf);
        for (size_t i = 0; i < len; i++)
                snprintf(is + 2 * i, 3, "%02X", buf[i]);
        assert_string_equal(is, hex);
}

/* Bytes that devices have sent, or that are published, with the values they stand for. */
static void test_layouts_as_published(void **state) {
        static const struct {
                int64_t mv, ma, mw;
                const char *hex;
        } phases[] = {
                { 232600, 153, 35000, "0916000099000023" }, { 235700, 248, 58000, "09350000F800003A" },
                { 230500, 302, 67000, "090100012E000043" }, { 231000, 2042, 372000, "09060007FA000174" },
                { 228400, 1423, 272000, "08EC00058F000110" },
        };
        struct profile_datapoint row = { .layout = LAYOUT_PHASE };
        struct measured m = { 0 };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(phases); i++) {
                m.value[0][Q_VOLTAGE] = phases[i].mv;
                m.value[0][Q_CURRENT] = phases[i].ma;
                m.value[0][Q_POWER] = phases[i].mw;
                write_row(row, PHASE_8, &m, phases[i].hex);
        }
        m.value[0][Q_VOLTAGE] = 231900;
        m.value[0][Q_CURRENT] = 191;
        m.value[0][Q_POWER] = 12000;
        m.value[0][Q_REACTIVE_POWER] = 3700;
        m.value[0][Q_POWER_FACTOR] = 272;
        m.value[0][Q_FREQUENCY] = 49970;
        row.layout = LAYOUT_PHASE_VCPQFF;
        write_row(row, PHASE_8, &m, "090F0000BF0000780000250110C332");
        m.value[0][Q_VOLTAGE] = 235200;
        m.value[0][Q_CURRENT] = 1615;
        m.value[0][Q_POWER] = 191000;
        m.value[0][Q_REACTIVE_POWER] = 316000;
        m.value[0][Q_POWER_FACTOR] = 504;
        row.layout = LAYOUT_PHASE_PQFCV;
        write_row(row, PHASE_8, &m, "000000BF0000013C01F800064F0930");
        for (int i = 0; i < 3; i++)
                m.value[1 + i][Q_CURRENT] = (const int64_t[]) { 0x5a4, 0x4c8, 0x639 }[i];
        row.layout = LAYOUT_CURRENTS;
        write_row(row, PHASE_8, &m, "0005A40004C8000639");
        row.layout = LAYOUT_LIMITS_METER;
        write_row(row, PHASE_8, &m, "01010050030100F5040100A008000032");
        row.layout = LAYOUT_MONTH;
        write_row(row, PHASE_8, &m, "160B160B00000004");
}

/* The other lengths, export, a power in 0.1 W and one whose sign has a datapoint of its own. */
static void test_layouts_otherwise(void **state) {
        struct profile_datapoint row = { .layout = LAYOUT_PHASE };
        struct measured m = { 0 };

        (void) state;
        m.value[0][Q_VOLTAGE] = 230000;
        m.value[0][Q_CURRENT] = 1200;
        m.value[0][Q_POWER] = -197000;
        m.value[0][Q_REACTIVE_POWER] = 5000;
        m.value[0][Q_APPARENT_POWER] = 276000;
        m.value[0][Q_POWER_FACTOR] = 710;
        write_row(row, PHASE_8, &m, "08FC0004B0FFFF3B");
        write_row(row, PHASE_6, &m, "08FC000C0000");  /* no sign, no export */
        write_row(row, PHASE_10, &m, "08FC0004B0FFFF3B0003");
        write_row(row, PHASE_15_POWER_FIRST, &m, "010000C50000000502C60004B008FC");
        write_row(row, PHASE_18, &m, "000008FC0004B00000C50000050001144702");
        row.power_den = 10;
        write_row(row, PHASE_8, &m, "08FC0004B0FFF84E");
        row.direction_id = 102;
        write_row(row, PHASE_8, &m, "08FC0004B00007B2");
        layout_writer_round(&row, PHASE_8, &m);
        assert_int_equal(m.value[0][Q_POWER], -197000);
        m.value[0][Q_VOLTAGE] = 7000049;
        layout_writer_round(&row, PHASE_8, &m);
        assert_int_equal(m.value[0][Q_VOLTAGE], 6553500);
}

/* Two clamps: the sign of one has a datapoint of its own, the other's meter counts export as positive. */
static struct profile two_clamps = {
        .n_channels = 3, .channels = { "", "a", "b" }, .n_datapoints = 5,
        .datapoints = {
                { .id = 101, .type = DATAPOINT_VALUE, .quantity = Q_POWER, .channel = 1, .scale_num = 100,
                  .scale_den = 1, .direction_id = 102, .direction_reverse = 1 },
                { .id = 102, .type = DATAPOINT_ENUM, .quantity = Q_NONE },
                { .id = 105, .type = DATAPOINT_VALUE, .quantity = Q_POWER, .channel = 2, .scale_num = 1000,
                  .scale_den = 1, .inverted = true },
                { .id = 17, .type = DATAPOINT_VALUE, .quantity = Q_ENERGY_IMPORT, .is_increment = true,
                  .scale_num = 1, .scale_den = 1 },
                { .id = 26, .type = DATAPOINT_BITMAP, .quantity = Q_NONE },
        },
};

static void set_powers(struct fixture *f, int64_t a_mw, int64_t b_mw) {
        struct tuya_points points;
        struct measured m;

        tuya_points_has(&two_clamps, PHASE_8, &m);
        m.value[1][Q_POWER] = a_mw;
        m.value[2][Q_POWER] = b_mw;
        tuya_points_round(&two_clamps, PHASE_8, &m);
        tuya_points_put(&two_clamps, PHASE_8, &m, &points);
        tuya_mcu_set_load(&f->mcu, &points);
}

static void test_signs_on_the_wire(void **state) {
        struct measured m;
        struct fixture f;

        (void) state;
        tuya_points_has(&two_clamps, PHASE_8, &m);
        assert_false(m.has[0][Q_ENERGY_IMPORT]);
        m.value[1][Q_POWER] = -120049;
        m.value[2][Q_POWER] = 55499;
        tuya_points_round(&two_clamps, PHASE_8, &m);
        assert_int_equal(m.value[1][Q_POWER], -120000);
        assert_int_equal(m.value[2][Q_POWER], 55000);
        setup(&f, (struct tuya_mcu_options) { 0 });
        set_powers(&f, -120000, 55000);
        go_online(&f);
        assert_out(&f, "55AA03070008" "65020004000004B0" "30"
                       "55AA03070005" "6604000101" "7A"
                       "55AA03070008" "69020004FFFFFFC9" "46");
        set_powers(&f, 120000, 55000);
        let_pass(&f, 1000);
        assert_out(&f, "55AA03070005" "6604000100" "79");
        say(&f, TUYA_QUERY, NULL, 0);
        assert_int_equal(f.n_out, 3 * 15 + 2 * 12);
}

static void test_direction_lags(void **state) {
        struct fixture f;

        (void) state;
        setup(&f, (struct tuya_mcu_options) { .direction_lag_ms = 400 });
        set_powers(&f, -120000, 0);
        go_online(&f);
        assert_int_equal(f.n_out, 15);
        assert_int_equal(tuya_mcu_deadline(&f.mcu), f.now_ms + 400);
        let_pass(&f, 399);
        assert_int_equal(f.n_out, 0);
        let_pass(&f, 1);
        assert_int_equal(f.n_out, 12);
        assert_int_equal(f.out[10], 1);
        say(&f, TUYA_QUERY, NULL, 0);
        assert_int_equal(f.n_out, 3 * 15 + 12);
        let_pass(&f, 400);
        assert_int_equal(f.n_out, 12);
}

/* The whole is the sum of its parts, what was set stays, and energy is power times time. */
static void test_circuits(void **state) {
        const struct load load = { .voltage_mv = 230000, .current_ma = 10000, .power_mw = 2000001 };
        struct circuits c;
        int64_t before;

        (void) state;
        circuits_init(&c, 4, 1);
        circuits_update(&c, 1000, &load);
        assert_int_equal(c.now.value[0][Q_POWER], 2000001);
        assert_int_equal(c.now.value[1][Q_POWER] + c.now.value[2][Q_POWER] + c.now.value[3][Q_POWER], 2000001);
        assert_int_equal(c.now.value[0][Q_POWER_FACTOR], 870);
        circuits_fix(&c, 1, Q_POWER, -120000);
        circuits_fix(&c, 2, Q_POWER, 0);
        circuits_fix(&c, 3, Q_POWER, 3600000);
        circuits_update(&c, 1000, &load);
        assert_int_equal(c.now.value[0][Q_POWER], 3480000);
        before = c.now.value[3][Q_ENERGY_IMPORT];
        circuits_update(&c, 2000, &load);
        assert_int_equal(c.now.value[3][Q_ENERGY_IMPORT] - before, 1000);  /* 1 Wh */
        circuits_free(&c);
        circuits_update(&c, 2000, &load);
        assert_int_equal(c.now.value[0][Q_POWER], 2000001);
        circuits_fix(&c, 0, Q_VOLTAGE, 2000000000);
        circuits_fix(&c, 0, Q_CURRENT, 2000000000);
        circuits_update(&c, 3000, &load);  /* nonsense, but no overflow */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layouts_as_published),
                cmocka_unit_test(test_layouts_otherwise),
                cmocka_unit_test(test_signs_on_the_wire),
                cmocka_unit_test(test_direction_lags),
                cmocka_unit_test(test_circuits),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
