"""The shared captures of real meters, as recordings whose truth is in the profile that they name."""
import json
import re
from fractions import Fraction

import gateway
from gateway import run
from known_scales import profile_rows
from unknown_meter import ELECTRIC, LAYOUTS, Truth

FORM_OF = {8: "phase8", 10: "phase10"}


def folder():
    return gateway.shared_dir() / "captures" / "tuyamcu"


def named_profile(path):
    found = re.search(r"^# profile: (\S+)", path.read_text(), re.M)
    return found and found[1]


def files(with_profile):
    return sorted(p for p in folder().glob("*.hex") if bool(named_profile(p)) == with_profile)


def values(path):
    """dp -> all values in the order of the wire: numbers, or bytes."""
    result = run("decode", "--protocol", "tuyamcu", path)
    assert result.returncode == 0, result.stderr
    seen = {}
    for line in result.stdout.splitlines():
        message = json.loads(line)
        if message["command"] != 6:  # what the meter says of itself
            for point in message.get("datapoints", []):
                if "error" not in point:
                    value = point["raw"] if "raw" in point else bytes.fromhex(point.get("hex", ""))
                    seen.setdefault(point["dp"], []).append(value)
    return seen


def form(layout, length, data):
    """The form of phase data: by its length, of 15 bytes by the profile's word or else the place of the voltage."""
    if length != 15 or layout != "phase":
        return {"phase-vcpqff": "vcpqff", "phase-pqfcv": "pqfcv"}[layout] if length == 15 else FORM_OF.get(length)
    return "vcpqff" if 800 <= int.from_bytes(data[:2], "big") <= 4800 else "pqfcv"


def raw_truths(row, seen):
    """One truth for each field, of the form that came most often; the series hold the fields' numbers."""
    forms = [(form(row["layout"], len(data), data), data) for data in seen]
    common = max({f for f, _ in forms if f}, key=[f for f, _ in forms].count, default=None)
    truths = []
    for quantity, (offset, width, scale) in LAYOUTS.get(common, (0, {}))[1].items():
        scale = Fraction(row.get("power_scale", scale) if quantity == "power_w" else scale)
        truth = Truth(int(row["dp"]), quantity, scale, row.get("channel"), common, offset, width)
        truth.series = [int.from_bytes(d[offset:offset + width], "big") for f, d in forms if f == common]
        truths.append(truth)
    return truths


class Capture:
    """A capture with what is true about each datapoint in it."""

    def __init__(self, path, profile=None):
        self.path, self.name, self.truths = path, profile or path.name, []
        profile = profile or named_profile(path)
        rows = {}
        if profile:
            text = run("profiles", "show", profile).stdout
            rows = {int(row["dp"]): row for row in profile_rows(text)}
        for dp, seen in values(path).items():
            row = rows.get(dp, {})
            if row.get("layout", "").startswith("phase"):
                self.truths += raw_truths(row, seen)
                continue
            quantity = row.get("quantity")
            truth = Truth(dp, quantity, quantity and Fraction(row["scale"]), row.get("channel"),
                          note="no reading" if row or not profile else "not in the profile")
            truth.series = seen
            self.truths.append(truth)
        for truth in self.truths:
            truth.every = truth.series

    def mark(self):
        """What a right answer has to tell. Half a minute has fewer values than are asked of long recordings."""
        for dp in {t.dp for t in self.truths if t.layout}:
            self.mark_raw([t for t in self.truths if t.dp == dp])
        numbers = {t.quantity: t for t in self.truths if t.quantity and not t.layout and not t.channel}
        if {"voltage_v", "current_a", "power_w"} <= set(numbers):
            self.mark_numbers(numbers)

    @staticmethod
    def mark_numbers(numbers):
        """Beside zero, voltage and power take 5 values each and the current 1, which was switched."""
        def distinct(quantity):
            return len({n for n in numbers[quantity].series if n})
        if distinct("power_w") >= 5 and distinct("voltage_v") >= 5 and len(set(numbers["current_a"].series)) >= 2:
            for quantity in ("voltage_v", "current_a", "power_w"):
                numbers[quantity].demanded = True

    @staticmethod
    def mark_raw(fields):
        """Two records below load, or one whose power factor proves it."""
        by = {t.quantity: t for t in fields}
        loaded = {key for key in zip(*(by[q].series for q in ("voltage_v", "current_a", "power_w"))) if all(key)}
        if len(loaded) >= (1 if "power_factor" in by else 2):
            for truth in fields:
                truth.demanded = truth.quantity in ELECTRIC


def without_product(path, out, key=None):
    """The same bytes without the answer that names the product, or with the key of another one."""
    lines, stream = [], "kind: stream" in path.read_text()
    for line in path.read_text().splitlines():
        if stream and line and not line.startswith("#"):
            lines.append(("bytes", bytes.fromhex(line)))
        else:
            lines.append(("line", line))
    head = "\n".join(text for kind, text in lines if kind == "line" and "profile:" not in text)
    if stream:
        kept = cut(b"".join(data for kind, data in lines if kind == "bytes"), key)
        out.write_text("# kind: stream\n" + kept.hex(" ") + "\n")
    else:
        kept = [cut(bytes.fromhex(t), key).hex(" ") for t in head.splitlines() if t and not t.startswith("#")]
        out.write_text("# kind: frames\n" + "\n".join(k for k in kept if k) + "\n")
    return out


def cut(data, key):
    """data without product answers, or with that key in them."""
    at = 0
    while True:
        at = data.find(b"\x55\xaa", at)
        if at < 0 or at + 7 > len(data):
            return data
        size = 7 + int.from_bytes(data[at + 4:at + 6], "big")
        frame = data[at:at + size]
        if frame[3] == 1 and size > 7 and len(frame) == size and sum(frame[:-1]) & 0xff == frame[-1]:
            instead = b""
            if key:
                body = re.sub(rb'"p":"[^"]*"', b'"p":"' + key.encode() + b'"', frame[6:-1])
                instead = frame[:4] + len(body).to_bytes(2, "big") + body
                instead += bytes([sum(instead) & 0xff])
            data = data[:at] + instead + data[at + size:]
            at += len(instead)
        else:
            at += 1
    return data
