"""The scales that the built-in profiles have, and what can be known about those of an unknown meter at all."""
import re
from fractions import Fraction

import gateway
from loads import switchings


def profile_rows(text):
    """The datapoints of a profile, as far as the tests need them: one row in braces per line."""
    rows = []
    for line in text.splitlines():
        found = re.match(r"\s*- \{ (dp: .*?) \}\s*(#.*)?$", line)
        if found:
            body = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\[[^\]]*\]", "", found[1])
            row = dict(re.findall(r"(\w+): *([^,{}\s]+)", body))
            row["directed"] = "direction:" in line
            rows.append(row)
    return rows


def scale_tuples():
    """(voltage, current, power, energy, increment) -> number of profile channels that have it; None: not there."""
    tuples = {}
    for path in sorted((gateway.TOP / "etc" / "profiles").glob("*.yaml")):
        channels = {}
        for row in profile_rows(path.read_text()):
            if "quantity" in row and "scale" in row:
                name = row["quantity"].split("_")[0]
                name += "_increment" if row.get("increment") == "true" else ""
                channels.setdefault(row.get("channel", ""), {}).setdefault(name, Fraction(row["scale"]))
        shared = channels.get("", {})
        for has in channels.values():
            if "current" in has and "power" in has:
                key = (has.get("voltage", shared.get("voltage", Fraction(1, 10))), has["current"], has["power"],
                       has.get("energy", shared.get("energy")), has.get("energy_increment"))
                tuples[key] = tuples.get(key, 0) + 1
    return tuples


class Scales:
    """Which scales exist, and which of them a common factor of ten could be exchanged for."""

    def __init__(self):
        self.tuples = scale_tuples()
        self.single = [sorted({t[i] for t in self.tuples if t[i] is not None}) for i in range(5)]

    def alternatives(self, current, power, energy=None):
        """All (current, power, energy) that physics cannot tell from these, each scale one that some meter has."""
        found = []
        for n in range(-3, 4):
            k = Fraction(10) ** n
            if (current * k in self.single[1] and power * k in self.single[2]
                    and (energy is None or energy * k in self.single[3])):
                found.append((current * k, power * k, None if energy is None else energy * k))
        return found

    def weight(self, current, power, energy=None):
        return sum(n for (_, i, p, e, _), n in self.tuples.items()
                   if i == current and p == power and (energy is None or e in (None, energy)))

    def usual(self, current, power, energy=None):
        """True when no alternative is met more often: then a guess by what meters do is right."""
        mine = self.weight(current, power, energy)
        others = [a for a in self.alternatives(current, power, energy) if a != (current, power, energy)]
        return all(self.weight(*a) < mine for a in others)


STEPS_MIN = 6        # of power and current: on and off three times; less is met by chance, or is noise and mains
COUNTS_MIN = 20      # of the largest value: finer than a tenth, so that a factor of ten shows in the ratio
# Of the apparent power. Current and power exchanged have the power factor 10^4 / V^2 / PF, at 230 V 0.19 / PF:
# below 0.43 the exchange looks like the better load.
REAL_POWER_MIN = 0.45
TICKS_MIN = 20       # of a register


def enough_change(truths, channel):
    """The three readings of a channel that can be told apart and scaled, by what went onto the wire alone; None: too
    little happened. A load that stays the same is noise around three constants."""
    def one(quantity, of):
        found = [t for t in truths if t.quantity == quantity and t.channel == of]
        return found[0] if found else None
    power, current = one("power_w", channel), one("current_a", channel)
    voltage = one("voltage_v", channel) or one("voltage_v", None)
    if not (power and current and voltage) or min(switchings(power.series), switchings(current.series)) < STEPS_MIN:
        return None
    if max(map(abs, power.series)) < COUNTS_MIN or max(current.series) < COUNTS_MIN or len(set(current.series)) < 3:
        return None
    apparent = sum(v * i for v, i in zip(voltage.every, current.every)) * voltage.scale * current.scale
    if sum(map(abs, power.every)) * power.scale < REAL_POWER_MIN * apparent:
        return None
    return voltage, current, power


def mark_demanded(recording, any_factor=False):
    """Says which truths a right answer has to tell, and what else cannot be told from them.

    The mains give the voltage its scale. Voltage times current gives the power a scale relative to the current, and
    the power's integral one to the energy; a common factor of ten of the three is nowhere in the numbers. Where
    meters are known that differ by just that factor, the answer that more of them have is demanded, and a rarer
    truth is not; or, with any_factor, all are."""
    truths, scales = recording.truths, recording.scales
    for channel in {t.channel for t in truths if t.quantity}:
        three = enough_change(truths, channel)
        if not three:
            continue
        voltage, current, power = three
        energies = [t for t in truths if t.quantity in ("energy_import_kwh", "energy_export_kwh")
                    and t.channel == channel and t.series and max(t.series) - t.series[0] >= TICKS_MIN]
        voltage.demanded = True
        energy = energies[0].scale if energies else None
        usual = any_factor or current.layout is not None or scales.usual(current.scale, power.scale, energy)
        for truth in [current, power] + energies:
            truth.demanded = usual
