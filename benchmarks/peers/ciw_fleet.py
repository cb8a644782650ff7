"""What ciw can express of the fleet: a closed network of queues.

A token bucket without its burst is a server with a constant service time; the turns of a cycle are a chance to go on to
the GPUs after each, so their number is geometric instead of constant.
"""

import ciw

from benchmarks.peers.fleet import (
    CALL_S,
    CALLS_PER_MIN_PER_AGENT,
    EXPERIMENT_S,
    SCORING_S,
    TOOL_S,
    TURNS,
    Fleet,
)

_NEVER = float("inf")
_CALL = 2


def simulate(fleet: Fleet, replications: int) -> float:
    """Return how many model calls the replications of a fleet made."""
    bucket_s = 60.0 / (CALLS_PER_MIN_PER_AGENT * fleet.agents)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([1e-9, _NEVER]), None, None, None, None],
        batching_distributions=[ciw.dists.Deterministic(fleet.agents), *4 * [ciw.dists.Deterministic(1)]],
        service_distributions=[
            ciw.dists.Deterministic(bucket_s),
            *(ciw.dists.Uniform(*span) for span in (CALL_S, TOOL_S, EXPERIMENT_S, SCORING_S)),
        ],
        routing=[
            [0.0, 1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0, 0.0],
            [1.0 - 1.0 / TURNS, 0.0, 0.0, 1.0 / TURNS, 0.0],
            [0.0, 0.0, 0.0, 0.0, 1.0],
            [1.0, 0.0, 0.0, 0.0, 0.0],
        ],
        number_of_servers=[1, _NEVER, _NEVER, fleet.gpus, fleet.scorers],
    )
    calls = 0
    for seed in range(replications):
        ciw.seed(seed)
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_time(fleet.hours * 3600.0)
        calls += sum(record.node == _CALL for record in simulation.get_all_records())
    return calls
