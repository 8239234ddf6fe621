"""
pfl-research's turn: FederatedAveraging on its SimulatedBackend with PyTorch on the CPU, every device in every round.
Under torchrun its processes share the devices; the first of them reports for all.
"""

import copy

import torch
import torch.distributed
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.sampling import get_user_sampler
from pfl.hyperparam import NNTrainHyperParams
from pfl.metrics import Metrics
from pfl.model.pytorch import PyTorchModel

from workload import Network, Stopwatch, loss_of, make_rows, mean_loss, peak_megabytes, read_workload, report


class PflNetwork(Network):
    def loss(self, x, y):
        return loss_of(self, x, y)

    def metrics(self, x, y):
        return {}


class RoundTimes(TrainingProcessCallback):
    """Reads the clock at the end of every round."""

    def __init__(self):
        self.watch, self.rounds = Stopwatch(), []

    def after_central_iteration(self, aggregate_metrics, model, *, central_iteration):
        self.rounds.append(self.watch.read())
        self.watch = Stopwatch()
        return False, Metrics()


def main():
    work = read_workload()
    # One device's matrices are too small for two threads: with more it takes longer.
    torch.set_num_threads(1)
    torch.manual_seed(work["seed"])
    x, y = make_rows(work)
    setup = Stopwatch()
    places = len(x)
    datasets = [Dataset([torch.as_tensor(x[at]), torch.as_tensor(y[at])], user_id=str(at)) for at in range(places)]
    devices = list(range(work["devices"]))
    data = FederatedDataset(lambda device: datasets[device % places], get_user_sampler("minimize_reuse", devices))
    network = PflNetwork(work["inputs"], work["hidden"])
    before = copy.deepcopy(network)
    model = PyTorchModel(network, torch.optim.SGD, torch.optim.SGD(network.parameters(), lr=1.0))
    times = RoundTimes()
    setup_seconds, _ = setup.read()
    rounds = work["repeat"] + 1
    FederatedAveraging().run(
        # Evaluation falls into round 0 alone, the one that warms up.
        NNAlgorithmParams(
            central_num_iterations=rounds,
            evaluation_frequency=rounds + 1,
            train_cohort_size=work["devices"],
            val_cohort_size=0,
        ),
        SimulatedBackend(training_data=data, val_data=None),
        model,
        NNTrainHyperParams(
            local_num_epochs=work["epochs"],
            local_learning_rate=work["learningRate"],
            local_batch_size=work["batchSize"],
        ),
        callbacks=[times],
        send_metrics_to_platform=False,
    )
    seconds, cpu = zip(*times.rounds[1:])
    cpu, (peak,) = sum_of_processes(cpu), sum_of_processes([peak_megabytes()])
    if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
        report(list(seconds), cpu, setup_seconds, mean_loss(before, x, y), mean_loss(network, x, y), peak)


def sum_of_processes(values):
    total = torch.tensor(list(values), dtype=torch.float64)
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(total)
    return total.tolist()


if __name__ == "__main__":
    main()
