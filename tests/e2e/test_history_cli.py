"""metergate history: import and export are exact both ways, info counts, verify finds damage and nothing else."""
import csv
import gzip
import io
import json
import random
import shutil
import subprocess
from decimal import Decimal

import pytest
from gateway import RUN, SEED, TIMEOUT, command, open_files, run, shared_dir, wait_until

PAGE = 4096
START_MS = 1795255200000  # 2026-11-21T10:00:00Z

# Column of the trace, series, decimal places of its integers.
VOLTAGE, CURRENT, POWER = ("voltage_dV", "voltage_v", 1), ("current_mA", "current_a", 3), ("power_dW", "power_w", 1)
PZEM = [VOLTAGE, CURRENT, POWER, ("frequency_dHz", "frequency_hz", 1), ("pf_pct", "power_factor", 2)]
TRACEBASE = [("power_1s_dW", "power_w", 1), ("power_8s_dW", "s8.power_w", 1)]
TRACES = [
    ("tuya_plug_2025-08-17", [VOLTAGE, CURRENT, POWER], 0.8),
    ("tuya_plug_2025-08-20", [VOLTAGE, CURRENT, POWER], 0.8),
    ("pzem_meter1", PZEM, 0.8), ("pzem_meter2", PZEM, 0.8), ("pzem_meter3", PZEM, 0.8), ("pzem_meter4", PZEM, 0.8),
    ("tracebase_fridge", TRACEBASE, 1.0), ("tracebase_pc", TRACEBASE, 1.0), ("tracebase_tv", TRACEBASE, 1.0),
    ("tracebase_washer", TRACEBASE[:1], 1.0),
    ("uci_house_1min_2007-01-02", [("voltage_cV", "voltage_v", 2), CURRENT, ("power_W", "power_w", 0),
                                   ("reactive_var", "reactive_power_var", 0)], 1.0),
]


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "history"


def history(*args, status=0, **options):
    result = run("history", *args, **options)
    assert result.returncode == status, result.stdout + result.stderr
    return result


def fill(directory, text, *options, meter="main", size="2MiB", status=0):
    return history("import", "--directory", directory, "--meter", meter, "--size", size, *options, "-", input=text,
                   status=status)


def export(directory, *options, meter="main", **more):
    return history("export", "--directory", directory, "--meter", meter, *options, **more).stdout


def info(directory):
    return json.loads(history("info", "--json", "--directory", directory).stdout)


def verify(directory, status=0):
    return history("verify", "--directory", directory, status=status).stdout


def table(text):
    """Rows of a CSV with numbers as numbers."""
    rows = list(csv.reader(io.StringIO(text)))
    return rows[0], [[Decimal(field) if field else None for field in row] for row in rows[1:]]


def decimal_text(integer, places):
    digits = str(abs(integer)).rjust(places + 1, "0")
    text = digits[:-places] + "." + digits[-places:] if places else digits
    return ("-" if integer < 0 else "") + text


# ---- real traces ----

def trace_text(name, columns, max_rows):
    path = shared_dir() / "data" / (name + ".csv.gz")
    if not path.exists():
        pytest.skip("no " + str(path))
    lines = ["t_ms," + ",".join(series for _, series, _ in columns)]
    last = None
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            at_ms = int(row["ts"]) * 1000
            # Two rows of one second are told apart, as the gateway would.
            last = at_ms if last is None or at_ms > last else last + 100
            lines.append("%d,%s" % (last, ",".join(decimal_text(int(row[c]), places) for c, _, places in columns)))
            if len(lines) > max_rows:
                break
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name,columns,max_bytes", TRACES, ids=[t[0] for t in TRACES])
def test_traces_come_back_as_they_went_in(tmp_path, directory, name, columns, max_bytes):
    text = trace_text(name, columns, 2000 if RUN else 10 ** 9)
    trace = tmp_path / "trace.csv"
    trace.write_text(text)
    history("import", "--directory", directory, "--meter", "main", "--size", "16MiB", trace)
    header, rows = table(text)
    assert table(export(directory)) == (header, rows)
    assert verify(directory).endswith("all is well\n")
    raw = info(directory)["tiers"]["raw"]
    assert raw["samples"] == len(rows) * len(columns)
    # A part of a trace leaves most of its last page empty.
    assert RUN or raw["bytes_per_sample"] <= max_bytes


# ---- forms ----

def test_names_times_and_order(directory):
    fill(directory, '\ufefftime , "s8.power_w",voltage_v,l1.energy_import_kwh\r\n'
                    '2026-11-21T10:00:00Z,-17.70,230.1,12.345678\r\n'
                    '"2026-11-21T12:00:00.1+02:00", ,"230.1",\r\n\r\n'
                    '2026-11-21T10:00:00.200000Z,,,\r\n'
                    '2026-11-21 10:00:00.300Z,999999999.999,0,12.3456790')
    assert export(directory).splitlines() == [
        "t_ms,s8.power_w,voltage_v,l1.energy_import_kwh", "1795255200000,-17.7,230.1,12.345678",
        "1795255200100,,230.1,", "1795255200300,999999999.999,0,12.345679"]
    meter = info(directory)["meters"][0]
    assert meter["series"] == ["s8.power_w", "voltage_v", "l1.energy_import_kwh"]
    assert [s["hold_s"] for s in meter["schemas"]] == [60]


HEADER_MISTAKES = [
    ("", "stdin:1:1: empty"),
    ("t_ms\n", "stdin:1:1: no series"),
    ("power_w,t_ms\n", 'stdin:1:1: the first column is "power_w"; expected t_ms'),
    ("t_ms,power_w,power\n", 'stdin:1:14: there is no series "power"; expected one such as power_w'),
    ("t_ms,power_w,voltage_v, power_w\n", "stdin:1:25: power_w stands here twice"),
    ("t_ms,L1.power_w\n", 'stdin:1:6: there is no series "L1.power_w"'),
    ("t_ms,.power_w\n", 'stdin:1:6: there is no series ".power_w"'),
    ("t_ms,channel10.power_w\n", 'stdin:1:6: there is no series "channel10.power_w"'),
    ("t_ms," + ",".join("c%d.power_w" % i for i in range(65)) + "\n", "stdin:1:764: more than 64 series"),
    ('t_ms,"power_w\n', "stdin:1:6: a quote without its end"),
]


@pytest.mark.parametrize("text,message", HEADER_MISTAKES)
def test_mistakes_in_the_header(directory, text, message):
    result = fill(directory, text, status=2)
    assert message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not directory.exists()


ROW_MISTAKES = [
    ("2050,1", "stdin:3:1: the time 2050 is finer than 100 ms"),
    ("1000,1", "stdin:3:1: the time 1000 is that of the row before"),
    ("900,1", "stdin:3:1: the time 900 is before that of the row before"),
    ("-100,1", "stdin:3:1: the time -100 "),
    ("4294967295000,1", "stdin:3:1: the time 4294967295000 lies outside the years 1970 to 2105"),
    ("1e3,1", 'stdin:3:1: "1e3" is no time; expected milliseconds since 1970'),
    ("2000,1.0001", "stdin:3:6: power_w: 1.0001 has more than 3 decimals"),
    ("2000, 0x10", 'stdin:3:7: power_w: "0x10" is no decimal number'),
    ("2000,1000000000000.001", "stdin:3:6: power_w: 1000000000000.001 cannot be stored: too large"),
    ("2000,99999999999999999999", "stdin:3:6: power_w: 99999999999999999999 cannot be stored: too large"),
    ("2000", "stdin:3:1: 1 fields; expected 2"),
    ("2000,1,", "stdin:3:1: 3 fields; expected 2"),
]


@pytest.mark.parametrize("row,message", ROW_MISTAKES)
def test_mistakes_in_a_row(directory, row, message):
    result = fill(directory, "t_ms,power_w\n1000,1\n%s\n5000,2\n" % row, status=1)
    assert message in result.stderr and result.stderr.splitlines()[-1].endswith("; rows imported before it: 1")
    assert export(directory) == "t_ms,power_w\n1000,1\n"


def test_mistakes_in_times(directory):
    for time, message in [("2026-11-21T10:00:00.1001Z", "is finer than 100 ms"), ("2026-11-21", "is no time"),
                          ("2026-11-21T10:00:00", "is no time"), ("1795255200000", "is no time")]:
        result = fill(directory, "time,power_w\n%s,1\n" % time, status=1)
        assert "stdin:2:1: " in result.stderr and message in result.stderr


def test_older_than_what_is_there(directory):
    fill(directory, "t_ms,power_w\n1000,1\n2000,2\n")
    for time in ("2000", "1500"):
        result = fill(directory, "t_ms,power_w\n%s,3\n" % time, status=1)
        assert "stdin:2:1: the time %s is not after what meter main has already" % time in result.stderr
    fill(directory, "t_ms,power_w\n1500,7\n", meter="other")
    fill(directory, "t_ms,voltage_v,power_w\n2100,230,3\n")
    assert export(directory) == "t_ms,power_w,voltage_v\n1000,1,\n2000,2,\n2100,3,230\n"
    assert verify(directory).endswith("all is well\n")


# ---- counters ----

def test_counters_grow_over_resets_and_imports(directory):
    fill(directory, "t_ms,energy_import_kwh,power_w\n1000,5,1\n2000,6.5,\n3000,,3\n4000,0.25,\n")
    result = fill(directory, "t_ms,power_w,energy_import_kwh\n5000,1,\n6000,6.5,1.25\n", "--name", "The main one")
    assert result.stdout == "main (The main one): 2 rows, 3 values\n"
    assert export(directory, "--series", "energy_import_kwh") == (
        "t_ms,energy_import_kwh\n1000,5\n2000,6.5\n4000,0.25\n6000,1.25\n")
    lines = export(directory, "--format", "openmetrics").splitlines()
    assert [line for line in lines if line.startswith("metergate_energy")] == [
        'metergate_energy_imported_joules_total{meter="main"} %d %d' % sample
        for sample in [(18000000, 1), (23400000, 2), (24300000, 4), (27900000, 6)]]
    assert lines[-1] == "# EOF"
    steps = export(directory, "--step", "2s", "--series", "energy_import_kwh", "--agg", "delta,last")
    assert steps.splitlines()[1:] == ["0,6.5,1.5", "2000,6.75,0.25", "4000,7.75,1", "6000,,"]
    assert verify(directory).endswith("all is well\n")


# ---- export ----

def test_export_options(tmp_path, directory):
    fill(directory, "t_ms,power_w,voltage_v\n%s" % "".join(
        "%d,%d,%s\n" % (START_MS + 1000 * i, i, 230 if i % 2 else "") for i in range(120)))
    assert export(directory, "--series", "voltage_v,power_w", "--from", "2026-11-21T10:00:10Z",
                  "--to", "%d" % (START_MS // 1000 + 12)) == (
        "t_ms,voltage_v,power_w\n%d,,10\n%d,230,11\n" % (START_MS + 10000, START_MS + 11000))
    minutes = export(directory, "--step", "1min", "--agg", "avg,max,count")
    assert minutes == ("t_ms,power_w.avg,power_w.max,power_w.count,voltage_v.avg,voltage_v.max,voltage_v.count\n"
                       "%d,29.5,59,60,230,230,30\n%d,89.5,119,60,230,230,30\n" % (START_MS, START_MS + 60000))
    lines = export(directory, "--format", "ndjson", "--to", "2026-11-21T10:00:02Z").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"t_ms": START_MS, "power_w": 0, "voltage_v": None},
        {"t_ms": START_MS + 1000, "power_w": 1, "voltage_v": 230}]
    assert export(directory, "--from", "2027-01-01T00:00:00Z") == "t_ms,power_w,voltage_v\n"
    out = tmp_path / "out.csv"
    assert export(directory, "--out", out) == ""
    assert out.read_text() == export(directory)
    assert "cannot be written" in history("export", "--directory", directory, "--meter", "main", "--out", tmp_path,
                                          status=1).stderr


def test_export_mistakes(directory):
    fill(directory, "t_ms,power_w,energy_import_kwh\n1000,1,1\n")
    for options, message in [
            (["--meter", "other"], "has no meter 'other'; it has main"),
            (["--series", "power_w,volts"], "has no series 'volts'; it has power_w, energy_import_kwh"),
            (["--step", "1"], "--step: '1'; expected raw or a duration"),
            (["--agg", "mean"], "--agg: 'mean'; expected avg, min"),
            (["--step", "1min", "--agg", "avg", "--series", "energy_import_kwh"], "avg does not apply"),
            (["--step", "1min", "--agg", "min,max", "--format", "openmetrics"], "openmetrics carries one aggregate"),
            (["--format", "json"], "--format: 'json'; expected csv, ndjson or openmetrics"),
            (["--from", "yesterday"], "--from: 'yesterday'; expected now"),
            (["--from", "2000", "--to", "1000"], "--from must lie before --to")]:
        result = history("export", "--directory", directory, "--meter", "main", *options, status=2)
        assert message in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_takes_the_export(tmp_path, directory):
    rows = ["%d,%d.5,%d,230.1" % (START_MS + 1000 * i, i, i * 1000) for i in range(300)]
    fill(directory, "t_ms,power_w,energy_import_kwh,l1.voltage_v\n" + "\n".join(rows) + "\n")
    for name, options in [("raw", []), ("minutes", ["--step", "1min"])]:
        export(directory, "--format", "openmetrics", "--out", tmp_path / name, *options)
        result = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", tmp_path / name,
                                 tmp_path / (name + ".tsdb")], capture_output=True, text=True, timeout=TIMEOUT)
        assert result.returncode == 0, result.stderr


# ---- beside others ----

def opened(process, path):
    """Whether it has this file open."""
    assert process.poll() is None
    return str(path.resolve()) in open_files(process.pid)


def test_one_writer_and_any_readers(directory):
    fill(directory, "t_ms,power_w\n1000,1\n")
    writer = subprocess.Popen(command("history", "import", "--directory", directory, "--meter", "main", "-"),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        # The header is looked at before the history is opened; the file is opened when the lock is held.
        writer.stdin.write("t_ms,power_w\n")
        writer.stdin.flush()
        wait_until(lambda: opened(writer, directory / "history.ring"))
        assert "in use by process %d" % writer.pid in fill(directory, "t_ms,power_w\n", status=1).stderr
        assert export(directory) == "t_ms,power_w\n1000,1\n"
        assert info(directory)["samples"] == 1
        assert verify(directory).endswith("all is well\n")
        writer.stdin.write("2000,2\n")
        assert writer.communicate(timeout=TIMEOUT)[0] == "main: 1 rows, 1 values\n"
    finally:
        writer.kill()
        writer.wait()
    assert export(directory) == "t_ms,power_w\n1000,1\n2000,2\n"


def test_nothing_there(tmp_path, directory):
    for subcommand in (["info"], ["verify"], ["export", "--meter", "main"]):
        assert str(directory) in history(*subcommand, "--directory", directory, status=1).stderr
    fill(directory, "t_ms,power_w\n")
    empty = info(directory)
    assert (empty["samples"], empty["bytes_used"], empty["bytes_per_sample"], empty["oldest"], empty["meters"]) == (
        0, 0, None, None, [])
    assert empty["bytes_allocated"] == (directory / "history.ring").stat().st_size == 2 << 20
    assert verify(directory).endswith("all is well\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / "history.ring").write_bytes(b"no history" * 5000)
    for subcommand in (["info"], ["verify"], ["export", "--meter", "main"]):
        assert "history.ring: not a history file" in history(*subcommand, "--directory", other, status=1).stderr
    assert (other / "history.ring").read_bytes() == b"no history" * 5000


def test_a_file_keeps_its_size(directory):
    fill(directory, "t_ms,power_w\n1000,1\n", size="3MiB")
    fill(directory, "t_ms,power_w\n2000,1\n", size="8MiB")
    assert (directory / "history.ring").stat().st_size == 3 << 20
    for size in ("1MiB", "17GiB", "big"):
        assert "--size" in fill(directory, "", size=size, status=2).stderr


# ---- damage ----

def noise(n, seed=1):
    """Rows that do not compress, with counters that are reset now and then."""
    rand = random.Random(seed)
    energy = 0
    lines = ["t_ms,voltage_v,power_w,energy_import_kwh"]
    for i in range(n):
        energy = 0 if rand.random() < 0.0005 else energy + rand.randrange(10000)
        lines.append("%d,%d.%03d,%d.%03d,%s" % (START_MS + 1000 * i, 220 + rand.randrange(20), rand.randrange(1000),
                                               rand.randrange(-3000, 3000), rand.randrange(1000),
                                               decimal_text(energy, 6)))
    return lines


def pages(path, tier):
    """Offsets of the sealed pages of a tier by their seq."""
    data = path.read_bytes()
    found = {}
    for at in range(0, len(data), PAGE):
        page = data[at:at + PAGE]
        if page[:4] == b"HPG1" and page[16:20] == bytes(4) and page[20] == tier:
            found[int.from_bytes(page[8:16], "little")] = at
    return found


def spoil(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def test_a_ring_that_went_round(directory):
    lines = noise(20000 if RUN else 150000)
    text = "\n".join(lines) + "\n"
    for i, meter in enumerate(("main", "second")):
        fill(directory, text if i else "\n".join(lines[:1000]) + "\n", meter=meter)
    rows = export(directory, meter="second").splitlines()
    assert rows[0] == lines[0]
    assert table("\n".join(rows))[1] == table("\n".join(lines[:1] + lines[-(len(rows) - 1):]))[1]
    assert RUN or len(rows) < len(lines)
    assert verify(directory).endswith("all is well\n")
    assert RUN or info(directory)["oldest_ms"] < int(rows[1].split(",")[0])


def test_a_bucket_of_which_a_part_was_overwritten(directory):
    """A minute in which another schema took over lies in two pages. Without the first of them the rows tell of it."""
    rand = random.Random(4)
    header = "t_ms," + ",".join("c%d.power_w" % i for i in range(60))
    times = [START_MS, START_MS + 10000, *range(START_MS + 20000, START_MS + 10 ** 8, 60000)]
    lines = ["%d,%s" % (at, ",".join(decimal_text(rand.randrange(10 ** 6), 3) for _ in range(60))) for at in times]

    first = ["--step", "1min", "--to", "%d" % (START_MS // 1000 + 300), "--series", "c7.power_w"]

    def add(n, hold):
        fill(directory, "\n".join([header, *lines[:n]]) + "\n", "--hold", hold)
        del lines[:n]

    add(2, "30s")
    add(250, "60s")
    minutes = export(directory, *first)
    tier = info(directory)["tiers"]["1min"]
    add(250 * (tier["pages"] - 3) // tier["pages_used"] - 250, "60s")
    while 0 in pages(directory / "history.ring", 1):
        add(2, "60s")
    assert min(pages(directory / "history.ring", 1)) == 1
    assert export(directory, *first) == minutes
    assert verify(directory).endswith("all is well\n")


def fill_pages(directory, tier):
    """So that the tier has several pages; returns the lines."""
    lines = noise(9000, seed=2)
    if tier > 0:
        lines[1:] = ["%d,%s" % (START_MS + 60000 * i, line.split(",", 1)[1]) for i, line in enumerate(lines[1:])]
    fill(directory, "\n".join(lines) + "\n", size="8MiB")
    assert verify(directory).endswith("all is well\n")
    return lines


DAMAGE = [(0, "raw", "first"), (0, "raw", "inner"), (0, "raw", "last"), (1, "1min", "first"), (1, "1min", "inner"),
          (2, "15min", "first"), (2, "15min", "inner")]


@pytest.mark.parametrize("tier,name,which", DAMAGE)
def test_damage_is_found_and_told(directory, tier, name, which):
    lines = fill_pages(directory, tier)
    path = directory / "history.ring"
    found = pages(path, tier)
    seqs = sorted(found)
    assert seqs[0] == 0 and len(seqs) > 2
    seq = {"first": 0, "inner": len(seqs) // 2, "last": seqs[-1]}[which]
    spoil(path, found[seq] + 2000)
    said = verify(directory, status=1)
    assert "%s: page %d is damaged\n" % (name, seq) in said
    assert "%s: main: lost " % name in said and said.endswith("damaged\n")
    assert "; from " not in said, "a difference beside:\n" + said
    before, after = table("\n".join(lines))[1], table(export(directory))[1]
    assert all(row in before for row in after[:50] + after[-50:])
    assert (len(after) == len(before)) == (tier > 0)
    assert info(directory)["tiers"][name]["pages_damaged"] == 1


def test_the_newest_minutes_are_made_again(directory):
    fill_pages(directory, 1)
    before = export(directory, "--step", "1min")
    found = pages(directory / "history.ring", 1)
    spoil(directory / "history.ring", found[max(found)] + 2000)
    assert verify(directory).endswith("all is well\n")
    assert export(directory, "--step", "1min") == before


def test_every_page_spoiled(directory):
    """What was not in a full page yet is left, and new rows go on behind it."""
    lines = fill_pages(directory, 0)
    path = directory / "history.ring"
    for at in pages(path, 0).values():
        spoil(path, at + 1000)
    assert "raw: main: lost " in verify(directory, status=1)
    rows = export(directory).splitlines()
    assert 1 < len(rows) < len(lines) / 4
    assert info(directory)["samples"] == 3 * (len(rows) - 1)
    fill(directory, "t_ms,power_w\n%d,1\n" % (START_MS + 10 ** 9))
    assert export(directory).splitlines() == rows + ["%d,,1," % (START_MS + 10 ** 9)]


class Writer:
    """Rows of several meters in one stretch of time, fast and slow, with values missing here and there."""

    def __init__(self, rand):
        self.rand, self.at_ms, self.energy = rand, START_MS - 10 ** 11, 0

    def rows(self):
        rand, step = self.rand, self.rand.choice([1000, 1000, 10000, 60000])
        lines = []
        for _ in range(rand.randrange(500, 2000 if RUN else 30000)):
            self.at_ms += step * rand.choice([1, 1, 1, 2, 5])
            self.energy = 0 if rand.random() < 0.001 else self.energy + rand.randrange(5000)
            lines.append("%d,%s,%s,%s" % (
                self.at_ms, rand.choice(["", "230.%d" % rand.randrange(1, 10)]),
                decimal_text(rand.randrange(1, 10 ** 6), 3), rand.choice(["", decimal_text(self.energy, 6)])))
        return lines


def test_imports_killed_at_random(tmp_path, directory):
    """Whatever moment it is: what is left are the first rows, the tiers are those of the rows, counters go on."""
    rand = random.Random(SEED)
    writer = Writer(rand)
    csv_file = tmp_path / "rows.csv"
    for _ in range(4 if RUN else 12):
        meter, hold = rand.choice(["main", "second"]), rand.choice(["60s", "60s", "30s"])
        lines = writer.rows()
        csv_file.write_text("t_ms,voltage_v,power_w,energy_import_kwh\n" + "\n".join(lines) + "\n")
        process = subprocess.Popen(command("history", "import", "--directory", directory, "--meter", meter, "--hold",
                                           hold, "--size", "2MiB", csv_file),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            process.communicate(timeout=rand.random() / 2 if rand.random() < 0.6 else TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        assert process.returncode in (0, -9)
        if process.returncode and not (directory / "history.ring").exists():
            continue
        assert verify(directory).endswith("all is well\n")
        if process.returncode == 0:
            last = export(directory, "--from", "%d" % (int(lines[0].split(",")[0]) // 1000), meter=meter)
            header, rows = table(last)
            given = table("t_ms,voltage_v,power_w,energy_import_kwh\n" + "\n".join(lines))[1]
            assert rows == given[len(given) - len(rows):] and len(rows) > 0


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize("tier", [0, 1, 2])
def test_wrong_content_with_a_right_checksum(directory, tier):
    """What a page says is compared with the other tiers: a change is found, or it changes nothing."""
    fill_pages(directory, 1)
    path = directory / "history.ring"
    found = pages(path, tier)
    at = found[len(found) // 2]
    good = path.read_bytes()
    everything = [["--step", "raw"], ["--step", "1min"], ["--step", "15min"]]
    before = [export(directory, *options) for options in everything]
    rand = random.Random(tier)
    used = int.from_bytes(good[at + 24:at + 26], "little")
    n_found = 0
    for _ in range(6):
        page = bytearray(good[at:at + PAGE])
        page[rand.randrange(100, used)] ^= 1 << rand.randrange(8)
        page[4:8] = crc32c(page[8:]).to_bytes(4, "little")
        path.write_bytes(good[:at] + page + good[at + PAGE:])
        status = run("history", "verify", "--directory", directory).returncode
        assert status in (0, 1)
        assert status == 1 or [export(directory, *options) for options in everything] == before
        n_found += status
    assert n_found >= 3


# ---- usage ----

def test_help_and_usage():
    for words in ([], ["info"], ["verify"], ["export"], ["import"]):
        assert history(*words, "--help").stdout.startswith("Usage: metergate history")
        assert history(*words, status=2).stderr
    assert "unknown command 'look'" in history("look", status=2).stderr
    for words in (["info", "--directory"], ["info", "--directory", "x", "y"], ["verify", "--deep"],
                  ["import", "--directory", "x", "--meter", "UPPER", "-"], ["import", "--directory", "x", "-"],
                  ["import", "--directory", "x", "--meter", "m", "--hold", "0s", "-"]):
        assert history(*words, status=2).stderr
