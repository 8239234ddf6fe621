"""
PyTorch's turn without a framework: many devices are one batch, as in Fedloop. One model a device (torch.func.vmap over weights and rows), gradients by
torch.func.grad, plain SGD steps. It says how much of a framework's time is arithmetic.
"""

import torch
from torch.func import grad, vmap
from torch.nn.functional import linear

from workload import Network, Stopwatch, devices_in_parts, loss_of, make_rows, mean_loss, peak_megabytes, read_workload, report, timed_rounds

# Devices in one batch: the fastest of 32, 128, 512 and 2,407.
PART = 512


def loss(weights, x, y):
    """Of one device. Written with the weights themselves: calls of a shared module put weights into it, which is no work for several threads."""

    def network(rows):
        hidden = torch.relu(linear(rows, weights["hidden.weight"], weights["hidden.bias"]))
        return linear(hidden, weights["output.weight"], weights["output.bias"]).squeeze(-1)

    return loss_of(network, x, y)


class Trainer:
    """Trains all devices once from the same weights, and averages what comes out."""

    def __init__(self, work, x, y):
        self.work, self.x, self.y = work, x, y
        self.network = Network(work["inputs"], work["hidden"])
        self.gradients = vmap(grad(loss))

    def train(self, weights):
        """@return the mean of the devices' weights, each of which has as many rows."""
        parts = devices_in_parts(self.work, len(self.x), PART, lambda part: self.train_part(weights, part))
        return {name: sum(part[name] for part in parts) / self.work["devices"] for name in weights}

    def train_part(self, weights, part):
        """@return the sum of the weights of some devices."""
        x, y = self.x[part], self.y[part]
        devices, rows = y.shape
        own = {name: value.expand(devices, *value.shape).clone() for name, value in weights.items()}
        for _ in range(self.work["epochs"]):
            order = torch.rand(devices, rows).argsort(1)
            for batch in order.split(self.work["batchSize"], dim=1):
                rows_of_batch = x.gather(1, batch.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
                for name, gradient in self.gradients(own, rows_of_batch, y.gather(1, batch)).items():
                    own[name] -= self.work["learningRate"] * gradient
        return {name: value.sum(0) for name, value in own.items()}


def main():
    work = read_workload()
    # Parts are trained side by side, one a core.
    torch.set_num_threads(1)
    torch.manual_seed(work["seed"])
    x, y = make_rows(work)
    setup = Stopwatch()
    trainer = Trainer(work, torch.as_tensor(x), torch.as_tensor(y))
    weights = {name: value.detach() for name, value in trainer.network.named_parameters()}
    setup_seconds, _ = setup.read()
    loss_before = mean_loss(trainer.network, x, y)
    weights, seconds, cpu = timed_rounds(work, trainer.train, weights)
    trainer.network.load_state_dict(weights)
    report(seconds, cpu, setup_seconds, loss_before, mean_loss(trainer.network, x, y), peak_megabytes())


if __name__ == "__main__":
    main()
