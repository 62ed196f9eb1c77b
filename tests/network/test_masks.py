"""Orderings, degrees, and which connections they allow."""

import itertools

import numpy as np
import pytest

from skmade._network.masks import (
    draw_degrees,
    draw_mask_list,
    draw_ordering,
    hidden_mask,
    layer_masks,
    ordering_to_ranks,
    output_mask,
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
    rng = np.random.RandomState(0)
    np.testing.assert_array_equal(draw_ordering("natural", 3, rng), [0, 1, 2])
    np.testing.assert_array_equal(draw_ordering([2, 0, 1], 3, rng), [2, 0, 1])
    drawn = draw_ordering("random", 50, rng)
    np.testing.assert_array_equal(np.sort(drawn), np.arange(50))
    assert (drawn != np.arange(50)).any()
    ranks = ordering_to_ranks(drawn)
    np.testing.assert_array_equal(ranks[drawn], np.arange(1, 51))
    np.testing.assert_array_equal(ranks_to_ordering(ranks), drawn)


@pytest.mark.parametrize("ordering", [[0, 1], [0, 0, 1], [1, 2, 3], [[0, 1, 2]]])
def test_an_ordering_that_is_no_permutation_is_refused(ordering):
    with pytest.raises(ValueError, match=r"each column position 0\.\.2 once"):
        draw_ordering(ordering, 3, np.random.RandomState(0))


def draw(order_agnostic, connectivity_agnostic, **options):
    return draw_mask_list(
        6,
        [20, 20],
        5,
        np.random.RandomState(0),
        order_agnostic=order_agnostic,
        connectivity_agnostic=connectivity_agnostic,
        **options,
    )


def test_mask_list_varies_what_training_is_agnostic_of():
    for order, connectivity in itertools.product([True, False], repeat=2):
        ranks, degrees = draw(order, connectivity)
        n_masks = 6 if order or connectivity else 1
        assert ranks.shape == (n_masks, 5)
        assert [layer.shape for layer in degrees] == [(n_masks, 20)] * 2
        assert (len(np.unique(ranks, axis=0)) > 1) == order
        assert (len(np.unique(degrees[0], axis=0)) > 1) == connectivity


def test_first_of_the_list_is_the_given_ordering():
    ranks, _ = draw(True, False, ordering=[4, 3, 2, 1, 0])
    np.testing.assert_array_equal(ranks[0], [5, 4, 3, 2, 1])


def test_skip_connections_join_units_of_equal_degree():
    _, degrees = draw(False, True, shared=True)
    np.testing.assert_array_equal(degrees[0], degrees[1])
    _, degrees = draw(False, True, shared=False)
    assert (degrees[0] != degrees[1]).any()
