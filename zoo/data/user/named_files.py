"""Tables that name files, of images or texts: their cells become the files."""

from pathlib import Path

import numpy as np

from zoo.data import kinds
from zoo.data.kinds import categories, cells
from zoo.data.user.layouts import SPLITS
from zoo.models import checks
from zoo.tasks import task


def check(data, options):
    """Raises `InputError` where files are named, but the data or the task have no place for them."""
    is_series = options.task and task(options.task).targets == "steps"
    if options.files and (not hasattr(data, "columns") or is_series):
        what = "a series" if is_series else "other data"
        raise checks.InputError(
            f"files={options.files!r} (--files) is a column of a table whose rows name files. Received: {what}"
        )
    if options.files and options.columns:
        raise checks.InputError(
            f"files={options.files!r} and columns={options.columns} exclude each other: a model learns from files or from columns."
        )
    if options.folder and not options.files and not hasattr(data, "columns"):
        raise checks.InputError("`folder` is for tables whose column `files` names files.")


def read(part, options):
    """Brings the column of names that a part consists of to the files, of the kind of input that has their ending."""
    title, folder = options.files, Path(options.folder or ".")
    in_files = [kind for kind in reversed(kinds.KINDS.values()) if kind.file_endings]
    endings = [tuple(kind.file_endings) for kind in in_files]
    named = [name for name, split in SPLITS.items() if split == part.split]
    names = categories.as_texts(part.x[title])
    is_empty = np.array([not name.strip() for name in names])
    paths, is_there = cells.resolve(
        title, names, [folder, *cells.beside(folder, named), Path(".")], endings
    )
    first = paths[int(np.argmin(is_there | is_empty))]
    if not is_there.any():
        raise checks.InputError(
            f"None of the {len(paths)} files that {title!r} names is in {folder}, such as {first.name}: pass folder=... (--folder)."
        )
    part.x = np.array([*paths, None], object)[:-1]
    why = {f"{title!r} names no file": is_empty, f"there is no file {first}": ~is_there & ~is_empty}
    part.drop(why, options.skip_bad)
    found = {path.suffix.lower() for path in part.x}
    fits = [kind for kind in in_files if found <= set(kind.file_endings)]
    if not fits:
        wanted = " or ".join(f"{kind.name}s ({', '.join(kind.file_endings)})" for kind in in_files)
        raise checks.InputError(
            f"The files that {title!r} names end in {', '.join(sorted(found))}: expected {wanted}, of one kind."
        )
    part.names = np.array(list(map(str, part.x)), object)
    part.x = fits[0].of_files(list(part.x))
