"""The published tables are those of `results/*.csv`, whose rows agree with themselves."""

import json
import statistics
from pathlib import Path

import pytest

import zoo
from benchmarks import results, runtimes_page, shipped, shrinking_curves, tuning_table

ROOT = Path(zoo.__file__).parents[1]


FOUND = {
    line["row"]: (recipe, line)
    for recipe in sorted({row.recipe for row in results.ROWS.values()})
    for line in results.read(results.RESULTS / f"{recipe}.csv")
}


def test_the_pages_show_the_rows():
    assert results.PAGE.read_text() == results.page(), "python -m benchmarks.results --pages"
    assert results.README.read_text() == results.readme(), "python -m benchmarks.results --pages"


def test_the_pages_of_runtimes_show_what_was_measured():
    assert runtimes_page.PAGE.read_text() == runtimes_page.page(), (
        "python -m benchmarks.runtimes_page"
    )
    assert runtimes_page.README.read_text() == runtimes_page.readme()
    for one in runtimes_page.results().values():  # the scores are kept twice
        assert one["judged"] == {label: [score, same] for label, _, score, same, *_ in one["rows"]}


def test_the_page_of_smaller_models_shows_what_was_measured():
    found = shrinking_curves.current(json.loads(shrinking_curves.RESULTS.read_text()))
    assert shrinking_curves.PAGE.read_text() == shrinking_curves.page(found), (
        "python -m benchmarks.shrinking_curves --page"
    )
    for name in found:
        assert (shrinking_curves.ROOT / "docs" / "results" / f"shrunk_{name}.png").exists()


def test_the_page_of_tuning_shows_what_was_measured():
    rows = tuning_table.read()
    assert list(rows) == list(tuning_table.ROWS)
    shown = tuning_table.MARKS[0] + tuning_table.page(rows) + tuning_table.MARKS[1]
    assert shown in tuning_table.PAGE.read_text(), "python benchmarks/tuning_table.py --page"


@pytest.mark.parametrize("name", sorted(set(FOUND) & set(shipped.names())))
def test_a_card_has_the_scores_of_its_row(name):
    runs = zoo.load(name).card.runs
    found = results.records(name, results.ROWS[name])
    assert [run.seed for run in runs] == list(found)
    for run in runs:
        assert run.scores.items() <= found[run.seed]["scores"].items()


def test_figures_of_other_weights_leave_the_pages(monkeypatch):
    found = json.loads(shrinking_curves.RESULTS.read_text())
    assert "mnist_cnn" in shrinking_curves.current(found)
    assert "mnist_cnn" in runtimes_page.results()
    own = shipped.weights
    monkeypatch.setattr(shipped, "weights", lambda name: "new" if name == "mnist_cnn" else own(name))  # fmt: skip
    assert "mnist_cnn" not in shrinking_curves.current(found)
    measured = runtimes_page.results()
    assert "mnist_cnn" not in measured
    assert "digits_cnn" in measured
    assert "`mnist_cnn`" in shipped.missing(measured)


@pytest.mark.parametrize("name", FOUND)
def test_a_row_is_its_command_and_its_seeds(name):
    recipe, line = FOUND[name]
    row = results.ROWS[name]
    assert recipe == row.recipe
    assert line["command"] == row.command
    made = {key: str(value) for key, value in results.collect(name, row).items()}
    assert line == made, "the row is not that of its runs"
    values = [float(value) for value in line["values"].split()]
    assert [int(seed) for seed in line["seeds"].split()] == list(row.seeds)[: len(values)]
    assert float(line["mean"]) == pytest.approx(statistics.mean(values), abs=1e-4)
    if len(values) > 1:
        assert float(line["std"]) == pytest.approx(statistics.stdev(values), abs=2e-4)
    assert (results.PICTURES / f"{name}.png").exists()
    beside = results.read(results.BASELINES)
    assert line["linear"] or row.beside in [b["data"] for b in beside] or " " in row.beside


def test_a_row_that_is_not_finished_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RUNS", tmp_path)
    assert not results.is_finished(results.folder("co2", 0))
    run = tmp_path / "co2-0"
    (run / "export" / "1").mkdir(parents=True)
    assert not results.is_finished(run)
    (run / "score.json").write_text("{}")
    assert results.is_finished(run)


def test_a_run_of_another_command_is_not_taken_for_the_row_s(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RUNS", tmp_path)
    run, row = results.folder("mnist_cnn", 1), results.ROWS["mnist_cnn"]
    (run / "export" / "1").mkdir(parents=True)
    (run / "score.json").write_text("{}")
    for command, is_own in ((f"{row.command} --seed 1", True), (f"{row.command} --seed 2", False)):
        (run / "config.yaml").write_text(f"made_by:\n  command: {command}\n")
        if is_own:
            assert results.train("mnist_cnn", row, 1, None)
        else:
            with pytest.raises(SystemExit, match="was begun by .* --seed 2"):
                results.train("mnist_cnn", row, 1, None)
