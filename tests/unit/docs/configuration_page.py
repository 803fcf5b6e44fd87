"""Writes docs/configuration.md and .env.example from the settings classes: `make docs`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePath

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from edge.settings import EdgeSettings
from inference.settings import Settings as InferenceSettings
from storage.settings import StorageSettings

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / ".env.example"

ROLES: tuple[tuple[str, str, type[BaseSettings]], ...] = (
    ("Edge", "Read by `python -m edge` and `facesearch edge`.", EdgeSettings),
    (
        "Storage",
        "Read by the edge and by the commands that open a base themselves.",
        StorageSettings,
    ),
    (
        "Inference",
        "Read by `python -m inference`, `facesearch inference` and `facesearch eval`.",
        InferenceSettings,
    ),
)

INTRODUCTION = """# Configuration

Settings are environment variables. Flags of the `facesearch` command go over them; `facesearch up`
passes the environment on to both processes. An unknown variable with one of our prefixes, an
impossible value, or two that contradict each other stop the start with one line that says what to
do. `.env.example` has them all with their defaults.

This page is made from the settings classes by `make docs`; a test compares it with them.
"""

CLI = """
## Command line

| variable | meaning |
|---|---|
| `FACESEARCH_URL` | The service that `index` and `search` talk to, as `--url`. |
| `FACESEARCH_API_KEY` | The key they use, as `--key`. `API_KEY` is taken too. |
"""


def settings_of(kind: type[BaseSettings]) -> Iterator[tuple[str, str, str]]:
    """Variable, default and meaning of each field."""
    prefix = kind.model_config.get("env_prefix", "")
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        variable = alias if isinstance(alias, str) else f"{prefix}{name.upper()}"
        yield variable, _default(field), field.description or ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    match value:
        case None | () | {}:
            return ""
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return ",".join(map(str, value))
        case bool():
            return str(value).lower()
        case dict():
            return json.dumps(value)
        case float() if value.is_integer():
            return str(int(value))
        case PurePath() | str() | int() | float():
            return str(value)
    return str(value)


def page() -> str:
    """The text of docs/configuration.md."""
    parts = [INTRODUCTION]
    for title, who, kind in ROLES:
        lines = [f"\n## {title}\n\n{who}\n", "| variable | default | meaning |", "|---|---|---|"]
        for variable, default, meaning in settings_of(kind):
            shown = f"`{default}`" if default else "empty"
            escaped = meaning.replace("|", "\\|")
            lines.append(f"| `{variable}` | {shown} | {escaped} |")
        parts.append("\n".join(lines) + "\n")
    return "".join([*parts, CLI])


def example() -> str:
    """The text of .env.example."""
    lines = [
        "# Every setting with its default. Copy to .env and uncomment what you change, then:",
        "#   set -a; . ./.env; set +a; facesearch up",
        "# docs/configuration.md is the same as a page.",
    ]
    for title, _, kind in ROLES:
        lines += ["", f"# --- {title}"]
        for variable, default, meaning in settings_of(kind):
            lines += ["", f"# {meaning}", f"#{variable}={default}"]
    return "\n".join(lines) + "\n"


def write() -> None:
    """Bring both files up to date."""
    PAGE.write_text(page(), encoding="utf-8")
    EXAMPLE.write_text(example(), encoding="utf-8")


if __name__ == "__main__":
    write()
