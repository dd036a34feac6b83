"""Recordings in the place of a meter: what was captured is heard again, frame by frame."""
import json
import re
import signal

import pytest

from fake_mcu import QUERY, REPORT, STATE, frame, unit
from gateway import run, wait_until
from module import Line, TuyaModule, VueModule


def decoded(text, *options):
    """What decode makes of it: frames without their times, and the statistics."""
    result = run("decode", *options, "--stats", "-", input=text)
    assert result.returncode == 0, result.stderr
    *frames, stats = [json.loads(line) for line in result.stdout.splitlines()]
    for f in frames:
        f.pop("at", None)
        f.pop("at_ms", None)
    return frames, stats["stats"]


def last_readings(frames):
    now = {}
    for f in frames:
        now.update(f.get("readings", {}))
    return now


def last_datapoints(frames):
    """Of each datapoint how often it came, and what it was at last."""
    seen = {}
    for f in frames:
        for d in f.get("datapoints", []):
            seen[d["dp"]] = seen.get(d["dp"], (0, None))[0] + 1, d["raw"]
    return seen


def shown(gateway, keys):
    """What /now says of these; ages go on meanwhile."""
    now = gateway.now()
    return {key: now[key] for key in keys}


def over(gateway, reason="the recording has ended", meter="main"):
    return gateway.now(meter)["state"] == "offline" and reason in gateway.diagnostics(meter)["reason"]


@pytest.fixture
def replays(tmp_path, start):
    """replays({"main": (text, "?speed=10")}) is a gateway with a meter for each recording."""
    def make(recordings, protocol="tuyamcu"):
        meters = []
        for name, (text, settings) in recordings.items():
            (tmp_path / (name + ".txt")).write_text(text)
            meters.append({"id": name, "protocol": protocol, "port": '"replay://%s.txt%s"' % (name, settings)})
            meters[-1]["stale_after"] = "30min"    # however long it takes to look
            if protocol == "tuyamcu":
                meters[-1]["profile"] = "pj-mgw1103"
        return start(meters)

    return make


@pytest.fixture
def replay(replays):
    """replay(text, "?speed=10") is a gateway whose meter main is that recording."""
    return lambda text, settings="", protocol="tuyamcu": replays({"main": (text, settings)}, protocol)


def at(seconds):
    return "2026-11-21T10:%02d:%06.3fZ" % (seconds // 60, seconds % 60)


def line_of(seconds, data, direction="rx"):
    return "%s %s %s\n" % (at(seconds), direction, data.hex(" "))


def test_a_simulated_meter_replays_as_it_decodes(play, replay):
    """Both directions, from the module's first heartbeat on."""
    simulated, module = play("mcu", "--interval", "200ms"), TuyaModule(period=0.2)
    line = Line(simulated.link, module)
    try:
        simulated.tell("set 231.5 1.234 285.6")
        wait_until(lambda: len(module.answers) >= 40)
        simulated.tell("set 229.8 1.5 300.1")
        expected = simulated.expected()
        wait_until(lambda: unit(20, 2298) in b"".join(data for _, data in module.answers[-3:]))
        seen = len(module.answers)
        wait_until(lambda: len(module.answers) > seen + 6)
    finally:
        line.close()
    recording = line.recording()
    frames, stats = decoded(recording, "--protocol", "tuyamcu", "--profile", "pj-mgw1103")
    assert stats["noise_bytes"] == 0 and {f["direction"] for f in frames} == {"rx", "tx"}

    gateway = replay(recording, "?speed=10")
    wait_until(lambda: over(gateway))
    capture = gateway.get("/api/v1/meters/main/frames?format=capture").text
    again, _ = decoded(capture, "--protocol", "tuyamcu", "--profile", "pj-mgw1103")
    assert again == frames
    for direction in ("rx", "tx"):
        def wire(text):
            lines = [re.match(r"\S+ (rx|tx) (.*)", row) for row in text.splitlines()]
            return bytes.fromhex("".join(m[2] for m in lines if m and m[1] == direction))

        # A frame that was still on its way when the recording ended is the only difference.
        assert wire(recording).startswith(wire(capture)), direction
        assert len(wire(recording)) - len(wire(capture)) <= stats["pending_bytes"]
    assert shown(gateway, last_readings(frames)) == last_readings(frames)
    assert shown(gateway, expected) == expected
    points = {dp: (d["count"], d["raw"]) for dp, d in gateway.datapoints().items()}
    assert points == last_datapoints(frames)
    diagnostics = gateway.diagnostics()
    assert diagnostics["link"]["error"] == "the recording has ended" and not diagnostics["link"]["open"]
    assert diagnostics["framing"]["frames"] + diagnostics["framing_tx"]["frames"] == len(frames)


def test_a_simulated_vue_replays_as_it_decodes(vue, replay):
    simulated, module = vue("mgm", "--chatter", "20", "--boot", "100ms", "--seed", "1"), VueModule()
    line = Line(simulated.link, module)
    try:
        simulated.tell("set 909")
        simulated.wait_readings(4)
        told = simulated.expected()[-1]
        wait_until(lambda: module.heard.count(b"$\1r") >= 4)
    finally:
        line.close()
    recording = line.recording()
    frames, _ = decoded(recording, "--protocol", "vue")
    gateway = replay(recording, "?speed=20", "vue")
    wait_until(lambda: over(gateway))
    capture = gateway.get("/api/v1/meters/main/frames?format=capture").text
    again, _ = decoded(capture, "--protocol", "vue")
    # The frame with the secret is not kept.
    assert again == [f for f in frames if f.get("type") != "i"]
    assert any(f.get("type") == "i" for f in frames)
    assert capture.count(" tx 24 72 0D") == sum(d == "tx" and data == b"$r\r" for _, d, data in line.traffic)
    assert shown(gateway, last_readings(frames)) == last_readings(frames)
    assert gateway.now()["power_w"] == told["power_w"] == 909
    assert gateway.counter("answers_read") == gateway.counter("requests_read") > 0
    assert gateway.diagnostics()["framing_tx"]["noise_bytes"] == 0


WHOLE = frame(REPORT, unit(20, 2403))


def test_the_recordings_own_gaps_count(replays):
    """A frame in two halves, 2 s of our time apart or 0.4 ms: what the recording says decides."""
    cases = {"slow": ("0.1", 0.2, True), "fast": ("1000", 0.4, False)}
    texts = {name: line_of(0, WHOLE) + line_of(0.01, WHOLE[:9]) + line_of(0.01 + gap, WHOLE[9:]) +
             line_of(0.05 + gap, WHOLE) for name, (_, gap, _) in cases.items()}
    gateway = replays({name: (texts[name], "?speed=" + speed) for name, (speed, _, _) in cases.items()})
    for name, (_, _, kept) in cases.items():
        frames, stats = decoded(texts[name], "--protocol", "tuyamcu")
        assert len(frames) == 2 + kept
        wait_until(lambda: gateway.diagnostics(name)["framing"]["total_bytes"] == stats["total_bytes"])
        framing = gateway.diagnostics(name)["framing"]
        assert (framing["frames"], framing["noise_bytes"]) == (2 + kept, stats["noise_bytes"])


FORMS = {
    "hex": "# kind: stream\n%s\n%s\n" % (WHOLE[:5].hex(" "), WHOLE[5:].hex(" ")),
    "entries": '"2026-11-21 10:00:00",%s"2026-11-21 10:00:01",%s' % (WHOLE[:5].hex(), WHOLE[5:].hex()),
    "log": "Info:MAIN:Time 1\nInfo:TuyaMCU:TUYAMCU received: %s\n" % WHOLE.hex(" "),
    "timed": line_of(0, WHOLE),
}


def test_every_form_that_decode_reads(replays):
    """Lines that stand alone, which are not joined, included."""
    halves = "# kind: frames\n%s\n%s\n%s\n" % (WHOLE[:9].hex(), WHOLE[9:].hex(), WHOLE.hex())
    assert len(decoded(halves, "--protocol", "tuyamcu")[0]) == 1
    gateway = replays({name: (text, "") for name, text in {**FORMS, "halves": halves}.items()})
    for form in (*FORMS, "halves"):
        gateway.wait_now(form, voltage_v=240.3, state="online")
    for form in (*FORMS, "halves"):
        wait_until(lambda: over(gateway, meter=form))
        # A value does not go away with the recording, it ages like any other.
        assert gateway.now(form)["voltage_v"] == 240.3
        assert gateway.diagnostics(form)["framing"]["frames"] == 1


def vue_reading(number, wh, watts):
    records = [b"\0\0\0\x25" + wh.to_bytes(6, "little"), b"\1\3\0\x22\1\0\0", b"\2\3\0\x22\xe8\3\0",
               b"\0\4\0\x2a" + watts.to_bytes(3, "little")]
    payload = bytes([0x18, number % 256, 1]) + b"".join(records)
    return b"$\1r" + bytes([len(payload)]) + payload + b"\r"


def test_registers_run_as_fast_as_the_recording(replay):
    """Half an hour of 4 kW within two seconds is what the meter said, and no leap of its register."""
    text = "".join(line_of(10 * i, vue_reading(i, 5858944 + 4000 * i // 360, 4000)) for i in range(180))
    frames, _ = decoded(text, "--protocol", "vue")
    gateway = replay(text, "?speed=1000", "vue")
    wait_until(lambda: over(gateway))
    told = last_readings(frames)
    assert told["energy_import_kwh"] == 5860.932
    assert gateway.now()["energy_import_kwh"] == told["energy_import_kwh"]
    assert gateway.counter("counter_jumped") == gateway.counter("register_resets") == 0
    # The power is one of our time, and cannot be held against that.
    assert gateway.diagnostics()["energy_check"] is None


def test_an_end_is_the_end_until_a_reload(replay, tmp_path):
    gateway = replay(line_of(0, WHOLE))
    wait_until(lambda: over(gateway))
    assert gateway.diagnostics()["framing"]["frames"] == 1
    link = gateway.diagnostics()["link"]
    assert link["opens"] == 1 and not link["open"]
    (tmp_path / "main.txt").write_text(line_of(0, frame(REPORT, unit(20, 2299))))
    gateway.signal(signal.SIGHUP)
    gateway.wait_now(voltage_v=229.9, state="online")


def test_a_reload_does_not_begin_a_running_one_again(replay):
    text = line_of(0, WHOLE) + line_of(3000, WHOLE)
    gateway = replay(text)
    gateway.wait_now(voltage_v=240.3, state="online")
    reloads = gateway.notify.texts().count("READY=1")
    gateway.signal(signal.SIGHUP)
    assert gateway.notify.wait("READY=1", reloads + 1)
    assert gateway.diagnostics()["framing"]["frames"] == 1 and gateway.now()["state"] == "online"


def test_a_malformed_line_ends_it_there(replay):
    """What stood before it was heard; the reason names file and line, and everything else goes on."""
    gateway = replay(line_of(0, WHOLE) + "2026-11-21T10:00:00.100Z rx 55 AA zz\n" + line_of(1, WHOLE))
    wait_until(lambda: over(gateway, "main.txt:2: unexpected 'z'"))
    gateway.wait_log("main", "main.txt:2: ")
    assert gateway.diagnostics()["framing"]["frames"] == 1
    assert gateway.json("/healthz")


def test_what_is_no_recording(start, tmp_path):
    reasons = {"missing": "No such file", "folder": "Is a directory", "device": "not a file", "empty": "has ended"}
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "empty").write_text("")
    gateway = start([{"id": what, "protocol": "vue", "port": "replay://%s" % what} for what in reasons])
    for what, reason in reasons.items():
        wait_until(lambda: over(gateway, reason, what))
        assert gateway.now(what)["available"] is False
        if what != "empty":
            gateway.wait_log(what, reason)


def test_a_large_file_keeps_nobody_waiting(replay):
    """A hundred thousand lines without any bytes in them before the first frame, then frames as fast as it goes."""
    lines = "Info:MAIN:Time 1, idle 100/s, free 80000\n" * 100000
    received = "Info:TuyaMCU:TUYAMCU received: %s\n" % WHOLE.hex(" ")
    gateway = replay(lines + received * 3000, "?speed=1000")
    gateway.wait_now(voltage_v=240.3, state="online")
    wait_until(lambda: gateway.diagnostics()["framing"]["frames"] == 3000)


def test_the_modules_state_opens_the_gate(replay):
    """Zeros before the acknowledgement of "connected" are no values, in a recording neither."""
    text = line_of(0, frame(REPORT, unit(18, 0) + unit(20, 0)))
    text += line_of(0.5, frame(STATE, b"\4", version=0), "tx") + line_of(0.6, frame(STATE))
    text += line_of(1, frame(QUERY, version=0), "tx") + line_of(1.1, WHOLE)
    gateway = replay(text)
    gateway.wait_now(voltage_v=240.3, state="online")
    assert gateway.now()["current_a"] is None or gateway.now()["current_a"] == 0
    assert gateway.diagnostics()["latency"]["count"] == 1
