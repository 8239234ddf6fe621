"""NumPy's turn without a framework: many devices are one batch, as in Fedloop; forward and backward pass written out as batched matrix products."""

import numpy as np
import torch

from workload import RESIDUAL_CLIP, Network, Stopwatch, devices_in_parts, make_rows, mean_loss, peak_megabytes, read_workload, report, timed_rounds

# Devices in one batch: the fastest of 16, 64, 256 and 2,407.
PART = 64
NAMES = ["hidden.weight", "hidden.bias", "output.weight", "output.bias"]


def step(weights, x, y, rate):
    """One SGD step of each device, in place: 2 × Huber loss, mean over the batch. x [devices, batch, inputs], y [devices, batch]."""
    w1, b1, w2, b2 = weights
    hidden = np.maximum(x @ w1.swapaxes(1, 2) + b1[:, None], 0)
    residual = (hidden @ w2.swapaxes(1, 2))[..., 0] + b2 - y
    slope = 2 * np.clip(residual, -RESIDUAL_CLIP, RESIDUAL_CLIP)[..., None] / np.float32(y.shape[1])
    behind = slope * w2 * (hidden > 0)
    w2 -= rate * slope.swapaxes(1, 2) @ hidden
    b2 -= rate * slope.sum(1)
    w1 -= rate * behind.swapaxes(1, 2) @ x
    b1 -= rate * behind.sum(1)


def train_part(work, random, base, x, y):
    """@return the sum of the weights of some devices."""
    devices, rows = y.shape
    weights = [np.repeat(value[None], devices, 0) for value in base]
    rate = np.float32(work["learningRate"])
    for _ in range(work["epochs"]):
        order = random.random((devices, rows), dtype=np.float32).argsort(1)
        for first in range(0, rows, work["batchSize"]):
            batch = order[:, first : first + work["batchSize"]]
            step(weights, np.take_along_axis(x, batch[..., None], 1), np.take_along_axis(y, batch, 1), rate)
    return [value.sum(0) for value in weights]


def train(work, random, base, x, y):
    """Train all devices once. @return the mean of their weights, each of which has as many rows."""
    own = lambda part: train_part(work, np.random.default_rng([part.start, *random.integers(2**31, size=1)]), base, x[part], y[part])
    sums = zip(*devices_in_parts(work, len(x), PART, own))
    return [sum(values) / np.float32(work["devices"]) for values in sums]


def main():
    work = read_workload()
    torch.manual_seed(work["seed"])
    random = np.random.default_rng(work["seed"])
    x, y = make_rows(work)
    setup = Stopwatch()
    network = Network(work["inputs"], work["hidden"])
    state = network.state_dict()
    weights = [state[name].numpy().copy() for name in NAMES]
    setup_seconds, _ = setup.read()
    loss_before = mean_loss(network, x, y)
    weights, seconds, cpu = timed_rounds(work, lambda base: train(work, random, base, x, y), weights)
    network.load_state_dict({name: torch.as_tensor(value) for name, value in zip(NAMES, weights)})
    report(seconds, cpu, setup_seconds, loss_before, mean_loss(network, x, y), peak_megabytes())


if __name__ == "__main__":
    main()
