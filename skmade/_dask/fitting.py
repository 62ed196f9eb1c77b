"""How `MADEDensity` is fitted to a table in partitions, which no machine holds as a whole.

Two passes over the partitions say what a random sample of the rows does not: which cells are
wrong, what the extremes, the labels and the missing cells are. Then each member is trained
where partitions are that it has for itself, and holds out some of their rows. A table no longer
than the sample is fetched and fitted like any other.
"""

import copy
from dataclasses import replace
from functools import partial, reduce

import numpy as np

from .._fitting import (
    alone,
    finish,
    fit_rows,
    learn,
    remember,
    task_context,
    telling_callbacks,
    train_stack,
    without_state,
)
from .._input import (
    MAX_SEED,
    check_new_columns,
    learn_kinds,
    open_new_table,
    private_random_state,
    read_table,
)
from .._parameters import (
    count_members,
    new_architecture,
    new_ranks,
    read_recipes,
    read_schedule,
)
from .._table.checks import check_cells, check_known, check_new_cells
from .._table.frame import open_filled, to_numbers, unknown_labels
from .._table.layout import joined_layout
from .._table.learning import max_described
from .._table.numbers import Numbers, Survey, survey
from .._training.members import Cohort, Trained, draw_members, put_in_place, stacks
from .._training.recipes import by_recipe
from .._training.rows import InMemory, Rows, encode_numbers, open_source, window_rows
from .partitions import (
    empty_like,
    fetched,
    join,
    map_partitions,
    row_counts,
    shared,
    together,
)

# A member takes no more partitions when the rows that it has take so much memory, as they are
# trained on: four bytes a cell, and so many a row for its Jacobian and its weight.
MAX_MEMBER_BYTES = 2**29
ROW_BYTES = 12

# A member whose rows are less than this share of an equal share of all has too few: all
# members count the same.
MIN_MEMBER_SHARE = 0.1

# Of a column of objects that are numbers in one partition and labels in another.
MIXED = (
    "Other partitions hold labels alone in it: declare it 'categorical' in feature_types, or "
    "give it one type."
)


def fit_partitions(estimator, X, sample_weight, X_val, run):
    """Fit to the partitions of X, and change the estimator only when all went well."""
    fitted, empty = copy.copy(estimator), empty_like(X)
    check_new_columns(fitted, empty)
    at_most, n_counted = max_described(empty.shape[1]), sum(row_counts(X))
    if n_counted > at_most:  # not if it is NaN: the partitions have to be read to count rows
        _refuse_options(n_counted, sample_weight, run)
    layout, surveys = _survey_partitions(fitted, X, empty)
    surveyed = reduce(Survey.followed_by, surveys)
    if surveyed.n_rows <= at_most:
        return fit_rows(estimator, fetched(X), fetched(sample_weight), fetched(X_val), run)
    _refuse_options(surveyed.n_rows, sample_weight, run)
    rng = private_random_state(estimator.random_state)
    fold_seed = int(rng.randint(MAX_SEED))
    sizes = [part.n_rows for part in surveys]
    kinds, bounds = learn_kinds(estimator, layout, surveyed)
    read = partial(_rows_at, X, layout, kinds, bounds, sizes)
    table = learn(estimator, layout, kinds, bounds, surveyed, read, None, fold_seed)
    validation = None
    if X_val is not None:
        validation = read_table(fitted, fetched(X_val), layout, table, "X_val").numbers
    validation = validation if run.early_stopping else None  # checked all the same
    members, trained = _train(estimator, X, layout, table, sizes, validation, run, rng)
    ensemble = members[0].joined_by(members[1:], np.ones(len(members)))
    told = Trained([0] * len(members), list(range(len(members))), len(members))
    remembered = remember(fitted, layout, fold_seed, told._asdict())
    return finish(estimator, fitted, ensemble, trained, remembered, run)


def _refuse_options(n_rows, sample_weight, run):
    """Refuse what only a fit to rows in memory does."""
    problem = None
    if sample_weight is not None:
        problem = "sample_weight is not supported: leave out rows of weight zero"
    elif run.resume:
        problem = "warm_start cannot go on with a fit: set warm_start=False"
    if problem:
        raise ValueError(
            f"For a table of {n_rows} rows in partitions {problem}, or fit a sample."
        )


def _survey_partitions(fitted, X, empty):
    """Pass over all rows: return the layout of the table, and a survey of each partition."""
    parts = together(map_partitions(_survey_partition, X, without_state(fitted), empty))
    layouts = [layout for layout, _ in parts if layout is not None]
    if not layouts:
        raise ValueError("X has no rows in any of its partitions.")
    return joined_layout(layouts), [surveyed for _, surveyed in parts]


def _survey_partition(partition, estimator, empty):
    """Check the cells of a partition; return its layout, if it has rows, and a survey."""
    if list(getattr(partition, "columns", ())) != list(getattr(empty, "columns", ())):
        raise ValueError(
            f"The columns are {list(partition.columns)} instead of {list(empty.columns)}."
        )
    if partition.shape[1] != empty.shape[1]:
        raise ValueError(f"There are {partition.shape[1]} columns instead of {empty.shape[1]}.")
    if len(partition) == 0:
        return None, Survey.of_nothing(empty.shape[1])
    layout, numbers = open_new_table(copy.copy(estimator), partition)
    surveyed = survey(numbers)
    check_cells(surveyed.n_infinite, layout)
    return layout, surveyed


def _rows_at(X, layout, kinds, bounds, sizes, positions):
    """Check the cells of all partitions, and return the rows at some positions in the table."""
    ends = np.cumsum(sizes)
    of_partitions = np.split(positions, np.searchsorted(positions, ends[:-1]))
    chosen = [(own - start,) for own, start in zip(of_partitions, ends - sizes, strict=True)]
    told = layout, kinds, bounds
    return np.concatenate(together(map_partitions(_chosen_rows, X, *told, each=chosen)))


def _chosen_rows(partition, chosen, layout, kinds, bounds):
    """Check the cells of a partition against what columns can hold; return some rows."""
    cells = open_filled(partition)
    numbers = to_numbers(layout, cells)
    check_known("X", unknown_labels(layout, numbers, cells), layout, hint=MIXED)
    check_new_cells(kinds, bounds, numbers, layout)
    return numbers[chosen]


def _train(estimator, X, layout, table, sizes, validation, run, rng):
    """Train each member on partitions of its own; return members and how training went."""
    some = read_recipes(estimator, table, sum(sizes), run.early_stopping)
    n_members, recipe = count_members(estimator, sum(sizes), some), some[0]
    architecture = new_architecture(estimator, table, recipe.n_components)
    seeds = rng.randint(MAX_SEED, size=(n_members, 3)).tolist()
    ranks = new_ranks(estimator, n_members, table.n_features, rng)
    encoded = map_partitions(_encoded, X, layout, table)
    told = without_state(estimator), table, architecture, validation, run
    common = [shared(value) for value in told]
    shares = share_out(sizes, n_members, table.n_features, rng)
    with telling_callbacks(estimator, n_members, {"X": X, "metadata": {}}) as context:
        tasks = []
        for member, own in enumerate(shares):
            n_rows = sum(sizes[partition] for partition in own)
            schedule = by_recipe(read_schedule(estimator, n_rows, run), recipe)
            label = f"member {member + 1} of {n_members}"
            own_task = task_context(context, label, member, schedule)
            parts = [encoded[partition] for partition in own]
            each = schedule, seeds[member], ranks[member], own_task
            tasks.append(join(_trained_member, parts, *each, *common))
        members, trained = zip(*together(tasks), strict=True)
    return members, trained


def share_out(sizes, n_members, n_features, rng):
    """Deal out partitions of rows to members at random: a list of partition numbers for each.

    The next partition goes to the member with the fewest rows, so each has one member. A member
    that ends with far fewer rows than others, or none, shares a partition that is large. A
    member that has as many rows as it may takes no more.
    """
    filled = [
        partition for partition in rng.permutation(len(sizes)).tolist() if sizes[partition]
    ]
    own: list[list[int]] = [[] for _ in range(n_members)]
    n_rows = np.zeros(n_members)
    for partition in filled:
        member = int(n_rows.argmin())
        own[member].append(partition)
        n_rows[member] += sizes[partition]
    enough = MIN_MEMBER_SHARE * n_rows.mean()
    large = [partition for partition in filled if sizes[partition] >= enough]
    for member in np.flatnonzero(n_rows < enough).tolist():
        own[member].append(large[member % len(large)])
    at_most = MAX_MEMBER_BYTES // (4 * n_features + ROW_BYTES)
    before = [
        np.cumsum([0] + [sizes[partition] for partition in partitions[:-1]])
        for partitions in own
    ]
    return [
        [
            partition
            for partition, upto in zip(partitions, starts, strict=True)
            if upto < at_most
        ]
        for partitions, starts in zip(own, before, strict=True)
    ]


def _encoded(partition, layout, table):
    """Return the rows of a partition as the network sees them."""
    return encode_numbers(table, Numbers(to_numbers(layout, open_filled(partition))))


def _trained_member(
    parts, schedule, seeds, ranks, context, estimator, table, architecture, validation, run
):
    """Draw and train one member on encoded partitions; return it, and how training went."""
    from .._training.loop import check_device  # imports torch, which only training needs

    check_device(estimator.device)
    mask_seed, fold_seed, training_seed = seeds
    encoded = parts[0].followed_by(parts[1:])
    n_windows = -(-len(encoded.values) // window_rows(table.n_features))
    rows = Rows(
        InMemory(encoded, n_windows),
        n_members=1,
        validation=None if validation is None else open_source(table, validation, None, 0),
        fraction=estimator.validation_fraction if run.early_stopping else None,
        fold_seed=fold_seed,
    )
    drawn = ranks[None], [mask_seed], estimator.connectivity_agnostic
    member = draw_members(table, rows, architecture, *drawn)
    ((part, start, masks),) = stacks(member, schedule, 1)
    task = partial(
        train_stack,
        estimator,
        context,
        made=member.made,
        start=start,
        masks=masks,
        rows=rows,
        schedule=schedule,
        seed=training_seed,
    )
    trained = put_in_place(Cohort(0, 0, member, np.arange(1)), part, alone(task))
    # The weights travel once, and the optimiser's arrays not at all.
    nothing = np.empty((1, 0), dtype=np.float32)
    return member, replace(trained, average=nothing, current=nothing, moments=())
