"""
PyTorch's turn without a framework: all devices are one batch, as in Fedloop. One model a device (torch.func.vmap over weights and rows), gradients by torch.func.grad, plain SGD steps.
It says how much of a framework's time is arithmetic.
"""

import os

import torch
from torch.func import functional_call, grad, vmap

from workload import Network, Stopwatch, loss_of, make_rows, mean_loss, peak_megabytes, read_workload, report


class Trainer:
    """Trains all devices once from the same weights, and averages what comes out."""

    def __init__(self, work, x, y):
        self.work, self.x, self.y = work, x, y
        self.network = Network(work["inputs"], work["hidden"])
        self.gradients = vmap(grad(self.loss))

    def loss(self, weights, x, y):
        return loss_of(lambda rows: functional_call(self.network, weights, (rows,)), x, y)

    def train(self, weights):
        """@return the mean of the devices' weights, each of which has as many rows."""
        mean = {name: torch.zeros_like(value) for name, value in weights.items()}
        devices, places = self.work["devices"], len(self.x)
        for first in range(0, devices, places):
            count = min(places, devices - first)
            for name, value in self.train_chunk(weights, count).items():
                mean[name] += value.sum(0) / devices
        return mean

    def train_chunk(self, weights, devices):
        rows, size = self.work["rows"], self.work["batchSize"]
        own = {name: value.expand(devices, *value.shape).clone() for name, value in weights.items()}
        for _ in range(self.work["epochs"]):
            order = torch.rand(devices, rows).argsort(1)
            for batch in order.split(size, dim=1):
                x = self.x[:devices].gather(1, batch.unsqueeze(-1).expand(-1, -1, self.x.shape[-1]))
                y = self.y[:devices].gather(1, batch)
                for name, gradient in self.gradients(own, x, y).items():
                    own[name] -= self.work["learningRate"] * gradient
        return own


def main():
    work = read_workload()
    torch.set_num_threads(work["threads"] or os.cpu_count())
    torch.manual_seed(work["seed"])
    x, y = make_rows(work)
    setup = Stopwatch()
    trainer = Trainer(work, torch.as_tensor(x), torch.as_tensor(y))
    weights = {name: value.detach() for name, value in trainer.network.named_parameters()}
    setup_seconds, _ = setup.read()
    loss_before = mean_loss(trainer.network, x, y)
    weights = trainer.train(weights)
    times = []
    for _ in range(work["repeat"]):
        watch = Stopwatch()
        weights = trainer.train(weights)
        times.append(watch.read())
    trainer.network.load_state_dict(weights)
    seconds, cpu = zip(*times)
    report(seconds, cpu, setup_seconds, loss_before, mean_loss(trainer.network, x, y), peak_megabytes())


if __name__ == "__main__":
    main()
