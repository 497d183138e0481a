"""A table of ordinary SavedModels, made with plain Keras and plain TensorFlow: none may be refused but those of `TO_ALLOW`."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

RNG = np.random.default_rng(0)


def sequential(parts):
    """A Keras model, exported as Keras's documentation says."""

    def make(folder):
        keras.Sequential(parts()).export(folder, verbose=False)

    return make


def application(name, **options):
    def make(folder):
        model = getattr(keras.applications, name)(weights=None, classes=3, input_shape=(32, 32, 3), **options)  # fmt: skip
        model.export(folder, verbose=False)

    return make


def compiled(folder):
    """Trained, so that optimizer and metrics have variables."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="swish"), layers.Dense(1)])  # fmt: skip
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(RNG.normal(size=(32, 4)), RNG.normal(size=32), verbose=0)
    model.export(folder, verbose=False)


def quantized(kind):
    def make(folder):
        model = keras.Sequential([keras.Input((16,)), layers.Dense(8), layers.Dense(2)])
        model.quantize(kind)
        model.export(folder, verbose=False)

    return make


def several_inputs(folder):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    attended = layers.MultiHeadAttention(2, 4)(layers.Reshape((2, 2))(a), layers.Reshape((2, 2))(b))
    outputs = {"sum": layers.Dense(1)(layers.Flatten()(attended)), "same": layers.Add()([a, b])}
    keras.Model([a, b], outputs).export(folder, verbose=False)


def texts(folder):
    vectorize = layers.TextVectorization(output_sequence_length=6, vocabulary=["red", "green", "blue"])  # fmt: skip
    parts = [keras.Input((), dtype="string"), vectorize, layers.Embedding(5, 4, mask_zero=True), layers.Bidirectional(layers.GRU(3)), layers.Dense(1)]  # fmt: skip
    keras.Sequential(parts).export(folder, verbose=False)


def columns(folder):
    city = keras.Input((1,), dtype="string", name="city")
    age = keras.Input((1,), name="age")
    number = keras.Input((1,), dtype="int64", name="number")
    scale = layers.Normalization(mean=3.0, variance=4.0)
    parts = [
        layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(city),
        scale(age),
        layers.Discretization([0.0, 1.0], output_mode="one_hot")(age),
        layers.Hashing(4, output_mode="one_hot")(number),
        layers.IntegerLookup(vocabulary=[3, 4], output_mode="one_hot")(number),
    ]
    keras.Model([city, age, number], layers.Dense(1)(layers.Concatenate()(parts))).export(folder, verbose=False)  # fmt: skip


def module(call, *specs, **attributes):
    """A `tf.Module`, saved as TensorFlow's documentation says."""

    def make(folder):
        saved = tf.Module()
        for name, value in attributes.items():
            setattr(saved, name, value())
        saved.call = tf.function(lambda *given: call(saved, *given), input_signature=specs)
        tf.saved_model.save(saved, folder, signatures=saved.call)

    return make


def table():
    keys, values = tf.constant(["a", "b"]), tf.constant([1, 2], tf.int64)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)


def mutable_table():
    filled = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    filled.insert(["a"], [1])
    return filled


def count_up(saved, x):
    total = tf.zeros_like(x)
    for i in tf.range(3):
        total += x * tf.cast(i, x.dtype)
    if tf.reduce_sum(total) > 0:
        total = -total
    return {"y": total}


def by_custom_gradient(folder):
    @tf.custom_gradient
    def clipped(x):
        return x, lambda dy: tf.clip_by_value(dy, -1.0, 1.0)

    saved = tf.Module()
    saved.call = tf.function(lambda x: {"y": clipped(x)}, input_signature=[FLOATS])
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(saved, folder, signatures=saved.call, options=options)


def files_of_images(saved, content):
    def decode(text):
        return tf.image.resize(tf.io.decode_jpeg(text, channels=3), (8, 8))

    return {"image": tf.map_fn(decode, content, fn_output_signature=tf.float32)}


def words(saved, text):
    parts = tf.strings.split(tf.strings.lower(tf.strings.regex_replace(text, "[^a-z ]", "")))
    return {"count": parts.row_lengths(), "first": tf.strings.ngrams(parts, 2).to_tensor()[:, :1]}


def sparse(saved, x):
    found = tf.sparse.from_dense(tf.where(x > 0, x, 0)[:, None])
    return {"y": tf.sparse.sparse_dense_matmul(found, tf.ones((1, 2)))}


def spectrum(saved, x):
    found = tf.signal.stft(x[None], 4, 2, pad_end=True)
    return {"y": tf.abs(found), "z": tf.einsum("abc,abc->a", tf.abs(found), tf.abs(found))}


def algebra(saved, x):
    matrix = tf.linalg.diag(tf.abs(x) + 1)
    return {"y": tf.linalg.solve(matrix, x[:, None]), "z": tf.linalg.cholesky(matrix), "w": tf.linalg.svd(matrix)[0]}  # fmt: skip


def drawn(saved, seed):
    return {"y": tf.random.stateless_normal((3,), [seed, 0]), "z": saved.generator.normal((2,))}


def boxes(saved, corners, scores):
    kept = tf.image.non_max_suppression(corners, scores, 3)
    return {"y": tf.gather(scores, kept), "best": tf.math.top_k(scores, 1).values}


def counted(saved, x):
    saved.count.assign_add(1)
    return {"y": x + tf.cast(saved.count, tf.float32)}


# Operations that a user must allow by name: crafted arguments make them answer with memory that nobody wrote.
TO_ALLOW = {"a spectrum": "RFFT", "linear algebra": "Cholesky"}

FLOATS, TEXTS = tf.TensorSpec([None], tf.float32, "x"), tf.TensorSpec([None], tf.string, "text")

ORDINARY = {
    "a dense network": sequential(lambda: [keras.Input((4,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(0.1), layers.Dense(3, "softmax")]),
    "a trained and compiled network": compiled,
    "a convolutional network": sequential(lambda: [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.DepthwiseConv2D(3), layers.GroupNormalization(2), layers.MaxPooling2D(), layers.GlobalAveragePooling2D(), layers.Dense(2)]),
    "a network with augmentation": sequential(lambda: [keras.Input((8, 8, 3)), layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomContrast(0.1), layers.Resizing(6, 6), layers.Conv2DTranspose(2, 3), layers.UpSampling2D()]),
    "a network in three dimensions": sequential(lambda: [keras.Input((4, 4, 4, 1)), layers.Conv3D(2, 2), layers.AveragePooling3D(2), layers.Flatten()]),
    "a stack of LSTM layers": sequential(lambda: [keras.Input((None, 3)), layers.LSTM(4, return_sequences=True), layers.LayerNormalization(), layers.Bidirectional(layers.LSTM(2))]),
    "a convolutional LSTM": sequential(lambda: [keras.Input((3, 4, 4, 1)), layers.ConvLSTM2D(2, 2), layers.Flatten()]),
    "a network of gelu, elu, selu, mish": sequential(lambda: [keras.Input((4,)), layers.Dense(4, "gelu"), layers.Dense(4, "elu"), layers.Dense(4, "selu"), layers.Dense(4, "mish"), layers.PReLU(), layers.LeakyReLU()]),
    "attention over two inputs": several_inputs,
    "texts through TextVectorization": texts,
    "columns through lookups": columns,
    "MobileNetV3": application("MobileNetV3Small"),
    "EfficientNet": application("EfficientNetV2B0"),
    "int8": quantized("int8"),
    "int4": quantized("int4"),
    "a variable": module(lambda saved, x: {"y": saved.weight * x}, FLOATS, weight=lambda: tf.Variable(2.0)),
    "a variable that counts": module(counted, FLOATS, count=lambda: tf.Variable(0)),
    "a table": module(lambda saved, text: {"id": saved.table.lookup(text)}, TEXTS, table=table),
    "a table that changes": module(lambda saved, text: {"id": saved.table.lookup(text)}, TEXTS, table=mutable_table),
    "a loop and a branch": module(count_up, FLOATS),
    "a custom gradient": by_custom_gradient,
    "files of images": module(files_of_images, TEXTS),
    "words": module(words, TEXTS),
    "sparse arrays": module(sparse, FLOATS),
    "a spectrum": module(spectrum, FLOATS),
    "linear algebra": module(algebra, tf.TensorSpec([3], tf.float32, "x")),
    "random numbers": module(drawn, tf.TensorSpec([], tf.int32, "seed"), generator=lambda: tf.random.Generator.from_seed(1)),
    "boxes of a detector": module(boxes, tf.TensorSpec([None, 4], tf.float32, "corners"), tf.TensorSpec([None], tf.float32, "scores")),
    "compiled by XLA": lambda folder: _compiled_by_xla(folder),
}  # fmt: skip


def _compiled_by_xla(folder):
    saved = tf.Module()
    saved.call = tf.function(lambda x: {"y": tf.nn.softmax(x)}, input_signature=[FLOATS], jit_compile=True)  # fmt: skip
    tf.saved_model.save(saved, folder, signatures=saved.call)
