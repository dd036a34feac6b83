"""From a meter that nobody knows to readings, with the gateway alone: it watches, suggests, writes the profile."""
import math

import pytest
from gateway import wait_until

PRODUCT = "unknown7"     # of no profile
# Voltage, current, power factor: a house that does this and that.
LOADS = [(230.1 + 4 * math.sin(i), 0.4 + abs(7 * math.sin(i / 3)), 0.99 - 0.4 * abs(math.sin(2 * i / 5)))
         for i in range(14)]
SUGGESTED = "/api/v1/meters/main/datapoints?suggest=1"
PROFILE = "/api/v1/meters/main/profile.yaml"


def suggested(gateway):
    """dp -> its suggestions, best first."""
    return {d["dp"]: d.get("suggestions", []) for d in gateway.json(SUGGESTED)["datapoints"]}


def wait_raw(gateway, dp, raw):
    wait_until(lambda: gateway.datapoints().get(dp, {}).get("raw") == raw, what="datapoint %d: %d" % (dp, raw))


def live_through(player, gateway, truth):
    """One load after the other, each seen by the gateway before the next."""
    voltage, scale = next((dp, scale) for dp, (key, scale) in truth.items() if key == "voltage_v")
    for volts, amperes, factor in LOADS:
        player.tell("set %.1f %.3f %.0f" % (volts, amperes, volts * amperes * factor))
        wait_raw(gateway, voltage, round(round(volts, 1) / scale))


@pytest.fixture
def stranger(start, meter, play):
    """stranger("plug-standard"): a meter that sends what that profile says, under another product key."""
    def make(profile, **settings):
        player = play("main", "--profile", profile, "--product", PRODUCT, "--interval", "300ms")
        gateway = start([meter(**settings)])
        wait_until(lambda: gateway.json(SUGGESTED)["product_key"] == PRODUCT)
        return player, gateway

    return make


@pytest.mark.parametrize("profile, truth", [
    ("plug-standard", {18: ("current_a", 0.001), 19: ("power_w", 0.1), 20: ("voltage_v", 0.1)}),
    ("kws-302wf", {101: ("voltage_v", 0.1), 102: ("current_a", 0.001), 103: ("power_w", 0.1)}),
])
def test_from_suggestions_to_readings(stranger, meter, tmp_path, profile, truth):
    player, gateway = stranger(profile)
    live_through(player, gateway, truth)

    def told():
        found = suggested(gateway)
        return all(found[dp] for dp in truth) and found
    found = wait_until(told, what="suggestions of %s" % sorted(truth))
    assert {dp: (found[dp][0]["quantity"], found[dp][0]["scale"]) for dp in truth} == truth
    assert all(s["evidence"] and 0 < s["confidence"] <= 1 for dp in truth for s in found[dp])

    pieces = ",".join(found[dp][0]["accept"] for dp in truth)
    file = tmp_path / "found.yaml"
    file.write_text(gateway.get("%s?accept=%s&name=found" % (PROFILE, pieces)).text)
    gateway.reload([meter(profile=file)])
    expected = {key: player.expected()[key] for key, _ in truth.values()}
    gateway.wait_now(state="online", **expected)
    assert gateway.diagnostics()["profile"]["name"] == "found"

    # What is known is suggested no more, and the file is told as it is.
    assert not any(suggested(gateway)[dp] for dp in truth)
    assert gateway.get(PROFILE).text.startswith("name: found\n")


def test_a_meter_that_is_known_costs_nothing(online, mcu):
    answer = online().json(SUGGESTED)
    assert answer["observed_since"] is None
    assert not [d for d in answer["datapoints"] if "suggestions" in d or "cannot_tell" in d]


def test_nothing_is_told_of_what_does_not_change(stranger):
    player, gateway = stranger("plug-standard")
    player.tell("set 230 1 200")
    wait_raw(gateway, 20, 2300)
    answer = gateway.json(SUGGESTED)
    assert answer["observed_since_ms"] > 0 and "suggest=1" in answer["hint"]
    told = {d["dp"]: d for d in answer["datapoints"]}
    assert "changed" in told[1]["cannot_tell"]
    assert "suggestions" not in told[1]
    assert not any("suggestions" in d or "cannot_tell" in d for d in gateway.datapoints().values())
    assert gateway.get(PROFILE).status == 404
