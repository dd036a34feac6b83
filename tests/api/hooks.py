"""What Schemathesis has to be told of our answers."""
import schemathesis
import yaml


class Loader(yaml.CSafeLoader):
    """YAML as Home Assistant reads it."""


Loader.add_constructor("!secret", lambda loader, node: loader.construct_scalar(node))


# The first reader of a family is asked, and that is the one of text/yaml.
@schemathesis.deserializer("text/yaml", "application/yaml")
def read_yaml(context, response):
    return yaml.load(response.content, Loader)


# With follow=true an answer has no end; tests/e2e has a test of its own for it.
@schemathesis.hook
def before_call(context, case, kwargs):
    if case.query and case.query.get("follow") == "true":
        case.query = {key: value for key, value in case.query.items() if key != "follow"}
