"""metergate correlate: the field that holds a known value, from files, for programs and on a terminal."""
import json
import os
import pty
import random
import subprocess

import pytest
from gateway import TIMEOUT, command, run, shared_dir

START = 1795255200  # 2026-11-21T10:00:00Z


def correlate(*args, status=0, **options):
    options.setdefault("env", {**os.environ, "TZ": "UTC"})
    result = run("correlate", *args, **options)
    assert result.returncode == status, result.stdout + result.stderr
    if status:
        assert result.stdout == "" and len(result.stderr.splitlines()) == 1, result.stderr
        return result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return lines[:-1], lines[-1]["summary"]


def tuya(dp, value):
    data = bytes([dp, 2, 0, 4]) + value.to_bytes(4, "big", signed=True)
    frame = bytes([0x55, 0xAA, 3, 7, 0, len(data)]) + data
    return frame + bytes([sum(frame) & 0xFF])


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Datapoint 116 is the power in 0.1 W; the app is 40 s behind, and its clock an hour ahead."""
    folder = tmp_path_factory.mktemp("pair")
    rng, power, capture, rows = random.Random(11), 1500, [], ["Date;Power (W)"]
    for i in range(120):
        power = rng.randrange(100, 30000) if rng.random() < 0.2 else max(10, power + rng.randrange(-90, 91))
        at = "%d.%03d" % (START + 5 * i, rng.randrange(900))
        capture.append("%s rx %s" % (at, tuya(116, power).hex()))
        capture.append("%s rx %s" % (at, tuya(20, 2300 + rng.randrange(-30, 31)).hex()))
        for second in range(5):
            t = START + 5 * i + second + 40 + 3600
            watts = ("%.1f" % (power / 10)).replace(".", ",")
            rows.append("21.11.2026 %02d:%02d:%02d;%s" % (t // 3600 % 24, t // 60 % 60, t % 60, watts))
    (folder / "a.cap").write_text("\n".join(capture) + "\n")
    (folder / "a.csv").write_text("\n".join(rows) + "\n")
    return folder / "a.cap", folder / "a.csv"


def test_the_published_pair():
    folder = shared_dir() / "captures" / "vue" / "discovery"
    if not folder.is_dir():
        pytest.skip("no shared captures")
    text = (folder / "v7-real-derived.expect.txt").read_text()
    expected = dict(word.split("=") for word in text.split("expect:")[1].split())
    fields, summary = correlate("--protocol", "vue", "--unit", "kW", folder / "v7-real-derived.sniff.txt",
                                folder / "v7-real-derived.csv")
    best = fields[0]
    assert best["rank"] == 1 and best["decided"] is True and best["signed"] is None
    assert best["offset"] == int(expected["offset"]) and best["width"] == int(expected["width"])
    assert best["endian"] == expected["endian"] and best["scale"] == float(expected["scale_kw"])
    assert best["lag_s"] == [int(s) for s in expected["lag_window_s"].split(":")]
    assert (best["matched"], best["total"], best["unit"], best["quantity"]) == (8, 8, "kW", "power_w")
    assert any(u.startswith("sign") for u in best["undecided"])
    assert any(u.startswith("width: 2 ") for u in best["undecided"])
    assert summary["packets"] == 10 and summary["pairs"] == 8 and summary["holes"] == 1
    assert any("8 packets" in w for w in summary["warnings"])


def test_datapoints(pair):
    fields, summary = correlate(*pair)
    best = fields[0]
    assert list(best) == ["rank", "group", "length", "offset", "width", "endian", "signed", "sign_magnitude", "scale",
                          "intercept", "unit", "quantity", "lag_s", "zone_offset_s", "matched", "total", "max_error",
                          "tolerance", "by_chance", "decided", "undecided"]
    assert (best["group"], best["length"], best["offset"], best["width"], best["endian"]) == ("dp 116", 4, 0, 4, "be")
    assert (best["scale"], best["unit"], best["decided"], best["zone_offset_s"]) == (0.1, "W", True, 3600)
    assert best["lag_s"][0] <= 40 <= best["lag_s"][1] and best["matched"] == best["total"]
    assert summary["groups"] == 2 and summary["packets"] == 240 and summary["column"] == "Power (W)"
    assert any("1:00 h ahead" in w for w in summary["warnings"])


def test_the_zone_of_this_host(pair):
    """The same clock, once it is known where it stands."""
    fields, summary = correlate(*pair, env={**os.environ, "TZ": "Europe/Berlin"})
    assert fields[0]["zone_offset_s"] == 0 and fields[0]["group"] == "dp 116"
    assert not any("zone" in w for w in summary["warnings"])


def test_stdin_and_top(pair):
    capture, known = pair
    fields, _ = correlate("--top", 1, "-", known, input=capture.read_text())
    assert len(fields) == 1 and fields[0]["group"] == "dp 116"
    fields, _ = correlate("--top", "1", capture, "-", input=known.read_text())
    assert len(fields) == 1 and fields[0]["group"] == "dp 116"


def test_truncated_packets_are_counted(pair, tmp_path):
    lines = pair[0].read_text().splitlines()
    for i in range(0, 60, 6):
        lines[i] = lines[i][:-6]
    (tmp_path / "cut.cap").write_text("\n".join(lines) + "\n")
    fields, summary = correlate(tmp_path / "cut.cap", pair[1])
    assert summary["dropped"] >= 10 and summary["packets"] == 230
    assert fields[0]["group"] == "dp 116" and fields[0]["matched"] == fields[0]["total"]


def test_which_column_was_meant(pair, tmp_path):
    """Values that have nothing to do with it may fit by chance: that is said, and what else could be compared."""
    rng = random.Random(3)
    rows = ["t,Solar (W),Mains (W)"] + ["%d,%d,5" % (START + i, rng.randrange(9000)) for i in range(0, 600, 20)]
    (tmp_path / "two.csv").write_text("\n".join(rows) + "\n")
    fields, summary = correlate(pair[0], tmp_path / "two.csv")
    assert not any(field["decided"] for field in fields)
    assert any("by chance" in w or "no field" in w for w in summary["warnings"])
    assert "'Solar (W)' was compared; --column takes others: Mains (W)" in summary["warnings"]


def test_nothing_follows(pair, tmp_path):
    (tmp_path / "flat.csv").write_text("t,W\n" + "".join("%d,5\n" % (START + i) for i in range(600)))
    fields, summary = correlate(pair[0], tmp_path / "flat.csv")
    assert fields == [] and summary["distinct"] == 1
    assert any(w.startswith("no field follows these values, up to two minutes") for w in summary["warnings"])


def terminal(*args):
    """What is shown on a terminal, line by line."""
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", closefd=True) as screen:
        process = subprocess.Popen(command("correlate", *args), stdout=follower, stderr=subprocess.DEVNULL,
                                   env={**os.environ, "TZ": "UTC"})
        os.close(follower)
        text = b""
        try:
            while chunk := os.read(screen.fileno(), 4096):
                text += chunk
        except OSError:  # the other end has gone
            pass
        assert process.wait(TIMEOUT) == 0
    return text.decode().splitlines()


def test_on_a_terminal(pair):
    lines = terminal(*pair)
    assert lines[0].split() == ["RANK", "SURE", "PART", "OFFSET", "WIDTH", "ORDER", "SIGN", "SCALE", "LAG", "S", "MATCHED"]
    assert lines[1].split()[:9] == ["1", "yes", "dp", "116[4]", "0", "4", "be", "?", "0.1"]
    assert "beware: the CSV's clock" in "\n".join(lines)


def test_eighty_columns(pair, tmp_path):
    """Also where there is much to beware of, and where a header brings commands for the terminal."""
    rows = ["t,first\x1b[2Jcolumn with a long name,second (W)," + ",".join("more %d" % i for i in range(20))]
    rows += ["%d,x,%s" % (START + i, ",".join(["N/A" if i % 7 == 0 else str(i * i % 97)] * 21)) for i in range(600)]
    (tmp_path / "wide.csv").write_text("\n".join(rows) + "\n")
    lines = terminal(pair[0], tmp_path / "wide.csv")
    assert max(map(len, lines)) <= 80, lines
    assert "\x1b" not in "".join(lines)
    text = " ".join(line.strip() for line in lines)
    assert "85 cells with values hold no number, such as 'N/A'" in text
    assert "'second (W)' was compared; --column takes others: more 0, more 1," in text and text.endswith(tuple("0123456789"))


@pytest.mark.parametrize("capture, known, words", [
    ("a.cap", "none.csv", ["none.csv", "No such file"]),
    ("none.cap", "a.csv", ["none.cap", "No such file"]),
    ("empty", "a.csv", ["empty", "no frame of tuyamcu", "--protocol"]),
    ("a.cap", "empty", ["empty", "no row with a time"]),
    ("untimed", "a.csv", ["untimed", "no time"]),
    ("a.cap", "later.csv", ["do not overlap", "9 d 2", "time zone"]),
    ("a.cap", "words.csv", ["words.csv", "no row with a value", "--column"]),
])
def test_bad_files(pair, tmp_path, capture, known, words):
    (tmp_path / "a.cap").write_text(pair[0].read_text())
    (tmp_path / "a.csv").write_text(pair[1].read_text())
    (tmp_path / "empty").write_text("")
    (tmp_path / "untimed").write_text(tuya(1, 5).hex() + "\n")
    (tmp_path / "later.csv").write_text("t,W\n%d,5\n" % (START + 10 * 86400))
    (tmp_path / "words.csv").write_text("t,name\n%d,x\n" % START)
    error = correlate(tmp_path / capture, tmp_path / known, status=1)
    for word in words:
        assert word in error


@pytest.mark.parametrize("args, words", [
    (["a"], ["CAPTURE and CSV"]),
    (["a", "b", "c"], ["CAPTURE and CSV"]),
    (["-", "-"], ["only one"]),
    (["--protocol", "morse", "a", "b"], ["morse", "tuyamcu, vue"]),
    (["--unit", "furlong", "a", "b"], ["--unit", "furlong", "kWh"]),
    (["--top", "0", "a", "b"], ["--top", "1 to 32"]),
    (["--tolerance", "-1", "a", "b"], ["--tolerance", "-1"]),
])
def test_bad_usage(args, words):
    error = correlate(*args, status=2)
    for word in words:
        assert word in error


def test_a_column_that_is_not_there(pair):
    error = correlate("--column", "voltage", *pair, status=1)
    assert "voltage" in error and "1 to 2" in error and "Power (W)" in error
