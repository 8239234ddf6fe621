"""Flower's turn: FedAvg in its simulation (Ray, one actor a core) with PyTorch on the CPU, every device in every round."""

import os
import tempfile

# Flower and Ray report their use to their makers unless they are told not to.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import numpy as np
import psutil
import torch
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from workload import Network, Stopwatch, loss_of, make_rows, mean_loss, read_workload, report

WORK = read_workload()
client = ClientApp()
server = ServerApp()
folder = tempfile.TemporaryDirectory(prefix="bench-rounds-")


@client.train()
def train(message, context):
    # Actors are processes of their own; the rows lie in files that all of them map.
    torch.set_num_threads(1)
    rows_folder = WORK["rowsFolder"]
    places = np.load(f"{rows_folder}/x.npy", mmap_mode="r")
    place = context.node_config["partition-id"] % len(places)
    x = torch.as_tensor(np.array(places[place]))
    y = torch.as_tensor(np.array(np.load(f"{rows_folder}/y.npy", mmap_mode="r")[place]))
    network = Network(WORK["inputs"], WORK["hidden"])
    network.load_state_dict(message.content["arrays"].to_torch_state_dict())
    optimiser = torch.optim.SGD(network.parameters(), lr=WORK["learningRate"])
    for _ in range(WORK["epochs"]):
        order = torch.randperm(len(y))
        for batch in order.split(WORK["batchSize"]):
            optimiser.zero_grad()
            loss_of(network, x[batch], y[batch]).backward()
            optimiser.step()
    content = RecordDict(
        {"arrays": ArrayRecord(network.state_dict()), "metrics": MetricRecord({"num-examples": len(y)})}
    )
    return Message(content=content, reply_to=message)


class TimedFedAvg(FedAvg):
    """Reads the clock from before a round's messages are made to after their replies are averaged."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.seconds, self.cpu, self.megabytes = [], [], []

    def configure_train(self, *args, **kwargs):
        self.watch, self.cpu_before = Stopwatch(), family_cpu_seconds()
        return super().configure_train(*args, **kwargs)

    def aggregate_train(self, *args, **kwargs):
        averaged = super().aggregate_train(*args, **kwargs)
        self.seconds.append(self.watch.read()[0])
        self.cpu.append(family_cpu_seconds() - self.cpu_before)
        self.megabytes.append(family_megabytes())
        return averaged


def family():
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def family_cpu_seconds():
    times = [process.cpu_times() for process in family()]
    return sum(each.user + each.system for each in times)


def family_megabytes():
    """Memory that belongs to each process alone, summed, so that what actors share counts for none of them twice."""
    return sum(process.memory_full_info().uss for process in family()) / 2**20


@server.main()
def main(grid, context):
    setup_seconds, _ = SETUP.read()
    torch.manual_seed(WORK["seed"])
    network = Network(WORK["inputs"], WORK["hidden"])
    loss_before = mean_loss(network, ROWS[0], ROWS[1])
    strategy = TimedFedAvg(
        fraction_train=1.0, fraction_evaluate=0.0, min_train_nodes=WORK["devices"], min_available_nodes=WORK["devices"]
    )
    result = strategy.start(
        grid=grid, initial_arrays=ArrayRecord(network.state_dict()), num_rounds=WORK["repeat"] + 1, timeout=3600
    )
    network.load_state_dict(result.arrays.to_torch_state_dict())
    report(
        strategy.seconds[1:],
        strategy.cpu[1:],
        setup_seconds,
        loss_before,
        mean_loss(network, ROWS[0], ROWS[1]),
        max(strategy.megabytes),
    )


if __name__ == "__main__":
    ROWS = make_rows(WORK)
    WORK["rowsFolder"] = folder.name
    np.save(f"{folder.name}/x.npy", ROWS[0])
    np.save(f"{folder.name}/y.npy", ROWS[1])
    SETUP = Stopwatch()
    cores = WORK["threads"] or os.cpu_count()
    run_simulation(
        server_app=server,
        client_app=client,
        num_supernodes=WORK["devices"],
        backend_config={
            "init_args": {"num_cpus": cores, "include_dashboard": False, "_node_ip_address": "127.0.0.1", "log_to_driver": False},
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )
    folder.cleanup()
