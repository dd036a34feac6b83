/* Who guesses tokens is slowed, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "from_environment.h"
#include "http/throttle.h"

#define START_MS 1000000

static struct throttle t;
static uint64_t now_ms;

static int start(void **state) {
        (void) state;
        memset(&t, 0, sizeof t);
        now_ms = START_MS;
        return 0;
}

static struct peer_key ipv4(uint32_t address) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };

        return peer_key((const struct sockaddr *) &in);
}

static struct peer_key ipv6(const char *address) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

        assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
        return peer_key((const struct sockaddr *) &in6);
}

/* Tries until the address has to wait; returns how often that was. */
static unsigned exhaust(const struct peer_key *peer) {
        unsigned n = 0;

        while (throttle_wait_ms(&t, peer, now_ms) == 0) {
                (void) throttle_fail(&t, peer, now_ms);
                n++;
        }
        return n;
}

static void test_tries_run_out_and_come_back(void **state) {
        struct peer_key peer = ipv4(0xc0000207);

        (void) state;
        assert_int_equal(exhaust(&peer), THROTTLE_TRIES);
        assert_int_equal(throttle_wait_ms(&t, &peer, now_ms), THROTTLE_TRY_MS);
        now_ms += THROTTLE_TRY_MS - 1;
        assert_int_equal(throttle_wait_ms(&t, &peer, now_ms), 1);
        now_ms++;
        assert_int_equal(exhaust(&peer), 1);
        now_ms += 3 * THROTTLE_TRY_MS;
        assert_int_equal(exhaust(&peer), 3);
        now_ms += 1000ULL * THROTTLE_TRY_MS;
        assert_int_equal(exhaust(&peer), THROTTLE_TRIES);
        assert_int_equal(t.failures, 2 * THROTTLE_TRIES + 4);
}

static void test_slow_failures_are_never_slowed(void **state) {
        struct peer_key peer = ipv4(0xc0000207);

        (void) state;
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(throttle_wait_ms(&t, &peer, now_ms), 0);
                (void) throttle_fail(&t, &peer, now_ms);
                now_ms += THROTTLE_TRY_MS;
        }
        assert_int_equal(t.failures, 1000);
}

static void test_addresses(void **state) {
        struct peer_key a = ipv6("2001:db8:1:2::3"), same = ipv6("2001:db8:1:2:ffff::9"),
                        other = ipv6("2001:db8:1:3::3"), mapped = ipv6("::ffff:192.0.2.7"), four = ipv4(0xc0000207),
                        local = { .loopback = true };
        char text[PEER_TEXT_MAX];

        (void) state;
        exhaust(&a);
        assert_true(throttle_wait_ms(&t, &same, now_ms) > 0);
        assert_int_equal(throttle_wait_ms(&t, &other, now_ms), 0);
        exhaust(&four);
        assert_true(throttle_wait_ms(&t, &mapped, now_ms) > 0);
        assert_int_equal(throttle_wait_ms(&t, &local, now_ms), 0);
        exhaust(&local);
        assert_true(throttle_wait_ms(&t, &local, now_ms) > 0);
        peer_key_text(&a, text);
        assert_string_equal(text, "2001:db8:1:2::/64");
        peer_key_text(&mapped, text);
        assert_string_equal(text, "192.0.2.7");
        peer_key_text(&local, text);
        assert_string_equal(text, "a unix socket");
        a = ipv6("::1");
        assert_true(a.loopback);
        peer_key_text(&a, text);
        assert_string_equal(text, "this machine");
}

/* More attackers than there are places: a newcomer has all its tries, and the one who tried most is not forgotten. */
static void test_full_table_locks_nobody_out(void **state) {
        struct peer_key worst = ipv4(0x0a000001), newcomer = ipv4(0xc0000207);

        (void) state;
        exhaust(&worst);
        for (uint32_t i = 0; i < 10 * THROTTLE_ENTRIES; i++) {
                struct peer_key attacker = ipv4(0x0b000000 + i);

                for (int k = 0; k < THROTTLE_TRIES - 1; k++)
                        (void) throttle_fail(&t, &attacker, now_ms);
        }
        assert_true(throttle_wait_ms(&t, &worst, now_ms) > 0);
        assert_int_equal(throttle_wait_ms(&t, &newcomer, now_ms), 0);
        assert_int_equal(exhaust(&newcomer), THROTTLE_TRIES);
}

/* Thousands of failures make a few lines. */
static void test_few_lines_for_the_log(void **state) {
        struct peer_key peer = ipv4(0xc0000207), other = ipv4(0xc0000208);
        unsigned lines = 0;

        (void) state;
        assert_int_equal(throttle_fail(&t, &peer, now_ms), THROTTLE_BEGAN);
        for (int i = 2; i < THROTTLE_TRIES; i++)
                assert_int_equal(throttle_fail(&t, &peer, now_ms), THROTTLE_NOTHING_NEW);
        assert_int_equal(throttle_fail(&t, &peer, now_ms), THROTTLE_EXHAUSTED);
        assert_int_equal(throttle_fail(&t, &other, now_ms), THROTTLE_NOTHING_NEW);
        for (uint64_t end_ms = now_ms + THROTTLE_SILENCE_MS - 1; now_ms < end_ms; now_ms += THROTTLE_TRY_MS)
                lines += throttle_fail(&t, &peer, now_ms) != THROTTLE_NOTHING_NEW;
        assert_int_equal(lines, 0);
        now_ms = START_MS + THROTTLE_SILENCE_MS;
        assert_int_equal(throttle_fail(&t, &peer, now_ms), THROTTLE_EXHAUSTED);
        now_ms += THROTTLE_LINE_MS;
        assert_int_equal(throttle_fail(&t, &other, now_ms), THROTTLE_BEGAN);
        for (uint32_t i = 0; i < 1000; i++) {
                struct peer_key attacker = ipv4(0x0b000000 + i);

                lines += throttle_fail(&t, &attacker, now_ms) != THROTTLE_NOTHING_NEW;
        }
        assert_int_equal(lines, 0);
}

/* Beside the plainest account of it: for each address a number of tries that grows by one every THROTTLE_TRY_MS. */
static void test_random_lives(void **state) {
        unsigned seed = (unsigned) test_seed();
        uint64_t whole_ms[8] = { 0 }, refused = 0;

        (void) state;
        srand(seed);
        for (int i = 0; i < 20000; i++) {
                unsigned who = (unsigned) rand() % ELEMENTS(whole_ms);
                struct peer_key peer = ipv4(0x0c000000 + who);
                uint64_t missing_ms = whole_ms[who] > now_ms ? whole_ms[who] - now_ms : 0;
                bool may = missing_ms + THROTTLE_TRY_MS <= (uint64_t) THROTTLE_TRIES * THROTTLE_TRY_MS;

                assert_int_equal(throttle_wait_ms(&t, &peer, now_ms) == 0, may);
                refused += !may;
                if (may) {
                        (void) throttle_fail(&t, &peer, now_ms);
                        whole_ms[who] = now_ms + missing_ms + THROTTLE_TRY_MS;
                }
                now_ms += (uint64_t) (rand() % (rand() % 50 == 0 ? 5 * THROTTLE_TRY_MS : THROTTLE_TRY_MS / 4));
        }
        assert_true(refused > 0 && t.failures + refused == 20000);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_tries_run_out_and_come_back, start),
                cmocka_unit_test_setup(test_slow_failures_are_never_slowed, start),
                cmocka_unit_test_setup(test_addresses, start),
                cmocka_unit_test_setup(test_full_table_locks_nobody_out, start),
                cmocka_unit_test_setup(test_few_lines_for_the_log, start),
                cmocka_unit_test_setup(test_random_lives, start),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
