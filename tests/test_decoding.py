"""Decoding: equal to decoding without a cache and to trying all answers; sampling; early ends; exports."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_seq2seq import SOURCE, random_model
from tolerances import DRAWS, KERNELS, assert_close
from warm import in_plain_tensorflow

import zoo
from zoo.models import decoding, seq2seq
from zoo.models.decoding import END, START, generate

VARIANTS = [
    {"norm_first": True},
    {"norm_first": False, "vocabulary_size": 10},
]
SOURCES = np.concatenate([SOURCE % 7, np.zeros_like(SOURCE[:1])])  # the last is empty
SOURCES[0, 1] = 5
MANY = np.random.default_rng(1).integers(1, 7, (16, 5))


def sharp_model(num_classes=7, **arguments):
    """A random model whose answers differ between sources, and some of which end."""
    model = random_model(num_classes, **arguments)
    for weight in model.trainable_weights:
        if "norm" not in weight.path and "bias" not in weight.path:
            weight.assign(weight * (6.0 if "cross_attention/out" in weight.path else 1.5))
    return model


def log_probabilities(model, source, answers):
    """Of each token of the answers `[N, L]` to one source or to N, from the model without a cache."""
    answers = np.asarray(answers)
    source = np.broadcast_to(source, (len(answers), np.shape(source)[-1]))
    target = np.concatenate([np.full_like(answers[:, :1], START), answers[:, :-1]], 1)
    log_p = np.array(keras.ops.log_softmax(model({"source": source, "target": target})))
    return log_p, np.take_along_axis(log_p, answers[..., None], -1)[..., 0]


def scores_of(model, source, answers, length_penalty):
    _, each = log_probabilities(model, source, answers)
    lengths = (np.asarray(answers) != 0).sum(1)
    total = (each * (np.asarray(answers) != 0)).sum(1)
    return total / ((5 + lengths) / 6) ** length_penalty


def assert_greedy(model, source, ids, scores):
    """Checks each answer by one call of the model without a cache: no token is less likely than another, but for rounding."""
    ids = np.asarray(ids)
    log_p, chosen = log_probabilities(model, source, ids)
    best = log_p[..., END:].max(-1)
    ended = np.cumsum(ids == END, 1) - (ids == END) > 0
    assert (ids[ended] == 0).all()
    assert (ids[~ended] >= END).all()
    assert_close(chosen[~ended], best[~ended], KERNELS)
    assert_close(scores, scores_of(model, source, ids, 0.6), KERNELS)


@pytest.mark.parametrize(
    "jit", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["plain", "xla"]
)
@pytest.mark.parametrize("arguments", VARIANTS)
def test_greedy_decoding_equals_decoding_without_a_cache(arguments, jit):
    model = sharp_model(**arguments)
    source = np.concatenate([MANY, SOURCES])
    run = tf.function(lambda ids: generate(model, ids, max_length=8), jit_compile=jit)
    ids, scores = run(tf.constant(source))
    assert_greedy(model, source, ids, scores)
    ends = (ids.numpy() == END).any(1)
    assert 0 < ends.mean() < 1  # of both kinds
    assert len(np.unique(ids, axis=0)) > 2


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("arguments", VARIANTS)
def test_wide_beams_find_the_best_of_all_answers(arguments, length_penalty):
    model = sharp_model(6, **{**arguments, "vocabulary_size": 10})
    answers = [
        [*tokens, END, 0, 0, 0][:4] if len(tokens) < 4 else list(tokens)
        for length in range(5)
        for tokens in itertools.product(range(END + 1, 6), repeat=length)
    ]
    options = {"length_penalty": length_penalty, "beam_width": len(answers)}
    ids, scores = generate(model, SOURCES, max_length=4, method="beam", **options)
    for row, source in enumerate(SOURCES):
        all_scores = scores_of(model, source[None], answers, length_penalty)
        assert_close(
            all_scores[answers.index(ids[row].numpy().tolist())], all_scores.max(), KERNELS
        )
        assert_close(scores[row], all_scores.max(), KERNELS)


@pytest.mark.parametrize("arguments", VARIANTS)
def test_beams(arguments):
    model, source = sharp_model(**arguments), MANY
    greedy = generate(model, source, max_length=7)
    one = generate(model, source, max_length=7, method="beam", beam_width=1)
    assert_greedy(model, source, *one)
    assert_close(one[1], greedy[1], KERNELS)
    ids, scores = generate(model, source, max_length=7, method="beam", beam_width=4)
    assert_close(scores, scores_of(model, source, ids, 0.6), KERNELS)
    assert (np.asarray(scores) >= np.asarray(greedy[1]) - 1e-5).all()
    assert (np.asarray(scores) > np.asarray(greedy[1]) + 1e-3).any()


@pytest.mark.parametrize("method", decoding.METHODS)
def test_padding_of_the_source_and_other_rows_change_no_answer(method):
    model = sharp_model()
    options = {"max_length": 6, "method": method, "seed": 3}
    ids, scores = generate(model, SOURCES, **options)
    assert np.isfinite(scores).all()
    # Equal ids, not only scores: weights changed by a thousandth give the same, so that rounding cannot decide.
    padded, _ = generate(model, np.pad(SOURCES, ((0, 0), (0, 4))), **options)
    np.testing.assert_array_equal(ids, padded)
    if method != "sample":  # the noise of a row depends on the batch
        for row in range(4):
            alone, _ = generate(model, SOURCES[row : row + 1], **options)
            np.testing.assert_array_equal(alone[0], ids[row])
    ended = np.cumsum(np.asarray(ids) == END, 1) - (np.asarray(ids) == END) > 0
    assert (np.asarray(ids)[ended] == 0).all()
    assert (np.asarray(ids)[~ended] >= END).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_it_learns_to_reverse_and_ends_by_itself(method, reverser):
    model, source, answers = reverser
    ids, scores = generate(model, source, max_length=12, method=method)
    right = (np.asarray(ids)[:, : answers.shape[1]] == answers).all(1)
    assert right.mean() >= 0.95
    assert not np.asarray(ids)[right][:, answers.shape[1] :].any()
    assert np.exp(np.median(scores)) > 0.5


@pytest.fixture(scope="module")
def reverser():
    """A model that has learned to write short sequences backwards, and others than those it was trained with."""

    def pairs(count, seed):
        rng = np.random.default_rng(seed)
        length = rng.integers(1, 5, (count, 1))
        source = np.where(np.arange(4) < length, rng.integers(3, 9, (count, 4)), 0)
        backwards = np.take_along_axis(source, np.maximum(length - 1 - np.arange(4), 0), 1)
        return source, np.where(np.arange(4) < length, backwards, 0)

    keras.utils.set_random_seed(0)
    model = zoo.build(
        "seq2seq:tiny", input_shape=(None,), num_classes=9, hidden_dim=32, num_heads=4
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss)
    inputs, outputs, weights = seq2seq.teacher_forcing(*pairs(1024, 0))
    model.fit(inputs, outputs, sample_weight=weights, batch_size=64, epochs=30, verbose=0)
    source, target = pairs(100, 1)
    return model, source, np.asarray(seq2seq.teacher_forcing(source, target)[1])


def known_model(probabilities):
    """A model that gives every next token these probabilities, whatever came before."""
    model = random_model(len(probabilities), vocabulary_size=10)
    head = model.get_layer("logits")
    head.kernel.assign(np.zeros(head.kernel.shape))
    head.bias.assign(np.log(np.maximum(probabilities, 1e-12)))
    return model


def test_samples_repeat_by_seed_and_narrow_ones_are_greedy():
    model = sharp_model(num_layers=1)

    def draw(**options):
        return np.asarray(generate(model, MANY, max_length=5, method="sample", **options)[0])

    greedy = np.asarray(generate(model, MANY, max_length=5)[0])
    np.testing.assert_array_equal(draw(seed=1), draw(seed=1))
    assert (draw(seed=1) != draw(seed=2)).any()
    assert (draw() != draw()).any()
    generator = keras.random.SeedGenerator(1)
    assert (draw(seed=generator) != draw(seed=generator)).any()
    assert (draw(seed=1) != greedy).any()
    # Here, too, weights changed by a thousandth give the same ids.
    for options in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}):
        np.testing.assert_array_equal(draw(seed=1, **options), greedy)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.1, 0.4, 0.3, 0.2]),
        ({"top_k": 2}, [0, 4 / 7, 3 / 7, 0]),
        ({"top_p": 0.65}, [0, 4 / 7, 3 / 7, 0]),  # the two that reach it
        ({"top_p": 0.75}, [0, 4 / 9, 3 / 9, 2 / 9]),
        ({"temperature": 0.5}, np.array([1, 16, 9, 4]) / 30),
        ({"top_k": 3, "top_p": 0.5}, [0, 4 / 7, 3 / 7, 0]),
    ],
)
def test_samples_have_the_models_frequencies(options, expected):
    model = known_model([0, 0, 0.1, 0.4, 0.3, 0.2])
    source = np.ones((20_000, 1), "int32")
    ids, _ = generate(model, source, max_length=2, method="sample", seed=0, **options)
    for t in range(2):
        counts = np.bincount(np.asarray(ids)[:, t], minlength=6)
        shares = counts[END:] / counts[END:].sum()
        assert_close(shares, expected, DRAWS, scale=1)
        assert (shares[np.equal(expected, 0)] == 0).all()
    pairs = np.asarray(ids)[np.asarray(ids)[:, 0] != END] - END
    both = np.histogram2d(*pairs.T, bins=[range(5), range(5)])[0] / len(pairs)
    first = np.array([0, *expected[1:]]) / np.sum(expected[1:])
    assert_close(both, np.outer(first, expected), DRAWS, scale=1)  # independent


@pytest.mark.parametrize("method", decoding.METHODS)
def test_it_stops_where_every_answer_has_ended(method):
    model = known_model([0, 0, 0.98, 0.01, 0.01])
    block, steps = model.get_layer("decoder_block_1"), []
    step = block.step
    block.step = lambda *args: steps.append(1) or step(*args)
    ids, scores = generate(model, SOURCE, max_length=50, method=method, seed=0)
    assert (np.asarray(ids)[:, :2] == [END, 0]).all()
    assert_close(scores, np.full(len(scores), np.log(0.98)), KERNELS, scale=1)
    assert len(steps) <= (12 if method == "beam" else 1)  # a beam may gain by its length


def test_an_answer_that_ended_may_be_overtaken():
    """A high penalty makes each further token worth its cost: the search may not stop at the first end."""
    model = known_model([0, 0, 0.55, 0.45])
    ids, scores = generate(model, SOURCE[:1], max_length=6, method="beam", length_penalty=6.0)
    assert ids.numpy().tolist() == [[3, 3, 3, 3, 3, END]]
    expected = (5 * np.log(0.45) + np.log(0.55)) / (11 / 6) ** 6
    assert_close(scores, [expected], KERNELS)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_decodes_to_finite_scores(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = random_model()
        for method in decoding.METHODS:
            ids, scores = generate(model, SOURCES, max_length=3, method=method, seed=0)
            assert np.isfinite(scores).all()
            assert (ids.numpy() >= 0).all()
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.slow
def test_a_loaded_model_with_remat_decodes_alike(tmp_path):
    model = sharp_model(remat=True)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    plain = sharp_model()
    for method in ("greedy", "beam"):
        expected = generate(plain, SOURCES, max_length=6, method=method)[0]
        np.testing.assert_array_equal(
            generate(loaded, SOURCES, max_length=6, method=method)[0], expected
        )


@pytest.mark.slow
def test_exported_decoding_needs_tensorflow_alone(tmp_path):
    model = sharp_model()
    archive = keras.export.ExportArchive()
    archive.track(model)
    expected = {}
    for method in decoding.METHODS:

        def serve(source, method=method):
            ids, scores = generate(model, source, max_length=6, method=method, seed=5)
            return {"ids": ids, "scores": scores}

        spec = tf.TensorSpec((None, None), "int32", name="source")
        archive.add_endpoint(method, serve, [spec])
        for count, steps in ((4, 5), (2, 3)):
            ids = tf.function(serve)(tf.constant(SOURCES[:count, :steps], "int32"))["ids"]
            expected[f"{method} {count}"] = ids.numpy().tolist()
    archive.write_out(tmp_path / "model", verbose=False)
    np.save(tmp_path / "source.npy", SOURCES.astype("int32"))
    got = in_plain_tensorflow(
        "m = tf.saved_model.load(sys.argv[1])\n"
        "x = np.load(sys.argv[2])\n"
        "cut = {4: x, 2: x[:2, :3]}\n"
        "ids = lambda method, n: m.signatures[method](source=tf.constant(cut[n]))['ids'].numpy().tolist()\n"
        "print(json.dumps({f'{k} {n}': ids(k, n) for k in ('greedy', 'beam', 'sample') for n in cut}))",
        tmp_path / "model",
        tmp_path / "source.npy",
    )
    assert got == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_length": 0}, "max_length"),
        ({"method": "bem"}, "Did you mean 'beam'"),
        ({"method": "beam", "beam_width": 0}, "beam_width"),
        ({"length_penalty": -1}, "length_penalty"),
        ({"method": "sample", "temperature": 0}, "temperature"),
        ({"method": "sample", "top_k": 11}, "at most the 10 tokens"),
        ({"method": "sample", "top_p": 1.5}, "at most 1"),
        ({"top_k": 3}, "method='sample'"),
    ],
)
def test_wrong_arguments_raise_the_right_words(options, words):
    with pytest.raises(zoo.InputError, match=words):
        generate(random_model(), SOURCE, **{"max_length": 4, **options})


def test_a_model_without_a_decoder_is_refused():
    with pytest.raises(zoo.InputError, match="encoder and a decoder.*'dense'"):
        generate(zoo.build_dense((4,), 2), SOURCE, max_length=4)
