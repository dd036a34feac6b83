"""What the tests start from: a gateway, a device, an entry of the configuration."""
import os

import pytest

from fake_mcu import FakeMcu
from gateway import BINARY, Gateway
from player import Player
from vue import VueSimulator


@pytest.fixture(scope="session", autouse=True)
def binary():
    if not os.access(BINARY, os.X_OK):
        pytest.exit("there is no %s: build it, or name it in METERGATE" % BINARY, returncode=2)
    return BINARY


@pytest.fixture(scope="session", autouse=True)
def state_directory(tmp_path_factory):
    """Whatever a test starts keeps nothing in the machine's own folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIRECTORY", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def start(tmp_path):
    """start(...) runs a gateway; at the end each one has to stop as it should."""
    running = []

    def start_one(meters="[]", **options):
        options.setdefault("name", "gateway%d" % len(running))
        gateway = Gateway(tmp_path, meters, **options)
        running.append(gateway)
        return gateway

    yield start_one
    for gateway in reversed(running):
        gateway.stop()


@pytest.fixture
def mcu_at(tmp_path):
    """mcu_at("main") makes a simulated device behind the port tmp_path/main."""
    made = []

    def make(name="main", **options):
        mcu = FakeMcu(tmp_path / name, **options)
        made.append(mcu)
        return mcu

    yield make
    for mcu in made:
        mcu.close()


@pytest.fixture
def mcu(mcu_at):
    return mcu_at("main")


@pytest.fixture
def meter(tmp_path):
    """meter(poll="5s") is one entry of the configuration, for the device "main" unless told otherwise."""
    def make(id="main", **settings):
        entry = {"id": id, "protocol": "tuyamcu", "port": tmp_path / id, "baud": 115200, "poll": "1s"}
        entry.update(settings)
        return {key: value for key, value in entry.items() if value is not None}

    return make


@pytest.fixture
def online(start, meter):
    """online(mcu) starts a gateway with that device and waits until it delivers."""
    def make(**settings):
        gateway = start([meter(**settings)])
        gateway.wait_now(state="online", power_w=17.7, voltage_v=240.3, current_a=0.077)
        return gateway

    return make


@pytest.fixture
def vue(tmp_path):
    """vue("utility", "--firmware", "7") starts a simulated radio module behind the port tmp_path/utility."""
    made = []

    def make(id="utility", *options):
        made.append(VueSimulator(tmp_path, id, *options))
        return made[-1]

    yield make
    for simulator in made:
        simulator.stop()


@pytest.fixture
def vue_meter(tmp_path):
    """vue_meter("utility") is its entry of the configuration, asked as often as it may be."""
    def make(id="utility", **settings):
        return {"id": id, "protocol": "vue", "port": tmp_path / id, "poll": "5s", **settings}

    return make


@pytest.fixture
def play(tmp_path):
    made = []

    def make(id, *options):
        made.append(Player(tmp_path, id, *options))
        return made[-1]

    yield make
    for player in made:
        player.process.stdin.close()
        player.signal(15)
    for player in made:
        assert player.wait() == 0, player.log()
        player.check_log()
