import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))

from fixtures import *  # noqa: E402,F401,F403

import pytest  # noqa: E402

from home_assistant import HomeAssistant, Unavailable, environment  # noqa: E402


@pytest.fixture(scope="session")
def home_assistant():
    """The Python that has Home Assistant."""
    try:
        return environment()
    except Unavailable as why:
        pytest.skip("Home Assistant cannot be installed: %s" % why)


@pytest.fixture
def home(tmp_path, home_assistant):
    """home(package) is a Home Assistant that runs with that package; with running=False one that does not yet."""
    made = []

    def make(package, running=True):
        made.append(HomeAssistant(tmp_path / ("home%d" % len(made)), home_assistant, package))
        if running:
            made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.stop()
