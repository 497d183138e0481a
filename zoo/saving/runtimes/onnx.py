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
        onnx.save(float16.convert_float_to_float16(onnx.load(path), keep_io_types=True), path)
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
