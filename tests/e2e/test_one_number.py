"""An energy is one number, wherever it is told: /now, /metrics, /energy, the past and Home Assistant's statistics."""
import json
import re
import time
from decimal import Decimal

import pytest

from fake_mcu import NO_PROFILE
from gateway import run, wait_until

KWH = Decimal(3600000)
HOUR_MS = 3600000
SERIES = "energy_import_kwh"


def exact(answer):
    assert answer.status == 200, answer
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)


def from_metrics(text, meter):
    """The newest sample in joules, in kWh."""
    return Decimal(re.findall(r'^metergate_energy_imported_joules_total\{meter="%s"\} (\S+)' % meter, text,
                              re.MULTILINE)[-1]) / KWH


def fill(directory, meter, header, rows):
    result = run("history", "import", "--directory", directory, "--meter", meter, "--size", "2MiB", "-",
                 input="".join(",".join(map(str, row)) + "\n" for row in [header, *rows]))
    assert result.returncode == 0, result.stderr


@pytest.fixture
def house(mcu_at, start, meter, tmp_path):
    """Two meters with a past of some hours: a register, and a clamp that measures nothing but power."""
    class House:
        past_ms = int(time.time()) // 3600 * HOUR_MS - 5 * HOUR_MS

        def start(self, name):
            self.gateway = start([meter("register", profile="tomzn-60a", poll="5min"), meter("clamp", poll="1s")],
                                 extra="history: { directory: %s, flush: 1s }\n" % directory, name=name)
            self.gateway.wait_history()
            for one in ("register", "clamp"):
                self.gateway.wait_now(one, state="online")
                wait_until(lambda: self.now(one) is not None)

        def number(self, path, meter):
            return exact(self.gateway.get("/api/v1/meters/%s/%s" % (meter, path)))

        def now(self, meter):
            return self.number("now", meter)[SERIES]

        def told(self, meter):
            """Everything but /now, and the total at the end of the hour in which the past ended."""
            span = "from=%d" % (self.past_ms // 1000)
            statistics, = [s for s in self.number("energy?format=ha-statistics&" + span, meter)["statistics"]
                           if s["series"] == SERIES]
            hour = statistics["rows"][0]
            hours = self.number("history?series=%s&step=1h&agg=last,delta&%s" % (SERIES, span), meter)["rows"]
            periods = self.number("energy?period=hour&" + span, meter)["rows"]
            openmetrics = self.gateway.get("/api/v1/meters/%s/history?series=%s&step=raw&format=openmetrics&%s"
                                           % (meter, SERIES, span)).text
            first = hour["state"] - hour["sum"]
            return {
                "metrics": from_metrics(self.gateway.get("/metrics").text, meter),
                "history": [row[1] for row in hours if row[1] is not None][-1],
                "deltas": first + sum(row[2] or 0 for row in hours),
                "energy": first + sum(row["import_kwh"] or 0 for row in periods),
                "openmetrics": from_metrics(openmetrics, meter),
                "one value": Decimal(self.gateway.get("/api/v1/meters/%s/now/%s" % (meter, SERIES)).text),
            }, hour["state"]

        def one_number(self, meter):
            """Of one moment: nothing has changed meanwhile."""
            def moment():
                before = self.now(meter)
                told = self.told(meter)
                return before == self.now(meter) and (before, *told)
            now, told, hour = wait_until(moment)
            assert set(told.values()) == {now}, (now, told)
            return now, hour

    one = House()
    one.register = mcu_at("register", values={18: 1000, 19: 2300, 20: 2300, 101: 500000}, product=NO_PROFILE)
    one.clamp = mcu_at("clamp", values={18: 5000, 19: 0, 20: 2300})
    directory = tmp_path / "kept"
    fill(directory, "register", ("t_ms", SERIES), [(one.past_ms, 4990.5), (one.past_ms + HOUR_MS, 5000)])
    fill(directory, "clamp", ("t_ms", "power_w", SERIES), [(one.past_ms, 0, 1.25), (one.past_ms + HOUR_MS, 0, 2.75)])
    one.start("before")
    return one


def test_while_nothing_flows(house):
    """Then Home Assistant's newest state is the same, too."""
    assert house.one_number("register") == (5000, 5000)
    assert house.one_number("clamp") == (Decimal("2.75"), Decimal("2.75"))


def test_while_it_grows(house):
    for i in range(1, 7):
        house.register.report(dp101=500000 + i)
        house.clamp.report(dp19=100000 + i)
        wait_until(lambda: house.now("register") == 5000 + Decimal(i) / 100)
        assert house.one_number("register") == (5000 + Decimal(i) / 100, 5000)
        assert house.one_number("clamp")[1] == Decimal("2.75")
    wait_until(lambda: house.one_number("clamp")[0] > Decimal("2.75"))


def test_across_a_crash(house):
    """What was told is told again, or more."""
    house.clamp.report(dp19=180000)
    wait_until(lambda: house.now("clamp") > Decimal("2.75"))
    before = house.one_number("clamp")[0]
    house.gateway.crash()
    house.start("after")
    assert house.now("clamp") >= before
    assert house.one_number("clamp")[0] >= before
