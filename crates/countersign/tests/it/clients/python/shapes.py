"""What the generator made of a listener's document: every operation is there and every field has a type."""

import enum
import importlib
import pkgutil
import sys
import typing

# Fields that hold what others wrote, of any shape.
FREE = {
    "AgentProposal.result",
    "Card.input_",
    "Evidence.body",
    "Preview.before",
    "Preview.after",
    "Response.body",
    "StoredEntry.data",
}
TEXTS = {"livez", "checkpoint", "export", "watch_own"}


def expect(kind, response, status):
    """Reads an answer, which must have this type and this status."""
    assert response.status_code == status, (response.status_code, response.content)
    assert isinstance(response.parsed, kind), response.parsed
    return response.parsed


def hints(thing, models):
    return typing.get_type_hints(thing, localns=vars(models))


def check_operations(package, operations):
    api = importlib.import_module(f"{package}.api.default")
    models = importlib.import_module(f"{package}.models")
    names = [module.name for module in pkgutil.iter_modules(api.__path__)]
    # A name that Python uses already gets an underscore.
    assert sorted(name.rstrip("_") for name in names) == sorted(operations), names
    for name in names:
        module = importlib.import_module(f"{api.__name__}.{name}")
        answers = typing.get_args(hints(module._parse_response, models)["return"])
        kinds = set(answers) - {models.ProblemBody}
        assert len(answers) == 2 and len(kinds) == 1, (name, answers)
        assert kinds == {str} if name in TEXTS else hasattr(models, kinds.pop().__name__), (name, answers)


def is_free(hint):
    return hint is typing.Any or typing.Any in typing.get_args(hint)


def check_models(package):
    models = importlib.import_module(f"{package}.models")
    for name in models.__all__:
        model = getattr(models, name)
        if issubclass(model, enum.Enum):
            continue
        for field, hint in hints(model, models).items():
            # What a later version of the gate adds is kept there.
            if field != "additional_properties":
                assert is_free(hint) == (f"{name}.{field}" in FREE), (name, field, hint)


def check(package, operations):
    check_operations(package, operations)
    check_models(package)


if __name__ == "__main__":
    check(sys.argv[1], sys.argv[2:])
