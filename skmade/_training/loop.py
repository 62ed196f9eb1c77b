"""Training: one function from rows and masks to weights and a history."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._network.evidence import Evidence
from .._network.made import MADE
from .adamw import AdamW
from .evidence import EvidenceTensors
from .jitter import Jitter
from .objective import Layers, Objective, masked, private_torch
from .order import Order
from .rows import Encoded, Integers, Rows
from .schedule import REPORTED_STEPS, Schedule, TrainingState, max_step_rows, n_parts
from .strides import strides_of

Floats = NDArray[np.float64]

# Epochs are compared by a mean over at most this many masks of the list.
MAX_VALIDATION_MASKS = 8

# Gates of the first masks of a list are kept, up to this size; others are made at each use.
MAX_GATE_BYTES = 2**26

# The running average of the weights looks back over about this many epochs, and over ten
# steps at least: where an epoch is a step or two, three of them average out no noise. It is
# this share of all steps at most: few epochs forget their start.
AVERAGED_EPOCHS = 3
MIN_AVERAGED_STEPS = 10
MAX_AVERAGED_SHARE = 0.1

# Products are a fifth faster over multiples of 16 rows; small batches stay of equal size.
ROUND_ROWS, MIN_ROUND_ROWS = 16, 48

# Over the first steps the step size rises, while the optimiser learns the gradient's size.
N_RISING_STEPS = 100


@private_torch()
def fit_network(
    made: MADE,
    start: TrainingState,
    masks: Sequence[tuple[Integers, Sequence[Integers]]],
    rows: Rows,
    schedule: Schedule,
    seed: int,
    device: str = "cpu",
    on_epoch: Callable[[int, float, float | None], bool] = lambda *_: False,
    on_part: Callable[[int], None] = lambda *_: None,
    stopped: Callable[[], bool] = lambda: False,
    evidence: Evidence | None = None,
) -> TrainingState:
    """Train a stack of members and return the averaged weights of their best epochs.

    Each step takes a mini-batch of its own rows for every member and the next mask of the
    list, and follows the gradient of the weighted mean log-likelihood (AdamW: Loshchilov
    and Hutter 2019), by steps that get smaller until `max_iter`. Prediction uses a running
    average of the weights (Polyak and Juditsky 1992). With held-out rows the average is
    scored on them after every epoch; a member keeps its best epoch, the start included, and
    leaves the stack after `n_iter_no_change` epochs without a gain of `tol`.

    Parameters
    ----------
    made : the network's shape
    start : weights to start from
    masks : ranks (M, D) and degrees (M, n_units) of each mask of the list
    rows : where rows are read, and which are trained on or held out
    schedule : length and speed
    seed : of the private generator of batches and dropout
    device : where the arithmetic runs
    on_epoch : called with the epoch's number (from 1) and its mean training and held-out
        log-likelihood, in the units of the table; a true answer stops training
    on_part : called with the epoch's number, `n_parts` times in an epoch
    stopped : asked before each step; a true answer ends training without a result
    evidence : of the members, if they have any
    """
    with torch.no_grad():  # they are computed by hand
        stack = _Stack(made, start, masks, rows, schedule, seed, device, stopped, evidence)
        keeper = _BestEpoch(stack) if rows.holds_out else None
        history: dict[str, list[Floats]] = {"train": [], "validation": []}
        for epoch in range(1, schedule.max_iter + 1):
            _go_on(history["train"], stack.members, stack.run_epoch(partial(on_part, epoch)))
            validation = None
            if keeper is not None:
                _go_on(history["validation"], stack.members, keeper.end_epoch(stack))
                validation = float(history["validation"][-1].mean())
            enough = on_epoch(epoch, float(history["train"][-1].mean()), validation)
            if enough or (keeper is not None and keeper.done()):
                break
            if keeper is not None:
                stack.keep(keeper.running())
    state = stack.state() if keeper is None else keeper.state()
    return replace(state, n_steps=stack.n_steps, history=history)


def _go_on(curve: list[Floats], members: Integers, values: Floats) -> None:
    """Add an epoch (M,) to a curve; members that are done stay as they were."""
    following = curve[-1].copy() if curve else np.empty(len(members))
    following[members] = values
    curve.append(following)


def check_device(device: str) -> None:
    """Refuse a device that torch can't compute on, saying which to use instead."""
    try:
        torch.zeros(1, device=device).add_(1).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device!r} can't be used on this machine ({reason}). "
            "Use device='cpu', or a device for which torch was built."
        ) from error


class Scores(NamedTuple):
    """Log-likelihoods of the rows that members hold out, and the rows' weights, (M, n) each."""

    logs: Floats
    weight: Floats

    @property
    def mean(self) -> Floats:
        """Weighted mean of each member, (M,)."""
        return np.asarray((self.logs * self.weight).sum(axis=1) / self.weight.sum(axis=1))


class _Stack:
    """The moving parts of training: current and averaged weights, optimiser, batches."""

    def __init__(
        self,
        made: MADE,
        start: TrainingState,
        masks: Sequence[tuple[Integers, Sequence[Integers]]],
        rows: Rows,
        schedule: Schedule,
        seed: int,
        device: str,
        stopped: Callable[[], bool] = lambda: False,
        evidence: Evidence | None = None,
    ) -> None:
        # A mask alone stays as it is: members train in the order of their ranks.
        order = Order.of_ranks(made, *masks[0]) if len(masks) == 1 else None
        strides = strides_of(made, start.average, evidence)
        self.objective = Objective(made, device, order=order, strides=strides)
        if evidence is not None:
            tensors = EvidenceTensors.of(evidence, masks[0][0], self.objective.tensor)
            self.objective.evidence = tensors
        self.members = np.arange(len(start.average))  # that are still trained
        self.masks, self.schedule = masks, schedule
        self.rows, self.device, self.stopped = rows, device, stopped
        self.n_batches = schedule.n_batches(rows)
        self.max_rows = max_step_rows(made, len(start.average))  # computed together
        self._kept = [_Loaded(*rows.training(0), device)] if rows.n_windows == 1 else []
        self.rng = np.random.Generator(np.random.SFC64([seed, start.n_steps]))
        self.generator = None  # of dropout on another device, so that it is drawn there
        if torch.device(device).type != "cpu":
            self.generator = torch.Generator(device).manual_seed(seed + start.n_steps)
        self.n_steps = self.first_step = start.n_steps
        self._kept_gates: dict[int, list[Tensor]] = {}
        self.average = self.objective.parts(start.average)
        current = start.average if start.current is None else start.current
        self.parameters = self.objective.parts(current)
        # Running means of gradients, and of their squares.
        moments = [self.objective.parts(m, power) for power, m in enumerate(start.moments, 1)]
        if len(masks) == 1:  # what it hides is zero and stays so
            for parts in (self.average, self.parameters, *moments):
                for part, gate in zip(parts, self._gates(0), strict=False):
                    part.mul_(gate)
        n_matrices = made.n_matrices
        # Weight decay is for matrices and not for biases. Direct connections hold the classical
        # solution, which is no excess: they decay toward it.
        decays = [schedule.alpha * (i < n_matrices) for i in range(len(self.parameters))]
        direct = range(len(made.hidden_layer_sizes) + 1, n_matrices)
        self.optimizer = AdamW(self.parameters, decays, moments, start.n_steps, kept=direct)
        self.gradients = [torch.zeros_like(part) for part in self.parameters]
        self.jitter = Jitter(made, rows, schedule.jitter, device) if schedule.jitter else None

    def run_epoch(self, on_part: Callable[[], None] = lambda: None) -> Floats:
        """Pass once over every member's training rows; return mean log-likelihoods (M,)."""
        log_jacobian, total_weight = np.zeros((2, len(self.members)))
        sums: list[Tensor] = []  # of batches, which are not waited for one by one
        n_done, parts = 0, n_parts(self.rows, self.schedule)
        for loaded in self._windows():
            log_jacobian += loaded.log_jacobian[self.members]
            total_weight += loaded.total_weight[self.members]
            for batch in self._batches(loaded.positions[self.members]):
                if self.stopped():
                    raise InterruptedError("Another member's training has failed, or Ctrl-C.")
                sums.append(self._step(loaded, batch))
                n_done += 1
                if parts and n_done % REPORTED_STEPS == 0:
                    on_part()
        total = torch.stack(sums).cpu().double().sum(dim=0).numpy()
        return (total + log_jacobian) / total_weight

    def _windows(self) -> Iterator["_Loaded"]:
        """Yield all windows in fresh random order; one alone is read once and kept."""
        yield from self._kept
        order = () if self._kept else self.rng.permutation(self.rows.n_windows).tolist()
        for window in order:
            yield _Loaded(*self.rows.training(window), self.device)

    def _step(self, loaded: "_Loaded", batch: Tensor) -> Tensor:
        """Follow the gradient of a mini-batch; return its weighted log-likelihoods (M,)."""
        batch = batch.to(self.device)
        values, weight = loaded.values[batch], loaded.weight[batch]
        if self.jitter is not None:
            values = self.jitter.moved(values, self._noise(values.shape), self.members)
        k = self.n_steps % len(self.masks)
        shown = self._shown(self.parameters, k)
        layers, gates = self.objective.layers(shown), self._gates(k)
        n_rows = values.shape[1]
        factors = self._factors(n_rows) if self.schedule.dropout else []
        logs = []
        for start in range(0, n_rows, self.max_rows):
            rows = slice(start, start + self.max_rows)
            own = values[:, rows], weight[:, rows] / -n_rows, [f[..., rows] for f in factors]
            asked = self.gradients, start > 0, loaded.holes
            logs.append(self.objective.gradients(layers, gates, *own, *asked))
        self.optimizer.step(self.gradients, self._step_size())
        self.n_steps += 1
        self._update_average()
        return (torch.cat(logs, dim=1) * weight).sum(dim=1)

    def _shown(self, parts: list[Tensor], k: int) -> list[Tensor]:
        """Return weights without those that a mask of the list hides."""
        return parts if len(self.masks) == 1 else masked(parts, self._gates(k))

    def _gates(self, k: int) -> list[Tensor]:
        """Return the gates of a mask of the list, which are kept if there are few."""
        if k in self._kept_gates:
            return self._kept_gates[k]
        ranks, degrees = self.masks[k]
        own = ranks[self.members], [layer[self.members] for layer in degrees]
        gates = self.objective.gates(*own)
        n_kept = MAX_GATE_BYTES // sum(gate.nbytes for gate in gates)
        if k < max(n_kept, 1):
            self._kept_gates[k] = gates
        return gates

    def keep(self, stays: NDArray[np.bool_]) -> None:
        """Let the members go that are done, and go on with the others."""
        stays = stays[self.members]
        if stays.all():
            return
        self.members = self.members[stays]
        optimizer = self.optimizer.origins, *self.optimizer.moments
        moved = self.average, self.parameters, self.gradients, *optimizer
        for parts in moved:
            parts[:] = [part[stays] for part in parts]
        self.objective = self.objective.of_members(stays)
        self._kept_gates.clear()

    def score_held_out(self) -> Scores:
        """Log-likelihoods of the rows that each member holds out."""
        n_masks = min(len(self.masks), MAX_VALIDATION_MASKS)
        layers = [self.objective.layers(self._shown(self.average, k)) for k in range(n_masks)]
        logs, weights = [], []
        for encoded, positions in self.rows.held_out():
            loaded = _Loaded(encoded, positions[self.members], self.device)
            logs.append(self._score(layers, loaded) + encoded.log_jacobian[loaded.positions])
            weights.append(encoded.weight[loaded.positions].astype(np.float64))
        return Scores(np.concatenate(logs, axis=1), np.concatenate(weights, axis=1))

    def _score(self, layers: Sequence[Layers], loaded: "_Loaded") -> Floats:
        """Log-likelihoods of values, averaged over masks, (M, n)."""
        parts = []
        positions = torch.from_numpy(loaded.positions)
        for rows in positions.split(self.max_rows, dim=1):
            values = loaded.values[rows]
            logs = torch.stack(
                [self.objective.log_prob(of_mask, values, loaded.holes) for of_mask in layers]
            )
            parts.append(torch.logsumexp(logs.cpu().double(), dim=0) - math.log(len(layers)))
        return np.asarray(torch.cat(parts, dim=1))

    def state(self) -> TrainingState:
        """Return where training stands."""
        moments = enumerate(self.optimizer.moments, 1)
        return TrainingState(
            average=self.objective.flat(self.average),
            current=self.objective.flat(self.parameters),
            moments=tuple(self.objective.flat(moment, power) for power, moment in moments),
        )

    def _batches(self, train: Integers) -> Iterator[Tensor]:
        """Yield row positions (M, n_batch): a fresh permutation for each member."""
        shuffled = torch.from_numpy(self.rng.permuted(train, axis=1))
        # Sections of nearly equal size: no last batch of a few noisy rows.
        n_rows, n_batches = train.shape[1], math.ceil(train.shape[1] / self.schedule.batch_size)
        ends = np.arange(1, n_batches) * n_rows / n_batches
        if n_rows >= MIN_ROUND_ROWS * n_batches:
            ends = np.rint(ends / ROUND_ROWS) * ROUND_ROWS
        yield from shuffled.tensor_split(ends.astype(int).tolist(), dim=1)

    def _noise(self, shape: Sequence[int]) -> Tensor:
        """Draw standard normal numbers."""
        if self.generator is not None:
            return torch.randn(tuple(shape), generator=self.generator, device=self.device)
        return torch.from_numpy(self.rng.standard_normal(tuple(shape), dtype=np.float32))

    def _factors(self, n_rows: int) -> list[Tensor]:
        """Return factors for each layer's hidden units: zero for those that are dropped."""
        sizes, share = self.objective.made.hidden_layer_sizes, self.schedule.dropout
        shape = len(self.members), sum(sizes), n_rows
        if self.generator is not None:
            noise = torch.rand(shape, generator=self.generator, device=self.device)
            return list(((noise >= share) / (1 - share)).split(sizes, dim=1))
        # A random byte a unit, eight from each draw of the generator: many times faster than
        # torch's own draws. The share is that of the nearest 256th.
        n_dropped = min(max(round(256 * share), 1), 255)
        raw = self.rng.bit_generator.random_raw(math.ceil(math.prod(shape) / 8))
        noise = torch.from_numpy(raw.view(np.uint8)[: math.prod(shape)]).view(shape)
        kept = (noise >= n_dropped) * (256 / (256 - n_dropped))
        return list(kept.split(sizes, dim=1))

    def _step_size(self) -> float:
        """Rise over the first steps, then fall by half a cosine (Loshchilov, Hutter 2017)."""
        largest = self.schedule.learning_rate_init
        if not self.schedule.decay:
            return largest
        step = self.n_steps - self.first_step
        done = step / (self.schedule.max_iter * self.n_batches)
        return (
            largest
            * 0.5
            * (1 + math.cos(math.pi * done))
            * min(1.0, (step + 1) / N_RISING_STEPS)
        )

    def _update_average(self) -> None:
        """Move the average toward the current weights; early steps move it further."""
        # A share of 1 / n at each step looks back over about n steps: the weights of k steps
        # ago count (1 - 1 / n)**k as much as the current ones.
        n_epochs: float = AVERAGED_EPOCHS
        if self.schedule.decay:
            n_epochs = min(n_epochs, MAX_AVERAGED_SHARE * self.schedule.max_iter)
        # By that share alone the start would still count 1 / e after n steps. A larger one up
        # to there makes the plain mean of all weights so far, the start's included. It is cut
        # off where the mean would be of less than MIN_AVERAGED_STEPS, so that the start counts
        # as about four of them.
        share = max(1 / (n_epochs * self.n_batches), 1 / (self.n_steps + 1))
        for average, current in zip(self.average, self.parameters, strict=True):
            average.lerp_(current, min(share, 1 / MIN_AVERAGED_STEPS))


class _Loaded:
    """Rows of a window on the device, and which of them (M, n) each member uses."""

    def __init__(self, encoded: Encoded, positions: Integers, device: str) -> None:
        self.values = _tensor(encoded.values).to(device)
        self.weight = _tensor(encoded.weight).to(device)
        self.positions = positions
        self.holes = bool(self.values.isnan().any())
        self.total_weight, self.log_jacobian = encoded.sums(positions)


def _tensor(array: NDArray[Any]) -> Tensor:
    """Share an array with torch; a read-only one (of a parallel job) is copied."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


class _BestEpoch:
    """Keeps each member's best averaged weights, and tells which have stopped."""

    def __init__(self, stack: _Stack) -> None:
        self.patience, self.tol = stack.schedule.n_iter_no_change, stack.schedule.tol
        self.held_out = stack.score_held_out()  # the start is an epoch too
        self.score = self.held_out.mean
        self.objective = stack.objective  # of all members, also when some have left
        self.average = [part.clone() for part in stack.average]
        self.reference = self.score.copy()  # the score that the next gain is counted from
        self.epoch, self.waited, self.best = 0, *np.zeros((2, len(self.score)), dtype=np.int64)

    def end_epoch(self, stack: _Stack) -> Floats:
        """Score the epoch of the members that are trained, and keep the weights that gained."""
        self.epoch += 1
        found, own = stack.score_held_out(), stack.members
        score = found.mean
        better = score > self.score[own]
        for best, current in zip(self.average, stack.average, strict=True):
            best[own[better]] = current[better]
        self.held_out.logs[own[better]] = found.logs[better]
        self.best[own[better]] = self.epoch
        self.score[own] = np.where(better, score, self.score[own])
        gained = score > self.reference[own] + self.tol
        self.reference[own] = np.where(gained, score, self.reference[own])
        self.waited[own] = np.where(gained, 0, self.waited[own] + 1)
        return score

    def state(self) -> TrainingState:
        """Return the best epochs.

        Where members stop early, the optimiser's state is of no use to anyone.
        """
        return TrainingState(
            average=self.objective.flat(self.average),
            best_score=self.score,
            best_epoch=self.best,
            held_out=self.held_out.logs,
            held_out_weight=self.held_out.weight,
        )

    def running(self) -> NDArray[np.bool_]:
        """Which members (M,) are still gaining."""
        return self.waited < self.patience

    def done(self) -> bool:
        """Whether none is."""
        return not self.running().any()
