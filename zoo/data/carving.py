"""Which examples become validation and test where nobody gives them: by chance, by time, or group by group."""

import re
import warnings

import numpy as np

from zoo.data import examples, kinds, once
from zoo.data.kinds import dates
from zoo.models import checks
from zoo.tasks import task


def split_column(column):
    """What the rows of a table are split by, of one of its columns: times or numbers that rise, or a text for each group.

    Dates and times are times. Numbers are those of groups, such as patients, unless all differ or they have fractions.

    Returns:
        `datetime64[us]` or float64 where the newest rows are to be test; texts of dtype object for groups. NaT, NaN and `""`
        where the column has none.
    """
    times = dates.moments(column)
    if times:
        return next(iter(times.values()))
    if column.dtype.kind in "iuf":
        numbers = column.dropna()
        if numbers.is_unique or (numbers != numbers.round()).any():
            return column.to_numpy("float64", na_value=np.nan)
        return np.array(["" if v != v else f"{v:.15g}" for v in column], object)
    return column.astype(object).where(column.notna(), "").astype(str).str.strip().to_numpy(object)


def is_order(by):
    """Whether what examples are split by is an order, and not groups."""
    return by.dtype.kind in "Mf"


def is_missing(by):
    """Where there is nothing to split an example by, bool `[N]`."""
    if by.dtype.kind == "M":
        return np.isnat(by)
    return np.isnan(by) if by.dtype.kind == "f" else by == ""


def carved(splits, name, share, info):
    """Splits a share of the training examples off, the same for every seed.

    By chance, stratified by class where there are classes. Of a series, and of examples with times, it is the newest share; of a
    series examples whose targets would reach into it are left out. Of examples in groups it is whole groups.
    """
    data = splits["train"]
    count = round(data.count * share)
    gap = max(info.horizon - 1, 0)
    if count < 1 or count + gap >= data.count:
        raise checks.InputError(
            f"A share of {share} of {data.count} examples for the {name} split leaves one part empty: pass more examples or another share."
        )
    if kinds.kind(info.kind).is_ordered:
        rest, part = (
            data.take(np.arange(data.count - count - gap)),
            data.take(np.arange(data.count - count, data.count)),
        )
    elif not data.is_indexed:
        rest, part = data.parted(count)
    else:
        choose = _random if data.by is None else _newest if is_order(data.by) else _groups
        with (
            warnings.catch_warnings()
        ):  # of scikit-learn: few examples of a class are told of by ourselves
            warnings.simplefilter("ignore", UserWarning)
            chosen = choose(data, count, info)
        rest, part = data.take(np.flatnonzero(~chosen)), data.take(np.flatnonzero(chosen))
    return {**splits, "train": rest, name: part}


def _random(data, count, info):
    """Any examples; where there are classes, and enough of each, of each one its share."""
    from sklearn.model_selection import train_test_split

    if task(info.task).targets == "class":
        counts = np.unique(data.targets, return_counts=True)[1]
        if counts.min() >= 2 and len(counts) <= min(count, data.count - count):
            return _of_each_class(data.targets, data.count - count)
    _, part = train_test_split(np.arange(data.count), test_size=count, random_state=0)
    return _picked(data.count, part)


def _of_each_class(ids, kept):
    """All but `kept` examples, of each class its share: those that scikit-learn's `train_test_split` gives, in a fifth of its time.

    That makes a list of the numbers of all examples, most of which are kept.
    """
    names, counts = np.unique(ids, return_counts=True)
    few_bits = np.result_type(*map(np.min_scalar_type, (names[0], names[-1])))
    order = np.argsort(ids.astype(few_bits), kind="stable")
    rng = np.random.RandomState(0)
    shares = _whole_shares(counts, kept, rng)
    _whole_shares(counts - shares, len(ids) - kept, rng)  # all others: it may draw numbers, too
    rows = np.split(order, np.cumsum(counts)[:-1])
    drawn = [own[rng.permutation(len(own))[share:]] for own, share in zip(rows, shares)]
    return _picked(len(ids), np.concatenate(drawn))


def _whole_shares(counts, total, rng):
    """How many of each class make so many examples: about its share, and of equal remainders any, as scikit-learn rounds."""
    exact = counts / counts.sum() * total
    found = np.floor(exact)
    missing = int(total - found.sum())
    for remainder in np.unique(exact - found)[::-1]:
        if not missing:
            break
        alike = np.flatnonzero(exact - np.floor(exact) == remainder)
        more = min(len(alike), missing)
        found[rng.choice(alike, size=more, replace=False)] += 1
        missing -= more
    return found.astype(int)


def _picked(count, part):
    """Whether each of so many examples is one of those at some indices, bool `[N]`."""
    found = np.zeros(count, bool)
    found[part] = True
    return found


def _newest(data, count, info):
    """The newest examples; those of one time stay together."""
    times = np.sort(data.by)
    border = times[data.count - count]
    earlier, later = (times < border).sum(), (times <= border).sum()
    if not earlier and later == data.count:
        raise checks.InputError(
            f"{info.split}: all {data.count} rows that are left are of the same time, so none is newer."
        )
    takes_later = not earlier or data.count - count - earlier > later - (data.count - count)
    return data.by > border if takes_later and later < data.count else data.by >= border


def _groups(data, count, info):
    """Whole groups of about as many examples; stratified by class where there are classes and enough groups."""
    from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

    groups = np.unique(data.by, return_inverse=True)[1]
    found = groups.max() + 1
    if found < 2:
        raise checks.InputError(
            f"{info.split}: {found} is left to split, and each split needs one. Pass another column, or test data of your own."
        )
    rows, share = np.zeros((data.count, 1)), count / data.count
    folds = max(2, round(1 / share))
    is_class = task(info.task).targets == "class"
    if is_class and found >= folds and np.bincount(data.targets).max() >= folds:
        parts = StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(
            rows, data.targets, groups
        )
        options = [part for _, part in parts if 0 < len(part) < data.count]
        lacking = [len(set(data.targets) - set(np.delete(data.targets, part))) for part in options]
        part = min(zip(lacking, options), key=lambda one: (one[0], abs(len(one[1]) - count)))[1]
    else:
        share = min(max(share, 1 / found), 1 - 1 / found)
        ((_, part),) = GroupShuffleSplit(1, test_size=share, random_state=0).split(
            rows, groups=groups
        )
    return _picked(data.count, part)


def told(by, title, has_test=False):
    """How a column splits a table, in words; the test split may be the caller's own."""
    if not is_order(by):
        return f"split by {title!r}, all rows of the same one together"
    parts = "validation" if has_test else "test, those before them into validation"
    return f"split by {title!r}, the newest rows into {parts}"


def warn_of_chance(frame):
    """Warns of a table that is split at random although its rows follow each other in time, or belong to the same few."""
    for title in frame.columns:
        column = frame[title]
        if not any(map(_go_one_way, dates.moments(column.iloc[:1000]).values())):
            continue  # the first ones say so of most columns
        times = next(iter(dates.moments(column).values()), None)
        if times is None or len(times) < 20 or np.isnat(times).any():
            continue
        if _go_one_way(times) and len(np.unique(times)) > len(times) / 2:
            examples.log.warning(
                "the rows are in the order of the dates of %r and are split at random, so the test rows lie between those that are "
                "learned from; to test on the newest rows pass split_by=%r (--split-by %s)", title, title, title,
            )  # fmt: skip
            break
    for title in frame.columns:
        if _names_groups(frame[title]):
            examples.log.warning(
                "several rows have the same %r and are split at random, so that train and test share them; to keep the rows of each "
                "one together pass split_by=%r (--split-by %s)", title, title, title,
            )  # fmt: skip
            break


def _go_one_way(times):
    steps = np.diff(times).astype("int64")
    return (steps >= 0).all() or (steps <= 0).all()


_IDS = (
    r"(?i)(?:^|.*[^a-z])(?:id|patient|user|customer|client|subject|person|participant|member|account|student|household|"
    r"session|device|animal|kunde|nutzer)(?:[ _-]?(?:id|no|nr|num|number|name|key|code))?\s*"
)
_CODE = r"[A-Za-z]{1,4}[-_ ]?\d{2,}"
MOST_ROWS = 50  # of each, on average, in a column that names groups


def _names_groups(column):
    """Whether a column holds names or numbers that repeat, with few rows each, and a title or a form that says what they are."""
    is_named, different = re.fullmatch(_IDS, str(column.name)), once.texts_of(column)
    if column.dtype.kind in "fbmMc" or (column.dtype.kind in "iu" and not is_named):
        return False
    values = column.dropna()
    count = values.nunique() if different is None else len(different.texts)
    if not 5 <= count <= len(values) / 1.5 or len(values) > MOST_ROWS * count:
        return False
    texts = map(str, values) if different is None else different.texts
    return is_named is not None or all(re.fullmatch(_CODE, text) for text in texts)
