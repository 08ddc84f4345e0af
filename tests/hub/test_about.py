"""What is known of a model: licenses are derived by the stricter one, and what is ill-typed is left out."""

from __future__ import annotations

import json

import pytest

from onsei.errors import DataError
from onsei.hub.about import About, Measured, base, derived, license_of


@pytest.mark.parametrize(
    ("licenses", "found"),
    [
        (["apache-2.0", "cc-by-4.0"], "cc-by-4.0"),
        (["mit", "cc-by-nc-4.0"], "cc-by-nc-4.0"),
        (["MIT ", "mit"], "mit"),
        (["mit", ""], "unknown"),
        (["unknown", "mit"], "unknown"),
        (["mit", "my-own"], "unknown"),
        (["my-own"], "my-own"),
        ([], "unknown"),
        ([""], "unknown"),
    ],
)
def test_the_stricter_license_counts_and_an_unknown_one_makes_all_unknown(licenses, found):
    assert derived(licenses) == found


def test_without_a_base_model_the_data_decides():
    assert About(data_license="cc0-1.0").of_weights == "cc0-1.0"
    assert About(base_models=("a/b",), data_license="cc0-1.0").of_weights == "unknown"
    assert About(license="mit").of_weights == "mit"


def test_values_survive_and_ill_typed_ones_are_left_out():
    about = About(summary="s", languages=("en", "ja"), limits=("x",))
    assert About.of(json.loads(json.dumps(about.to_dict()))) == about
    assert About.of({"summary": 3, "languages": "en", "limits": [1, "x"], "strange": 1}) == About(limits=("x",))


def test_base_weights_tell_their_name_and_license(tmp_path):
    (tmp_path / "README.md").write_text("---\ntags:\n- x\nlicense: apache-2.0\n---\nlicense: mit\n", encoding="utf-8")
    (tmp_path / "config.json").write_text('{"_name_or_path": "ntu-spml/distilhubert"}', encoding="utf-8")
    assert base(tmp_path, str(tmp_path)) == ("ntu-spml/distilhubert", "apache-2.0")
    assert base(tmp_path, "some/other") == ("some/other", "apache-2.0")
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": str(tmp_path)}), encoding="utf-8")
    assert base(tmp_path, str(tmp_path))[0] == ""
    (tmp_path / "README.md").write_text("license: mit\n", encoding="utf-8")
    assert license_of(tmp_path) == ""
    assert base(tmp_path / "none", str(tmp_path)) == ("", "")


@pytest.mark.parametrize("content", ["", "[]", '{"a": "b"}', "{", '{"a": true}'])
def test_a_file_without_numbers_is_refused(tmp_path, content):
    (tmp_path / "r.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"r\.json"):
        Measured.read(tmp_path / "r.json")
