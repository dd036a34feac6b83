"""Electrical loads over time for tests: stretches of real traces (../shared/data), or made-up households."""
import functools
import gzip
import math

# Trace columns end in their unit: resolution in mV, mA, mW, mvar.
UNITS = {"dV": 100, "cV": 10, "mA": 1, "W": 1000, "dW": 100, "var": 1000}


class Load:
    """One moment of one channel; mV, mA, mW (negative: export), mvar, mHz."""

    def __init__(self, voltage, current, power, reactive, frequency=50000):
        self.voltage_v, self.current_a, self.power_w = voltage, current, power
        self.reactive_power_var, self.frequency_hz = reactive, frequency

    @property
    def power_factor(self):
        apparent = self.voltage_v * self.current_a
        return min(1000, max(-1000, self.power_w * 1000000 // apparent)) if apparent else 0


@functools.lru_cache(maxsize=None)
def trace_lines(path):
    with gzip.open(path, "rt") as file:
        return file.read().splitlines()


def trace(path, first, count):
    """That stretch as (seconds, {kind: value}), and the steps in which the recorder counted."""
    head, lines = trace_lines(path)[0], trace_lines(path)[1 + first:1 + first + count]
    names, columns = head.split(","), {}
    for i, name in enumerate(names):
        kind, _, unit = name.rpartition("_")
        kind = {"power_1s": "power", "reactive": "reactive"}.get(kind, kind)
        if kind in ("voltage", "current", "power", "reactive"):
            columns[kind] = (i, UNITS[unit])
    rows = []
    for line in lines:
        fields = line.split(",")
        rows.append((int(fields[0]), {k: int(fields[i]) * factor for k, (i, factor) in columns.items()}))
    steps = {kind: factor for kind, (_, factor) in columns.items()}
    return rows, steps


def switchings(powers):
    """How often a load went up or down by more than a fifth."""
    return sum(abs(b - a) > 0.2 * max(abs(a), abs(b)) for a, b in zip(powers, powers[1:]))


def smooth(rng, rows, steps):
    """Values between the steps of the recorder: what a finer meter would have shown."""
    def dither(value, step):
        return max(0, value + rng.randrange(-(step // 2), step // 2 + 1)) if value else 0
    for _, row in rows:
        for kind in row:
            row[kind] = dither(row[kind], steps[kind])


def complete(rng, rows):
    """Loads from what the trace knows. Without a current, a power factor that goes with the load gives it."""
    factor_full, idle_watts = rng.uniform(0.62, 0.99), rng.uniform(2, 60)
    wander, loads = rng.uniform(225, 241) * 1000, []
    nominal, hertz = wander, 50000
    for seconds, row in rows:
        power = row["power"]
        wander += rng.gauss(0, 90) + (nominal - wander) * 0.02
        hertz = min(50200, max(49800, hertz + rng.gauss(0, 8)))
        voltage = row.get("voltage", round(wander - power / 1e6 * 900))
        if "reactive" in row:
            current = math.hypot(power, row["reactive"]) * 1000 / voltage
        elif "current" in row:
            current = row["current"]
        else:
            watts = power / 1000
            current = power * 1000 / voltage / (factor_full * (watts + 1) / (watts + 1 + idle_watts * 0.3))
        apparent = voltage * current / 1000
        reactive = row.get("reactive", math.sqrt(max(0, apparent * apparent - power * power)))
        if loads and loads[-1][0] == seconds * 1000:
            loads.pop()  # recorders stamp two rows alike now and then
        loads.append((seconds * 1000, Load(voltage, round(current), power, round(reactive), round(hertz))))
    return loads


def household(rng, count, period_s=1):
    """A made-up load: appliances that switch and wander, each with its own power factor."""
    appliances = [(rng.uniform(20, 2200), rng.uniform(0.5, 1), rng.uniform(0.005, 0.06))
                  for _ in range(rng.randrange(2, 6))]
    running = [rng.random() < 0.4 for _ in appliances]
    volts, hertz, rows, seconds = rng.uniform(224, 240), 50.0, [], 1795255200 + rng.randrange(10 ** 6)
    nominal = volts
    for _ in range(count):
        volts += rng.gauss(0, 0.15) + (nominal - volts) * 0.02
        hertz = min(50.2, max(49.8, hertz + rng.gauss(0, 0.008)))
        power = reactive = 0
        for i, (watts, factor, change) in enumerate(appliances):
            if rng.random() < change:
                running[i] = not running[i]
            if running[i]:
                active = watts * (volts / 230) ** 2 * rng.gauss(1, 0.01)
                power, reactive = power + active, reactive + active * math.tan(math.acos(factor))
        power, reactive = power + 3, reactive + 8
        v = volts - power / 4000
        current = math.hypot(power, reactive) / v
        rows.append((seconds * 1000, Load(round(v * 1000), round(current * 1000), round(power * 1000),
                                          round(reactive * 1000), round(hertz * 1000))))
        seconds += period_s
    return rows


def with_solar(rng, loads):
    """A generator behind the same meter: now and then more comes back than goes in."""
    peak, phase = max(load.power_w for _, load in loads) * rng.uniform(0.8, 1.6), rng.uniform(20, 200)
    result = []
    for i, (at, load) in enumerate(loads):
        power = round(load.power_w - peak * max(0, math.sin(i / phase)) * rng.uniform(0.9, 1))
        current = round(math.hypot(power, load.reactive_power_var) * 1000 / load.voltage_v)
        result.append((at, Load(load.voltage_v, current, power, load.reactive_power_var, load.frequency_hz)))
    return result
