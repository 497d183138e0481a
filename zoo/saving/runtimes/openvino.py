"""OpenVINO: processors of Intel and others."""

EXAMPLE = """
def run(inputs):
    import openvino

    options = {{"INFERENCE_PRECISION_HINT": "f32"}}
    compiled = openvino.Core().compile_model(HERE / "{file}", "CPU", options)
    outputs = compiled(inputs)
    return {{port.get_any_name(): outputs[port] for port in compiled.outputs}}
"""


def convert(traced, path, quantize, examples):
    """Writes a model for OpenVINO; see `Runtime.convert`."""
    import openvino

    with traced.saved() as folder:
        model = openvino.convert_model(folder)
    for port in model.outputs:
        name = next(n for n in traced.outputs if any(n in x for x in port.get_names()))
        port.get_tensor().set_names({name})
    openvino.save_model(model, path, compress_to_fp16=quantize == "float16")


def open_model(path, threads):
    """Opens a model; see `Runtime.open`."""
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": "f32",  # its own choice differs in the third digit
        "CPU_RUNTIME_CACHE_CAPACITY": 16,  # its own 5,000 takes gigabytes where texts have many lengths
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(path, "CPU", options)

    def run(inputs):
        outputs = compiled(inputs)
        return {port.get_any_name(): outputs[port] for port in compiled.outputs}

    return run
