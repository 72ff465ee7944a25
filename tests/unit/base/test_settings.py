import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from wildbach.base.errors import UsageError
from wildbach.base.settings import (
    Layers,
    PinnedError,
    Section,
    SettingError,
    from_dict,
    json_schema,
    options,
    parse_environment,
    parse_toml,
    reference_markdown,
    section,
    setting,
    to_dict,
)


@dataclass(frozen=True, slots=True)
class Upload(Section):
    slots: int = setting(8, "Peers unchoked at once.", live=True, min=1, max=500)
    rate: float = setting(0.0, "Limit.", min=0, unit="bytes a second")
    most: int = setting(0, "Most.", min=0, unit="B/s")


@dataclass(frozen=True, slots=True)
class Inner(Section):
    trackers: tuple[str, ...] = setting((), "Added to | every torrent.")


@dataclass(frozen=True, slots=True)
class Network(Section):
    encryption: str = setting("allow", "Whether.", choices=("allow", "require"))
    proxy: str | None = setting(None, "Where.", secret=True)
    deep: Inner = section(Inner, "Deeper.")


@dataclass(frozen=True, slots=True)
class Settings(Section):
    data: Path | None = setting(None, "Where state is kept.")
    seed: bool = setting(True, "Go on after completion.", live=True)
    upload: Upload = section(Upload, "What we give.")
    network: Network = section(Network, "How we talk.")


def test_defaults_hold_without_any_layer():
    settings = Layers(Settings).settings
    assert settings == Settings()
    assert settings.upload.slots == 8


def test_later_layers_win_and_say_so():
    layers = Layers(
        Settings,
        file=parse_toml(Settings, "seed = false\n[upload]\nslots = 2\nrate = 3\n[network.deep]\ntrackers=['a']"),
        saved={"upload.slots": 3, "upload": {"rate": 5}},
        environment=parse_environment(Settings, {"WILDBACH_UPLOAD_SLOTS": "4", "WILDBACH_OTHER": "x"}),
        flags={"network.encryption": "require"},
    )
    assert layers.settings.upload == Upload(4, 5.0)
    assert layers.settings.network == Network("require", None, Inner(("a",)))
    assert [layers.source(key) for key in ("data", "seed", "upload.rate", "upload.slots", "network.encryption")] == [
        "default", "file", "saved", "environment", "flag"]
    assert layers.pinned == ("upload.slots", "network.encryption")


def test_a_patch_is_saved_unless_the_key_is_pinned():
    layers = Layers(Settings, flags={"seed": False})
    patched = layers.patched({"upload": {"slots": 20}, "network.deep.trackers": ["x", "y"]})
    assert patched.settings.upload.slots == 20
    assert layers.settings.upload.slots == 8
    assert patched.changed(layers) == ("upload.slots", "network.deep.trackers")
    assert Layers(Settings, saved=json.loads(json.dumps(patched.saved))).settings.network.deep.trackers == ("x", "y")
    with pytest.raises(PinnedError, match="seed is set by a flag at its start"):
        layers.patched({"seed": True})


@pytest.mark.parametrize(("values", "message"), [
    ({"upload": {"slots": 0}}, "upload.slots: 0 is below the minimum 1"),
    ({"upload.slots": 501}, "upload.slots: 501 is above the maximum 500"),
    ({"upload.slots": True}, "upload.slots: takes a whole number, not True"),
    ({"upload.slots": "8"}, "upload.slots: takes a whole number"),
    ({"upload.slots": None}, "upload.slots: needs a value"),
    ({"upload.rate": float("nan")}, "upload.rate: is not a number"),
    ({"upload": 3}, "upload: is a section"),
    ({"network.encryption": "maybe"}, "network.encryption: 'maybe' is none of allow, require"),
    ({"network.deep.trackers": "a"}, "network.deep.trackers: takes a list"),
    ({"upload.slot": 1}, "upload.slot: there is no such setting; did you mean upload.slots"),
    ({"data": 5}, "data: takes a path"),
])
def test_a_bad_value_names_its_key(values, message):
    with pytest.raises(UsageError) as caught:
        from_dict(Settings, values)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("key", "text", "value"), [
    ("seed", "off", False), ("seed", "TRUE", True), ("upload.slots", "12", 12), ("upload.rate", "1.5", 1.5),
    ("upload.most", "700K", 700 << 10), ("upload.most", "1.5 MiB/s", 3 << 19), ("upload.most", "4096", 4096),
    ("data", "/srv", Path("/srv")), ("data", "none", None), ("network.deep.trackers", "a, b,", ("a", "b")),
])
def test_text_of_flags_and_variables_is_read(key, text, value):
    assert options(Settings)[key].parse(text) == value


@pytest.mark.parametrize(("key", "text"), [
    ("seed", "maybe"), ("upload.slots", "1_0"), ("upload.slots", " 7"), ("upload.slots", "²"), ("upload.rate", "nan"),
    ("upload.slots", "1K"), ("upload.most", "1X"), ("upload.most", "-1K")])
def test_odd_spellings_are_refused(key, text):
    with pytest.raises(SettingError):
        options(Settings)[key].parse(text)


def test_a_section_made_by_hand_is_checked_too():
    with pytest.raises(SettingError, match="slots: 0 is below"):
        Upload(slots=0)


def test_bad_toml_names_the_file():
    with pytest.raises(SettingError, match=r"wildbach\.toml: "):
        parse_toml(Settings, "seed =", "wildbach.toml")


def test_the_tree_survives_a_round_trip_through_json():
    settings = from_dict(Settings, {"data": "/x", "network.proxy": "socks5://u:p@h", "network.deep.trackers": ["a"]})
    assert from_dict(Settings, json.loads(json.dumps(to_dict(settings)))) == settings
    assert to_dict(settings, secrets=False)["network"]["proxy"] is None


def test_names_derive_from_the_key():
    option = options(Settings)["network.deep.trackers"]
    assert (option.flag, option.env) == ("--network-deep-trackers", "WILDBACH_NETWORK_DEEP_TRACKERS")


def test_the_schema_and_the_reference_name_every_setting():
    schema = json_schema(Settings)
    assert schema["properties"]["upload"]["properties"]["slots"] == {
        "type": "integer", "minimum": 1, "maximum": 500, "default": 8, "description": "Peers unchoked at once.",
        "x-live": True}
    assert schema["properties"]["data"]["type"] == ["string", "null"]
    page = reference_markdown(Settings)
    assert all(f"`{key}`" in page for key in options(Settings))
    assert "| `upload.slots` | integer 1 to 500 | 8 | at once | Peers unchoked at once. |" in page
    assert "Added to \\| every" in page
