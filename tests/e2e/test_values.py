"""From the bytes of a meter to the numbers that people read."""
import json
import re
import time

import pytest

from fake_mcu import REPORT, REPORT_SYNC, frame, unit
from gateway import TIMEOUT, Collector, wait_until


def number_text(json_text, key):
    """The digits as they stand in the answer, which a JSON parser would hide."""
    return re.search(r'"%s":\s*(null|[-0-9.]+)' % key, json_text).group(1)


def test_now_shows_the_exact_digits(mcu, online):
    gateway = online()
    answer = gateway.get("/api/v1/meters/main/now")
    assert answer.content_type == "application/json"
    for key, digits in {"voltage_v": "240.3", "current_a": "0.077", "power_w": "17.7",
                        "apparent_power_va": "18.503", "power_factor": "0.957"}.items():
        assert number_text(answer.text, key) == digits, key
    now = answer.json
    assert now["meter"] == "main" and now["name"] == "main"
    assert now["available"] is True and now["state"] == "online"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d00Z", now["at"])
    assert abs(now["at_ms"] / 1000 - time.time()) < TIMEOUT
    assert 0 <= now["age_s"] < TIMEOUT


def test_one_series_is_plain_text(mcu, online):
    gateway = online()
    for key, digits in {"power_w": "17.7", "voltage_v": "240.3", "current_a": "0.077", "power_factor": "0.957",
                        "apparent_power_va": "18.503"}.items():
        answer = gateway.get("/api/v1/meters/main/now/" + key)
        assert (answer.status, answer.content_type, answer.text.strip()) == (200, "text/plain", digits), key


def test_meters_tell_time_source_and_origin(mcu, online):
    gateway = online(name="House main")
    meters = gateway.json("/api/v1/meters")["meters"]
    assert [m["id"] for m in meters] == ["main"]
    one = gateway.json("/api/v1/meters/main")
    for m in [*meters, one]:
        assert (m["name"], m["protocol"], m["profile"]) == ("House main", "tuyamcu", "pj-mgw1103")
        assert m["state"] == "online" and m["available"] is True
        readings = m["readings"]
        assert {k: (readings[k]["value"], readings[k]["source"], readings[k]["origin"])
                for k in ("current_a", "power_w", "voltage_v")} == {
                    "current_a": (0.077, "measured", "dp 18"),
                    "power_w": (17.7, "measured", "dp 19"),
                    "voltage_v": (240.3, "measured", "dp 20")}
        assert readings["apparent_power_va"]["value"] == 18.503
        assert readings["apparent_power_va"]["source"] == readings["power_factor"]["source"] == "derived"
        for reading in readings.values():
            assert {"value", "at", "at_ms", "age_s", "source", "origin"} <= reading.keys()


def test_changed_values_arrive_without_being_asked_for(mcu, online):
    gateway = online(poll="60s")
    mcu.report(dp19=180)
    gateway.wait_now(power_w=18.0, voltage_v=240.3)
    assert number_text(gateway.get("/api/v1/meters/main/now").text, "power_w") in ("18", "18.0")
    mcu.report(dp20=2389, dp18=75)
    gateway.wait_now(voltage_v=238.9, current_a=0.075)


def test_synchronous_report_is_acknowledged(mcu, online):
    gateway = online(poll="60s")
    mcu.report(REPORT_SYNC, dp19=193)
    assert mcu.wait_frames("23/01", 1, TIMEOUT)
    assert [f.raw for f in mcu.frames if f.command == 0x23] == [bytes.fromhex("55AA002300010124")]
    gateway.wait_now(power_w=19.3)
    assert gateway.counter("sync_reports_acknowledged") == 1


def test_ordinary_report_is_not_acknowledged(mcu, online):
    gateway = online(poll="60s")
    mcu.report(dp19=193)
    gateway.wait_now(power_w=19.3)
    assert not any(f.command == 0x23 for f in mcu.frames)


def test_several_datapoints_in_one_frame(mcu_at, online):
    mcu = mcu_at()
    mcu.together = True
    gateway = online()
    mcu.report(dps={20: 2301, 18: 500, 19: 1100})
    gateway.wait_now(voltage_v=230.1, current_a=0.5, power_w=110.0, apparent_power_va=115.05, power_factor=0.956)


def test_truncated_datapoint_keeps_those_before_it(mcu, online):
    gateway = online(poll="60s")
    mcu.send(REPORT, unit(19, 250) + unit(20, 2310)[:-2])
    gateway.wait_now(power_w=25.0)
    assert gateway.counter("datapoint_errors") == 1
    assert gateway.now()["voltage_v"] == 240.3
    assert gateway.counter("checksum_errors") == 0


def test_empty_report_is_no_error(mcu, online):
    gateway = online(poll="60s")
    mcu.send(REPORT)
    mcu.report(dp19=181)
    gateway.wait_now(power_w=18.1)
    assert gateway.counter("datapoint_errors") == 0


def test_negative_power_is_export(mcu, online):
    gateway = online(poll="60s")
    mcu.report(dp19=-1234)
    gateway.wait_now(power_w=-123.4)
    assert gateway.get("/api/v1/meters/main/now/power_w").text.strip() == "-123.4"


def test_datapoints_that_nobody_knows_are_listed_raw(mcu, online):
    gateway = online(poll="60s")
    mcu.send(REPORT, unit(101, 4711) + unit(102, b"\x01\x02\xff") + unit(103, "1.0.7") + unit(104, True)
             + unit(105, 3, 4))
    wait_until(lambda: 105 in gateway.datapoints())
    shown = gateway.datapoints()
    assert (shown[101]["type"], shown[101]["raw"]) == ("value", 4711)
    assert (shown[102]["type"], shown[102]["hex"], shown[102]["length"]) == ("raw", "0102FF", 3)
    assert (shown[103]["type"], shown[103]["text"]) == ("string", "1.0.7")
    assert (shown[104]["type"], shown[104]["raw"]) == ("bool", 1)
    assert (shown[105]["type"], shown[105]["raw"]) == ("enum", 3)
    assert not any(shown[dp]["mapped"] for dp in range(101, 106))
    assert shown[19]["mapped"] and shown[19]["quantity"] == "power_w" and shown[19]["count"] >= 1
    assert gateway.counter("unknown_datapoints") == 5
    assert set(gateway.now()) >= {"power_w", "voltage_v"}


def test_unknown_product_is_online_and_shows_its_datapoints(mcu_at, start, meter):
    mcu_at(product={"p": "abcdefgh12345678", "v": "2.3.4", "m": 0})
    gateway = start([meter()])
    gateway.wait_now(state="online")
    wait_until(lambda: gateway.datapoints().get(20, {}).get("raw") == 2403)
    shown = gateway.datapoints()
    assert {dp: shown[dp]["raw"] for dp in (18, 19, 20)} == {18: 77, 19: 177, 20: 2403}
    now = gateway.now()
    assert now["available"] is False
    assert not [k for k, v in now.items() if k.endswith(("_v", "_a", "_w")) and v is not None]
    assert gateway.json("/api/v1/meters/main")["readings"] == {}
    diagnostics = gateway.diagnostics()
    assert (diagnostics["product_key"], diagnostics["firmware"]) == ("abcdefgh12345678", "2.3.4")
    assert diagnostics["profile"] is None
    assert not re.search(r"^metergate_(voltage|power|current)", gateway.get("/metrics").text, re.M)


def test_product_key_picks_the_profile(mcu, online):
    gateway = online()
    assert gateway.json("/api/v1/meters/main")["profile"] == "pj-mgw1103"
    assert gateway.diagnostics()["product_key"] == "djfep9s6s3b2qk89"
    assert gateway.diagnostics()["firmware"] == "1.0.0"


@pytest.mark.parametrize("answer", [
    b'{"v":"1.0.0","m":2,"n":0,"p":"djfep9s6s3b2qk89"}',
    b'{ "p" : "djfep9s6s3b2qk89" }\0\0',
    b'{"abv":[{"p":"x"}],"p":"djfep9s6s3b2qk89"}',
], ids=["other order", "padded", "an object inside"])
def test_product_answer_in_another_form(mcu_at, online, answer):
    mcu_at(product=answer)
    gateway = online()
    assert gateway.json("/api/v1/meters/main")["profile"] == "pj-mgw1103"


def test_damaged_product_answer_does_not_stop_the_meter(mcu_at, start, meter):
    mcu_at(product=b'{"p":"\xff\xfe\x01","v":')
    gateway = start([meter(profile="pj-mgw1103")])
    gateway.wait_now(state="online", power_w=17.7)
    json.loads(gateway.get("/api/v1/meters/main/diagnostics").body)


def test_profile_of_the_configuration_wins(mcu_at, start, meter):
    mcu_at(product={"p": "abcdefgh12345678"})
    gateway = start([meter(profile="pj-mgw1103")])
    gateway.wait_now(power_w=17.7)


def test_profile_from_a_file(mcu, start, meter, tmp_path):
    (tmp_path / "mine.yaml").write_text("""\
name: mine
protocol: tuyamcu
title: A meter of my own
source: measured by hand
evidence: captured
datapoints:
  - { dp: 19, type: value, quantity: power_w, scale: 1 }
""")
    gateway = start([meter(profile="mine.yaml")])
    gateway.wait_now(power_w=177)
    assert gateway.json("/api/v1/meters/main")["profile"] == "mine"
    assert "voltage_v" not in gateway.now()


def test_scale_of_an_instrument_transformer(mcu, start, meter):
    gateway = start([meter(scale=10)])
    gateway.wait_now(power_w=177, current_a=0.77, voltage_v=240.3)


def test_reading_beyond_its_limits_is_withheld(mcu, start, meter):
    gateway = start([meter(poll="60s", limits="{ power_w: [-1000, 1000] }")])
    gateway.wait_now(power_w=17.7)
    with Collector(gateway) as collector:
        mcu.report(dp19=42949672)
        wait_until(lambda: gateway.counter("limits") == 1)
        mcu.report(dp19=184)
        gateway.wait_now(power_w=18.4)
    assert collector.values("power_w") <= {17.7, 18.4}


def test_silent_meter_loses_its_values_by_age(mcu, online):
    gateway = online(poll="1s", stale_after="3s")
    mcu.silence(True)
    now = gateway.wait_now(available=False, power_w=None, voltage_v=None, current_a=None,
                           apparent_power_va=None, power_factor=None)
    assert now["age_s"] >= 3.0
    wait_until(lambda: gateway.now()["state"] in ("stale", "offline"))
    assert gateway.get("/api/v1/meters/main/now/power_w").text.strip() == "null"
    readings = gateway.json("/api/v1/meters/main")["readings"]
    assert all(r["value"] is None for key, r in readings.items() if not key.startswith("energy_"))
    assert not re.search(r"^metergate_(voltage|power|current|apparent)", gateway.get("/metrics").text, re.M)
    assert gateway.json("/healthz")["delivering"] == 0
    mcu.silence(False)
    gateway.wait_now(state="online", available=True, power_w=17.7)


def test_no_value_is_served_beyond_its_age(mcu, online):
    mcu.together = True    # all of them have one age
    gateway = online(poll="1s", stale_after="3s")
    mcu.silence(True)
    shown = []

    def aged():
        now = gateway.now()
        shown.append((now["age_s"], now["power_w"]))
        return now["age_s"] > 4.0

    wait_until(aged)
    assert all(value == 17.7 for age, value in shown if age < 2.9)
    assert all(value is None for age, value in shown if age > 3.0)


def test_power_falls_to_zero_while_the_current_is_never_reported_again(mcu, online):
    """What the real one does when the lamp goes off: its last current must not stay for ever."""
    gateway = online(poll="1s", stale_after="4s")
    with Collector(gateway) as collector:
        with mcu.changed:
            mcu.answers_query = False
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            mcu.report(dp19=0)
            now = gateway.now()
            if now["power_w"] == 0 and now["current_a"] is None:
                break
            time.sleep(0.5)
        now = gateway.now()
    assert now["power_w"] == 0 and now["available"] is True
    assert now["current_a"] is None and now["apparent_power_va"] is None and now["power_factor"] is None
    assert collector.values("power_w") == {17.7, 0}
    assert collector.values("current_a") == {0.077}


def test_load_switched_off_shows_as_zero(mcu, online):
    gateway = online()
    with Collector(gateway) as collector:
        with mcu.changed:
            mcu.values.update({18: 0, 19: 0})
        gateway.wait_now(power_w=0, current_a=0, apparent_power_va=0, power_factor=None, voltage_v=240.3)
    assert collector.values("voltage_v") == {240.3}
    assert gateway.counter("restarts") == 0


def test_frames_of_any_version_are_understood(mcu_at, online):
    mcu_at(version=0)
    gateway = online()
    assert gateway.counter("checksum_errors") == 0


def test_metrics_carry_the_same_numbers(mcu, online):
    gateway = online()
    text = gateway.get("/metrics").text
    for metric, value in {"voltage_volts": "240.3", "current_amperes": "0.077", "power_watts": "17.7",
                          "apparent_power_volt_amperes": "18.503", "power_factor_ratio": "0.957"}.items():
        assert re.search(r'^metergate_%s\{[^}]*meter="main"[^}]*\} %s0*$' % (metric, re.escape(value)), text, re.M), \
            text
    assert re.search(r'^metergate_meter_up\{[^}]*meter="main"[^}]*\} 1$', text, re.M), text


def test_unknown_command_keeps_the_link_up(mcu, online):
    gateway = online(poll="60s")
    mcu.send_raw(frame(0x7E, b"hello"))
    mcu.report(dp19=182)
    gateway.wait_now(power_w=18.2)
    assert gateway.counter("unknown_commands") == 1
    assert gateway.now()["state"] == "online"
