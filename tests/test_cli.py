"""The command line answers every mistake with one message, a mend and status 2."""

import pytest

from onsei import cli


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["recogniton"], "'recogniton' is no system or tool; did you mean recognition?"),
        (["recognition", "trian"], "'trian' is no verb of recognition; did you mean train?"),
        (["recognition", "train", "tinny"], "'tinny' is no recipe; did you mean tiny?"),
        (["recognition", "train", "nowhere.yaml"], "nowhere.yaml: no such recipe file"),
        (["recognition", "transcribe", "no-such-model", "a.wav"], "no-such-model"),
        (["inspect", "no-such-model"], "no-such-model"),
        (["data", "stats", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_a_mistake_gets_one_message_and_a_mend(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "→" in err
    assert "Traceback" not in err


def test_a_recipe_with_a_typo_names_file_field_and_suggestion(tmp_path, capsys):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {hiden_size: 4}\n")
    assert cli.main(["recognition", "train", str(recipe)]) == 2
    err = capsys.readouterr().err
    assert "mine.yaml" in err
    assert "model.hiden_size: unknown; did you mean model.hidden_size?" in err


def test_a_recipe_of_ones_own_extends_one_of_the_systems(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("extends: tiny\ntraining: {epochs: 3}\n")
    assert cli.main(["recognition", "train", "mine.yaml", "--train-manifest", "none.jsonl", "--output-dir", "run"]) == 2
    assert "none.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_overview_lists_systems_and_tools(words, capsys):
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "recognition" in out
    assert "watch" in out


@pytest.mark.parametrize("words", [["recognition"], ["recognition", "--help"]])
def test_a_system_lists_its_verbs(words, capsys):
    assert cli.main(words) == 0
    assert "transcribe" in capsys.readouterr().out


def test_every_verb_has_help(capsys):
    for group in (*cli.TOOLS, *cli.systems()):
        for verb in group.verbs:
            with pytest.raises(SystemExit) as caught:
                cli.main([group.name, verb.name, "--help"])
            assert caught.value.code == 0
    for verb in cli.SINGLE:
        with pytest.raises(SystemExit) as caught:
            cli.main([verb.name, "--help"])
        assert caught.value.code == 0
