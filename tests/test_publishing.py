"""Names, versions and the table of published models: found in order, whole or not there, made again with their scores."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tolerances import KERNELS, assert_close

import zoo
from zoo import cli, files
from zoo.saving import alone, card_example, card_page, store
from zoo.saving import card as cards

SHIPPED = Path(__file__).parents[1] / "saved_models"
NAMES = [path.name for path in sorted(SHIPPED.iterdir()) if path.is_dir()]


@pytest.fixture
def digits_run(run):
    """A short run on digits; tests that change it copy it first."""
    return run("image")


@pytest.fixture
def wine_run(run):
    return run("table")


@pytest.fixture
def export(digits_run, tmp_path):
    return shutil.copytree(digits_run / "export" / "1", tmp_path / "model" / "1")


def test_names_are_looked_up_in_order_and_unknown_ones_list_the_nearest(
    digits_run, wine_run, in_tmp, monkeypatch
):
    zoo.publish(digits_run, "my_digits")  # into ./saved_models
    zoo.publish(wine_run, "my_digits", folder=in_tmp / "elsewhere")
    assert zoo.load("my_digits").card.data.name == "digits"
    monkeypatch.setenv("ZOO_MODELS_DIR", str(in_tmp / "elsewhere"))
    assert zoo.load("my_digits").card.data.name == "wine"
    with pytest.raises(zoo.InputError, match="Did you mean 'my_digits'"):
        zoo.load("my_digit")
    (in_tmp / "empty").mkdir()
    with pytest.raises(zoo.InputError, match="holds no SavedModel"):
        zoo.load("empty")


def test_publishing_makes_versions_a_table_and_scores_over_seeds(in_tmp, capsys):
    for seed in (0, 1):
        zoo.train(
            "dense:tiny", "wine", out=f"run{seed}", epochs=1, batch_size=16, seed=seed, quiet=True
        )
    zoo.train("dense:tiny", "wine", out="other", epochs=2, batch_size=16, quiet=True)
    assert zoo.publish("run0", "wines", also=["run1"]).name == "1"
    assert zoo.publish("run0", "wines").name == "2"
    first = cards.read("saved_models/wines/1")
    assert [run.seed for run in first.runs] == [0, 1]
    assert "(2 seeds)" in first.headline
    assert zoo.verify("wines")["path"].endswith("2")
    assert (in_tmp / "saved_models/README.md").read_text() == store.render_table("saved_models")
    for bad, also, words in [
        ("wine models", [], "letters, digits and underscores"),
        ("wines", ["other"], "only the seed may differ"),
        ("wines", ["run0"], "repeat a seed"),
    ]:
        with pytest.raises(zoo.InputError, match=words):
            zoo.publish("run0", bad, also=also)
    assert files.versions("saved_models/wines") == [1, 2]
    assert not list(Path("saved_models/wines").glob(".staged*"))
    Path("saved_models/wines/2/assets.extra/card.json").write_text("{")
    assert zoo.publish("run0", "more").name == "1"  # another model's damage doesn't matter
    table = Path("saved_models/README.md").read_text()
    assert "[more]" in table
    assert "[wines]" not in table
    cli.main(["models"])
    assert re.search("^more .*\n^wines .*cannot be read", capsys.readouterr().out, re.M)


def test_a_published_model_is_exported_again(in_tmp, monkeypatch):
    shutil.copytree(SHIPPED / "wine_dense", "saved_models/wine_dense")
    old = Path(store.find("saved_models/wine_dense"))
    path = Path(zoo.renew("wine_dense"))
    assert path.parent == old.parent
    assert path.name == str(int(old.name) + 1)
    assert cards.read(path).runs == cards.read(old).runs
    for name in ("variables/variables.data-00000-of-00001", "assets.extra/golden.npz"):
        assert (path / name).stat().st_size > 0
    splits = zoo.load_dataset("wine")
    rows = dict(zip(splits.info.columns, splits.pick("test", range(30)).T))
    for name, values in zoo.load(old).predict(rows).items():
        again = zoo.load(path).predict(rows)[name]
        if values.dtype.kind == "f":
            assert_close(again, values, KERNELS, scale=1)
        else:
            np.testing.assert_array_equal(again, values)
    other = zoo.load_dataset("wine", limit=100)  # fewer training rows: other statistics
    monkeypatch.setattr("zoo.saving.renew.load_dataset", lambda **_: other)
    with pytest.raises(zoo.InputError, match="cannot be exported again: its .* would differ"):
        zoo.renew("wine_dense")
    assert len(files.versions("saved_models/wine_dense")) == 2


def test_a_new_version_is_one_above_the_newest(tmp_path):
    for number in (1, 2, 3):
        with files.new_version(tmp_path) as staged:
            (staged["folder"] / "file").touch()
        assert staged["path"] == tmp_path / str(number)
    (tmp_path / "2").rename(tmp_path / "9")
    with files.new_version(tmp_path) as staged:
        (staged["folder"] / "file").touch()
    assert files.versions(tmp_path) == [1, 3, 9, 10]


def test_a_version_that_fails_half_way_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), files.new_version(tmp_path) as staged:
        (staged["folder"] / "half").write_text("written")
        raise RuntimeError("the disk is full")
    assert list(tmp_path.iterdir()) == []


def test_an_atomic_write_keeps_the_old_content_when_it_fails(tmp_path):
    files.write_atomic(tmp_path / "a", "old")
    with pytest.raises(TypeError):
        files.write_atomic(tmp_path / "a", 3)
    assert (tmp_path / "a").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_the_command_verifies_all_of_them_in_processes_of_their_own():
    if os.environ.get("ZOO_INSTALLED_TRIED"):
        pytest.skip("tests/installed.sh has just done that")
    child = alone.run(cli.__file__, "verify", "--all")
    assert child.returncode == 0, child.stderr
    assert child.stdout.count("ok ") == len(NAMES)


def test_the_table_of_shipped_models_is_up_to_date():
    assert (SHIPPED / "README.md").read_text() == store.render_table(SHIPPED)
    assert {"digits_cnn", "digits_dense", "wine_dense", "mnist_cnn", "mnist_dense"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_on_the_card_of_a_model_that_ships_run_with_tensorflow_alone(name):
    folder = store.find(SHIPPED / name)
    text = (folder / "assets.extra/card.md").read_text()
    assert text == card_page.render(cards.read(folder))
    child = alone.run(card_example.__file__, folder)
    assert child.returncode == 0, child.stderr
    assert "array(" in child.stdout


@pytest.mark.parametrize("kind", ["mixed table", "text", "series", "generation", "translation"])
def test_the_lines_on_a_new_card_run_with_tensorflow_alone(kind, run):
    child = alone.run(card_example.__file__, run(kind) / "export/1")
    assert child.returncode == 0, child.stderr


def test_many_columns_are_not_written_out_on_a_card(wine_run, monkeypatch):
    monkeypatch.setattr(card_page, "MOST_INPUTS", 5)
    text = card_page.render(cards.read(store.find(wine_run)))
    assert "tf.zeros([1], spec.dtype) for name, spec" in text
    assert "'hue'" not in text


def test_a_card_whose_lines_fail_is_not_published(wine_run, in_tmp, monkeypatch):
    def broken(card):
        return card_page_render(card).replace('load(".")', 'load("nowhere")')

    card_page_render = card_page.render
    monkeypatch.setattr(card_page, "render", broken)
    with pytest.raises(zoo.InputError, match="lines of Python on the card do not run"):
        zoo.publish(wine_run, "wines")
    assert not list((in_tmp / "saved_models/wines").iterdir())


def test_another_model_is_no_next_version(run, in_tmp, caplog):
    zoo.publish(run("table"), "mine")
    with pytest.raises(zoo.InputError, match="is another model, so this is no next version"):
        zoo.publish(run("image"), "mine")
    zoo.publish(run("table"), "mnist_cnn")
    assert "mnist_cnn is the name of" in caplog.text
    assert Path(zoo.publish(run("table"), "mine")).name == "2"
