/* SQLite as one would use it well: WAL, a table for each meter with a column for each value and time in ms as its
 * key, integers in the meter's own digits, one transaction a batch, prepared statements. For the year a table of
 * minutes. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "contender.h"

static sqlite3 *week, *year;
static sqlite3_stmt *insert[HOUSE_METERS], *insert_minute, *ask_rows[HOUSE_METERS], *ask_minutes;
static bool in_batch;

/* The minute that is being made of rows. */
static struct minute {
        int64_t start_s;
        unsigned n;
        int64_t sum[HOUSE_VALUES], min[HOUSE_VALUES], max[HOUSE_VALUES];
} minute;
static unsigned n_minutes;

static void must(sqlite3 *db, int code) {
        if (code != SQLITE_OK && code != SQLITE_DONE)
                errx(1, "sqlite: %s", sqlite3_errmsg(db));
}

static void run(sqlite3 *db, const char *sql) {
        must(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *format, unsigned number) {
        sqlite3_stmt *ret;
        char sql[512];

        snprintf(sql, sizeof sql, format, number);
        must(db, sqlite3_prepare_v2(db, sql, -1, &ret, NULL));
        return ret;
}

static void step(sqlite3 *db, sqlite3_stmt *statement) {
        must(db, sqlite3_step(statement));
        must(db, sqlite3_reset(statement));
}

static sqlite3 *open_database(const char *folder, const char *name) {
        sqlite3 *ret;
        char path[4096];

        snprintf(path, sizeof path, "%s/%s.sqlite", folder, name);
        must(NULL, sqlite3_open(path, &ret));
        run(ret, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;");
        return ret;
}

static void open_sqlite(const char *folder, const struct house *week_house, const struct house *year_house) {
        char sql[256];

        (void) year_house;
        week = open_database(folder, "week");
        for (unsigned m = 0; m < week_house->n_meters; m++) {
                snprintf(sql, sizeof sql, "CREATE TABLE meter%u (t INTEGER PRIMARY KEY, voltage INTEGER, "
                         "current INTEGER, power INTEGER, pf INTEGER, energy INTEGER)", m);
                run(week, sql);
                insert[m] = prepare(week, "INSERT INTO meter%u VALUES (?, ?, ?, ?, ?, ?)", m);
                ask_rows[m] = prepare(week, "SELECT (t - ?1) / ?2, avg(power), min(power), max(power) FROM meter%u "
                                      "WHERE t >= ?1 AND t < ?3 GROUP BY 1", m);
        }
        year = open_database(folder, "year");
        run(year, "CREATE TABLE minutes (t INTEGER PRIMARY KEY, "
            "voltage REAL, voltage_min INTEGER, voltage_max INTEGER, "
            "current REAL, current_min INTEGER, current_max INTEGER, "
            "power REAL, power_min INTEGER, power_max INTEGER, "
            "pf REAL, pf_min INTEGER, pf_max INTEGER, energy REAL, energy_min INTEGER, energy_max INTEGER)");
        insert_minute = prepare(year, "INSERT INTO minutes VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", 0);
        ask_minutes = prepare(year, "SELECT (t - ?1) / ?2, avg(power), min(power_min), max(power_max) FROM minutes "
                              "WHERE t >= ?1 AND t < ?3 GROUP BY 1", 0);
}

static void append(unsigned meter, int64_t at_s, const int32_t values[HOUSE_VALUES]) {
        if (!in_batch)
                run(week, "BEGIN");
        in_batch = true;
        must(week, sqlite3_bind_int64(insert[meter], 1, at_s * 1000));
        for (int i = 0; i < HOUSE_VALUES; i++)
                must(week, sqlite3_bind_int64(insert[meter], i + 2, values[i]));
        step(week, insert[meter]);
}

static void end_batch(int64_t now_s) {
        (void) now_s;
        run(week, "COMMIT");
        in_batch = false;
}

static void end_minute(void) {
        if (n_minutes++ % 1440 == 0)
                run(year, n_minutes > 1 ? "COMMIT; BEGIN" : "BEGIN");
        must(year, sqlite3_bind_int64(insert_minute, 1, minute.start_s * 1000));
        for (int i = 0; i < HOUSE_VALUES; i++) {
                must(year, sqlite3_bind_double(insert_minute, 3 * i + 2, (double) minute.sum[i] / minute.n));
                must(year, sqlite3_bind_int64(insert_minute, 3 * i + 3, minute.min[i]));
                must(year, sqlite3_bind_int64(insert_minute, 3 * i + 4, minute.max[i]));
        }
        step(year, insert_minute);
        minute = (struct minute) { 0 };
}

static void append_year(int64_t at_s, const int32_t values[HOUSE_VALUES]) {
        if (minute.n == 0)
                minute.start_s = at_s;
        for (unsigned i = 0; i < HOUSE_VALUES; i++) {
                minute.sum[i] += values[i];
                minute.min[i] = minute.n == 0 || values[i] < minute.min[i] ? values[i] : minute.min[i];
                minute.max[i] = minute.n == 0 || values[i] > minute.max[i] ? values[i] : minute.max[i];
        }
        if (++minute.n == 60 / YEAR_STEP_S)
                end_minute();
}

static void end_data(void) {
        run(year, "COMMIT");
        run(week, "PRAGMA wal_checkpoint(TRUNCATE)");
        run(year, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static uint64_t pragma(const char *sql) {
        sqlite3_stmt *statement = prepare(week, sql, 0);
        uint64_t ret;

        if (sqlite3_step(statement) != SQLITE_ROW)
                errx(1, "sqlite: %s", sqlite3_errmsg(week));
        ret = (uint64_t) sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        return ret;
}

static uint64_t week_raw_bytes(void) {
        return pragma("PRAGMA page_count") * pragma("PRAGMA page_size");
}

static void ask(sqlite3 *db, sqlite3_stmt *statement, const struct question *question, struct point *ret) {
        int64_t end_s = question->from_s + (int64_t) question->n * question->step_s;
        uint32_t n = 0;

        must(db, sqlite3_bind_int64(statement, 1, question->from_s * 1000));
        must(db, sqlite3_bind_int64(statement, 2, question->step_s * INT64_C(1000)));
        must(db, sqlite3_bind_int64(statement, 3, end_s * 1000));
        for (; sqlite3_step(statement) == SQLITE_ROW && n < question->n; n++)
                ret[n] = (struct point) { .avg = sqlite3_column_double(statement, 1),
                                          .min = sqlite3_column_double(statement, 2),
                                          .max = sqlite3_column_double(statement, 3) };
        must(db, sqlite3_reset(statement));
        if (n != question->n)
                errx(1, "sqlite: %s: %u points of %u", question->words, n, question->n);
}

static void ask_week(unsigned meter, const struct question *question, struct point *ret) {
        ask(week, ask_rows[meter], question, ret);
}

static void ask_year(const struct question *question, struct point *ret) {
        ask(year, ask_minutes, question, ret);
}

static void close_sqlite(void) {
        for (unsigned m = 0; m < HOUSE_METERS; m++) {
                sqlite3_finalize(insert[m]);
                sqlite3_finalize(ask_rows[m]);
        }
        sqlite3_finalize(insert_minute);
        sqlite3_finalize(ask_minutes);
        sqlite3_close(week);
        sqlite3_close(year);
}

const struct contender contender_sqlite = {
        .name = "SQLite", .open = open_sqlite, .append = append, .end_batch = end_batch, .append_year = append_year,
        .end_data = end_data, .week_raw_bytes = week_raw_bytes, .ask_week = ask_week, .ask_year = ask_year,
        .close = close_sqlite,
};
