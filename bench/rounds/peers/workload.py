"""The work that bench:rounds asks of every contender, and what they have in common in Python: rows, network, loss, measurement."""

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

RESIDUAL_CLIP = 2.0
DEVICES_IN_MEMORY = 2_407
DEVICES_JUDGED = 16


def read_workload():
    return json.loads(sys.argv[1])


def make_rows(work):
    """Rows of variance 1 and targets that follow a linear rule, a little different on each device, with noise: as in fedloop.ts."""
    random = np.random.default_rng(work["seed"])
    devices, rows, inputs = min(work["devices"], DEVICES_IN_MEMORY), work["rows"], work["inputs"]
    rule = random.normal(size=inputs) / np.sqrt(inputs)
    x = (np.sqrt(12) * (random.random((devices, rows, inputs)) - 0.5)).astype(np.float32)
    own = 1 + 0.2 * np.sin(np.arange(devices))
    noise = 0.3 * np.sqrt(12) * (random.random((devices, rows)) - 0.5)
    return x, (own[:, None] * (x @ rule) + noise).astype(np.float32)


class Network(torch.nn.Module):
    """inputs → hidden (ReLU) → 1."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.hidden = torch.nn.Linear(inputs, hidden)
        self.output = torch.nn.Linear(hidden, 1)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x))).squeeze(-1)


def loss_of(network, x, y):
    """Mean e², linear beyond the clip: its gradient is twice the clipped residual, as in the product."""
    return 2 * torch.nn.functional.huber_loss(network(x), y, delta=RESIDUAL_CLIP)


@torch.no_grad()
def mean_loss(network, x, y):
    judged = slice(0, DEVICES_JUDGED)
    inputs = x.shape[-1]
    return float(loss_of(network, torch.as_tensor(x[judged]).reshape(-1, inputs), torch.as_tensor(y[judged]).reshape(-1)))


def devices_in_parts(work, places, size, train):
    """
    Train all devices some at a time, so that what a part works on stays in a core's cache, one thread a core: NumPy and PyTorch let others run while they compute.
    `train` takes a slice of the rows' places; results come in order.
    """
    chunks = range(0, work["devices"], places)
    parts = [
        slice(first, min(first + size, places, work["devices"] - chunk))
        for chunk in chunks
        for first in range(0, min(places, work["devices"] - chunk), size)
    ]
    with ThreadPoolExecutor(work["threads"] or os.cpu_count()) as threads:
        return list(threads.map(train, parts))


class Stopwatch:
    """Wall clock and processor time, that of children that have ended included."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), cpu_seconds()

    def read(self):
        return time.perf_counter() - self.wall, cpu_seconds() - self.cpu


def timed_rounds(work, train, weights):
    """Train from what came out before: once to warm up, then as often as is asked for. @return the last weights, seconds and processor time of each measured round."""
    weights = train(weights)
    times = []
    for _ in range(work["repeat"]):
        watch = Stopwatch()
        weights = train(weights)
        times.append(watch.read())
    seconds, cpu = zip(*times)
    return weights, seconds, cpu


def cpu_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(seconds, cpu, setup, loss_before, loss_after, megabytes):
    measurement = {
        "seconds": seconds,
        "cpuSeconds": cpu,
        "setupSeconds": setup,
        "peakMegabytes": megabytes,
        "lossBefore": loss_before,
        "lossAfter": loss_after,
    }
    print(json.dumps(measurement), flush=True)
