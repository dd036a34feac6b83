"""The command around the guesses: what it reads, writes and refuses, and a profile that the gateway takes."""
import json
import os
import pty
import random
import subprocess

import pytest
from fake_mcu import VALUE, frame, unit
from gateway import BINARY, RUN, TIMEOUT, run

START_MS = 1795255200000


def plug(moments=120, seed=1):
    """A recording of a plug that switches loads, with its numbers where nobody expects them."""
    rng, lines, volts, watts = random.Random(seed), [], 230.0, 60.0
    for i in range(moments):
        if i % 5 == 4:
            watts = rng.choice([9, 60, 420, 900, 2100]) * rng.uniform(0.9, 1.1)
        volts += rng.uniform(-0.3, 0.3) + 0.05 * (230 - volts)
        now = volts - watts / 600
        for n, (dp, number) in enumerate(((41, round(watts / now * 1000)), (7, round(watts)), (99, round(now * 10)))):
            seconds, ms = divmod(START_MS + i * 10000 + 5 * n, 1000)
            lines.append("%d.%03d rx %s" % (seconds, ms, frame(7, unit(dp, number, VALUE)).hex(" ")))
    return "\n".join(lines) + "\n"


def best(stdout):
    lines = [json.loads(line) for line in stdout.splitlines()]
    return {line["dp"]: line for line in lines if line.get("rank") == 1}


def test_lines(tmp_path):
    (tmp_path / "plug.txt").write_text(plug())
    result = run("discover", tmp_path / "plug.txt")
    assert (result.returncode, result.stderr) == (0, "")
    found = best(result.stdout)
    assert {dp: (line["quantity"], line["scale"]) for dp, line in found.items()} == {
        41: ("current_a", 0.001), 7: ("power_w", 1), 99: ("voltage_v", 0.1)}
    assert list(found[99]) == ["dp", "type", "rank", "quantity", "channel", "unit", "scale", "signed", "inverted",
                               "layout", "confidence", "level", "evidence"]
    piped = run("discover", "--protocol", "tuyamcu", "-", input=plug())
    assert piped.stdout == result.stdout


def test_a_recording_without_times(tmp_path):
    (tmp_path / "plug.hex").write_text("".join(line.split(" ", 2)[2] + "\n" for line in plug().splitlines()))
    result = run("discover", tmp_path / "plug.hex")
    assert result.returncode == 0
    assert "no times: nothing can be said of energies" in result.stderr
    assert best(result.stdout)[7]["quantity"] == "power_w"


def test_what_is_known_is_left_out(tmp_path):
    (tmp_path / "plug.txt").write_text(plug())
    (tmp_path / "known.yaml").write_text(
        "name: known\ntitle: Known\nprotocol: tuyamcu\nevidence: stated\nsource: a test\n"
        "datapoints:\n  - { dp: 99, type: value, quantity: voltage_v, scale: 0.1 }\n")
    lines = run("discover", "--known", tmp_path / "known.yaml", tmp_path / "plug.txt").stdout.splitlines()
    assert lines and all(json.loads(line)["dp"] != 99 for line in lines)


def test_profile(tmp_path, start, meter, mcu):
    """The simulated meter has other numbers; the gateway takes the profile all the same."""
    (tmp_path / "plug.txt").write_text(plug())
    result = run("discover", "--profile", "--name", "my-plug", tmp_path / "plug.txt")
    assert (result.returncode, result.stderr) == (0, "")
    assert "  - { dp: 7, type: value, quantity: power_w, scale: 1 }" in result.stdout
    (tmp_path / "my-plug.yaml").write_text(result.stdout)
    gateway = start([meter(profile=tmp_path / "my-plug.yaml")])
    assert gateway.diagnostics("main")["profile"]["name"] == "my-plug"
    readings = [json.loads(line).get("readings", {}) for line in run(
        "decode", "--profile", tmp_path / "my-plug.yaml", tmp_path / "plug.txt").stdout.splitlines()]
    assert {key for r in readings for key in r} == {"voltage_v", "current_a", "power_w"}


@pytest.mark.parametrize("key, kept", [("kept7kept7kept77", True), ("seven77", False), ('a\\"b: c', False)])
def test_a_profile_of_any_product(key, kept):
    """Only a key that a profile can hold goes into it."""
    answer = frame(1, b'{"p":"%s","v":"1.0.0","m":0}' % key.encode())
    text = "%d.000 rx %s\n" % (START_MS // 1000 - 9, answer.hex(" ")) + plug()
    result = run("discover", "--profile", "-", input=text)
    assert (result.returncode, result.stderr) == (0, "")
    assert ("product_keys: [%s]" % key in result.stdout) == kept


def test_a_profile_has_each_quantity_once():
    """A breaker that tells its phase as bytes, and its power once more."""
    lines = []
    for i in range(60):
        volts, milliamperes = 2300 + i % 7, 500 + 900 * (i * 7 % 5)
        watts = round(volts * milliamperes / 10000 * (0.8 + 0.05 * (i % 4)))
        phase = volts.to_bytes(2, "big") + milliamperes.to_bytes(3, "big") + watts.to_bytes(3, "big")
        for n, one in enumerate((unit(6, phase), unit(29, watts, VALUE))):
            lines.append("%d.%d00 rx %s" % (START_MS // 1000 + 10 * i, n, frame(7, one).hex(" ")))
    result = run("discover", "--profile", "-", input="\n".join(lines) + "\n")
    assert result.returncode == 0
    assert "- { dp: 6, type: raw, layout: phase" in result.stdout
    assert "- { dp: 29" not in result.stdout and "# dp 29: perhaps power_w" in result.stdout


def three_phases(moments=200, seed=3):
    """Three voltages in one datapoint, three currents in another, the total and three powers in a third."""
    rng, lines, watts, told = random.Random(seed), [], [100, 900, 2000], []
    for i in range(moments):
        watts = [rng.choice([9, 60, 420, 900, 2100]) * rng.uniform(0.9, 1.1) if rng.random() < 0.2 else w
                 for w in watts]
        volts = [round((230 + k + rng.uniform(-1, 1) - w / 600) * 10) for k, w in enumerate(watts)]
        factors = [0.8 + 0.04 * ((i // 9 + k) % 5) for k in range(3)]
        milliamperes = [round(w * 10000 / v / f) for w, v, f in zip(watts, volts, factors)]
        tenths = [round(10 * w) for w in watts]
        told.append((volts, milliamperes, [sum(tenths), *tenths]))
        for n, (dp, numbers, width) in enumerate(zip((101, 102, 103), told[-1], (2, 3, 3))):
            seconds, ms = divmod(START_MS + i * 5000 + 5 * n, 1000)
            data = b"".join(number.to_bytes(width, "big") for number in numbers)
            lines.append("%d.%03d rx %s" % (seconds, ms, frame(7, unit(dp, data)).hex(" ")))
    return "\n".join(lines) + "\n", told


def test_three_phases_in_three_datapoints(tmp_path):
    text, told = three_phases()
    (tmp_path / "three.txt").write_text(text)
    found = best(run("discover", tmp_path / "three.txt").stdout)
    assert {dp: line["layout"] for dp, line in found.items()} == {101: "voltages", 102: "currents", 103: "powers"}
    assert all(line["level"] in ("medium", "high") and "offset" not in line for line in found.values())
    (tmp_path / "three.yaml").write_text(run("discover", "--profile", tmp_path / "three.txt").stdout)
    lines = run("decode", "--profile", tmp_path / "three.yaml", tmp_path / "three.txt").stdout.splitlines()
    readings = [json.loads(line)["readings"] for line in lines[-3:]]
    volts, milliamperes, tenths = told[-1]
    for k, channel in enumerate(("l1", "l2", "l3")):
        assert readings[0]["channels"][channel] == {"voltage_v": volts[k] / 10}
        assert readings[1]["channels"][channel] == {"current_a": milliamperes[k] / 1000}
        assert readings[2]["channels"][channel] == {"power_w": tenths[k + 1] / 10}
    assert readings[2]["power_w"] == tenths[0] / 10


def test_refusals(tmp_path):
    (tmp_path / "plug.txt").write_text(plug(2))
    for arguments, status, words in (
            ([], 2, "expected one FILE or -"),
            ([tmp_path / "plug.txt", "more"], 2, "expected one FILE or -"),
            (["--protocol", "p1", tmp_path / "plug.txt"], 2, "there is no protocol 'p1'; expected tuyamcu"),
            (["--known", "nobody", tmp_path / "plug.txt"], 2, "--known: there is no profile 'nobody'"),
            (["--protocol", "vue", "--profile", tmp_path / "plug.txt"], 2, "--profile: vue needs none"),
            (["--profile", "--name", "My plug", tmp_path / "plug.txt"], 2, "--name: 'My plug' is no name"),
            ([tmp_path / "none.txt"], 1, "none.txt")):
        result = run("discover", *arguments)
        assert (result.returncode, result.stdout) == (status, ""), arguments
        assert words in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_nothing_in_it(tmp_path):
    (tmp_path / "empty.txt").write_text("")
    result = run("discover", tmp_path / "empty.txt")
    assert (result.returncode, result.stdout) == (0, "")
    assert "no datapoints; is it of protocol tuyamcu? --protocol names another one" in result.stderr


def on_terminal(*arguments):
    """What is seen on one."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([*RUN, BINARY, *map(str, arguments)], stdout=follower, stderr=subprocess.DEVNULL)
    os.close(follower)
    seen = b""
    try:
        while piece := os.read(leader, 65536):
            seen += piece
    except OSError:  # its other end was closed
        pass
    os.close(leader)
    assert process.wait(TIMEOUT) == 0
    return seen.decode().replace("\r\n", "\n")


def test_a_table_of_80_columns(tmp_path):
    (tmp_path / "plug.txt").write_text(plug() + "".join(
        "%d.500 rx %s\n" % (START_MS // 1000 + 1200 + i, frame(7, unit(50, i, VALUE)).hex(" ")) for i in range(9)))
    table = on_terminal("discover", tmp_path / "plug.txt")
    lines = table.splitlines()
    assert max(map(len, lines)) <= 80, table
    assert sorted(line[:6].rstrip() for line in lines if line.startswith("dp")) == ["dp 41", "dp 50", "dp 7", "dp 99"]
    words = " ".join(table.split())
    for line in run("discover", tmp_path / "plug.txt").stdout.splitlines():
        said = json.loads(line)
        for sentence in said.get("evidence", [said.get("cannot_tell")]) if said.get("rank", 1) == 1 else []:
            assert sentence in words
        if "level" in said and said["confidence"] >= 0.01:
            assert "%d %% %s" % (said["confidence"] * 100, said["level"]) in words


def test_help():
    result = run("discover", "--help")
    assert result.returncode == 0 and "--profile" in result.stdout
