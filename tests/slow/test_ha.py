"""Home Assistant itself with nothing but the package that we generate: no complaint in its log, every entity with the
value that the meter shows, and energies without a zero, a spike or anything that never flowed."""
import json
import re
import time

import pytest

from gateway import TIMEOUT, wait_until
from vue import ENERGIES

SECOND = "&scan_interval=1"
SHORT_PERIOD_S = 400    # its short-term statistics are made every five minutes, on the clock
STATE_CLASSES = {"energy": "total"}


@pytest.fixture
def house(start, meter, mcu, vue, vue_meter, play):
    """A gateway with meters of each kind: one without a register, one with, and one with three phases."""
    utility = vue()
    utility.tell("set 1500")
    breaker = play("breaker", "--profile", "eaemp3c", "--interval", "250ms")
    breaker.tell("set 231.4 6.123 1250")
    gateway = start([meter(stale_after="4s", name="House main"), vue_meter(stale_after="15s"),
                     meter(id="breaker", name="\"Workshop \\\"3~\\\"\"")])
    gateway.wait_now(power_w=17.7)
    wait_until(lambda: gateway.now("utility").get("energy_import_kwh"))
    wait_until(lambda: gateway.now("breaker").get("channels", {}).get("l3", {}).get("power_w"))
    gateway.wait_history()
    gateway.mcu, gateway.utility, gateway.breaker = mcu, utility, breaker
    return gateway


def package(gateway, parameters=SECOND):
    answer = gateway.get("/api/v1/home-assistant.yaml?url=http://127.0.0.1:%d%s" % (gateway.http_port, parameters))
    assert answer.status == 200, answer
    return answer.text


def flat(now):
    """The readings of /now by series key."""
    values = dict(now)
    for channel, part in (now.get("channels") or {}).items():
        values.update({"%s.%s" % (channel, key): value for key, value in part.items()})
    return values


def series_of(gateway):
    """{unique id: (meter, series key)} of everything that the meters show."""
    return {"metergate_%s_%s" % (m["id"], key.replace(".", "_")): (m["id"], key)
            for m in gateway.json("/api/v1/meters")["meters"] for key in m["readings"]}


def units(gateway):
    return {q["key"]: q["unit"] for q in gateway.json("/api/v1")["quantities"]}


def shows(state, value):
    """Whether a state is that value: Home Assistant shows numbers as the template gives them."""
    if value is None:
        return state == "unavailable"
    return known(state) and float(state) == pytest.approx(value, abs=1e-9)


def wait_for_agreement(home, gateway, only=lambda meter, key: True):
    """Until every entity shows what the gateway shows. Both move on, so that each is given its own moment."""
    open_ = {u: s for u, s in series_of(gateway).items() if only(*s)}
    # A meter that answers late when Home Assistant starts is asked again by it.
    entities = wait_until(lambda: (e := home.entities()) and set(open_) <= set(e) and e, interval=0.5)

    def agree():
        states = home.states()
        now = {id: flat(gateway.now(id)) for id in {meter for meter, _ in open_.values()}}
        for unique_id, (meter, key) in list(open_.items()):
            if shows(states[entities[unique_id]]["state"], now[meter][key]):
                del open_[unique_id]
        return not open_

    try:
        wait_until(agree, interval=0.2)
    except AssertionError:
        raise AssertionError("never the same: %r" % {
            u: (home.state(entities[u]), flat(gateway.now(s[0]))[s[1]]) for u, s in open_.items()})
    return entities


def test_every_entity_is_right(home, house):
    text = package(house)
    ha = home(text)
    entities = wait_for_agreement(ha, house)
    wanted, unit_of = series_of(house), units(house)
    # Nothing is missing and nothing is there twice.
    assert set(entities) == set(wanted)
    assert len(wanted) == len(re.findall(r"^ +unique_id: ", text, re.MULTILINE)) > 25
    assert {key.rpartition(".")[0] for _, key in wanted.values()} == {"", "l1", "l2", "l3"}
    assert {key.rpartition(".")[2] for _, key in wanted.values()} == set(unit_of), "a quantity that nobody has"
    states = ha.states()
    for unique_id, (_, key) in wanted.items():
        attributes, quantity = states[entities[unique_id]]["attributes"], key.rpartition(".")[2]
        device_class = attributes["device_class"]
        assert attributes["state_class"] == STATE_CLASSES.get(device_class, "measurement"), unique_id
        assert attributes.get("unit_of_measurement") == unit_of[quantity], unique_id
        assert quantity.startswith(device_class) or device_class == "energy" and "energy" in quantity, unique_id
    assert ha.complaints() == []


def test_it_follows_the_meters(home, house):
    ha = home(package(house))
    entities = wait_for_agreement(ha, house)
    house.mcu.report(dp19=1234, dp18=600, dp20=2311)
    wait_until(lambda: shows(ha.state(entities["metergate_main_power_w"]), 123.4))
    wait_until(lambda: shows(ha.state(entities["metergate_main_voltage_v"]), 231.1))
    house.utility.tell("set -2500")
    wait_until(lambda: shows(ha.state(entities["metergate_utility_power_w"]), -2500))
    house.breaker.tell("set 229.8 4.568 980")
    wait_for_agreement(ha, house, lambda meter, key: meter == "breaker")
    assert ha.complaints() == []


def test_one_meter_alone(home, house):
    ha = home(package(house, SECOND + "&meter=utility"))
    entities = wait_for_agreement(ha, house, lambda meter, key: meter == "utility")
    assert set(entities) == {u for u, (meter, _) in series_of(house).items() if meter == "utility"}
    assert ha.complaints() == []


def test_with_a_token(home, start, meter, mcu, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("read secret-of-the-house\n")
    tokens.chmod(0o600)
    gateway = start([meter()], http="access: token\ntokens: %s" % tokens)
    bearer = {"Authorization": "Bearer secret-of-the-house"}
    wait_until(lambda: json.loads(gateway.get("/api/v1/meters/main/now", headers=bearer).body).get("power_w") == 17.7)
    text = gateway.get("/api/v1/home-assistant.yaml?url=http://127.0.0.1:%d&scan_interval=1" % gateway.http_port,
                       headers=bearer).text
    assert "secret-of-the-house" not in text
    ha = home(text, running=False)
    ha.write_secret("metergate_token", "Bearer secret-of-the-house")
    ha.start()
    wait_until(lambda: (e := ha.entities().get("metergate_main_power_w")) and shows(ha.state(e), 17.7))
    assert ha.complaints() == []


def test_it_starts_before_the_gateway(home, house):
    """Then it complains that nobody answers, and comes along by itself."""
    text, wanted = package(house), set(series_of(house))
    house.stop()
    ha = home(text)
    assert ha.entities() == {} and ha.complaints() != []
    assert all("rest" in line for line in ha.complaints())
    again = restarted(house)
    try:
        # What it knows of its meters comes with their answers: until then it has nothing to agree with.
        wait_until(lambda: set(ha.entities()) == set(series_of(again)) == wanted, interval=0.5, timeout=2 * TIMEOUT,
                   what="all entities are there")
        wait_for_agreement(ha, again)
    finally:
        again.stop()


def restarted(gateway):
    """Another process with the same configuration, history and address."""
    port, text = gateway.http_port, gateway.config_path.read_text()
    gateway = type(gateway)(gateway.config_path.parent, name=gateway.config_path.stem + "-again", config=text)
    gateway.http_port = port
    return gateway


def known(state):
    return state if state not in ("unavailable", "unknown") else None


def numbers(states):
    return [float(s) for s in states if known(s)]


def test_no_phantom_energy(home, house):
    """A silent meter, a restart, a crash, and a gateway that is away: the energies go on, and the Energy dashboard
    takes them."""
    ha = home(package(house))
    entities = wait_for_agreement(ha, house)
    power = entities["metergate_main_power_w"]
    energies = [entities["metergate_%s_%s" % (meter, key)] for meter in ("main", "utility") for key in ENERGIES]
    # They agreed as well where neither of them knew it yet.
    before = {id: float(wait_until(lambda: known(ha.state(id)))) for id in energies}

    # The meter falls silent: its power is not known, its energy stays what it was.
    kept = ha.state(entities["metergate_main_energy_import_kwh"])
    house.mcu.silence(True)
    wait_until(lambda: ha.state(power) == "unavailable")
    assert float(ha.state(entities["metergate_main_energy_import_kwh"])) >= float(kept)
    house.mcu.silence(False)
    wait_until(lambda: shows(ha.state(power), 17.7))
    assert ha.complaints() == []

    # The gateway is restarted, is away, and crashes.
    gateway = house
    for end in ("stop", "stop", "crash"):
        getattr(gateway, end)()
        # Each meter is a request of its own there.
        wait_until(lambda: {ha.state(id) for id in (power, *energies)} == {"unavailable"})
        gateway = restarted(gateway)
        wait_until(lambda: shows(ha.state(power), 17.7), timeout=120)
        wait_until(lambda: all(known(ha.state(id)) for id in energies))
    assert all("rest" in line for line in ha.complaints())
    try:
        begin = time.time()
        gateway.utility = house.utility
        wait_until(lambda: all(any(start + 300 > begin for start, _, _ in ha.statistics(id)) for id in energies),
                   timeout=SHORT_PERIOD_S, interval=1, what="statistics of five minutes")
        # Of entities that are not available it would complain.
        check_energy_preferences(ha, entities)
    finally:
        gateway.stop()
    for id in energies:
        check_energy(ha, id, before[id])


def check_energy(ha, id, first):
    """1.5 kW for minutes: a tenth of a kWh at most, and never back."""
    # They are made of what has been recorded by then.
    statistics = ha.statistics(id)
    recorded = numbers(ha.recorded(id))
    assert recorded == sorted(recorded) and first in recorded, (id, recorded)
    assert recorded[-1] - recorded[0] < 0.5
    # What flowed, as Home Assistant sums it up.
    sums = [sum_ for _, _, sum_ in statistics]
    assert sums == sorted(sums) and sums[0] >= 0, (id, sums)
    for (_, state, sum_), (_, next_state, next_sum) in zip(statistics, statistics[1:]):
        assert next_sum - sum_ == pytest.approx(next_state - state, abs=1e-6)
    assert sums[-1] < 0.5
    assert {state for _, state, _ in statistics} <= set(recorded)


def check_energy_preferences(ha, entities):
    """The grid of the Energy dashboard, with import and export."""
    grid = {"type": "grid", "cost_adjustment_day": 0.0,
            "flow_from": [{"stat_energy_from": entities["metergate_utility_energy_import_kwh"], "stat_cost": None,
                           "entity_energy_price": None, "number_energy_price": None}],
            "flow_to": [{"stat_energy_to": entities["metergate_utility_energy_export_kwh"], "stat_compensation": None,
                         "entity_energy_price": None, "number_energy_price": None}]}
    devices = [{"stat_consumption": entities["metergate_main_energy_import_kwh"]}]
    saved = ha.call("energy/save_prefs", energy_sources=[grid], device_consumption=devices)
    assert saved["energy_sources"][0]["flow_from"][0]["stat_energy_from"] == grid["flow_from"][0]["stat_energy_from"]
    validation = ha.call("energy/validate")
    assert not any(validation["energy_sources"]) and not any(validation["device_consumption"]), validation
