"""Every built-in profile, played by the simulated meter: each comes online on a pty and shows each of its series
with the value that went onto the wire, in the right channel, unit and sign, and nothing else."""
import os
import time

import pytest
from gateway import Collector, run, wait_until

BATCH = 30  # meters of one gateway; its limit is 32
IMPORT = "set 231.4 6.123 1250"
EXPORT = "set 229.8 4.568 -980"


def profiles():
    """name -> whether a product key picks it."""
    lines = run("profiles", "list").stdout.splitlines()[1:]
    return {line.split()[0]: line.split()[-1] != "-" for line in lines}


def measured(gateway, id):
    """What came from the wire; derived values aside, and energies that are sums of what came."""
    readings = gateway.json("/api/v1/meters/" + id)["readings"]
    sums = {"dp %d" % dp for dp, d in gateway.datapoints(id).items() if d.get("increment")}
    return {key: r["value"] for key, r in readings.items()
            if r["source"] == "measured" and r["value"] is not None and r["origin"] not in sums}


def check(gateway, player):
    """Exactly the expected series with exactly their values."""
    seen = {}

    def shows():
        seen["is"], seen["expected"] = measured(gateway, player.id), player.expected()
        return seen["is"] == seen["expected"]

    try:
        wait_until(shows, interval=0.05)
    except AssertionError:
        raise AssertionError("%s shows %r, not %r" % (player.id, seen["is"], seen["expected"]))
    return seen["expected"]


def flat(now):
    """The readings of /now as series keys."""
    values = dict(now)
    for channel, part in now.get("channels", {}).items():
        values.update({"%s.%s" % (channel, key): value for key, value in part.items()})
    return values


def powers(expected):
    return {key: value for key, value in expected.items() if key.split(".")[-1] == "power_w"}


def begin(start, meter, play, names, *options, first=IMPORT):
    """A gateway with one played meter for each profile; with a product key the profile is not configured."""
    players = {}
    for name, has_key in names.items():
        players[name] = play(name, "--profile", name, "--interval", "250ms", *options)
        players[name].tell(first)
    gateway = start([meter(id=name, profile=None if has_key else name, baud="auto") for name, has_key in names.items()])
    return gateway, players


def batches():
    names = sorted(profiles().items())
    return [dict(names[i:i + BATCH]) for i in range(0, len(names), BATCH)]


@pytest.mark.parametrize("number", range(len(batches())))
def test_every_profile_shows_what_is_on_the_wire(start, meter, play, number):
    gateway, players = begin(start, meter, play, batches()[number])
    for name, player in players.items():
        expected = check(gateway, player)
        assert gateway.diagnostics(name)["profile"]["name"] == name
        if expected:
            now = flat(gateway.now(name))
            assert now["state"] == "online", name
            assert {key: now[key] for key in expected} == expected
        assert all(value > 0 for value in powers(expected).values()), (name, expected)

    for player in players.values():
        player.tell(EXPORT)
    for name, player in players.items():
        expected = check(gateway, player)
        assert all(value < 0 for value in powers(expected).values()), (name, expected)

    # One channel each way: no sign is taken from a neighbour.
    mixed = {name: [key for key in powers(player.expected()) if "." in key] for name, player in players.items()}
    for name, keys in mixed.items():
        if keys:
            players[name].tell("set " + " ".join("%s=%d" % (key, (55, -120)[i % 2]) for i, key in enumerate(keys)))
    for name, keys in mixed.items():
        expected = check(gateway, players[name])
        assert {expected[key] for key in keys} <= {55, -120}, (name, expected)


@pytest.mark.parametrize("form", ["6", "10", "15", "15p", "18"])
def test_the_wires_length_picks_the_layout(start, meter, play, form):
    gateway, players = begin(start, meter, play, {"tac2121c": True, "yagusmart-3pn": True}, "--phase-bytes", form)
    lengths = {"15p": 15}.get(form) or int(form)
    for name, player in players.items():
        expected = check(gateway, player)
        assert gateway.datapoints(name)[6]["length"] == lengths
        assert ("power_factor" in expected or "l1.power_factor" in expected) == (lengths >= 15)
        assert ("l2.frequency_hz" in expected) == (form == "15" and name == "yagusmart-3pn")
    if form == "6":
        return  # it has no sign
    for player in players.values():
        player.tell(EXPORT)
    for player in players.values():
        assert all(value < 0 for value in powers(check(gateway, player)).values())


def with_direction():
    return [name for name in profiles() if "direction: {" in run("profiles", "show", name).stdout]


class ChannelCollector(Collector):
    """Every power that is ever served, of all channels."""

    def _ask(self):
        for key, value in flat(self.gateway.now(self.meter)).items():
            if key.split(".")[-1] == "power_w":
                self.served.setdefault(key, set()).add(value)


def test_direction_in_a_later_frame(start, meter, play):
    """Import is always 1100 W in all, export 700 W: whatever else is served has a wrong sign."""
    names = {name: profiles()[name] for name in with_direction()}
    assert len(names) >= 5
    loads = ["set 230 6 1100", "set 230 4 -700"]
    gateway, players = begin(start, meter, play, names, "--direction-lag", "400ms", first=loads[0])
    allowed = {}
    for name, player in players.items():
        allowed[name] = {key: {value} for key, value in powers(check(gateway, player)).items()}
    collectors = [ChannelCollector(gateway, name) for name in names]
    for collector in collectors:
        collector.__enter__()
    for i in range(6):
        for name, player in players.items():
            player.tell(loads[(i + 1) % 2])
            for key, value in powers(player.expected()).items():
                allowed[name][key].add(value)
        if i % 2 == 0:
            for player in players.values():
                check(gateway, player)
        else:
            time.sleep(0.7 + 0.3 * i)  # in any phase of the meter's own rhythm
    for player in players.values():
        check(gateway, player)
    for collector in collectors:
        collector.__exit__(None)
        for key, values in allowed[collector.meter].items():
            assert collector.values(key) == values, (collector.meter, key)


def test_requests_of_the_mcu_are_answered(start, meter, play):
    player = play("main", "--request", "1C", "--request", "34,03")
    gateway = start([meter()])
    assert player.answer(0x34) == "0300"
    assert len(player.answer(0x1c)) == 16
    gateway.wait_now(state="online")
    for command, form in (("24", 2), ("2B", 2), ("0C", 14), ("04", 0), ("05 01", 0)):
        start_line = len(player.output.lines)
        player.tell("request " + command)
        assert len(player.answer(int(command.split()[0], 16), start_line)) == form, command
    # The pairing key has been pressed: it hears that it is connected again, and goes on.
    player.tell(IMPORT)
    check(gateway, player)
    player.tell("request 25")
    assert player.answer(0x25) == ""


def test_mode_with_pins(start, meter, play):
    player = play("main", "--mode-pins")
    player.tell(IMPORT)
    gateway = start([meter()])
    check(gateway, player)


def test_low_power_meter(start, meter, play):
    """No heartbeat, other numbers; reports wait for their acknowledgement."""
    player = play("main", "--low-power", "--profile", "spm01-d2tw", "--interval", "250ms")
    player.tell(IMPORT)
    gateway = start([meter()])
    check(gateway, player)
    player.tell(EXPORT)
    check(gateway, player)


def test_what_is_no_profile(play):
    for options, word in ((["--profile", "nothing"], "nothing"), (["--phase-bytes", "7"], "15p"),
                          (["--request", "xyz"], "34,03"), (["--direction-lag", "never"], "duration")):
        result = run("simulate", "tuyamcu", *options)
        assert result.returncode == 2 and word in result.stderr, result.stderr


def test_set_by_name(play):
    player = play("main", "--profile", "matsee-2way")
    player.tell("set a.power_w=-120 b.power_w=55 voltage_v=230.1")
    expected = player.expected()
    assert (expected["a.power_w"], expected["b.power_w"], expected["power_w"]) == (-120, 55, -65)
    assert expected["voltage_v"] == 230.1
    player.tell("set a.power_w=30.06")
    expected = player.expected()
    assert (expected["a.power_w"], expected["b.power_w"], expected["power_w"]) == (30.1, 55, 85.1)
    for text in ("set l1.power_w=1", "set power_w=x", "set frequency_hz", "set temperature_c=1"):
        with pytest.raises(AssertionError):
            player.tell(text)


def test_profile_from_a_file(play, tmp_path, start, meter):
    text = run("profiles", "show", "ct-1203").stdout
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("scale: 0.1", "scale: 0.01"))
    player = play("main", "--profile", path, "--product", "abcdefgh12345678")
    player.tell(IMPORT)
    gateway = start([meter(profile=path)])
    check(gateway, player)
    assert gateway.diagnostics()["product_key"] == "abcdefgh12345678"
    assert os.path.exists(path)
