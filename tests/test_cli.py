"""The commands as a user runs them: what they print, clear errors, exit codes."""

import contextlib
import io
import json
import shutil
import struct
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from tolerances import ROUNDING, assert_close

import zoo
from zoo import cli


def here(*arguments, stdin=b""):
    """Runs `zoo` in this process, which has TensorFlow already; returns what a process of its own would."""
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    code = 0
    with (
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main(list(map(str, arguments)))
        except SystemExit as end:
            code = end.code
    printed = (stream.buffer.getvalue() for stream in (out, err))
    return subprocess.CompletedProcess(arguments, code, *printed)


def run(*arguments, stdin=None, cwd=None):
    """Runs `zoo` in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "zoo.cli", *map(str, arguments)],
        capture_output=True,
        input=stdin,
        cwd=cwd,
        check=False,
    )


def ok(*arguments, fresh=False, **options):
    child = (run if fresh else here)(*arguments, **options)
    assert child.returncode == 0, child.stderr.decode()
    return child.stdout.decode()


@pytest.fixture(scope="module")
def models(run, tmp_path_factory):
    """An image run and a table run, and images."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "digits").symlink_to(run("image"))
    (folder / "wine").symlink_to(run("table"))
    images = folder / "images"
    images.mkdir()
    for i, size in enumerate([(8, 8), (50, 31), (300, 200)]):
        pixels = np.random.default_rng(i).integers(0, 256, (*size, 3)).astype("uint8")
        (images / f"{i}.png").write_bytes(tf.io.encode_png(pixels).numpy())
    bmp = (
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 70, 0, 0, 54, 40, 2, 2, 1, 24, 0, 16, 0, 0, 0, 0)
        + bytes(range(16))
    )
    (folder / "small.bmp").write_bytes(bmp)
    (images / "3.jpg").write_bytes(tf.io.encode_jpeg(pixels).numpy())
    return folder


def test_models_and_info():
    listed = ok("models")
    assert all(name in listed for name in zoo.list_models())
    assert "dense" not in ok("models", "cnn*")
    described = ok("info", "cnn:small")
    assert "421,642" in described
    assert "floating-point operations per example: 8,557,706" in described
    texts = ok("info", "cnn:text", "--vocabulary-size", 500)
    assert f"{500 * 300 + 12 * 300 * 100 + 300 + 300 * 10 + 10:,}" in texts


def test_flops_agree_with_the_analytic_count():
    from zoo.summary import count_flops

    # Convolution: 2 * k * k * in * out per pixel, and one addition for the bias; then the activation, and so on.
    model = zoo.build_cnn((8, 8, 1), 2, filters=(4,), units=(), activation="linear")
    convolution = 8 * 8 * (2 * 9 * 1 * 4 + 4)
    pooling = 4 * 4 * 4 * 4
    dense = 2 * 64 * 2 + 2
    assert count_flops(model) == pytest.approx(convolution + pooling + dense, rel=0.02)


def test_flops_count_every_step_and_every_product_of_attention():
    from zoo.summary import count_flops

    # LSTM: two products with four gates at each of 30 steps; the element-wise rest is below a tenth.
    lstm = zoo.build_recurrent((30, 16), 4, units=32)
    products = 30 * 2 * 4 * 32 * (16 + 32) + 2 * 32 * 4
    assert products < count_flops(lstm) < 1.1 * products
    # Attention: four projections, scores and their product with the values; then two dense layers.
    width, steps = 32, 40
    encoder = zoo.build_transformer((steps, 8), 4, num_layers=1, hidden_dim=width, num_heads=4, intermediate_dim=64)  # fmt: skip
    products = 2 * steps * (8 * width + 4 * width**2 + 2 * steps * width + 2 * width * 64)
    assert products < count_flops(encoder) < 1.15 * products


def test_plot_draws_or_says_what_is_missing(tmp_path):
    child = here("info", "cnn:tiny", "--plot", tmp_path / "m.png")
    if child.returncode == 0:
        assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    else:
        assert child.returncode == 2
        assert b"graphviz" in child.stderr


def test_predict_images_of_any_size_folder_json_csv_stdin_npy(models, tmp_path):
    images = models / "images"
    files = [images / "0.png", images / "3.jpg", models / "small.bmp"]
    lines = ok("predict", models / "digits", *files, fresh=True).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"{images / '0.png'}: ")
    rows = [
        json.loads(line) for line in ok("predict", models / "digits", images, "--json").splitlines()
    ]
    assert len(rows) == 4
    assert_close(sum(rows[0]["probabilities"]), 1, ROUNDING)
    assert ok("predict", models / "digits", images, "--out", tmp_path / "p.csv").startswith(
        "4 predictions"
    )
    table = (tmp_path / "p.csv").read_text().splitlines()
    assert table[0] == "input,class_id,label,probability"
    assert len(table) == 5
    (piped,) = ok(
        "predict", models / "digits", "-", "--json", stdin=(images / "0.png").read_bytes()
    ).splitlines()
    assert json.loads(piped)["probabilities"] == rows[0]["probabilities"]
    np.save(tmp_path / "x.npy", np.zeros((3, 8, 8, 1), "uint8"))
    assert len(ok("predict", models / "digits", tmp_path / "x.npy").splitlines()) == 3


def test_predict_csv_rows_with_columns_in_any_order(models, tmp_path):
    splits = zoo.load_dataset("wine")
    rows = splits.pick("test", range(5))
    names = list(splits.info.columns)
    header = ",".join(reversed(names))
    body = "\n".join(",".join(map(repr, map(float, row[::-1]))) for row in rows)
    (tmp_path / "rows.csv").write_text(f"{header}\n{body}\n")
    lines = ok("predict", models / "wine", tmp_path / "rows.csv", "--json").splitlines()
    expected = zoo.load(models / "wine").predict(dict(zip(names, rows.T)))
    assert [json.loads(line)["class_id"] for line in lines] == expected["class_id"].tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "{digits}", "nothing.png"], "There is no file nothing.png"),
        (["predict", "{digits}", "{text}"], "cannot be read as an image"),
        (["predict", "{digits}", "{empty}"], "holds no files in"),
        (["predict", "{wine}", "{text}"], "takes table inputs as .csv"),
        (["predict", "{wine}", "{csv}"], "Missing"),
        (["predict", "{wine}", "{cut}"], "Missing"),
        (["predict", "{digits}", "{npy}"], "is no NumPy array"),
        (["train", "--model-args", "units=[8,"], "not complete"),
        (["train", "--dataset", "mnist:9.9.9"], "mnist:9.9.9"),
        (["predict", "{digits}", "-"], "Standard input is empty"),
        (["predict", "no_model", "x.png"], "'no_model'"),
        (["verify"], "--all"),
        (["verify", "{empty}"], "holds no SavedModel"),
        (["info", "cnn:smal"], "Did you mean 'small'"),
        (["models", "nothing*"], "No model matches"),
        (["publish", "{empty}", "x"], "holds no SavedModel"),
        (["train", "--epochs", "0"], "epochs"),
        (["train", "--dataset", "digit"], "Did you mean 'digits'"),
        (["train", "--model", "cmn"], "Did you mean 'cnn'"),
        (["train", "--config", "nothing.yaml"], "Cannot read the config"),
        (["train", "--model-args", "dropout"], "KEY=VALUE"),
        (["models", "--wrong"], "Unknown option --wrong"),
    ],
)
def test_bad_input_is_a_message_and_exit_code_2(
    arguments, words, models, tmp_path, monkeypatch, capsys
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "bad.csv").write_text("a,b\n1,x\n")
    (tmp_path / "cut.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "empty.npy").write_bytes(b"")
    places = {
        "cut": tmp_path / "cut.csv",
        "npy": tmp_path / "empty.npy",
        "digits": models / "digits",
        "wine": models / "wine",
        "empty": tmp_path / "empty",
        "text": tmp_path / "text.png",
        "csv": tmp_path / "bad.csv",
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(SystemExit) as stop:
        cli.main([argument.format(**places) for argument in arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert words in captured.out + captured.err


def test_info_of_a_model_without_a_card_says_so(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"))
    found = here("info", tmp_path)
    assert (found.returncode, found.stdout) == (2, b"")
    assert b"was not made by this project: it has no" in found.stderr


def test_bad_input_shows_no_traceback(tmp_path):
    child = run("predict", "no_model", "x.png", cwd=tmp_path)
    assert child.returncode == 2
    assert child.stderr.decode().startswith("error: ")
    assert child.stderr.decode().count("\n") == 1


@pytest.mark.slow
def test_verify_exits_with_2_and_names_the_broken_model(models, tmp_path):
    assert ok("verify", models / "digits").startswith("ok ")
    broken = shutil.copytree(models / "digits" / "export", tmp_path / "broken")
    path = broken / "1/variables/variables.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    child = run("verify", models / "wine", broken)
    assert child.returncode == 2
    assert b"ok      " in child.stdout
    assert b"variables.data-00000-of-00001 has changed" in child.stdout


def test_the_version_is_that_of_the_package():
    assert ok("--version").strip() == zoo.__version__


def test_an_unknown_verb_is_answered_with_the_nearest():
    child = here("trian")
    assert child.returncode == 2
    assert "Unknown verb 'trian'. Did you mean 'train'" in child.stderr.decode()


@pytest.mark.parametrize("verb", ["train", "inspect"])
def test_an_option_of_another_library_is_answered_with_ours(verb):
    child = here(verb, "wine", "--lr", "0.1") if verb == "inspect" else here(verb, "--lr=0.1")
    assert child.returncode == 2
    assert "Unknown option --lr: here it is --learning-rate." in child.stderr.decode()
