"""What happened: told once, in order, with the frame that showed it, and still there after the gateway has gone."""
from fake_mcu import NO_PROFILE
from gateway import wait_until

LOAD = {18: 1000, 19: 2300, 20: 2300}


def events(gateway, after="0"):
    """All of them, page by page."""
    found = []
    while True:
        page = gateway.json("/api/v1/events?after=%s&limit=3" % after)
        found += page["events"]
        if not page["events"]:
            assert [int(e["cursor"]) for e in found] == sorted({int(e["cursor"]) for e in found})
            return found
        after = page["next"]


def of_kind(gateway, *kinds):
    return [e for e in events(gateway) if e["kind"] in kinds]


def wait_events(gateway, kind, count):
    wait_until(lambda: len(of_kind(gateway, kind)) >= count, what="%d events %s" % (count, kind))
    return of_kind(gateway, kind)


def start_meter(mcu_at, start, meter, **settings):
    mcu = mcu_at(values={**LOAD, 101: 500000}, product=NO_PROFILE)
    gateway = start([meter(profile="tomzn-60a", poll="5min", **settings)])
    gateway.wait_now(state="online", energy_import_kwh=5000)
    return mcu, gateway


def test_a_life(mcu_at, start, meter):
    mcu, gateway = start_meter(mcu_at, start, meter)
    mcu.close()
    wait_until(lambda: gateway.now()["state"] != "online")
    mcu_at(values={**LOAD, 101: 500000}, product=NO_PROFILE)
    gateway.wait_now(state="online")
    reconnected, = wait_events(gateway, "reconnected", 1)
    assert reconnected["meter"] == "main"
    found = events(gateway)
    assert found[0]["kind"] == "started" and found[0]["meter"] is None
    states = [e["text"] for e in found if e["kind"] == "state"]
    assert states[0].endswith("online") and states[-1].endswith("online") and len(states) >= 3
    assert all(e["at"] for e in found)


def test_what_was_not_believed(mcu_at, start, meter):
    mcu, gateway = start_meter(mcu_at, start, meter, limits="{ power_w: [-1000, 5000] }")
    mcu.report(dp101=429496730)
    event, = wait_events(gateway, "withheld", 1)
    assert (event["meter"], event["series"]) == ("main", "energy_import_kwh")
    assert (event["value"], event["previous"]) == (4294967.3, 5000)
    assert "more than can have flowed" in event["text"]
    frames = [line for line in gateway.get("/api/v1/meters/main/frames").text.splitlines() if
              '"number":%d,' % event["frame"] in line]
    assert len(frames) == 1 and "650200041999999A" in frames[0]
    mcu.report(dp19=99999)
    limits = wait_events(gateway, "withheld", 2)[1]
    assert (limits["series"], limits["value"], limits["previous"]) == ("power_w", 9999.9, 230)
    assert "outside its limits" in limits["text"] and limits["frame"] > event["frame"]


def test_a_register_that_begins_anew(mcu_at, start, meter):
    mcu, gateway = start_meter(mcu_at, start, meter)
    for count in range(1, 6):
        mcu.report(dp101=1)
        wait_until(lambda: gateway.counter("counter_decreased") + gateway.counter("register_resets") == count)
    event, = wait_events(gateway, "counter_reset", 1)
    assert (event["series"], event["value"], event["previous"]) == ("energy_import_kwh", 0.01, 5000)
    # The four before are one event and three repeats, which are told when their minute is over.
    assert len(of_kind(gateway, "withheld")) == 1


def test_restart_and_crash(mcu_at, start, meter, tmp_path):
    mcu, gateway = start_meter(mcu_at, start, meter)
    before = events(gateway)
    gateway.stop()
    gateway = start([meter(profile="tomzn-60a", poll="5min")], name="gateway0")
    gateway.wait_now(state="online", energy_import_kwh=5000)
    after = events(gateway)
    assert after[:len(before)] == before
    kinds = [e["kind"] for e in after]
    assert kinds.count("started") == 2 and kinds.count("stopped") == 1
    assert kinds.index("stopped") > kinds.index("started")
    last = int(after[-1]["cursor"])
    gateway.crash()
    gateway = start([meter(profile="tomzn-60a", poll="5min")], name="gateway0")
    newest = of_kind(gateway, "started")[-1]
    assert int(newest["cursor"]) > last
    assert len({e["cursor"] for e in events(gateway)}) == len(events(gateway))
