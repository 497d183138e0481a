"""ONNX Runtime: servers of any language. tf2onnx writes the model, operation by operation."""

OPSET = 18  # of ONNX, the newest that tf2onnx writes

EXAMPLE = """
def run(inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(HERE / "{file}", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))
"""


def convert(traced, path, quantize, examples):
    """Writes a model for ONNX Runtime; see `Runtime.convert`."""
    import tf2onnx

    frozen = traced.frozen
    graph = frozen.graph.as_graph_def()
    _without_erfc(graph)
    names = {tensor.name: tensor.name.partition(":")[0] for tensor in frozen.inputs}
    names |= {
        tensor.name: name for tensor, name in zip(frozen.outputs, traced.outputs, strict=True)
    }
    tf2onnx.convert.from_graph_def(
        graph,
        input_names=[tensor.name for tensor in frozen.inputs],
        output_names=[tensor.name for tensor in frozen.outputs],
        opset=OPSET,
        tensors_to_rename=names,
        output_path=path,
    )
    if quantize:
        _quantize(path, quantize, examples)
    _name_dimensions(path)


def _name_dimensions(path):
    """Calls the free dimensions of inputs and outputs `batch` and `length`, for which tf2onnx has names such as unk__7."""
    import onnx

    model = onnx.load(path)
    for value in [*model.graph.input, *model.graph.output]:
        for i, dimension in enumerate(value.type.tensor_type.shape.dim):
            if not dimension.HasField("dim_value"):
                dimension.dim_param = "length" if i else "batch"
    onnx.save(model, path)


def _quantize(path, quantize, examples):
    import onnx
    from onnxruntime import quantization
    from onnxruntime.transformers import float16

    if quantize == "float16":
        model = onnx.load(path)
        ends = _ends(model.graph)
        half = float16.convert_float_to_float16(model, keep_io_types=True, node_block_list=ends)
        _without_round_trips(half.graph)
        onnx.save(half, path)
        return
    if quantize == "dynamic":
        quantization.quantize_dynamic(path, path)
        return
    count = len(next(iter(examples.values())))
    batches = ({k: v[i : i + 1] for k, v in examples.items()} for i in range(count))

    class Reader(quantization.CalibrationDataReader):
        def get_next(self):
            return next(batches, None)

    quantization.quantize_static(path, path, Reader())


# Operations that hold a network's weights, and those that may stand between them and its outputs.
_WEIGHTED = ("Conv", "ConvTranspose", "GRU", "Gather", "Gemm", "If", "LSTM", "Loop", "MatMul", "Scan")  # fmt: skip
_RESCALING = ("Add", "Cast", "Div", "Identity", "Mul", "Reshape", "Squeeze", "Sub", "Unsqueeze")


def _ends(graph):
    """The names of the nodes that prepare inputs, and of those that bring outputs to their units: in 16 bits 300,000 is infinite."""
    makers = {output: node for node in graph.node for output in node.output}
    prepared, found = {value.name for value in (*graph.input, *graph.initializer)}, set()
    for node in graph.node:  # in an order in which each comes after what it takes
        if node.op_type not in _WEIGHTED and prepared.issuperset(filter(None, node.input)):
            prepared.update(node.output)
            found.add(node.name)
    waiting = [output.name for output in graph.output]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.op_type in _RESCALING and node.name not in found:
            found.add(node.name)
            waiting += node.input
    return sorted(found)


def _without_round_trips(graph):
    """Takes out what the converter puts between nodes that stay in 32 bits: a cast to 16, and one back."""
    from onnx import TensorProto

    def casts_to(kind):
        casts = (node for node in graph.node if node.op_type == "Cast")
        return [node for node in casts if node.attribute[0].i == kind]

    halved = {node.output[0]: node.input[0] for node in casts_to(TensorProto.FLOAT16)}
    for node in casts_to(TensorProto.FLOAT):
        node.input[0] = halved.get(node.input[0], node.input[0])
    taken = {name for node in graph.node for name in node.input}
    for node in casts_to(TensorProto.FLOAT16):
        if node.output[0] not in taken:
            graph.node.remove(node)


def _without_erfc(graph):
    """Writes Erfc(x), which ONNX lacks, as 1 - Erf(x)."""
    import tensorflow as tf
    from tensorflow.core.framework import attr_value_pb2

    from zoo.saving import graph_check

    for body in [graph, *graph_check.graph_library(graph).function]:
        nodes = body.node if body is graph else body.node_def
        for node in [node for node in nodes if node.op == "Erfc"]:
            dtype, name, given = node.attr["T"].type, node.name, list(node.input)
            one, erf = nodes.add(), nodes.add()
            one.op, one.name = "Const", f"{name}/one"
            one.attr["dtype"].type = dtype
            value = tf.make_tensor_proto(1.0, tf.as_dtype(dtype))
            one.attr["value"].CopyFrom(attr_value_pb2.AttrValue(tensor=value))
            erf.op, erf.name = "Erf", f"{name}/erf"
            erf.attr["T"].type = dtype
            erf.input.extend(given)
            node.op, node.input[:] = "Sub", []
            port = "" if body is graph else ":output:0"
            node.input.extend([f"{name}/one{port}", f"{name}/erf{port and ':y:0'}"])


def open_model(path, threads):
    """Opens a model; see `Runtime.open`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))
