"""A table of SavedModels that do harm, and the command that prints it with what the gate answers.

    python tests/malicious.py > docs/malicious.md

Each row makes a model in a folder; `harm` is what plain TensorFlow lets it do, which `test_gate.py` sees done once and then
prevented. A model gets a `Bait`: a secret to read, an empty folder to write into, a port to connect to.
"""

import dataclasses
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from harmful_changes import (
    add,
    as_text,
    asset_outside,
    builder_runs_code,
    change_card,
    edited,
    filed,
    grow,
    huge_constant,
    link_asset,
    link_folder,
    manifest_outside,
    many_files,
    other_graph,
    other_weights,
    pipe,
    process_class,
    process_gradient,
    replace,
    restorer_writes,
    restores_elsewhere,
    tampered,
    two_graphs,
    with_asset_elsewhere,
    with_vocabulary,
    without_objects,
)
from harmful_programs import (
    Bait,
    abort,
    answers,
    call_far_away,
    calls,
    data_service,
    debug_identity,
    describe,
    elsewhere,
    in_gradient,
    list_files,
    map_file,
    map_python,
    map_writes,
    merge_checkpoints,
    nested,
    numbers,
    print_to_file,
    python,
    read,
    read_blocks,
    read_lines,
    read_records,
    reduced,
    remap,
    restore,
    sample_words,
    save_v2,
    table_from,
    whole_file,
    with_constant,
    with_resource,
    with_table,
    within,
    write,
    write_summary,
)

import zoo
from zoo.saving import manifest


@dataclasses.dataclass(frozen=True)
class Attack:
    """A row of the table.

    Attributes:
        kind: What sort of attack.
        what: What the model does, in words.
        make: Function of an empty folder and the bait that makes the model.
        words: What the refusal says, a regular expression.
        harm: What plain TensorFlow lets it do: written, read, answered, connected, called, died, hung, exhausted, loaded.
        own: Whether it pretends to be a model of this project.
    """

    kind: str
    what: str
    make: Callable
    words: str
    harm: str
    own: bool = False


def made(attack, bait, folder):
    """Makes a model in `folder`, and forgets what making it did."""
    folder.mkdir()
    attack.make(folder, bait)
    for path in bait.target.iterdir():
        path.unlink()


DATASETS = r"\w*Dataset\w*"  # any of them: a library's functions come in any order
LISTED = r"'({})', which is not on the list"


def op(name):
    return LISTED.format(name)


ATTACKS = [
    Attack("writing at load", "an initializer writes a file", with_resource("initialize", write), op("WriteFile"), "written"),
    Attack("writing at load", "an initializer writes, three functions deep", with_resource("initialize", write, lambda act, bait: nested(lambda x: [act(bait), x][1], tf.constant(1.0))), op("WriteFile"), "written"),
    Attack("writing at load", "what makes a resource writes a file", with_resource("create", write), op("WriteFile"), "written"),
    Attack("writing at load", "an initializer prints into a file", with_resource("initialize", print_to_file), op("PrintV2"), "written"),
    Attack("writing at load", "an initializer writes a checkpoint", with_resource("initialize", save_v2), op("SaveV2"), "written"),
    Attack("writing at load", "what restores a table's entries writes a file", edited(restorer_writes, with_table), op("WriteFile"), "written"),
    Attack("writing at load", "the main operation of a graph without objects writes a file", edited(without_objects), "no object graph", "written"),
    Attack("writing at load", "the main operation of one of two graphs writes a file", edited(two_graphs), "holds 2 graphs", "written"),
    Attack("writing at load", "the main operation of a text protobuf writes a file", filed(as_text, edited(without_objects)), "text and chunked forms are not read", "written"),
    Attack("writing at call", "serving_default writes a file", calls(write), op("WriteFile"), "written"),
    Attack("writing at call", "serving_default writes a checkpoint", calls(save_v2), op("SaveV2"), "written"),
    Attack("writing at call", "serving_default prints into a file", calls(print_to_file), op("PrintV2"), "written"),
    Attack("writing at call", "serving_default writes events for TensorBoard", calls(write_summary), op("(Create)?Summary(File)?Writer"), "written"),
    Attack("writing at call", "serving_default dumps a tensor for a debugger", calls(debug_identity("file://{target}")), op("DebugIdentityV3"), "written"),
    Attack("writing at call", "serving_default removes another's checkpoint", calls(merge_checkpoints), op("MergeV2Checkpoints"), "written"),
    Attack("writing at call", "a data set writes a cache", calls(lambda bait: reduced(numbers().cache(bait.file))), op(DATASETS), "written"),
    Attack("writing at call", "a data set writes a snapshot", calls(lambda bait: reduced(numbers().snapshot(bait.file))), op(DATASETS), "written"),
    Attack("hidden writing", "in a signature that is not the default", elsewhere("others", write), op("WriteFile"), "written"),
    Attack("hidden writing", "in a function without a signature", elsewhere("hidden", write), op("WriteFile"), "written"),
    Attack("hidden writing", "three functions deep", within(nested, write), op("WriteFile"), "written"),
    Attack("hidden writing", "in the body of a loop", within(lambda act, x: tf.while_loop(lambda i, _: i < 1, lambda i, z: (i + 1, act(z)), (0, x))[1], write), op("WriteFile"), "written"),
    Attack("hidden writing", "in a branch", within(lambda act, x: tf.cond(tf.size(x) < 9, lambda: act(x), lambda: x), write), op("WriteFile"), "written"),
    Attack("hidden writing", "in a branch of several", within(lambda act, x: tf.switch_case(tf.constant(1), [lambda: x, lambda: act(x)]), write), op("WriteFile"), "written"),
    Attack("hidden writing", "in a function mapped over a data set", calls(map_writes), op(f"{DATASETS}|WriteFile"), "written"),
    Attack("hidden writing", "in a gradient", in_gradient(write), op("WriteFile"), "written"),
    Attack("at destruction", "a destroyer writes a file", with_resource("destroy", write), op("WriteFile"), "written"),
    Attack("at destruction", "a destroyer reads a file", with_resource("destroy", read), op("ReadFile"), "read"),
    Attack("reading at load", "an initializer reads a file", with_resource("initialize", read), op("ReadFile"), "read"),
    Attack("reading at load", "an initializer fills a table from a file", with_resource("initialize", lambda bait: table_from(str(bait.secret))), op("InitializeTableFromTextFileV2"), "read"),
    Attack("asset paths", "an asset path leads out of the folder", edited(asset_outside, with_asset_elsewhere), "secret.txt' as an asset", "read"),
    Attack("asset paths", "an asset is a link out of the folder", filed(link_asset, with_vocabulary), "is a symbolic link", "read"),
    Attack("reading at call", "serving_default answers with a file", answers(read), op("ReadFile"), "read"),
    Attack("reading at call", "serving_default lists a folder", answers(list_files), op("MatchingFiles"), "answered"),
    Attack("reading at call", "serving_default reads a checkpoint", answers(restore), op("RestoreV2"), "read"),
    Attack("reading at call", "serving_default reads lines", answers(read_lines), op(DATASETS), "read"),
    Attack("reading at call", "serving_default reads records", answers(read_records), op(DATASETS), "read"),
    Attack("reading at call", "serving_default reads blocks", answers(read_blocks), op(DATASETS), "read"),
    Attack("reading at call", "serving_default maps a file as a constant", answers(map_file), op("ImmutableConst"), "read"),
    Attack("reading at call", "serving_default reads a description of a protobuf", answers(describe), op("DecodeProtoV2"), "read"),
    Attack("reading at call", "serving_default compares two vocabularies", answers(remap), op("GenerateVocabRemapping"), "read"),
    Attack("reading at call", "serving_default samples words by a file", answers(sample_words), op("FixedUnigramCandidateSampler"), "read"),
    Attack("reading at call", "serving_default reads through a queue", answers(whole_file), op("WholeFileReaderV2|FIFOQueueV2"), "read"),
    Attack("path escape", "serving_default calls what restores variables", edited(restores_elsewhere), "calls __inference__traced_restore", "read"),
    Attack("links", "the variables are a symbolic link", filed(replace("variables/variables.data-00000-of-00001", lambda a, b: b.symlink_to(a))), "is a symbolic link", "read"),
    Attack("links", "the variables are a hard link", filed(replace("variables/variables.data-00000-of-00001", os.link)), "is a hard link", "read"),
    Attack("links", "the graph is a symbolic link", filed(replace("saved_model.pb", lambda a, b: b.symlink_to(a))), "is a symbolic link", "read"),
    Attack("links", "the graph is a hard link", filed(replace("saved_model.pb", os.link)), "is a hard link", "read"),
    Attack("links", "the folder of variables is a link", filed(link_folder), "variables is a symbolic link", "read"),
    Attack("links", "the variables are a pipe that nobody writes to", filed(pipe), "is no plain file", "hung"),
    Attack("Python", "a function of the process, by its number", calls(python("EagerPyFunc")), op("EagerPyFunc"), "called"),
    Attack("Python", "the same, in graphs", calls(python("PyFunc")), op("PyFunc"), "called"),
    Attack("Python", "the same, said to have no state", answers(python("PyFuncStateless")), op("PyFuncStateless"), "called"),
    Attack("Python", "the same, mapped over a data set", calls(map_python), op(f"{DATASETS}|PyFunc"), "called"),
    Attack("Python", "a gradient that the process registered", edited(process_gradient), "gradient of 'Evil'", "called"),
    Attack("Python", "a class that the process registered", edited(process_class), "class 'Custom.Evil'", "called"),
    Attack("network", "serving_default calls another machine", calls(call_far_away), op("RpcClient"), "connected"),
    Attack("network", "serving_default reports to a debugger", calls(debug_identity("grpc://127.0.0.1:{port}")), op("DebugIdentityV3"), "connected"),
    Attack("network", "serving_default asks a data service", calls(data_service), op(f"{DATASETS}|DummyIterationCounter|UncompressElement"), "connected"),
    Attack("the process", "serving_default ends the process", calls(abort), op("Abort"), "died"),
    Attack("the process", "a constant of 2^44 elements", edited(huge_constant, lambda f, _: with_constant(f)), "is a constant of more than", "exhausted"),
    Attack("tampered", "the card says another score", tampered(change_card(runs=[{"scores": {"accuracy": 1.0}}])), "card.json has changed", "loaded", own=True),
    Attack("tampered", "the card makes its builder run code; the manifest agrees", tampered(builder_runs_code, renew=True), "no usable entry 'builder'", "loaded", own=True),
    Attack("tampered", "the card is no object; the manifest agrees", tampered(add("assets.extra/card.json", "[]"), renew=True), "no usable entry", "loaded", own=True),
    Attack("tampered", "other weights", tampered(other_weights), "variables.* has changed", "loaded", own=True),
    Attack("tampered", "another file in place of the fingerprint", tampered(other_graph), "fingerprint.pb has changed", "loaded", own=True),
    Attack("tampered", "a manifest that lists a file elsewhere", tampered(manifest_outside), "does not belong there|is missing", "loaded", own=True),
    Attack("tampered", "no manifest", tampered(lambda folder, _: (folder / manifest.PATH).unlink()), "has no assets.extra/manifest.json", "loaded", own=True),
    Attack("other files", "a Python file beside the graph", filed(add("model.py")), "model.py does not belong there", "loaded"),
    Attack("other files", "debug information", filed(lambda folder, bait: [(folder / "debug").mkdir(), (folder / "debug/saved_model_debug_info.pb").write_bytes(b"")]), "debug does not belong there", "loaded"),
    Attack("other files", "more files than a model has", filed(many_files), "is an asset|more than 100 files", "loaded"),
    Attack("other files", "a graph of 70 MiB", filed(grow), "larger than 64 MiB", "loaded"),
]  # fmt: skip


def named(what):
    """The attack that does so."""
    return next(attack for attack in ATTACKS if attack.what == what)


def refusal(attack, bait, folder):
    """What `zoo.load` answers to a model that was made in `folder`."""
    try:
        zoo.load(folder, foreign=not attack.own)
    except zoo.InputError as error:
        return str(error).replace(str(folder), "MODEL").replace(str(bait.folder), "BAIT")
    return None


def page():
    """The text of docs/malicious.md."""
    lines = [
        "# SavedModels that do harm, and the answer",
        "",
        f"Printed by `python tests/malicious.py`: {len(ATTACKS)} models. The third column is what happens where plain TensorFlow loads and",
        "calls them; the gate refuses each, and nothing happens. [Security](security.md) says what is checked.",
        "",
        "| kind | what it does | with plain TensorFlow | what `zoo.load` says |",
        "| --- | --- | --- | --- |",
    ]
    for attack in ATTACKS:
        with tempfile.TemporaryDirectory() as scratch:
            bait, folder = Bait(Path(scratch) / "bait", 1).lay(), Path(scratch) / "model"
            made(attack, bait, folder)
            said = refusal(attack, bait, folder).partition(". If you trust")[0]
        said = re.sub(r"_\d+(?=[', ])", "", said).replace("|", "\\|").splitlines()[0]
        lines.append(f"| {attack.kind} | {attack.what} | {attack.harm} | {said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
