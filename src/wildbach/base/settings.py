"""Settings as one tree of frozen dataclasses, declared beside the code that reads them.

    @dataclass(frozen=True, slots=True)
    class UploadSettings(Section):
        slots: int = setting(8, "Peers unchoked at once.", live=True, min=1)

    @dataclass(frozen=True, slots=True)
    class Settings(Section):
        upload: UploadSettings = section(UploadSettings, "What we give.")

From the declaration come the checks, the layers (defaults < TOML < saved < environment < flags), the flags of the
command line, the JSON schema and the reference page. A value's key is its dotted path, `upload.slots`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

from wildbach.base.errors import UsageError
from wildbach.base.words import parse_size

ENV_PREFIX = "WILDBACH_"

_KINDS: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "path"}
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


BYTES: Final = ("B", "B/s")
"Units of settings that flags and variables spell with K, M and G too."


class SettingError(UsageError):
    """A value that a setting does not take, or a key that does not exist. `key` names it; `origin` says where the value
    comes from, as `--proxy` or `$WILDBACH_NETWORK_PROXY`, where that is known.
    """

    code = "bad_setting"

    def __init__(self, key: str, message: str, *, origin: str = "") -> None:
        super().__init__(f"{key} ({origin}): {message}" if origin else f"{key}: {message}", key=key, origin=origin)
        self.key = key
        self.origin = origin
        self._reason = message

    def told(self, origin: str) -> SettingError:
        """The same with its origin, where it has none."""
        return self if self.origin or not origin else SettingError(self.key, self._reason, origin=origin)


class PinnedError(UsageError):
    """This setting cannot be changed from here: who has `source` does. That is a flag or the environment for this run,
    or the configuration file alone where `always`.
    """

    code = "pinned_setting"

    def __init__(self, key: str, source: str, *, always: bool = False) -> None:
        super().__init__(
            f"{key} can be set in {source} only" if always else
            f"{key} is set by {source} for this run, which goes before what is set here", key=key, source=source)
        self.key = key
        self.source = source


def setting(
    default: Any,
    doc: str,
    *,
    live: bool = False,
    min: float | None = None,
    max: float | None = None,
    choices: Sequence[str] = (),
    unit: str = "",
    secret: bool = False,
    protects: bool = False,
) -> Any:
    """A field of a section: bool, int, float, str, Path, tuple[str, ...], or one of these or None.

    `live` settings take effect at once, others at the next start. `min` and `max` are inclusive. `unit` is shown
    in the reference. A `secret` is left out of what is shown. What `protects` cannot be given as nothing by a flag or a
    variable: a variable of a shell that is not set would switch off what somebody counts on.
    """
    facts = {"doc": doc, "live": live, "min": min, "max": max, "choices": tuple(choices), "unit": unit,
             "secret": secret, "protects": protects}
    return dataclasses.field(default=default, metadata={"setting": facts}, repr=not secret)


def section(kind: type[Any], doc: str) -> Any:
    """A field that holds another section."""
    return dataclasses.field(default_factory=kind, metadata={"section": kind, "doc": doc})


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """What is known of one setting."""

    key: str
    kind: str
    "`boolean`, `integer`, `number`, `string`, `path` or `strings`."
    optional: bool
    default: Any
    doc: str
    live: bool
    min: float | None
    max: float | None
    choices: tuple[str, ...]
    unit: str
    secret: bool
    protects: bool

    @property
    def flag(self) -> str:
        """The option on the command line: `--upload-slots`."""
        return "--" + self.key.replace(".", "-").replace("_", "-")

    @property
    def env(self) -> str:
        """The variable: `WILDBACH_UPLOAD_SLOTS`."""
        return ENV_PREFIX + self.key.replace(".", "_").upper()

    def check(self, value: object, key: str = "") -> Any:
        """The value in its own type. Raises SettingError that names the key and what it takes."""
        key = key or self.key
        if value is None:
            if not self.optional:
                raise SettingError(key, "needs a value")
            return None
        value = _CHECKS[self.kind](key, value)
        for item in (value if isinstance(value, tuple) else (value,)) if self.choices else ():
            if item not in self.choices:
                raise SettingError(key, f"{item!r} is none of {', '.join(self.choices)}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value != value:
                raise SettingError(key, "is not a number")
            if self.min is not None and value < self.min:
                raise SettingError(key, f"{value} is below the minimum {_plain(self.min)}")
            if self.max is not None and value > self.max:
                raise SettingError(key, f"{value} is above the maximum {_plain(self.max)}")
        return value

    def parse(self, text: str, key: str = "") -> Any:
        """The value that a flag or a variable spells. `none` or nothing is None; commas part lists."""
        key = key or self.key
        if self.optional and text.lower() in ("", "none"):
            return None
        if self.protects and not text.strip(" \t,"):
            raise SettingError(key, "is empty, which would switch it off unseen: name one, or leave it unset")
        value: object = text
        if self.kind == "boolean":
            value = _WORDS.get(text.lower())
            if value is None:
                raise SettingError(key, f"{text!r} is none of true, false, yes, no, on, off")
        elif self.kind == "integer" and self.unit in BYTES:
            try:
                value = parse_size(text)
            except UsageError:
                raise SettingError(
                    key, f"{text!r} is no number of bytes: write 700K, 2M or 1.5G, or a number alone") from None
        elif self.kind == "integer":
            if not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII):
                raise SettingError(key, f"{text!r} is not a whole number{_bounds(self)}")
            value = int(text)
        elif self.kind == "number":
            if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text, re.ASCII):
                raise SettingError(key, f"{text!r} is not a number{_bounds(self)}")
            value = float(text)
        elif self.kind == "strings":
            value = [part.strip() for part in text.split(",") if part.strip()]
        return self.check(value, key)


def _boolean(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise SettingError(key, f"takes true or false, not {value!r}")
    return value


def _integer(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingError(key, f"takes a whole number, not {value!r}")
    return value


def _number(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingError(key, f"takes a number, not {value!r}")
    return float(value)


def _string(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise SettingError(key, f"takes text, not {value!r}")
    return value


def _path(key: str, value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise SettingError(key, f"takes a path, not {value!r}")
    return Path(value)


def _strings(key: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise SettingError(key, f"takes a list of texts, not {value!r}")
    return tuple(_string(key, item) for item in value)


_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "boolean": _boolean, "integer": _integer, "number": _number, "string": _string, "path": _path, "strings": _strings,
}


class Section:
    """Base of every section: its values are checked whenever one is made."""

    __slots__ = ()

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __post_init__(self) -> None:
        for name, option in own_options(type(self)).items():
            object.__setattr__(self, name, option.check(getattr(self, name)))


S = TypeVar("S", bound=Section)


_own: dict[type[Section], dict[str, Option]] = {}
_trees: dict[type[Section], dict[str, Option]] = {}


def own_options(kind: type[Section]) -> dict[str, Option]:
    """The settings a section holds itself, by field name."""
    if kind not in _own:
        _own[kind] = _read_section(kind)
    return _own[kind]


def _read_section(kind: type[Section]) -> dict[str, Option]:
    hints = typing.get_type_hints(kind)
    return {
        field.name: _option(field.name, hints[field.name], field)
        for field in dataclasses.fields(kind)
        if "section" not in field.metadata
    }


def options(kind: type[Section]) -> dict[str, Option]:
    """Every setting of a tree by key, in the order of declaration."""
    if kind not in _trees:
        _trees[kind] = _read_tree(kind)
    return _trees[kind]


def _read_tree(kind: type[Section]) -> dict[str, Option]:
    found: dict[str, Option] = {}
    own = own_options(kind)
    for field in dataclasses.fields(kind):
        if field.name in own:
            found[field.name] = own[field.name]
        else:
            for key, option in options(field.metadata["section"]).items():
                full = f"{field.name}.{key}"
                found[full] = dataclasses.replace(option, key=full)
    names = [option.env for option in found.values()]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TypeError(f"two settings share the names {sorted(twice)}")
    return found


def sections(kind: type[Section]) -> Iterator[tuple[str, type[Section], str]]:
    """Key, class and doc of every section below `kind`."""
    for field in dataclasses.fields(kind):
        inner = field.metadata.get("section")
        if inner is not None:
            yield field.name, inner, field.metadata["doc"]
            for key, deeper, doc in sections(inner):
                yield f"{field.name}.{key}", deeper, doc


def _option(name: str, hint: Any, field: dataclasses.Field[Any]) -> Option:
    facts = field.metadata.get("setting")
    if facts is None:
        raise TypeError(f"{name} is declared without setting() or section()")
    optional = False
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        parts = [part for part in typing.get_args(hint) if part is not types.NoneType]
        optional = len(parts) < len(typing.get_args(hint))
        hint = parts[0] if len(parts) == 1 else hint
    if typing.get_origin(hint) is tuple and typing.get_args(hint) == (str, ...):
        kind = "strings"
    elif hint in _KINDS:
        kind = _KINDS[hint]
    else:
        raise TypeError(f"{name}: a setting cannot be {hint}")
    return Option(key=name, kind=kind, optional=optional, default=field.default, **facts)


def flatten(kind: type[Section], values: Mapping[str, object], where: str = "") -> dict[str, object]:
    """Nested or dotted values as one flat mapping by key. Raises SettingError for a key that does not exist."""
    known = options(kind)
    inner = {key for key, _, _ in sections(kind)}
    out: dict[str, object] = {}
    for name, value in values.items():
        key = f"{where}.{name}" if where else str(name)
        if key in known:
            out[key] = value
        elif key in inner:
            if not isinstance(value, Mapping):
                raise SettingError(key, f"is a section, not {value!r}")
            out.update(flatten(kind, value, key))
        else:
            near = difflib.get_close_matches(key, [*known, *inner], 1)
            raise SettingError(key, "there is no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    return out


def from_dict(kind: type[S], values: Mapping[str, object]) -> S:
    """A tree from nested or dotted values; what is not named has its default. Raises SettingError."""
    known = options(kind)
    return _build(kind, {key: known[key].check(value) for key, value in flatten(kind, values).items()}, "")


def _build(kind: type[S], values: Mapping[str, Any], prefix: str) -> S:
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        key = prefix + field.name
        inner = field.metadata.get("section")
        if inner is not None:
            fields[field.name] = _build(inner, values, key + ".")
        elif key in values:
            fields[field.name] = values[key]
    return kind(**fields)


def to_flat(tree: Section) -> dict[str, Any]:
    """Every value by key."""
    out: dict[str, Any] = {}
    for field in dataclasses.fields(tree):
        value = getattr(tree, field.name)
        if isinstance(value, Section):
            out.update({f"{field.name}.{key}": inner for key, inner in to_flat(value).items()})
        else:
            out[field.name] = value
    return out


def to_dict(tree: Section, *, secrets: bool = True) -> dict[str, Any]:
    """Nested plain values, ready for JSON; from_dict reads it back. Without `secrets` those are None."""
    out: dict[str, Any] = {}
    own = own_options(type(tree))
    for field in dataclasses.fields(tree):
        value = getattr(tree, field.name)
        if isinstance(value, Section):
            out[field.name] = to_dict(value, secrets=secrets)
        elif own[field.name].secret and not secrets:
            out[field.name] = None
        else:
            out[field.name] = _jsonable(value)
    return out


def parse_toml(kind: type[Section], text: str, where: str = "settings") -> dict[str, object]:
    """The checked values of a TOML document by key. Raises SettingError that names `where` or the key."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(where, str(error)) from error
    known = options(kind)
    return {key: known[key].check(value) for key, value in flatten(kind, document).items()}


def parse_environment(kind: type[Section], environ: Mapping[str, str]) -> dict[str, object]:
    """The values that variables give, by key. Variables that name no setting are not ours. Raises SettingError."""
    found: dict[str, object] = {}
    for key, option in options(kind).items():
        if option.env in environ:
            try:
                found[key] = option.parse(environ[option.env])
            except SettingError as error:
                raise error.told(f"${option.env}") from None
    return found


def strange_variables(kind: type[Section], environ: Mapping[str, str], others: Sequence[str] = ()) -> dict[str, str]:
    """Variables that look like those of settings and are none, nor among `others`; with the name that is nearest, or an
    empty text.
    """
    known = [*(option.env for option in options(kind).values()), *others]
    return {
        name: next(iter(difflib.get_close_matches(name, known, 1, 0.75)), "")
        for name in sorted(environ) if name.startswith(ENV_PREFIX) and name not in known
    }


class Layers(Generic[S]):
    """Where each value comes from. The later layer wins: defaults, TOML, saved, environment, flags.

    The values of each layer are nested or dotted. Immutable: `patched` makes the next one.
    """

    SOURCES: ClassVar[tuple[str, ...]] = ("default", "file", "saved", "environment", "flag")

    def __init__(
        self,
        kind: type[S],
        *,
        file: Mapping[str, object] | None = None,
        saved: Mapping[str, object] | None = None,
        environment: Mapping[str, object] | None = None,
        flags: Mapping[str, object] | None = None,
    ) -> None:
        known = options(kind)
        self.kind = kind
        self._layers: dict[str, dict[str, object]] = {}
        merged: dict[str, object] = {}
        for source, values in zip(self.SOURCES[1:], (file, saved, environment, flags), strict=True):
            flat = {key: known[key].check(value) for key, value in flatten(kind, values or {}).items()}
            self._layers[source] = flat
            merged.update(flat)
        self.settings: S = _build(kind, merged, "")

    def source(self, key: str) -> str:
        """One of SOURCES: where the value in effect comes from."""
        for source in reversed(self.SOURCES[1:]):
            if key in self._layers[source]:
                return source
        return "default"

    @property
    def pinned(self) -> tuple[str, ...]:
        """Keys that the environment or a flag fixes."""
        return tuple(key for key in options(self.kind) if self.source(key) in ("environment", "flag"))

    @property
    def saved(self) -> dict[str, object]:
        """The saved layer in plain values, to be stored."""
        return {key: _jsonable(value) for key, value in self._layers["saved"].items()}

    def patched(self, changes: Mapping[str, object]) -> Layers[S]:
        """With these values saved. Raises PinnedError or SettingError, and changes nothing then."""
        flat = flatten(self.kind, changes)
        for key in flat:
            if self.source(key) in ("environment", "flag"):
                raise PinnedError(key, f"the variable {options(self.kind)[key].env}"
                                  if self.source(key) == "environment" else "a flag at its start")
        return Layers(
            self.kind, file=self._layers["file"], saved={**self._layers["saved"], **flat},
            environment=self._layers["environment"], flags=self._layers["flag"],
        )

    def with_saved(self, values: Mapping[str, object]) -> Layers[S]:
        """With these values saved, and no others. Those that cannot be, as another version may have had them, are left
        out.
        """
        known = options(self.kind)
        kept = {}
        for key, value in values.items():
            option = known.get(key)
            if option is not None:
                with contextlib.suppress(SettingError):
                    kept[key] = option.check(value)
        return Layers(
            self.kind, file=self._layers["file"], saved=kept, environment=self._layers["environment"],
            flags=self._layers["flag"],
        )

    def without(self, keys: Iterable[str]) -> Layers[S]:
        """With these keys saved no more. Raises PinnedError or SettingError as `patched` does."""
        gone = flatten(self.kind, dict.fromkeys(keys))
        self.patched({key: options(self.kind)[key].default for key in gone})
        saved = {key: value for key, value in self._layers["saved"].items() if key not in gone}
        return Layers(
            self.kind, file=self._layers["file"], saved=saved, environment=self._layers["environment"],
            flags=self._layers["flag"],
        )

    def changed(self, other: Layers[S]) -> tuple[str, ...]:
        """The keys whose value differs from another's."""
        mine, theirs = to_flat(self.settings), to_flat(other.settings)
        return tuple(key for key in mine if mine[key] != theirs[key])


def json_schema(kind: type[Section]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the nested form."""
    properties: dict[str, Any] = {}
    own = own_options(kind)
    for field in dataclasses.fields(kind):
        if field.name in own:
            properties[field.name] = _schema(own[field.name])
        else:
            properties[field.name] = {**json_schema(field.metadata["section"]), "description": field.metadata["doc"]}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _schema(option: Option) -> dict[str, Any]:
    plain: dict[str, Any] = {"type": {"path": "string", "strings": "array"}.get(option.kind, option.kind)}
    if option.kind == "strings":
        plain["items"] = {"type": "string", **({"enum": list(option.choices)} if option.choices else {})}
    elif option.choices:
        plain["enum"] = list(option.choices)
    if option.min is not None:
        plain["minimum"] = option.min
    if option.max is not None:
        plain["maximum"] = option.max
    if option.optional:
        plain["type"] = [plain["type"], "null"]
        if option.choices:
            plain["enum"].append(None)
    return {**plain, "default": _jsonable(option.default), "description": option.doc,
            **({"x-live": True} if option.live else {}), **({"x-unit": option.unit} if option.unit else {})}


def reference_markdown(kind: type[Section]) -> str:
    """The reference page: a table for each section."""
    tables: list[str] = []
    everything = [("", kind, ""), *sections(kind)]
    for key, inner, doc in everything:
        own = own_options(inner)
        if not own:
            continue
        if key:
            tables.append(f"## `{key}`\n\n{doc}\n")
        lines = ["| key | type | default | takes effect | what it does |", "| --- | --- | --- | --- | --- |"]
        for name, option in own.items():
            full = f"{key}.{name}" if key else name
            lines.append(f"| `{full}` | {_describe(option)} | {_in_markdown(option.default)} | "
                         f"{'at once' if option.live else 'at the next start'} | {_cell(option.doc)} |")
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def _describe(option: Option) -> str:
    text = {"strings": "list of strings"}.get(option.kind, option.kind)
    if option.choices:
        text = ("some of " if option.kind == "strings" else "") + ", ".join(f"`{choice}`" for choice in option.choices)
    if option.min is not None and option.max is not None:
        text += f" {_plain(option.min)} to {_plain(option.max)}"
    elif option.min is not None:
        text += f" ≥ {_plain(option.min)}"
    elif option.max is not None:
        text += f" ≤ {_plain(option.max)}"
    if option.unit:
        text += f", {option.unit}"
    return text + (" or none" if option.optional else "")


def _in_markdown(value: object) -> str:
    if isinstance(value, tuple) and value:
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`" if isinstance(value, str | Path) else shown(value)


def shown(value: object) -> str:
    """A value as a flag or a variable spells it; `none` for nothing."""
    if value is None or value in ((), ""):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _jsonable(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _bounds(option: Option) -> str:
    if option.min is not None and option.max is not None:
        return f" from {_plain(option.min)} to {_plain(option.max)}"
    return f" of at least {_plain(option.min)}" if option.min is not None else ""


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)
