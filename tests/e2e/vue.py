"""A simulated Emporia Vue Utility Connect for tests, and the way to it over TCP."""
import contextlib
import json
import os
import shutil
import subprocess

from gateway import Collector, free_port, wait_until
from player import Simulator

ENERGIES = ("energy_import_kwh", "energy_export_kwh")


class VueSimulator(Simulator):
    """It tells with each reading what has to be shown from then on."""

    def __init__(self, folder, id, *options):
        super().__init__("vue", folder, id, *options)

    def expected(self):
        """All that was to be shown, oldest first."""
        return [json.loads(line)["expect"] for line in list(self.output.lines) if line.startswith('{"expect":')]

    def wait_readings(self, count):
        """Until it has given so many more."""
        until = len(self.expected()) + count
        wait_until(lambda: len(self.expected()) >= until, what="%d readings" % count)

    def wait_shown(self, gateway):
        """Until the gateway shows the last reading, whichever that is by then."""
        def shows():
            now, told = gateway.now(self.id), self.expected()[-1]
            return now["state"] == "online" and all(now.get(key) == value for key, value in told.items())

        wait_until(shows, what="the last reading of %s" % self.id)

    def ledger(self):
        """Energy as of its last answer."""
        start = len(self.output.lines)
        self.tell("ledger")
        return json.loads(self.output.wait(lambda line: line.startswith('{"ledger":'), start))["ledger"]

    def stop(self):
        if self.alive():
            self.tell("quit")
        assert self.wait() == 0, self.log()
        self.check_log()
        assert not os.path.lexists(self.link), "the link is left behind"


class Ser2net:
    """Debian's bridge from a serial port to TCP."""

    PROGRAM = shutil.which("ser2net", path="/usr/local/sbin:/usr/sbin:/sbin:" + os.environ.get("PATH", ""))

    def __init__(self, folder, link):
        self.port = free_port()
        config, log = folder / "ser2net.yaml", folder / "ser2net.log"
        config.write_text("%%YAML 1.1\n---\nconnection: &vue\n  accepter: tcp,127.0.0.1,%d\n"
                          "  connector: serialdev,%s,115200n81,local\n" % (self.port, link))
        with open(log, "wb") as output:
            # -u: lock files are root's business.
            self.process = subprocess.Popen([self.PROGRAM, "-n", "-u", "-c", config], stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Witness(Collector):
    """Sees everything that is served of a meter; at the end it must be what the simulator told, in its order."""

    def __init__(self, gateway, simulator):
        super().__init__(gateway, simulator.id, "power_w")
        self.simulator = simulator
        self.rows = []

    def _ask(self):
        super()._ask()
        self.rows.append(self.gateway.now(self.meter))

    def unknown(self, key):
        """Values that were served and not told by the simulator."""
        return self.values(key) - {e[key] for e in self.simulator.expected() if key in e}

    def __exit__(self, *error):
        super().__exit__(*error)
        if any(error):
            return
        for key in ("power_w", *ENERGIES):
            # What it told may be read a moment after what the gateway served.
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not self.unknown(key))
            assert not self.unknown(key), "%s: nobody measured %r" % (key, sorted(self.unknown(key)))
        for key in ENERGIES:
            energy = [row[key] for row in self.rows if row[key] is not None]
            assert energy == sorted(energy), "%s went back" % key
            first = next((i for i, row in enumerate(self.rows) if row[key] is not None), len(self.rows))
            assert all(row[key] is not None for row in self.rows[first:]), "%s was forgotten" % key


def live_through(gateway, simulator):
    """A day in two minutes: nothing there, no network, no meter, readings, a power cut, silence."""
    id = simulator.id

    def state(name, **values):
        gateway.wait_now(id, state=name, **values)
        diagnostics = gateway.diagnostics(id)
        return diagnostics["hint"]

    with Witness(gateway, simulator) as witness:
        assert state("no_module", power_w=None, energy_import_kwh=None, available=False)
        simulator.tell("state unprovisioned")
        assert state("not_provisioned", power_w=None, energy_import_kwh=None)
        simulator.tell("state out-of-reach")
        assert state("searching", power_w=None, energy_import_kwh=None)
        assert not simulator.expected()

        simulator.tell("set -1234.5")
        simulator.tell("state reachable")
        assert state("online", power_w=-1235, available=True) is None
        simulator.tell("set 120000")
        simulator.wait_readings(2)
        simulator.wait_shown(gateway)
        assert simulator.ledger()["energy_import_kwh"] > simulator.expected()[0]["energy_import_kwh"]

        simulator.tell("set 500")
        simulator.tell("power-cycle")
        gateway.wait_now(id, state="online", power_w=500)

        simulator.tell("state silent")
        gateway.wait_now(id, power_w=None, available=False)
        assert state("no_module", power_w=None)
        simulator.tell("set 700")
        simulator.tell("state reachable")
        gateway.wait_now(id, state="online", power_w=700, available=True)
        wait_until(lambda: gateway.now(id)["energy_import_kwh"] == simulator.ledger()["energy_import_kwh"])
    states = [t["state"] for t in gateway.diagnostics(id)["transitions"]]
    assert [s for s in states if s != "connecting"][:4] == ["no_module", "not_provisioned", "searching", "online"]
    assert simulator.ledger()["forbidden"] == 0
    return witness
