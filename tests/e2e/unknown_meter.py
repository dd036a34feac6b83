"""Recordings of TuyaMCU meters that nobody knows, with what is true about each of their datapoints: numbers, frames,
rhythm, registers, directions, phases, raw layouts, and datapoints that only look like a reading, drawn at random."""
import datetime
from fractions import Fraction

from fake_mcu import BITMAP, BOOL, ENUM, RAW, STRING, VALUE, frame, unit

MILLI = {"voltage_v": 1000, "current_a": 1000, "power_w": 1000, "reactive_power_var": 1000, "frequency_hz": 1000,
         "apparent_power_va": 1000,
         "power_factor": 1000, "temperature_c": 1000, "energy_import_kwh": 1000000, "energy_export_kwh": 1000000}
HOUR_MS = 3600000
ELECTRIC = ("voltage_v", "current_a", "power_w", "energy_import_kwh", "energy_export_kwh")



class Truth:
    """What a datapoint, or a field of its bytes, says: quantity in units of scale; no quantity: nothing to claim."""

    def __init__(self, dp, quantity=None, scale=None, channel=None, layout=None, offset=None, width=None, note=""):
        self.dp, self.quantity, self.scale, self.channel = dp, quantity, scale, channel
        self.layout, self.offset, self.width, self.note = layout, offset, width, note
        self.demanded = False
        self.every = []         # raw numbers, one for each step
        self.series = []        # those that went onto the wire

    def __repr__(self):
        where = "" if self.offset is None else "+%d" % self.offset
        return "dp %d%s %s" % (self.dp, where, "%s x %g" % (self.quantity, self.scale) if self.quantity
                               else self.note)


# ---- datapoints

class Point:
    """A datapoint: its type, and its value at a moment: at(step) -> number, bytes or text."""

    def __init__(self, dp, kind, at, *truths, due=None):
        self.dp, self.kind, self.at, self.truths = dp, kind, at, truths
        self.due = due  # due(step): it is told then and only then


def to_raw(value, quantity, scale):
    """A value in the catalogue's resolution as the meter counts it."""
    return round(value / (MILLI[quantity] * scale))


def reading(dp, quantity, scale, value, channel=None, magnitude=False):
    """A numbered reading; value(step) in the catalogue's resolution."""
    truth = Truth(dp, quantity, scale, channel)

    def at(step):
        number = to_raw(value(step), quantity, scale)
        number = abs(number) if magnitude else number
        truth.every.append(number)
        return number
    return Point(dp, VALUE, at, truth)


LAYOUTS = {  # field: (offset, width, scale); as the datapoint's length and the first bytes tell them
    "phase8": (8, {"voltage_v": (0, 2, "0.1"), "current_a": (2, 3, "0.001"), "power_w": (5, 3, "1")}),
    "phase10": (10, {"voltage_v": (0, 2, "0.1"), "current_a": (2, 3, "0.001"), "power_w": (5, 3, "1")}),
    "vcpqff": (15, {"voltage_v": (0, 2, "0.1"), "current_a": (2, 3, "0.001"), "power_w": (5, 3, "0.1"),
                    "reactive_power_var": (8, 3, "0.1"), "power_factor": (11, 2, "0.001"),
                    "frequency_hz": (13, 2, "0.001")}),
    "pqfcv": (15, {"power_w": (1, 3, "1"), "reactive_power_var": (5, 3, "1"), "power_factor": (8, 2, "0.001"),
                   "current_a": (10, 3, "0.001"), "voltage_v": (13, 2, "0.1")}),
}


def phase(dp, form, load, channel=None, power_scale=None):
    """Raw bytes of a phase; load(step) -> Load."""
    size, fields = LAYOUTS[form]
    truths = {}
    for quantity, (offset, width, scale) in fields.items():
        scale = power_scale if power_scale and quantity == "power_w" else Fraction(scale)
        truths[quantity] = Truth(dp, quantity, scale, channel, form, offset, width)

    def at(step):
        data, now = bytearray(size), load(step)
        for quantity, (offset, width, _) in fields.items():
            truth = truths[quantity]
            number = to_raw(getattr(now, quantity), quantity, truth.scale)
            truth.every.append(number)
            if form == "pqfcv":
                if quantity in ("power_w", "reactive_power_var") and number < 0:
                    data[offset - 1] = 1
                number = abs(number)
            data[offset:offset + width] = (number & (256 ** width - 1)).to_bytes(width, "big")
        return bytes(data)
    return Point(dp, RAW, at, *truths.values())


def flows(loads):
    """mW ms imported and exported up to each step: the power of a row holds until the next."""
    sums = ([0], [0])
    for (t, load), (after, _) in zip(loads, loads[1:]):
        for sign, parts in zip((1, -1), sums):
            parts.append(parts[-1] + max(0, sign * load.power_w) * (after - t))
    return sums


def registers(rng, take, loads, scale, export=False, channel=None):
    """Counters of energy, which began long ago."""
    points = []
    for quantity, sums in list(zip(("energy_import_kwh", "energy_export_kwh"), flows(loads)))[:2 if export else 1]:
        points.append(register(take(), quantity, scale, channel, rng.randrange(10 ** 9), sums))
    return points


def register(dp, quantity, scale, channel, base, sums):
    truth = Truth(dp, quantity, scale, channel)

    def at(step):
        truth.every.append(int((base + sums[step] // HOUR_MS) / (MILLI[quantity] * scale)))
        return truth.every[-1]
    return Point(dp, VALUE, at, truth)


def increments(dp, loads, scale, every_ms):
    """Energy since the last report, told now and then and by itself."""
    truth, sums = Truth(dp, "energy_import_kwh", scale, note="increment"), flows(loads)[0]
    state = {"told": 0, "at": loads[0][0]}

    def total(step):
        return int(sums[step] // HOUR_MS / (MILLI["energy_import_kwh"] * scale))

    def at(step):
        truth.every.append(total(step) - state["told"])
        return truth.every[-1]

    def due(step):
        if loads[step][0] - state["at"] < every_ms or truth.every[-1] == 0:
            return False
        state.update(told=total(step), at=loads[step][0])
        return True
    return Point(dp, VALUE, at, truth, due=due)


# ---- datapoints that are no reading

def constant(take, rng, note, values, kind=VALUE):
    value, dp = rng.choice(values), take()
    return Point(dp, kind, lambda step: value, Truth(dp, note=note))


def wandering(take, note, kind, function):
    dp = take()
    return Point(dp, kind, function, Truth(dp, note=note))


def temperature(take, scale, function):
    dp = take()
    return Point(dp, VALUE, function, Truth(dp, "temperature_c", scale))


def distractors(rng, take, loads, count):
    """What else meters report."""
    start, state = loads[0][0], {}

    def seconds(step):
        return (loads[step][0] - start) // 1000

    def relay(step):
        state["relay"] = not state.get("relay", False) if rng.random() < 0.01 else state.get("relay", True)
        return int(state["relay"])

    def counter(step):
        state["count"] = state.get("count", 3000) + (rng.random() < 0.2)
        return state["count"]

    def walk(name, low, high, pace):
        def at(step):
            state[name] = min(high, max(low, state.get(name, rng.uniform(low, high)) + rng.gauss(0, pace)))
            return round(state[name])
        return at

    begin = rng.choice([3600, 60, 86400])
    wait = rng.randrange(20, 200)
    makers = [
        lambda: constant(take, rng, "power limit", [20000, 18000, 3600]),
        lambda: constant(take, rng, "voltage limit", [265, 2650, 175, 1750]),
        lambda: constant(take, rng, "report interval", [5, 10, 60]),
        lambda: constant(take, rng, "calibration", [1000, 32768, 10000, 7740, 2318]),
        lambda: constant(take, rng, "relay count", [1, 2, 3], ENUM),
        lambda: constant(take, rng, "meter number", ["22490068", "SN0007"], STRING),
        lambda: constant(take, rng, "limits", [bytes.fromhex("0101003C030100F5040100B40800001E")], RAW),
        lambda: constant(take, rng, "last month", [bytes.fromhex("160B160B00000B04")], RAW),
        lambda: wandering(take, "relay", BOOL, relay),
        lambda: wandering(take, "fault", BITMAP, lambda step: 8 if rng.random() < 0.02 else 0),
        lambda: wandering(take, "countdown", VALUE, lambda step: max(0, begin - seconds(step))),
        lambda: wandering(take, "uptime", VALUE, seconds),
        lambda: temperature(take, Fraction(1), walk("degrees", 18, 60, 0.2)),
        lambda: temperature(take, Fraction(1, 10), walk("tenths", 180, 600, 1)),
        lambda: wandering(take, "events", VALUE, counter),
        lambda: wandering(take, "mode", ENUM, lambda step: rng.randrange(3) if step % wait == 0 else 0),
        lambda: wandering(take, "signal", VALUE, walk("signal", -90, -40, 1)),
        lambda: wandering(take, "leakage", VALUE, walk("leakage", 0, 12, 0.5)),
        lambda: wandering(take, "noise", VALUE, lambda step: rng.randrange(5000)),
        lambda: wandering(take, "balance", VALUE, lambda step: 50000 - step // 7),
        lambda: wandering(take, "text", STRING,
                          lambda step: "%x" % rng.randrange(1 << 48) if step % wait == 0 else "-"),
        lambda: wandering(take, "cost", VALUE, lambda step: 12 + step // 50),
    ]
    makers += false_friends(rng, take, loads, walk)
    return [make() for make in rng.sample(makers, min(count, len(makers)))]


def drifting(take, rng, note, low, high, pace):
    """What is measured, slowly, and happens to lie there."""
    state = {"now": rng.uniform(low, high)}

    def at(step):
        state["now"] = min(high, max(low, state["now"] + rng.gauss(0, pace)))
        return round(state["now"])
    return wandering(take, note, VALUE, at)


def false_friends(rng, take, loads, walk):
    """What lies where a mains voltage, a frequency or a register does, and is none."""
    def watts(step):
        return loads[step][1].power_w // 1000

    def peak(step):
        return max(abs(watts(i)) for i in range(max(0, step - 400), step + 1))

    def mean(step):
        last = [watts(i) for i in range(max(0, step - 10), step + 1)]
        return sum(last) // len(last)

    begin = loads[0][0] // 1000
    return [
        lambda: temperature(take, Fraction(1, 10), walk("room", 215, 245, 0.6)),
        lambda: temperature(take, Fraction(1, 100), walk("fine room", 2150, 2450, 4)),
        lambda: temperature(take, Fraction(1, 100), walk("fine", 4970, 5030, 3)),
        lambda: temperature(take, Fraction(1, 10), walk("box", 493, 507, 0.6)),
        lambda: drifting(take, rng, "humidity", 480, 520, 1),
        lambda: drifting(take, rng, "fine humidity", 4980, 5030, 3),
        lambda: drifting(take, rng, "percent", 40, 60, 0.5),
        lambda: drifting(take, rng, "battery mV", 2900, 3100, 2),
        lambda: drifting(take, rng, "battery of 24 V", 2300, 2500, 3),
        lambda: drifting(take, rng, "battery of 12 V", 1180, 1300, 2),
        lambda: drifting(take, rng, "battery of 48 V", 495, 505, 0.6),
        lambda: drifting(take, rng, "light", 200, 260, 4),
        lambda: wandering(take, "clock", VALUE, lambda step: loads[step][0] // 1000),
        lambda: wandering(take, "second of the day", VALUE, lambda step: loads[step][0] // 1000 % 86400),
        lambda: wandering(take, "timer", VALUE, lambda step: 2400 - (loads[step][0] // 1000 - begin) % 200),
        lambda: wandering(take, "peak power", VALUE, peak),
        lambda: wandering(take, "mean power", VALUE, mean),
        lambda: wandering(take, "load", VALUE, lambda step: watts(step) * 100 // 3600),
    ]


# ---- a recording

class Recording:
    """Lines of a capture, and the truths about its datapoints."""

    def __init__(self, name, points, scales):
        self.name, self.points, self.scales, self.lines = name, points, scales, []
        self.boot = 0     # lines of the start
        self.told = set()  # numbers of datapoints
        self.truths = [truth for point in points for truth in point.truths]

    def text(self):
        return "\n".join(self.lines) + "\n"

    def say(self, at_ms, data, direction="rx"):
        when = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.timezone.utc)
        time = when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23]
        self.lines.append("%sZ %s %s" % (time, direction, data.hex(" ").upper()))


def boot(rng, recording, at_ms, product):
    """What comes first: heartbeats, perhaps a product, and often values that are still zero."""
    recording.say(at_ms - 9000, frame(0, version=0), "tx")
    recording.say(at_ms - 8990, frame(0, b"\0"))
    if product:
        recording.say(at_ms - 7990, frame(1, b'{"p":"%s","v":"1.0.0","m":0}' % product.encode()))
    recording.say(at_ms - 7000, frame(8, version=0), "tx")
    if rng.random() < 0.5:
        zeros = [p for p in recording.points if p.kind == VALUE]
        for i, point in enumerate(zeros):
            recording.say(at_ms - 6900 + 9 * i, frame(7, unit(point.dp, 0)))
    recording.say(at_ms - 3000, frame(3, b"\4", 0), "tx")
    recording.say(at_ms - 2990, frame(3))
    recording.boot = len(recording.lines)


def record(rng, name, points, loads, scales, product=None):
    """Plays the points over the loads, in a rhythm and in frames drawn at random."""
    rng.shuffle(points)
    recording = Recording(name, points, scales)
    boot(rng, recording, loads[0][0], product)
    rhythm, together = rng.choice(["change", "poll", "change and poll"]), rng.random() < 0.4
    poll_ms = rng.choice([5000, 10000, 30000]) if rhythm != "change" else 10 ** 15
    sent, polled = {}, -10 ** 15
    for step, (at_ms, _) in enumerate(loads):
        values = {p.dp: p.at(step) for p in points}
        due = at_ms - polled >= poll_ms or step == 0
        polled = at_ms if due else polled
        changed = [p for p in points if (p.due(step) if p.due else
                                         due or "change" in rhythm and sent.get(p.dp) != values[p.dp])]
        for point in changed:
            sent[point.dp] = values[point.dp]
            recording.told.add(point.dp)
            for truth in point.truths:
                truth.series += truth.every[-1:]
        if rng.random() < 0.5:
            rng.shuffle(changed)
        say_report(rng, recording, at_ms, [unit(p.dp, values[p.dp], p.kind) for p in changed], together)
        if step % 15 == 7:
            recording.say(at_ms + 500, frame(0, b"\1"))
    return recording


def say_report(rng, recording, at_ms, units, together):
    if together and units:
        recording.say(at_ms, frame(7, b"".join(units)))
        return
    for one in units:
        recording.say(at_ms, frame(7, one))
        at_ms += rng.randrange(2, 8)
