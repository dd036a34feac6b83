"""`metergate discover` is told recordings of meters, and never what they are; what it says is held against the truth.

What can be known. The mains give the voltage its scale. The product of voltage and current gives the power a scale
relative to the current's, the integral of the power one to the energy's. A factor of ten that current, power and
energy have in common is nowhere in the numbers: only what meters are like can tell. So scales are drawn as the built-in
profiles have them, each combination as often as any other, and of two that differ by just such a factor the one that
more profiles have is demanded; a second group draws each scale by itself, and there only the ratios are demanded. In
both, and for everything else that meters report: what is called certain (level high) has to be true.

METERGATE_SEED gives other recordings, METERGATE_RECORDINGS says how many each random group has; what is judged wrong
is kept in the folder METERGATE_KEEP. tests/discover-table.sh prints the whole table."""
import datetime
import json
import os
import random
import select
import tty
from fractions import Fraction

import pytest
import gateway
import known_captures
import loads
import unknown_cases
from gateway import run, wait_until
from known_scales import Scales, mark_demanded, profile_rows
from player import Player
from referee import FACTOR, RIGHT, Score, discover, judge, verdict
from unknown_meter import ELECTRIC, Recording, frame, record

RECORDINGS = int(os.environ.get("METERGATE_RECORDINGS", "60"))
SEED = str(gateway.SEED)
ENOUGH = 0.95
COMMON_SCALES = [Fraction(1, 10), Fraction(1, 1000), Fraction(1, 10), Fraction(1, 100), None]
GAUGES = ("voltage_v", "current_a", "power_w")

needs_captures = pytest.mark.skipif(not known_captures.folder().is_dir(), reason="no captures of real meters here")
needs_traces = pytest.mark.skipif(not unknown_cases.traces_dir().is_dir(), reason="no traces of real loads here")


@pytest.fixture(scope="module")
def known():
    return Scales()


@pytest.fixture
def told(tmp_path):
    """told(text) writes a file and asks what it means."""
    def ask(text, *options):
        path = tmp_path / "unknown.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return discover(path, *options)
    return ask


def captures(with_profile):
    return [p.name for p in known_captures.files(with_profile)] if known_captures.folder().is_dir() else []


def show(rows):
    for row in rows:
        print(row)


# ---- captures of real meters

@needs_captures
@pytest.mark.parametrize("name", captures(True))
def test_captured_meter(name):
    capture = known_captures.Capture(known_captures.folder() / name)
    capture.mark()
    answer = discover(capture.path)
    rows = judge(capture, answer)
    show(rows)
    assert [str(row) for row in rows if row.wrong_and_high] == []
    assert [str(row) for row in rows if row.truth.demanded and row.verdict != RIGHT] == []
    for truth in capture.truths:
        assert truth.dp in answer.claims or truth.dp in answer.untold, truth


def with_product():
    """Those that tell their product from the meter's side."""
    return [name for name in captures(True) if '"p":' in (known_captures.folder() / name).read_text()]


@needs_captures
@pytest.mark.parametrize("name", with_product())
def test_the_product_says_nothing(name, tmp_path):
    """Neither without its answer nor with another meter's key does a capture mean anything else."""
    path = known_captures.folder() / name
    said = discover(path).lines
    for key in (None, "4x198rybhwtzirm7"):  # of a three-phase breaker
        other = known_captures.without_product(path, tmp_path / "other.hex", key)
        assert ("7b 22 70 22" in other.read_text()) == (key is not None)
        assert discover(other).lines == said


@needs_captures
@pytest.mark.parametrize("name", captures(False))
def test_captured_device_that_is_no_meter(name):
    capture = known_captures.Capture(known_captures.folder() / name)
    rows = judge(capture, discover(capture.path))
    show(rows)
    assert [str(row) for row in rows if row.level == "high" and row.claim.quantity in ELECTRIC] == []


# ---- random meters

def play(told, make, score, number):
    """One recording, told; it is kept where something about it is wrong."""
    rng = random.Random("%s %d" % (SEED, number))
    recording = make(rng)
    answer = told(recording.text())
    rows = judge(recording, answer)
    score.add(rows)
    keep = os.environ.get("METERGATE_KEEP")
    if keep and any(row.wrong_and_high or row.truth.demanded and row.verdict != RIGHT for row in rows):
        with open("%s/%s-%d.txt" % (keep, SEED, number), "w") as file:
            file.write("".join("# %s\n" % row for row in rows) + recording.text())
    for dp in recording.told:
        assert dp in answer.claims or dp in answer.untold, dp


def drawn(count, is_enough):
    """The numbers of that many recordings, or of up to ten where that is not enough: one alone may tell nothing."""
    for number in range(max(10, count)):
        if number >= count and is_enough():
            return
        yield number


def trial(told, make, count=RECORDINGS):
    print("# METERGATE_SEED=%s" % SEED)
    score = Score()
    for number in range(count):
        play(told, make, score, number)
    show(score.rows)
    print(score.summary())
    assert [str(row) for row in score.wrong_and_high()] == []
    return score


@needs_traces
def test_traces_with_scales_of_real_meters(told, known):
    tuples = sorted(known.tuples, key=str)
    score = trial(told, lambda rng: unknown_cases.from_traces(rng, known, rng.choice(tuples)))
    assert score.share(RIGHT) >= ENOUGH


@needs_traces
def test_a_peak_is_no_apparent_power(told, known):
    """Of a load that stays, the highest power so far lies where volts times amperes are."""
    rng = random.Random("4005 153")
    recording = unknown_cases.from_traces(rng, known, rng.choice(sorted(known.tuples, key=str)))
    assert any(truth.note == "peak power" for truth in recording.truths)
    rows = judge(recording, told(recording.text()))
    assert [str(row) for row in rows if row.wrong_and_high] == []


@needs_traces
@pytest.mark.parametrize("name, rows", [
    ("pzem_meter1", 6000), ("pzem_meter2", 6000), ("pzem_meter4", 6000), ("tuya_plug_2025-08-17", 40000),
    ("tuya_plug_2025-08-20", 40000), ("uci_house_1min_2007-01-02", 20000)])
def test_whole_trace(name, rows, told, known):
    """Half a day, or two weeks by the minute: what there is too much of is not what is looked at alone."""
    recording = unknown_cases.whole_trace(random.Random(name), name, rows, known, COMMON_SCALES)
    rows = judge(recording, told(recording.text()))
    show(rows)
    assert [str(row) for row in rows if row.wrong_and_high] == []
    assert [str(row) for row in rows if row.truth.quantity in GAUGES and row.verdict != RIGHT] == []


def test_households_with_scales_of_real_meters(told, known):
    tuples = sorted(known.tuples, key=str)
    score = trial(told, lambda rng: unknown_cases.made_up(rng, known, rng.choice(tuples)))
    assert score.share(RIGHT) >= ENOUGH


def any_scales(rng, known):
    return [rng.choice(known.single[i]) for i in range(4)] + [None]


def one_factor(rows):
    """Whether current, power and energy of each meter are wrong by one and the same factor, if at all."""
    factors = {}
    for row in rows:
        if row.truth.demanded and row.verdict in (RIGHT, FACTOR) and row.truth.quantity != "voltage_v":
            factors.setdefault((row.recording, row.truth.channel), set()).add(row.factor())
    return sum(len(f) == 1 for f in factors.values()) / len(factors) if factors else 1


def test_any_scales(told, known):
    def make(rng):
        recording = unknown_cases.made_up(rng, known, any_scales(rng, known))
        mark_demanded(recording, any_factor=True)
        return recording
    score = trial(told, make)
    assert score.share(RIGHT, FACTOR) >= ENOUGH
    assert one_factor(score.rows) >= ENOUGH


@pytest.mark.parametrize("kind", unknown_cases.FALSE_KINDS)
def test_what_only_looks_like_it(kind, told, known):
    """Batteries, apparent power, registers that begin again, power that only flows back: nothing of it is certain."""
    tuples = sorted(known.tuples, key=str)
    trial(told, lambda rng: unknown_cases.made_up(rng, known, rng.choice(tuples), kind), RECORDINGS // 3)


# ---- meters that our own simulator plays

LOADS = 40  # of each simulated meter


class Module:
    """The module's side of a simulated meter."""

    def __init__(self, rng, folder, profile):
        self.profile, self.meter = profile, Player(folder, profile, "--profile", profile, "--interval", "50ms")
        self.fd = os.open(self.meter.link, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        self.recording = Recording(profile, [], None)
        self.at_ms, self.rest, self.seen = 1795255200000, b"", []
        rows = profile_rows(run("profiles", "show", profile).stdout)
        channels = {row.get("channel", "") for row in rows if row.get("quantity") == "current_a" or "layout" in row}
        self.households = {c: loads.household(rng, LOADS) for c in sorted(channels) if c or len(channels) == 1}
        self.shown = {}

    def listen(self):
        """Takes what there is into the recording."""
        if select.select([self.fd], [], [], 0.02)[0]:
            self.rest += os.read(self.fd, 4096)
        while len(self.rest) >= 7 and len(self.rest) >= (size := 7 + int.from_bytes(self.rest[4:6], "big")):
            self.at_ms += 3
            self.recording.say(self.at_ms, self.rest[:size])
            self.seen.append(self.rest[3])
            self.rest = self.rest[size:]

    def ask(self, command, data=b"", answer=None):
        """Again and again: a meter that has just begun does not hear."""
        def answered():
            os.write(self.fd, frame(command, data, 0))
            for _ in range(10):
                self.listen()
                if (command if answer is None else answer) in self.seen:
                    return True
        self.seen.clear()
        wait_until(answered, interval=0)

    def start(self):
        for command, data in ((0, b""), (1, b""), (2, b""), (3, b"\4")):
            self.ask(command, data)
        self.meter.tell("set 230 1 200")
        self.ask(8, answer=7)

    def load(self, step):
        """Each channel has a load of its own. One like the last one is a tenth of a volt higher: a meter that sees no
        change reports nothing."""
        self.seen.clear()
        said = []
        for channel, household in self.households.items():
            load = household[step][1]
            values = {key: round(getattr(load, key)) for key in GAUGES}
            last = self.shown.get(channel, {"current_a": -1})
            if values["current_a"] == last["current_a"] and abs(values["voltage_v"] - last["voltage_v"]) < 100:
                values["voltage_v"] = last["voltage_v"] + 100
            said += ["%s%s=%.3f" % (channel and channel + ".", key, value / 1000) for key, value in values.items()]
            self.shown[channel] = values
        self.meter.tell("set " + " ".join(said))

    def report(self):
        def reported():
            self.listen()
            return 7 in self.seen
        wait_until(reported, interval=0)
        self.ask(0)  # what else belongs to this report comes before that
        self.at_ms += 1800

    def end(self):
        os.close(self.fd)
        self.meter.signal(15)
        assert self.meter.wait() == 0, self.meter.log()


@pytest.fixture
def modules(tmp_path):
    rng = random.Random(SEED)
    found = [Module(rng, tmp_path, profile) for profile in ("pj-mgw1103", "wmdl-2c", "pc473", "eampdw")]
    yield found
    for module in found:
        module.end()


def test_simulated_meters(told, known, modules, tmp_path):
    """What the simulator tells of loads that change; the truth is in the profile that it plays."""
    print("# METERGATE_SEED=%s" % SEED)
    for module in modules:
        module.start()
    for step in range(LOADS):
        for module in modules:
            module.load(step)
        for module in modules:
            module.report()
    for module in modules:
        path = tmp_path / "simulated.txt"
        path.write_text(module.recording.text())
        capture = known_captures.Capture(path, module.profile)
        capture.scales = known
        mark_demanded(capture)
        rows = judge(capture, told(module.recording.text()))
        show(rows)
        assert [str(row) for row in rows if row.wrong_and_high] == []
        assert [str(row) for row in rows if row.truth.demanded and row.truth.quantity in GAUGES
                and row.verdict != RIGHT] == []  # its energies go by the real clock


# ---- the profile of the guesses

@pytest.fixture
def profiled(tmp_path):
    """profiled(path) asks for a profile and returns the file, which check-config and decode have to take."""
    def ask(recording):
        result = run("discover", "--profile", recording)
        assert result.returncode == 0, result.stderr
        path = tmp_path / "discovered.yaml"
        path.write_text(result.stdout)
        config = tmp_path / "metergate.yaml"
        config.write_text("http: { listen: ['127.0.0.1:0'], access: open }\nmeters:\n"
                          "  - { id: main, protocol: tuyamcu, port: /dev/null, profile: %s }\n" % path)
        checked = run("check-config", config)
        assert checked.returncode == 0, checked.stderr + result.stdout
        return path
    return ask


def replayed(recording, profile):
    """All readings of a recording: series -> values."""
    result = run("decode", "--protocol", "tuyamcu", "--profile", profile, recording)
    assert result.returncode == 0, result.stderr
    seen = {}
    for line in result.stdout.splitlines():
        for key, value in json.loads(line).get("readings", {}).items():
            if key == "channels":
                for channel, part in value.items():
                    for name, number in part.items():
                        seen.setdefault((channel, name), []).append(number)
            else:
                seen.setdefault((None, key), []).append(value)
    return seen


@needs_captures
@pytest.mark.parametrize("name", ["pj-mgw1103-load-switch-stream-real.hex", "tac2121c-boot-real.hex"])
def test_profile_of_a_captured_meter(name, profiled):
    path = known_captures.folder() / name
    said, true = (replayed(path, p) for p in (profiled(path), known_captures.named_profile(path)))
    for quantity in GAUGES:
        assert true[None, quantity] in [values for key, values in said.items() if key[1] == quantity]


@pytest.mark.parametrize("kind", [unknown_cases.single, unknown_cases.clamps, unknown_cases.raw_phases])
def test_profile_of_an_unknown_meter(kind, known, told, profiled, tmp_path):
    """Where all is told rightly, the profile shows exactly what went onto the wire, with one name per channel."""
    shown = 0
    print("# METERGATE_SEED=%s" % SEED)
    for number in drawn(RECORDINGS // 10, lambda: shown):
        rng = random.Random("%s %d" % (SEED, number))
        recording = unknown_cases.made_up(rng, known, rng.choice(sorted(known.tuples, key=str)), kind)
        path = tmp_path / "recording.txt"
        path.write_text(recording.text())
        said = replayed(path, profiled(path))
        rows = judge(recording, discover(path))
        names = {}
        for row in rows:
            if not row.truth.demanded or row.verdict != RIGHT or row.level == "low":
                continue
            truth = row.truth
            series = [key for key, values in said.items() if key[1] == truth.quantity
                      and shows(values, truth, known)]
            assert series, (recording.name, str(row), {k: v[:3] for k, v in said.items()})
            names.setdefault(truth.channel, []).append({key[0] for key in series})
            shown += 1
        for channel, found in names.items():
            assert channel is None or set.intersection(*found) - {None} or {None} in found, (recording.name, names)
    assert shown > 0


def shows(values, truth, known):
    """Whether these readings are those of the truth; zeros of the start may be shown or not, and a power whose
    direction is told after it is shown from the next one on."""
    wanted = [abs(number * truth.scale) for number in truth.series if number]
    got = [abs(Fraction(str(value))) for value in values if value]
    return got == wanted or (truth.quantity == "power_w" and got == wanted[1:])


# ---- bad input

def check_refusal(result, *words):
    assert result.returncode == 1, result
    assert len(result.stderr.splitlines()) == 1 and all(word in result.stderr for word in words), result.stderr


def test_nothing_is_in_it(told):
    rng = random.Random(SEED)
    noise = "".join(rng.randbytes(32).hex(" ") + "\n" for _ in range(300))
    for text in ("", "\n", "# kind: frames\n", "# kind: stream\n55\n", "# kind: stream\n" + noise):
        assert told(text).lines == []


def test_what_is_no_recording(tmp_path):
    check_refusal(run("discover", tmp_path / "missing"), "missing")
    check_refusal(run("discover", tmp_path))
    path = tmp_path / "text"
    path.write_text("Dear meter,\n")
    check_refusal(run("discover", path), "%s:1:" % path)
    for wrong in (["discover"], ["discover", path, path], ["discover", "--protocol", "morse", path],
                  ["discover", "--nonsense", path], ["discover", "--known", "no-such-meter", path]):
        result = run(*wrong)
        assert result.returncode == 2 and result.stderr and not result.stdout, (wrong, result)


def household(rng, known):
    scales = (Fraction(1, 10), Fraction(1, 1000), Fraction(1), Fraction(1, 100), None)
    return unknown_cases.made_up(rng, known, scales, unknown_cases.single)


def test_another_protocol(told, known):
    text = household(random.Random(SEED), known).text()
    assert told(text, "--protocol", "vue").lines == []


@needs_captures
def test_a_protocol_whose_values_are_known(told):
    """A Vue tells what its attributes are."""
    text = (known_captures.folder().parent / "vue" / "stream-startup-synthetic.hex").read_text()
    for line in told(text, "--protocol", "vue").lines:
        assert line.get("level") != "high", line


def test_cut_anywhere(known):
    """An end in the middle of a line or frame."""
    rng = random.Random(SEED)
    text = household(rng, known).text()
    for _ in range(max(2, RECORDINGS // 10)):
        cut = text[:rng.randrange(len(text))]
        result = run("discover", "-", input=cut)
        line = ":%d:" % len(cut.splitlines())
        assert result.returncode == 0 or (result.returncode == 1 and line in result.stderr), result


def spoiled(told, known, seed, share):
    """What is said of a household when that share of its frames has another checksum."""
    rng = random.Random(seed)
    recording = household(rng, known)
    lines = [line[:-2] + "%02X" % rng.randrange(256) if rng.random() < share else line
             for line in recording.lines]
    rows = judge(recording, told("\n".join(lines)))
    show(rows)
    return [str(row) for row in rows if row.wrong_and_high]


# In the first two the reactive power is of the active one's size, and what got lost hid the active one.
@pytest.mark.parametrize("seed, share", [("x119", 0.05), ("x468", 0.1), (SEED, 0.2)])
def test_spoiled_frames(told, known, seed, share):
    assert spoiled(told, known, seed, share) == []
    for number in range(RECORDINGS // 10):
        assert spoiled(told, known, "%s %d" % (seed, number), share) == []


def shift(text, jumps):
    """The recording with its clock wrong: from line n on it is so many hours ahead."""
    lines = []
    for n, line in enumerate(text.splitlines()):
        hours = sum(h for at, h in jumps if n >= at)
        when = datetime.datetime.fromisoformat(line[:23]) + datetime.timedelta(hours=hours)
        lines.append(when.isoformat(timespec="milliseconds") + line[23:])
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("hours", [-1, -24 * 365, 24 * 365 * 20, 5])
def test_clock_that_jumps(told, known, hours):
    """What is told of voltage, current and power does not depend on the clock; of energies nothing is called certain
    that is not so."""
    compared = 0
    for number in drawn(RECORDINGS // 20, lambda: compared):
        recording = household(random.Random("%s %d" % (SEED, number)), known)
        middle = len(recording.lines) // 2
        rows = judge(recording, told(shift(recording.text(), [(middle, hours)])))
        before = {row.truth: row.verdict for row in judge(recording, told(recording.text()))}
        show(rows)
        assert [str(row) for row in rows if row.wrong_and_high] == []
        gauges = [row for row in rows if before[row.truth] == RIGHT and row.truth.quantity in GAUGES]
        assert [str(row) for row in gauges if row.verdict != RIGHT] == []
        compared += len(gauges)
    assert compared > 0


def test_a_million_lines(tmp_path, known):
    """A file of any length is read in bounded memory, and in a time that only grows with it."""
    rng = random.Random(SEED)
    load, take = loads.household(rng, 1000), unknown_cases.numbers(rng)
    scales = (Fraction(1, 10), Fraction(1, 1000), Fraction(1), None, None)
    recording = record(rng, "long", unknown_cases.channel_points(rng, take, load, scales), load, known)
    mark_demanded(recording)
    wanted, path = RECORDINGS * 1000000 // 60, tmp_path / "long.txt"
    times = [datetime.datetime.fromisoformat(line[:24]).timestamp() for line in recording.lines]
    lines = [(at - times[0], line[24:] + "\n") for at, line in zip(times, recording.lines)][recording.boot:]
    begin, n = times[0], 0
    with open(path, "w") as file:
        while n < wanted:
            file.writelines("%.3f%s" % (begin + at, line) for at, line in lines)
            begin += lines[-1][0] + 2
            n += len(lines)
    answer = discover(path)
    for truth in recording.truths:
        assert truth.demanded and verdict(truth, answer.claim(truth)) == RIGHT, truth
