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
