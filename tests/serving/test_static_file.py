"""The file that stands in: written as a whole, or not at all."""

from pathlib import Path

from pipelines.serving.static_file import StaticFile


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    file = StaticFile(tmp_path / "lists.json")
    file.write({"all": ["a"]}, 1)
    with monkeypatch.context() as full:
        full.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        file.write({"all": ["b"]}, 2)

    assert [path.name for path in tmp_path.iterdir()] == ["lists.json"]
    assert file.lists["all"] == ["a"]
