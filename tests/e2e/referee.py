"""What `metergate discover` says about a recording, held against what is true."""
import json
from fractions import Fraction

from gateway import run
from unknown_meter import ELECTRIC, LAYOUTS

RIGHT, FACTOR, WRONG, UNTOLD = "right", "factor of ten", "wrong", "cannot tell"

# Which fields a layout of that length holds: the profile's word for it, and the form of the bytes.
FORMS = {("phase", 8): "phase8", ("phase", 10): "phase10",
         ("phase-vcpqff", 8): "phase8", ("phase-vcpqff", 10): "phase10", ("phase-vcpqff", 15): "vcpqff",
         ("phase-pqfcv", 8): "phase8", ("phase-pqfcv", 10): "phase10", ("phase-pqfcv", 15): "pqfcv"}


class Claim:
    """The best hypothesis about a datapoint, or about a word of its bytes."""

    def __init__(self, line):
        self.line, self.level = line, line["level"]
        self.quantity, self.channel, self.layout = line["quantity"], line["channel"], line["layout"]
        self.scale = None if line["scale"] is None else Fraction(line["scale"])
        self.offset, self.width = line.get("offset"), line.get("width")

    def field(self, truth):
        """(quantity, scale) that it means for that field of the bytes; None: nothing."""
        if self.layout is None:
            return self.quantity, self.scale
        form = FORMS.get((self.layout, LAYOUTS[truth.layout][0])) if truth.layout else None
        if self.layout == "phase" and form is None:
            form = truth.layout  # the bytes themselves tell which
        for quantity, (offset, width, scale) in LAYOUTS.get(form, (0, {}))[1].items():
            if offset + width == truth.offset + truth.width:
                own = self.line.get("power_scale") if quantity == "power_w" else None
                return quantity, Fraction(own or scale)
        return None

    def __str__(self):
        line = self.line
        what = line["layout"] or line["quantity"] or ("direction" if line.get("direction") else "increment")
        scale = line.get("power_scale") or line["scale"]
        return "%s%s (%s, %.2f)" % (what, "" if scale is None else " x %g" % scale, self.level, line["confidence"])


class Answer:
    """Everything that was said about a recording."""

    def __init__(self, text):
        self.claims, self.untold, self.lines = {}, {}, []
        for line in text.splitlines():
            said = json.loads(line, parse_float=Fraction, parse_int=int)
            self.lines.append(said)
            which = said.get("dp", said.get("attribute"))
            if "cannot_tell" in said:
                assert said["cannot_tell"], line
                self.untold[which] = said["cannot_tell"]
            elif said["rank"] == 1:
                assert said["evidence"] and 0 < said["confidence"] <= 1, line
                self.claims.setdefault(which, []).append(Claim(said))

    def claim(self, truth):
        """The claim about that truth: of its bytes, or of the datapoint as a whole."""
        for claim in self.claims.get(truth.dp, []):
            if claim.offset is None or truth.offset is None:
                return claim
            if claim.offset + claim.width == truth.offset + truth.width:
                return claim
        return None


def discover(path, *options):
    result = run("discover", *options, path)
    assert result.returncode == 0, result.stderr
    return Answer(result.stdout)


def verdict(truth, claim):
    if claim is None:
        return UNTOLD
    said = claim.field(truth)
    if said is None or said[0] != truth.quantity:
        is_direction = truth.quantity == "direction" and claim.line.get("direction")
        return RIGHT if is_direction else WRONG
    if said[1] == truth.scale:
        return RIGHT
    ratio = said[1] / truth.scale
    is_power_of_ten = ratio in [Fraction(10) ** n for n in range(-6, 7)]
    return FACTOR if is_power_of_ten and truth.quantity != "voltage_v" else WRONG


class Row:
    """One truth, what was claimed about it, and whether that is so."""

    def __init__(self, recording, truth, claim):
        self.recording, self.truth, self.claim = recording, truth, claim
        self.verdict = verdict(truth, claim)
        self.level = claim.level if claim else "-"

    @property
    def wrong_and_high(self):
        return self.level == "high" and self.verdict in (WRONG, FACTOR)

    def factor(self):
        return self.claim.field(self.truth)[1] / self.truth.scale

    def __str__(self):
        return "%-44s %-34s %-34s %s%s" % (self.recording[:44], self.truth, self.claim or "-", self.verdict,
                                           "" if self.truth.demanded else ", not demanded")


def judge(recording, answer):
    """A row for each reading; for what is no reading, only where something is claimed."""
    rows, seen = [], set()
    for truth in recording.truths:
        claim = answer.claim(truth)
        if truth.quantity or claim:
            rows.append(Row(recording.name, truth, claim))
        seen.add(id(claim))
    for dp, claims in answer.claims.items():  # words that belong to no field
        truth = next(t for t in recording.truths if t.dp == dp)
        rows += [Row(recording.name, truth, c) for c in claims if id(c) not in seen]
    return rows


class Score:
    """The count of all rows."""

    def __init__(self):
        self.rows = []

    def add(self, rows):
        self.rows += rows

    def demanded(self):
        return [row for row in self.rows if row.truth.demanded and row.truth.quantity in ELECTRIC]

    def share(self, *verdicts):
        rows = self.demanded()
        return sum(row.verdict in verdicts for row in rows) / len(rows) if rows else 1

    def wrong_and_high(self):
        return [row for row in self.rows if row.wrong_and_high]

    def summary(self):
        lines = []
        for quantity in ELECTRIC:
            rows = [row for row in self.demanded() if row.truth.quantity == quantity]
            counts = {v: sum(r.verdict == v for r in rows) for v in (RIGHT, FACTOR, WRONG, UNTOLD)}
            levels = {v: sum(r.verdict == RIGHT and r.level == v for r in rows) for v in ("high", "medium", "low")}
            lines.append("%-18s demanded %4d: %s; right with level %s" % (
                quantity, len(rows), ", ".join("%s %d" % item for item in counts.items()),
                ", ".join("%s %d" % item for item in levels.items())))
        others = [row for row in self.rows if not row.truth.demanded]
        lines.append("not demanded %d rows: right %d, cannot tell %d; high and wrong in all: %d" % (
            len(others), sum(r.verdict == RIGHT for r in others), sum(r.verdict == UNTOLD for r in others),
            len(self.wrong_and_high())))
        lines.append("demanded and right: %.1f %%" % (100 * self.share(RIGHT)))
        return "\n".join(lines)
