"""How `MADEDensity` is fitted to a table in blocks, which no machine needs to hold as a whole.

Two passes over the blocks say what a random sample of the rows does not: which cells are
wrong, what the extremes, the labels and the missing cells are. Then each member is trained
where blocks are that it has for itself, and holds out some of their rows. A table no longer
than the sample is fetched and fitted like any other.
"""

import copy
from dataclasses import asdict, replace
from functools import reduce

import numpy as np

from .._fitting import (
    USER_LEVEL,
    count_members,
    finish,
    fit_estimator,
    mask_options,
    new_architecture,
    read_schedule,
    task_context,
    telling_callbacks,
    train_stack,
)
from .._input import (
    MAX_SEED,
    check_new_columns,
    learn_kinds,
    open_filled,
    open_new_table,
    private_random_state,
    read_table,
    warn_free_text,
)
from .._network.ensemble import draw_ensemble
from .._network.masks import warn_if_narrow
from .._table.encoding import check_cells, check_kinds, check_known, warn_constant
from .._table.frame import joined_layout, to_numbers, unknown_labels
from .._table.numbers import Numbers, Survey, survey
from .._training.rows import (
    InMemory,
    Rows,
    describe_columns,
    described_rows,
    encode_numbers,
    max_described,
    open_source,
    window_rows,
)
from .partitions import empty_like, fetched, join, map_blocks, row_counts, shared, together

# A member takes no more blocks when the rows that it has take so much memory, as they are
# trained on: four bytes a cell, and so many a row for its Jacobian and its weight.
MAX_MEMBER_BYTES = 2**29
ROW_BYTES = 12

# A member whose rows are less than this share of an equal share of all has too few: all
# members count the same.
MIN_MEMBER_SHARE = 0.1

# Of a column of objects that are numbers in one block and labels in another.
MIXED = (
    "Other partitions hold labels alone in it: declare it 'categorical' in feature_types, or "
    "give it one type."
)


def fit_blocks(estimator, X, sample_weight, X_val, *, resume, early_stopping, max_iter):
    """Fit to the blocks of X, and change the estimator only when all went well."""
    options = {"resume": resume, "early_stopping": early_stopping, "max_iter": max_iter}
    fitted, empty = copy.copy(estimator), empty_like(X)
    check_new_columns(fitted, empty)
    at_most, n_counted = max_described(empty.shape[1]), sum(row_counts(X))
    if n_counted > at_most:  # not if it is NaN: the blocks have to be read to count rows
        _refuse_options(n_counted, sample_weight, resume)
    layout, surveys = _survey_blocks(fitted, X, empty)
    surveyed = reduce(Survey.followed_by, surveys)
    if surveyed.n_rows <= at_most:
        return fit_estimator(estimator, X, sample_weight, X_val, **options)
    _refuse_options(surveyed.n_rows, sample_weight, resume)
    rng = private_random_state(estimator.random_state)
    fold_seed = int(rng.randint(MAX_SEED))
    sizes = [part.n_rows for part in surveys]
    table = _describe(estimator, X, layout, sizes, surveyed, fold_seed)
    validation = None
    if X_val is not None:
        validation = read_table(fitted, fetched(X_val), layout, table, "X_val")[0]
    validation = validation if early_stopping else None  # checked all the same
    members, trained = _train(estimator, X, layout, table, sizes, validation, rng)
    return finish(
        estimator,
        fitted,
        members[0].joined_by(members[1:]),
        trained,
        remembered={"layout": asdict(layout), "fold_seed": fold_seed},
        resume=False,
        early_stopping=early_stopping,
    )


def _refuse_options(n_rows, sample_weight, resume):
    """Refuse what only a fit to rows in memory does."""
    problem = None
    if sample_weight is not None:
        problem = "sample_weight is not supported: leave out rows of weight zero"
    elif resume:
        problem = "warm_start cannot go on with a fit: set warm_start=False"
    if problem:
        raise ValueError(f"For a table of {n_rows} rows in blocks {problem}, or fit a sample.")


def _survey_blocks(fitted, X, empty):
    """Pass over all rows: return the layout of the table, and a survey of each block."""
    parts = together(map_blocks(_survey_block, X, without_state(fitted), empty))
    layouts = [layout for layout, _ in parts if layout is not None]
    if not layouts:
        raise ValueError("X has no rows in any of its partitions.")
    return joined_layout(layouts), [surveyed for _, surveyed in parts]


def without_state(estimator):
    """Copy the parameters, and not what an earlier fit found: workers have no use for it."""
    copied = copy.copy(estimator)
    copied.__dict__.pop("_state", None)
    return copied


def _survey_block(block, estimator, empty):
    """Check the cells of a block; return its layout, None if it has no rows, and a survey."""
    if list(getattr(block, "columns", ())) != list(getattr(empty, "columns", ())):
        raise ValueError(
            f"The columns are {list(block.columns)} instead of {list(empty.columns)}."
        )
    if block.shape[1] != empty.shape[1]:
        raise ValueError(f"There are {block.shape[1]} columns instead of {empty.shape[1]}.")
    if len(block) == 0:
        return None, Survey.of_nothing(empty.shape[1])
    layout, numbers = open_new_table(copy.copy(estimator), block)
    surveyed = survey(numbers)
    check_cells(surveyed.n_infinite, layout)
    return layout, surveyed


def _describe(estimator, X, layout, sizes, surveyed, seed):
    """Learn the columns from a random sample of the rows, and check the cells of all."""
    kinds = learn_kinds(estimator, layout, surveyed)
    rows, ends = described_rows(surveyed, seed), np.cumsum(sizes)
    assert rows is not None  # the table is larger than the sample
    of_blocks = np.split(rows, np.searchsorted(rows, ends[:-1]))
    starts = ends - sizes
    chosen = [(own - start,) for own, start in zip(of_blocks, starts, strict=True)]
    parts = together(map_blocks(_chosen_rows, X, layout, kinds, each=chosen))
    smoothed = estimator.handle_unknown == "smoothed"
    table = describe_columns(
        np.concatenate(parts),
        None,
        surveyed,
        kinds,
        layout.n_levels,
        smoothed,
        estimator.min_scale,
    )
    warn_constant(table, layout, stacklevel=USER_LEVEL)
    warn_free_text(layout, surveyed.n_rows, stacklevel=USER_LEVEL)
    return table


def _chosen_rows(block, chosen, layout, kinds):
    """Check the cells of a block against the kinds of the columns; return some rows."""
    cells = open_filled(block)
    numbers = to_numbers(layout, cells)
    check_known("X", unknown_labels(layout, numbers, cells), layout, hint=MIXED)
    check_kinds(kinds, numbers, layout)
    return numbers[chosen]


def _train(estimator, X, layout, table, sizes, validation, rng):
    """Train each member on blocks of its own; return members and how training went."""
    n_members = count_members(estimator, sum(sizes))
    architecture = new_architecture(estimator, table)
    warn_if_narrow(architecture.hidden_layer_sizes, table.n_features, stacklevel=USER_LEVEL)
    seeds = rng.randint(MAX_SEED, size=(n_members, 3)).tolist()
    encoded = map_blocks(_encoded, X, layout, table)
    told = without_state(estimator), table, architecture, validation
    common = [shared(value) for value in told]
    shares = share_out(sizes, n_members, table.n_features, rng)
    with telling_callbacks(estimator, n_members, {"X": X, "metadata": {}}) as context:
        tasks = []
        for member, own in enumerate(shares):
            n_rows = sum(sizes[block] for block in own)
            schedule = read_schedule(estimator, n_rows, estimator.max_iter, decay=True)
            label = f"member {member + 1} of {n_members}"
            own_task = task_context(context, label, member, schedule)
            parts = [encoded[block] for block in own]
            each = schedule, seeds[member], own_task
            tasks.append(join(_trained_member, parts, *each, *common))
        members, trained = zip(*together(tasks), strict=True)
    return members, trained


def share_out(sizes, n_members, n_features, rng):
    """Deal out blocks of rows to members at random: a list of block numbers for each.

    The next block goes to the member with the fewest rows, so blocks have one member each. A
    member that ends with far fewer rows than others, or none, shares a block that is large.
    A member that has as many rows as it may takes no more.
    """
    filled = [block for block in rng.permutation(len(sizes)).tolist() if sizes[block]]
    own: list[list[int]] = [[] for _ in range(n_members)]
    n_rows = np.zeros(n_members)
    for block in filled:
        member = int(n_rows.argmin())
        own[member].append(block)
        n_rows[member] += sizes[block]
    enough = MIN_MEMBER_SHARE * n_rows.mean()
    large = [block for block in filled if sizes[block] >= enough]
    for member in np.flatnonzero(n_rows < enough).tolist():
        own[member].append(large[member % len(large)])
    at_most = MAX_MEMBER_BYTES // (4 * n_features + ROW_BYTES)
    before = [np.cumsum([0] + [sizes[block] for block in blocks[:-1]]) for blocks in own]
    return [
        [block for block, upto in zip(blocks, starts, strict=True) if upto < at_most]
        for blocks, starts in zip(own, before, strict=True)
    ]


def _encoded(block, layout, table):
    """Return the rows of a block as the network sees them."""
    return encode_numbers(table, Numbers(to_numbers(layout, open_filled(block))))


def _trained_member(
    parts, schedule, seeds, context, estimator, table, architecture, validation
):
    """Draw and train one member on encoded blocks; return it, and how training went."""
    from .._training.loop import check_device  # imports torch, which only training needs

    check_device(estimator.device)
    mask_seed, fold_seed, training_seed = seeds
    encoded = parts[0].followed_by(parts[1:])
    n_windows = -(-len(encoded.values) // window_rows(table.n_features))
    rows = Rows(
        InMemory(encoded, n_windows),
        n_members=1,
        validation=None if validation is None else open_source(table, validation, None, 0),
        fraction=estimator.validation_fraction if estimator.early_stopping else None,
        fold_seed=fold_seed,
    )
    member = draw_ensemble(
        table, rows, architecture, seeds=[mask_seed], **mask_options(estimator)
    )
    ((_, start, masks),) = member.stacks()
    trained = train_stack(
        estimator,
        context,
        made=member.made,
        start=start,
        masks=masks,
        rows=rows,
        schedule=schedule,
        seed=training_seed,
        device=estimator.device,
    )
    # The weights travel once, and the optimiser's arrays not at all.
    nothing = np.empty((1, 0), dtype=np.float32)
    summary = replace(trained, average=nothing, current=nothing, moments=())
    return member.with_trained([trained], keep_optimizer=False), summary
