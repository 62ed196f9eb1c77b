"""Saved models: equal bit for bit, refused when damaged, loaded by later versions."""

import ast
import copy
import io
import json
import pickle
import warnings
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

import skmade
from tests.configurations import quick

TRUSTED = ["skmade._density.MADEDensity"]
DATA = Path(__file__).parent / "data"


def make_mixed():
    """Return a table of numbers, labels, a count and missing cells."""
    rng = np.random.RandomState(0)
    label = rng.choice(["red", "green", "blue"], size=60)
    size = np.where(np.arange(60) % 7 == 0, np.nan, rng.normal(size=60))
    children = rng.poisson(1 + 2 * (label == "blue"))
    return pd.DataFrame({"size": size, "label": label, "children": children})


RNG = np.random.RandomState(0)
NUMBERS = np.column_stack([RNG.normal(size=(60, 3)) * [1, 50, 0.01], RNG.randint(2, size=60)])
MIXED = make_mixed()

# A table, and how to train on it.
MODELS = {
    "members": (NUMBERS, {"n_estimators": 2}),
    "order-agnostic": (NUMBERS, {"order_agnostic": True, "n_masks": 3}),
    "order- and connectivity-agnostic": (
        NUMBERS,
        {"order_agnostic": True, "connectivity_agnostic": True, "n_masks": 3},
    ),
    "Gaussian conditionals": (NUMBERS, {"n_components": 1}),
    "plain MADE": (
        NUMBERS,
        {
            "residual": False,
            "direct_connections": False,
            "early_stopping": False,
            "ordering": "natural",
        },
    ),
    "one column": (NUMBERS[:, :1], {}),
    "mixed table": (MIXED, {"feature_types": {"children": "count"}, "n_estimators": 2}),
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS.keys())
def model(request):
    """Return a fitted estimator, and a table with missing cells to use it on."""
    table, parameters = request.param
    rows = pd.DataFrame(table).astype({"children": "Int64"} if table is MIXED else float)
    rows.iloc[3, 0] = None
    density = quick(max_iter=2, **parameters).fit(table)
    return density, rows if table is MIXED else rows.to_numpy()


def through_joblib(density, folder, mmap_mode=None):
    joblib.dump(density, folder / "model")
    return joblib.load(folder / "model", mmap_mode=mmap_mode)


SAVERS = {
    "pickle": lambda density, _: pickle.loads(pickle.dumps(density)),
    "cloudpickle": lambda density, _: pickle.loads(cloudpickle.dumps(density)),
    "deepcopy": lambda density, _: copy.deepcopy(density),
    "joblib": through_joblib,
    "joblib, mapped": lambda density, folder: through_joblib(density, folder, "r"),
    "skops": lambda density, _: skops.io.loads(skops.io.dumps(density), trusted=TRUSTED),
}


@pytest.mark.parametrize("save", SAVERS.values(), ids=SAVERS.keys())
@pytest.mark.filterwarnings("ignore:.*effective draws")
def test_saved_models_answer_bit_for_bit(model, save, tmp_path):
    density, rows = model
    loaded = save(density, tmp_path)
    assert_array_equal(loaded.score_samples(rows), density.score_samples(rows))
    assert_array_equal(loaded.score_features(rows), density.score_features(rows))
    pairs = [
        (m.sample(9, random_state=0), m.impute(rows, random_state=0)) for m in (loaded, density)
    ]
    for one, other in zip(*pairs, strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other), check_exact=True)
    assert vars(loaded).keys() == vars(density).keys()
    assert loaded.history_ == density.history_


def test_a_mapped_model_is_mapped(tmp_path):
    loaded = through_joblib(quick().fit(NUMBERS), tmp_path, "r")
    assert isinstance(loaded._state["weights"], np.memmap)


def test_state_is_arrays_and_plain_scalars(model):
    plain = (np.ndarray, np.generic, str, int, float, bool, type(None))

    def walk(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple):
            for item in value:
                walk(item)
        else:
            assert isinstance(value, plain), type(value)

    walk(vars(model[0]))


def test_skops_needs_one_trusted_name(model):
    assert skops.io.get_untrusted_types(data=skops.io.dumps(model[0])) == TRUSTED


@pytest.mark.filterwarnings("ignore:Cells are missing, as none was in the first fit")
def test_a_loaded_model_goes_on_training_as_it_would_have(model, tmp_path):
    density, rows = model
    density = clone(density).partial_fit(rows)
    loaded = through_joblib(density, tmp_path, "r").partial_fit(rows)
    expected = density.partial_fit(rows).score_samples(rows)
    assert_array_equal(loaded.score_samples(rows), expected)


# Names of functions that run what a file or a text holds, and of modules that have some.
RUNNING = {"eval", "exec", "compile", "__import__"}
UNPICKLING = {"pickle", "cPickle", "dill", "marshal", "shelve", "cloudpickle", "joblib"}


def dangers(source):
    """Name what in a source could run code that it reads."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [getattr(node, "module", None) or "", *(n.name for n in node.names)]
            found += [name for name in modules if name.split(".")[0] in UNPICKLING]
        elif isinstance(node, ast.Name) and node.id in RUNNING:
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in ("load", "loads"):
            if ast.unparse(node.value) != "skops.io":
                found.append(ast.unparse(node))
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found.append("allow_pickle")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path)",
        "eval(text)",
        "exec(text)",
    ],
)
def test_dangers_are_found(source):
    assert dangers(source)


def test_no_source_runs_what_it_reads():
    sources = sorted(Path(skmade.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    assert {path.name: dangers(path.read_text()) for path in sources} == {
        path.name: [] for path in sources
    }


@pytest.fixture(scope="module")
def saved():
    """Return a file of skops, as bytes, and the scores of the model in it."""
    density = quick(hidden_layer_sizes=(4,), n_components=1, max_iter=1).fit(NUMBERS)
    return skops.io.dumps(density), density.score_samples(NUMBERS)


def scores_of(data):
    """Return the scores of a model in a file that may be damaged, None if it is refused."""
    try:
        # Silent, since a warning is no refusal.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return skops.io.loads(data, trusted=TRUSTED).score_samples(NUMBERS)
    except Exception:
        return None


def flipped(data, position, bit):
    damaged = bytearray(data)
    damaged[position] ^= 1 << bit
    return bytes(damaged)


def test_a_flipped_bit_is_refused_or_changes_no_score(saved):
    data, expected = saved
    assert_array_equal(scores_of(data), expected)
    rng = np.random.RandomState(0)
    refused = 0
    for position, bit in zip(
        rng.randint(len(data), size=300), rng.randint(8, size=300), strict=True
    ):
        scores = scores_of(flipped(data, position, bit))
        refused += scores is None
        assert scores is None or np.array_equal(scores, expected), (position, bit)
    assert refused > 150  # the others hit times and attributes that zip files keep


def test_a_truncated_file_is_refused(saved):
    data, _ = saved
    for size in np.random.RandomState(0).randint(len(data), size=100):
        assert scores_of(data[:size]) is None, size


GOLDEN = sorted(DATA.glob("golden-*.skops"))


def load_golden(path):
    """Load the models of a golden file, with the warnings that it gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        models = skops.io.load(path, trusted=TRUSTED)
    return models, [str(warning.message) for warning in caught]


def test_this_version_has_golden_files():
    assert DATA / f"golden-{skmade.__version__}.skops" in GOLDEN


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_files_keep_their_scores(path):
    models, messages = load_golden(path)
    answers = json.loads(path.with_suffix(".json").read_text())
    assert set(models) == {"continuous", "mixed"}
    assert len(messages) == (skmade.__version__ not in path.stem) * len(models)
    for name, density in models.items():
        rows = answers[name]["rows"]
        if name == "mixed":
            rows = pd.DataFrame(rows, columns=density.feature_names_in_)
        assert_allclose(density.score_samples(rows), answers[name]["scores"], atol=1e-6)


def test_models_that_do_not_know_what_they_were_drawn_for_go_on_training():
    # Version 0.1.0 did not remember it.
    density = quick(max_iter=1, ordering=[1, 0, 2, 3]).fit(NUMBERS)
    del density._state["drawn_for"]
    density.partial_fit(NUMBERS)
    with pytest.raises(ValueError, match="ordering has been changed"):
        density.set_params(ordering="natural").partial_fit(NUMBERS)


LOADERS = {
    "pickle": (pickle.dumps, pickle.loads),
    "skops": (skops.io.dumps, lambda data: skops.io.loads(data, trusted=TRUSTED)),
}


@pytest.mark.parametrize("saver", LOADERS.values(), ids=LOADERS.keys())
def test_a_model_of_another_version_warns_once_when_loaded(saver, monkeypatch):
    dump, load = saver
    density = quick(max_iter=1).fit(NUMBERS)
    monkeypatch.setattr("skmade._density.current_version", lambda: "0.0.9")
    data = dump(density)
    monkeypatch.undo()
    expected = f"saved by skmade 0.0.9 and is loaded by skmade {skmade.__version__}"
    with pytest.warns(UserWarning, match=expected) as caught:
        loaded = load(data)
    assert len(caught) == 1
    # Warnings are errors here: using, copying and saving what was loaded gives none.
    assert_array_equal(loaded.score_samples(NUMBERS), density.score_samples(NUMBERS))
    clone(copy.deepcopy(loaded)).fit(NUMBERS)
    load(dump(loaded))


def test_a_model_without_a_version_warns(monkeypatch):
    density = quick(max_iter=1).fit(NUMBERS)
    monkeypatch.setattr(skmade.MADEDensity, "__getstate__", lambda self: dict(vars(self)))
    data = pickle.dumps(density)
    with pytest.warns(UserWarning, match="saved by skmade unknown"):
        pickle.load(io.BytesIO(data))
