"""The corpus of broken files: for each, the whole report.

`broken/NAME.json5` is a file with a mistake that people make, `broken/NAME.txt` what they read about it. HERE
in it stands for the folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ioto_server.config import ConfigError, load_config

FOLDER = Path(__file__).resolve().parent / "broken"
FILES = sorted(FOLDER.glob("*.json5"))


@pytest.mark.parametrize("file", [Path(file.name) for file in FILES], ids=lambda file: file.stem)
def test_the_whole_report(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    assert str(caught.value).replace(str(FOLDER), "HERE") + "\n" == file.with_suffix(".txt").read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_error_has_a_place_and_says_what_to_do(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    for problem in caught.value.problems:
        assert problem.file == str(file)
        assert problem.line > 0
        assert problem.column > 0
        assert problem.hint
        assert problem.message


def test_the_corpus_is_whole() -> None:
    assert len(FILES) >= 60
    assert {file.stem for file in FILES} == {text.stem for text in FOLDER.glob("*.txt")}


def test_a_syntax_error_is_reported_alone(tmp_path: Path) -> None:
    file = tmp_path / "web.json5"
    file.write_text("{ limits: { maxFrame: '12 bananas' }, unknown: 1, listen: [ }")
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    assert [problem.message for problem in caught.value.problems] == ["syntax error: a } closes a ["]
    assert not caught.value.warnings
