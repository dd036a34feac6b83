"""Unknown meters made of loads, scales and distractors: which kinds there are."""
from fractions import Fraction

import gateway
import loads as electric
from known_scales import mark_demanded
from unknown_meter import (BOOL, ENUM, HOUR_MS, VALUE, Point, Truth, distractors, flows, increments, phase, reading,
                           record, registers)

TRACES = (  # a file of ../shared/data, rows of a stretch (few of the plug's rows differ from the one before)
    ("pzem_meter1", 2000), ("pzem_meter2", 2000), ("pzem_meter4", 2000), ("tracebase_fridge", 2000),
    ("tracebase_pc", 2000), ("tracebase_tv", 2000), ("tracebase_washer", 2000), ("uci_house_1min_2007-01-02", 2500),
    ("uci_house_1min_2007-01-02", 600),
    ("tuya_plug_2025-08-17", 6000), ("tuya_plug_2025-08-20", 6000),
)


def traces_dir():
    return gateway.shared_dir() / "data"


class Source:
    """Where loads come from: a trace, or a made-up household where name is None."""

    def __init__(self, rng, name=None, rows=0):
        self.rng, self.name, self.rows = rng, name, rows

    def __str__(self):
        return self.name or "household"

    def loads(self, count=None):
        rng = self.rng
        if self.name is None:
            return electric.household(rng, count or rng.choice([60, 150, 400, 1000]), rng.choice([1, 2, 10]))
        path = traces_dir() / (self.name + ".csv.gz")
        size = len(electric.trace_lines(path)) - 1
        count = count or int(self.rows * rng.choice([0.03, 0.1, 0.3, 1]))
        for _ in range(rng.choice([1, 12, 12, 12])):  # mostly a stretch in which something happens
            rows, steps = electric.trace(path, rng.randrange(size - count), count)
            if electric.switchings([row["power"] for _, row in rows]) >= 8:
                break
        if rng.random() < 0.5 or "current" not in rows[0][1]:
            electric.smooth(rng, rows, steps)
        return electric.complete(rng, rows)


class Whole(Source):
    """A trace from its beginning, as it was measured, up to so many rows."""

    def loads(self, count=None):
        path = traces_dir() / (self.name + ".csv.gz")
        return electric.complete(self.rng, electric.trace(path, 0, count or self.rows)[0])


def numbers(rng):
    """take() gives a datapoint number that says nothing."""
    free = rng.sample(range(1, 256), 100)
    return free.pop


def extras(rng, take, loads, points):
    """Readings beside the three."""
    def of(name):
        return lambda step: getattr(loads[step][1], name)
    if rng.random() < 0.3:
        points.append(reading(take(), "frequency_hz", rng.choice([Fraction(1, 100), Fraction(1, 10)]),
                              of("frequency_hz")))
    if rng.random() < 0.3:
        points.append(reading(take(), "power_factor", rng.choice([Fraction(1, 100), Fraction(1, 1000)]),
                              lambda step: abs(loads[step][1].power_factor)))
    if rng.random() < 0.2:
        points.append(reading(take(), "reactive_power_var", Fraction(1), of("reactive_power_var")))


def channel_points(rng, take, loads, scales, channel=None, directed=False, voltage=True):
    """The readings of one channel; scales: (voltage, current, power, energy, increment)."""
    volts, amperes, watts, energy, increment = scales
    points = []
    if voltage:
        points.append(reading(take(), "voltage_v", volts, lambda step: loads[step][1].voltage_v,
                              channel if voltage is not True else None))
    points.append(reading(take(), "current_a", amperes, lambda step: loads[step][1].current_a, channel))
    points.append(reading(take(), "power_w", watts, lambda step: loads[step][1].power_w, channel, magnitude=directed))
    exports = any(load.power_w < 0 for _, load in loads)
    if energy:
        points += registers(rng, take, loads, energy, exports, channel)
    if increment and not exports:
        points.append(increments(take(), loads, increment, rng.choice([60000, 300000])))
    if directed:
        dp = take()
        points.append(Point(dp, rng.choice([BOOL, ENUM]), lambda step: int(loads[step][1].power_w < 0),
                            Truth(dp, "direction", Fraction(1), channel)))
    return points


def single(rng, source, scales):
    """One phase, numbered readings; now and then with a generator behind it, and then with or without a direction."""
    loads, take = source.loads(), numbers(rng)
    directed = False
    if rng.random() < 0.25:
        loads, directed = electric.with_solar(rng, loads), rng.random() < 0.5
    points = channel_points(rng, take, loads, scales, None, directed)
    extras(rng, take, loads, points)
    return loads, points, take


def clamps(rng, source, scales):
    """Two clamps on one voltage, perhaps their sum."""
    a, b = source.loads(), source.loads()
    n, take = min(len(a), len(b)), numbers(rng)
    for i in range(n):  # one clock, one voltage: the current goes with it
        load = b[i][1]
        volts = a[i][1].voltage_v
        b[i] = (a[i][0], electric.Load(volts, round(load.current_a * load.voltage_v / volts), load.power_w,
                                       load.reactive_power_var))
    a, b = a[:n], b[:n]
    points = channel_points(rng, take, a, scales, "a")
    points += channel_points(rng, take, b, scales, "b", voltage=False)
    if rng.random() < 0.5:
        points.append(reading(take(), "power_w", scales[2], lambda step: a[step][1].power_w + b[step][1].power_w))
    return a, points, take


def three(source, rng):
    """Three phases at the same moments."""
    phases = [source.loads() for _ in range(3)]
    n = min(map(len, phases))
    return [[(phases[0][i][0], p[i][1]) for i in range(n)] for p in phases]


def phases(rng, source, scales):
    found, take, points = three(source, rng), numbers(rng), []
    for name, loads in zip(("l1", "l2", "l3"), found):
        points += channel_points(rng, take, loads, scales, name, voltage="own")
    if rng.random() < 0.5:
        points.append(reading(take(), "power_w", scales[2], lambda step: sum(p[step][1].power_w for p in found)))
    return found[0], points, take


def raw_phases(rng, source, scales):
    """Phase data as bytes, of one or three phases, in one of the known layouts."""
    form, take, points = rng.choice(["phase8", "phase8", "phase10", "vcpqff", "pqfcv"]), numbers(rng), []
    watts = rng.choice([None, Fraction(1, 10)]) if form in ("phase8", "phase10") else None
    found = three(source, rng) if rng.random() < 0.5 else [source.loads()]
    for name, loads in zip(("l1", "l2", "l3") if len(found) == 3 else (None,), found):
        points.append(phase(take(), form, lambda step, loads=loads: loads[step][1], name, watts))
    if rng.random() < 0.7:
        energy = registers(rng, take, [(at, Sum([p[i][1] for p in found])) for i, (at, _) in enumerate(found[0])],
                           scales[3] or Fraction(1, 100))
        points += energy
    return found[0], points, take


class Sum:
    def __init__(self, loads):
        self.power_w = sum(load.power_w for load in loads)


# ---- meters that are not what they look like

def direct_current(rng, source, scales):
    """A battery: V * I is P at all times, and there is no mains voltage."""
    nominal = rng.choice([12.6, 23.9, 25.4, 48.5, 50.1, 52.8])
    watts, loads = 0, []
    for i in range(rng.choice([60, 200, 800])):
        if rng.random() < 0.15:
            watts = rng.choice([5, 20, 60, 150, 300]) * rng.uniform(0.9, 1.1)
        volts = nominal - watts / nominal * 0.01 + rng.gauss(0, 0.01)
        milliamperes = round(watts / volts * 1000)
        loads.append((1795255200000 + 2000 * i,
                      electric.Load(round(volts * 1000), milliamperes, round(volts * milliamperes), 0, 0)))
    take = numbers(rng)
    scales = (rng.choice([Fraction(1, 10), Fraction(1, 100)]), rng.choice([Fraction(1, 100), Fraction(1, 1000)]),
              rng.choice([Fraction(1), Fraction(1, 10), Fraction(1, 100)]), scales[3], None)
    return loads, channel_points(rng, take, loads, scales), take


def apparent_only(rng, source, scales):
    """It tells voltage, current and their product, and no power."""
    loads, take = source.loads(), numbers(rng)
    points = channel_points(rng, take, loads, scales[:3] + (None, None))
    points.pop()
    points.append(reading(take(), "apparent_power_va", scales[2],
                          lambda step: loads[step][1].voltage_v * loads[step][1].current_a // 1000))
    return loads, points, take


def begins_again(rng, source, scales):
    """Registers of a day or an hour, one of which may begin again; a total may be there, too."""
    loads, take = source.loads(), numbers(rng)
    points = channel_points(rng, take, loads, scales[:3] + (scales[3] if rng.random() < 0.5 else None, None))
    sums, dp, share = flows(loads)[0], take(), rng.choice([0.3, 0.7, 2])
    reset, base = int(len(loads) * share), rng.randrange(10 ** 7)
    scale = rng.choice([Fraction(1, 100), Fraction(1, 1000)])

    def today(step):
        flown = base + sums[step] // HOUR_MS if step < reset else (sums[step] - sums[reset]) // HOUR_MS
        return int(flown / (1000000 * scale))
    points.append(Point(dp, VALUE, today, Truth(dp, note="energy today")))
    return loads, points, take


def wraps(rng, source, scales):
    """A total that is cleared, or comes to its end, within the recording."""
    loads, take = source.loads(), numbers(rng)
    points = channel_points(rng, take, loads, scales[:3] + (None, None))
    sums, dp, scale = flows(loads)[0], take(), rng.choice([Fraction(1, 100), Fraction(1, 1000)])
    half = int(sums[len(sums) // 2] / HOUR_MS / (1000000 * scale))
    size = rng.choice([65536, 100000, 1000000])
    truth = Truth(dp, "energy_import_kwh", scale)

    def total(step):
        truth.every.append((size - half + int(sums[step] / HOUR_MS / (1000000 * scale))) % size)
        return truth.every[-1]
    points.append(Point(dp, VALUE, total, truth))
    return loads, points, take


def constants(rng, source, scales):
    """A house in which nothing happens."""
    loads, take = source.loads(), numbers(rng)
    loads = [(at, loads[0][1]) for at, _ in loads]
    points = channel_points(rng, take, loads, scales)
    points.append(reading(take(), "frequency_hz", Fraction(1, 100), lambda step: 50000))
    points.append(reading(take(), "power_factor", Fraction(1, 1000), lambda step: 1000))
    return loads, points, take


def doubled(rng, source, scales):
    """A breaker of one phase that tells its power twice, and its energy."""
    loads, take = source.loads(), numbers(rng)
    points = [phase(take(), "phase8", lambda step: loads[step][1])]
    points.append(reading(take(), "power_w", rng.choice([Fraction(1), Fraction(1, 10)]),
                          lambda step: loads[step][1].power_w))
    points += registers(rng, take, loads, scales[3] or Fraction(1, 100))
    return loads, points, take


def one_way(rng, source, scales):
    """Power comes back all the time, and the direction says so once; or nearly so."""
    loads, take = source.loads(), numbers(rng)
    directed, exports = rng.random() < 0.7, rng.choice([0.5, 0.9, 1])
    loads = [(at, electric.Load(l.voltage_v, l.current_a, -l.power_w if i < exports * len(loads) else l.power_w,
                                l.reactive_power_var)) for i, (at, l) in enumerate(loads)]
    return loads, channel_points(rng, take, loads, scales, None, directed), take


FALSE_KINDS = (direct_current, apparent_only, begins_again, wraps, constants, doubled, one_way)

KINDS = (single, single, clamps, phases, raw_phases)


def make(rng, source, known, scales, kind=None, product=None):
    kind = kind or rng.choice(KINDS)
    loads, points, take = kind(rng, source, scales)
    points += distractors(rng, take, loads, rng.randrange(0, 10))
    name = "%s, %s, %d rows, scales %s" % (source, kind.__name__, len(loads),
                                           "/".join(format(float(s), "g") if s else "-" for s in scales))
    recording = record(rng, name, points, loads, known, product)
    mark_demanded(recording)
    return recording


def from_traces(rng, known, scales, kind=None):
    name, rows = rng.choice(TRACES)
    return make(rng, Source(rng, name, rows), known, scales, kind)


def whole_trace(rng, name, rows, known, scales):
    """One phase of a trace with a register, and nothing beside it but what is no reading."""
    def alone(rng, source, scales):
        loads, take = source.loads(), numbers(rng)
        return loads, channel_points(rng, take, loads, scales), take
    return make(rng, Whole(rng, name, rows), known, scales, alone)


def made_up(rng, known, scales, kind=None):
    return make(rng, Source(rng), known, scales, kind)
