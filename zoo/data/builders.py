"""Embedded data sets as TFDS builders: real data that scikit-learn and statsmodels carry, so no download is needed.

Each builder makes a fixed test split: 20 % of the examples, stratified by class (by fifths of the target for the
regression), chosen with seed 0. A series is one split, in the order of time.
"""

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import naming
from zoo.models import checks


def _load(name):
    from sklearn import datasets

    # scikit-learn scales the columns of diabetes with statistics of all rows, test rows too: take them unscaled.
    options = {"scaled": False} if name == "diabetes" else {}
    return getattr(datasets, f"load_{name}")(**options)


def _split(targets, strata):
    """Returns the indices of the train and the test split."""
    from sklearn.model_selection import train_test_split

    return train_test_split(np.arange(len(targets)), test_size=0.2, random_state=0, stratify=strata)


class _Embedded(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    SOURCE = ""  # the function of sklearn.datasets that loads it, without `load_`

    def _split_generators(self, dl_manager):
        bunch = _load(self.SOURCE)
        train, test = _split(bunch.target, self._strata(bunch.target))
        return {
            "train": self._generate_examples(bunch, sorted(train)),
            "test": self._generate_examples(bunch, sorted(test)),
        }

    def _strata(self, targets):
        return targets

    def _generate_examples(self, bunch, indices):
        for i in indices:
            yield int(i), self._example(bunch, i)

    def _example(self, bunch, i):
        names = map(naming.column_name, bunch.feature_names)
        features = dict(zip(names, bunch.data[i].astype("float32"), strict=True))
        return {"features": features, "target": bunch.target[i]}

    def _table_info(self, description, citation, homepage, target):
        columns = {
            naming.column_name(name): np.float32 for name in _load(self.SOURCE).feature_names
        }
        return self.dataset_info_from_configs(
            description=description,
            features=tfds.features.FeaturesDict({"features": columns, "target": target}),
            supervised_keys=("features", "target"),
            homepage=homepage,
            citation=citation,
        )


class ZooDigits(_Embedded):
    """1,797 handwritten digits of 8x8 pixels."""

    SOURCE = "digits"

    def _info(self):
        return self.dataset_info_from_configs(
            description="8x8 handwritten digits of 43 people, with the 17 grey levels spread over 0..255.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(names=[str(i) for i in range(10)]),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            citation="@misc{alpaydin1998, author={Alpaydin, E. and Kaynak, C.}, year={1998}, "
            "title={Optical Recognition of Handwritten Digits}, doi={10.24432/C50P49}}",
        )

    def _example(self, bunch, i):
        image = np.round(bunch.images[i][..., None] * (255 / 16)).astype("uint8")
        return {"image": image, "label": int(bunch.target[i])}


class ZooBreastCancer(_Embedded):
    """569 tumours, 30 measurements each: malignant or benign."""

    SOURCE = "breast_cancer"

    def _info(self):
        return self._table_info(
            "Measurements of cell nuclei in images of 569 breast masses; malignant or benign.",
            "@misc{wolberg1993, author={Wolberg, W. and Mangasarian, O. and Street, N. and Street, W.}, "
            "year={1993}, title={Breast Cancer Wisconsin (Diagnostic)}, doi={10.24432/C5DW2B}}",
            "https://archive.ics.uci.edu/dataset/17",
            tfds.features.ClassLabel(names=["malignant", "benign"]),
        )


class ZooWine(_Embedded):
    """178 wines of three growers, 13 chemical measurements each."""

    SOURCE = "wine"

    def _info(self):
        return self._table_info(
            "Chemical analysis of 178 wines of one region, from three growers.",
            "@misc{aeberhard1992, author={Aeberhard, S. and Forina, M.}, year={1992}, "
            "title={Wine}, doi={10.24432/C5PC7J}}",
            "https://archive.ics.uci.edu/dataset/109",
            tfds.features.ClassLabel(names=["class_0", "class_1", "class_2"]),
        )


class ZooDiabetes(_Embedded):
    """442 patients, 10 measurements each: disease progression a year later (regression)."""

    SOURCE = "diabetes"

    def _info(self):
        return self._table_info(
            "Ten measurements of 442 diabetes patients and a measure of disease progression a year later.",
            "@article{efron2004, author={Efron, B. and Hastie, T. and Johnstone, I. and Tibshirani, R.}, "
            "title={Least Angle Regression}, journal={Annals of Statistics}, year={2004}}",
            "https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html",
            np.float32,
        )

    def _strata(self, targets):
        return np.digitize(targets, np.quantile(targets, [0.2, 0.4, 0.6, 0.8]))


class ZooCo2(tfds.core.GeneratorBasedBuilder):
    """2,284 weeks of carbon dioxide in the air of Mauna Loa, 1958 to 2001."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}

    def _info(self):
        return self.dataset_info_from_configs(
            description="Weekly means of atmospheric carbon dioxide at Mauna Loa, Hawaii, in parts per million, from "
            "March 1958 to December 2001. 59 weeks without a measurement, the last in 1985, lie on the line between "
            "their neighbours.",
            features=tfds.features.FeaturesDict(
                {"date": tfds.features.Text(), "features": {"co2": np.float32}}
            ),
            homepage="https://doi.org/10.3334/CDIAC/atg.035",
            citation="@misc{keeling2004, author={Keeling, C.D. and Whorf, T.P.}, year={2004}, "
            "title={Atmospheric CO2 concentrations derived from flask air samples at sites in the SIO network}}",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        try:
            from statsmodels.datasets import co2
        except ImportError as error:
            raise checks.InputError(
                "The data set 'co2' comes with statsmodels: pip install 'keras-zoo[series]'."
            ) from error
        weeks = co2.load_pandas().data["co2"].interpolate("linear")
        for i, (date, value) in enumerate(weeks.items()):
            yield i, {"date": f"{date:%Y-%m-%d}", "features": {"co2": np.float32(value)}}
