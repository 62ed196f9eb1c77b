"""Orderings, degrees, and which connections they allow."""

import itertools

import numpy as np
import pytest

from skmade._network.masks import (
    draw_degrees,
    draw_ranks,
    given_orderings,
    hidden_mask,
    layer_masks,
    ordering_to_ranks,
    output_mask,
    random_orderings,
    ranks_to_ordering,
    spread_degrees,
    warn_if_narrow,
)


def connections(masks):
    """Count the ways from each input to each output: through all layers, and direct."""
    *layers, direct = [mask.astype(int) for mask in masks]
    through = layers[0]
    for layer in layers[1:]:
        through = layer @ through
    return through, direct


@pytest.mark.parametrize("n_features", [1, 2, 3, 4])
@pytest.mark.parametrize("shared", [True, False])
def test_inputs_reach_outputs_exactly_where_the_ordering_allows(n_features, shared):
    for ordering in itertools.permutations(range(n_features)):
        ranks = ordering_to_ranks(np.array(ordering))
        rng = np.random.RandomState(0)
        degrees = draw_degrees([5, 5, 7], n_features, rng, shared)
        through, direct = connections(layer_masks(ranks, degrees, ranks))
        allowed = ranks[None, :] < ranks[:, None]
        np.testing.assert_array_equal(through > 0, allowed)
        np.testing.assert_array_equal(direct > 0, allowed)


def test_masks_follow_the_equations_of_the_paper():
    # Germain et al. 2015, equations 12 and 13, by hand for D = 3.
    np.testing.assert_array_equal(
        hidden_mask(np.array([1, 2]), np.array([1, 2, 3])), [[1, 0, 0], [1, 1, 0]]
    )
    np.testing.assert_array_equal(
        output_mask(np.array([1, 2, 3]), np.array([1, 2])), [[0, 0], [1, 0], [1, 1]]
    )


@pytest.mark.parametrize("n_features", [1, 2, 3, 10, 64])
@pytest.mark.parametrize("n_units", [1, 9, 63, 200])
def test_degrees_are_spread_evenly(n_features, n_units):
    degrees = spread_degrees(n_units, n_features)
    top = max(n_features - 1, 1)
    assert degrees.min() >= 1
    assert degrees.max() <= top
    counts = np.bincount(degrees, minlength=top + 1)[1:]
    assert counts.max() - counts.min() <= 1
    assert (np.diff(degrees) >= 0).all()


def test_a_narrow_layer_warns():
    with pytest.warns(
        UserWarning, match=r"layer of 3 units cannot hold each of the degrees 1\.\.4"
    ):
        warn_if_narrow([8, 3], 5)
    warn_if_narrow([4], 5)


def test_orderings():
    np.testing.assert_array_equal(given_orderings("natural", 3), [[0, 1, 2]])
    np.testing.assert_array_equal(given_orderings([2, 0, 1], 3), [[2, 0, 1]])
    (drawn,) = random_orderings(1, 50, np.random.RandomState(0))
    np.testing.assert_array_equal(np.sort(drawn), np.arange(50))
    assert (drawn != np.arange(50)).any()
    ranks = ordering_to_ranks(drawn)
    np.testing.assert_array_equal(ranks[drawn], np.arange(1, 51))
    np.testing.assert_array_equal(ranks_to_ordering(ranks), drawn)


@pytest.mark.parametrize("ordering", [[0, 1], [0, 0, 1], [1, 2, 3], [[0, 1, 2], [0, 0, 1]]])
def test_an_ordering_that_is_no_permutation_is_refused(ordering):
    with pytest.raises(ValueError, match=r"each column position 0\.\.2 once"):
        given_orderings(ordering, 3)
    with pytest.raises(ValueError, match=r"each column position 0\.\.2 once"):
        draw_ranks(2, 3, np.random.RandomState(0), ordering=ordering)


def times_drawn(orderings):
    """How often each of the orderings that were drawn was."""
    return np.unique(orderings, axis=0, return_counts=True)[1].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_orderings_are_drawn_without_replacement_while_they_last(seed):
    rng = np.random.RandomState(seed)
    assert times_drawn(random_orderings(8, 2, rng)) == [4, 4]
    assert times_drawn(random_orderings(6, 3, rng)) == [1] * 6
    assert times_drawn(random_orderings(12, 3, rng)) == [2] * 6
    assert sorted(times_drawn(random_orderings(8, 3, rng))) == [1] * 4 + [2] * 2
    assert times_drawn(random_orderings(24, 4, rng)) == [1] * 24
    assert times_drawn(random_orderings(100, 9, rng)) == [1] * 100
    np.testing.assert_array_equal(random_orderings(3, 1, rng), np.zeros((3, 1)))
    assert random_orderings(0, 3, rng).shape == (0, 3)


def test_every_ordering_is_as_likely_as_others():
    rng = np.random.RandomState(0)
    firsts = np.array([random_orderings(2, 3, rng)[1] for _ in range(6000)])
    counts = np.array(times_drawn(firsts))
    assert len(counts) == 6
    assert (np.abs(counts - 1000) < 5 * np.sqrt(1000)).all()


@pytest.mark.parametrize("seed", range(5))
def test_members_of_few_columns_share_out_all_orderings(seed):
    ranks = draw_ranks(8, 2, np.random.RandomState(seed))
    assert ranks.shape == (8, 1, 2)
    assert times_drawn(ranks[:, 0]) == [4, 4]
    # Members that are agnostic of the order share out the orderings of all their masks.
    ranks = draw_ranks(4, 3, np.random.RandomState(seed), n_masks=3, order_agnostic=True)
    assert times_drawn(ranks.reshape(-1, 3)) == [2] * 6
    ranks = draw_ranks(4, 1, np.random.RandomState(seed), n_masks=3, order_agnostic=True)
    np.testing.assert_array_equal(ranks, np.ones((4, 3, 1)))


def draw(order_agnostic, connectivity_agnostic, **options):
    return draw_ranks(
        4,
        5,
        np.random.RandomState(0),
        n_masks=6,
        order_agnostic=order_agnostic,
        connectivity_agnostic=connectivity_agnostic,
        **options,
    )


def test_mask_list_varies_what_training_is_agnostic_of():
    for order, connectivity in itertools.product([True, False], repeat=2):
        ranks = draw(order, connectivity)
        n_masks = 6 if order or connectivity else 1
        assert ranks.shape == (4, n_masks, 5)
        np.testing.assert_array_equal(
            np.sort(ranks, axis=2), np.broadcast_to(range(1, 6), ranks.shape)
        )
        for own in ranks:
            assert len(np.unique(own, axis=0)) == (6 if order else 1)
        assert len(np.unique(ranks[:, 0], axis=0)) == 4


@pytest.mark.parametrize("order", [False, True])
def test_several_orderings_are_taken_in_turn(order):
    some = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 0, 2, 3, 4]]
    ranks = draw(order, False, ordering=some)
    found = ranks_to_ordering(ranks).reshape(-1, 5)
    expected = np.array(some)[np.arange(len(found)) % 3]
    np.testing.assert_array_equal(found, expected)


def test_first_of_every_list_is_the_given_orderings():
    for order, connectivity in itertools.product([True, False], repeat=2):
        for ordering in ([4, 2, 3, 1, 0], "natural"):
            ranks = draw(order, connectivity, ordering=ordering)
            expected = [1, 2, 3, 4, 5] if ordering == "natural" else [5, 4, 2, 3, 1]
            np.testing.assert_array_equal(ranks[:, 0], np.tile(expected, (4, 1)))
            if order:
                assert (ranks[:, 1:] != ranks[:, :1]).any(axis=2).any(axis=1).all()


def test_skip_connections_join_units_of_equal_degree():
    for shared in (True, False):
        first, second = draw_degrees([20, 20], 5, np.random.RandomState(0), shared)
        assert (first == second).all() == shared


def test_without_a_generator_degrees_are_spread_in_order():
    for layer in draw_degrees([20, 12], 5):
        np.testing.assert_array_equal(layer, spread_degrees(len(layer), 5))
    drawn, again = (draw_degrees([20, 12], 5, np.random.RandomState(s)) for s in (0, 1))
    for one, other in zip(drawn, again, strict=True):
        assert (one != other).any()
        np.testing.assert_array_equal(np.sort(one), spread_degrees(len(one), 5))
