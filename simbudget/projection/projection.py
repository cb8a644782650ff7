"""A projection: the distribution of what a scenario costs and yields, over worlds and replications."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from simbudget.projection.research import PriceOfResult
from simbudget.projection.simulated import Simulated
from simbudget.projection.summary import Summary
from simbudget.projection.tables import answer, projection_tables
from simbudget.projection.trace import Trace, trace
from simbudget.results import Picture, Result, Table


@dataclass(frozen=True)
class Projection(Simulated, Result):
    """The projection of a scenario."""

    summary: Summary
    notes: tuple[str, ...] = ()

    json_name = "summary.json"

    def answer(self) -> str:
        """Return spend, time, the probability of staying within the budget, and the price of a result."""
        return answer(self.summary)

    def as_json(self) -> dict[str, Any]:
        """Return the summary and the notes, as `project --json` prints them."""
        return {**self.summary.as_json(), "notes": list(self.notes)}

    def tables(self) -> list[Table]:
        """Return the tables of spend, work and time, the agents' time, resources, research and limits."""
        return list(projection_tables(self.summary).values())

    def figures(self) -> dict[str, Picture]:
        """Return the pictures: those of results where they are priced, and last the Gantt picture of a replication."""
        from simbudget.projection import figures as drawn  # noqa: PLC0415  matplotlib is slow to import

        named = {
            "spend_over_time": ("Spend over time", drawn.spend_over_time),
            "within_budget": ("Probability of staying within a budget", drawn.within_budget),
            "components": ("Spend by component", drawn.components),
            "agent_time": ("Where the agents' time goes", drawn.agent_time),
        }
        if self.scenario.tasks is not None:
            named |= {
                "spend_by_task": ("Spend by task", drawn.spend_by_task),
                "solved_over_money": ("Solved tasks over money", drawn.solved_over_money),
            }
        if self.prices_results:
            named |= {
                "cost_effectiveness": ("Cost-effectiveness plane", drawn.cost_effectiveness),
                "acceptability": ("Acceptability curve", drawn.acceptability_curve),
                "results_over_time": ("Cost against results over time", drawn.results_over_time),
            }
        figures = {name: Picture(title, partial(draw, self)) for name, (title, draw) in named.items()}
        return figures | {
            "gantt": Picture("What each agent does", lambda: self.trace().figure("gantt").drawn)
        }

    @property
    def is_met(self) -> bool:
        """Return whether every limit of the scenario is met."""
        return all(limit.holds for limit in self.summary.limits)

    @property
    def price_of_result(self) -> PriceOfResult | None:
        """Return the price of a transferable result; None if it cannot be determined."""
        research = self.summary.research
        return None if research is None else research.cost_per_transferable_result_usd

    def trace(self, replication: int = 0) -> Trace:
        """Return everything that happened in one replication.

        Args:
            replication: number of the replication, from 0.
        """
        return trace(self.scenario, self.seed, replication)

    def _write_files(self, folder: Path) -> list[Path]:
        replications = folder / "replications.parquet"
        self.replications.to_parquet(replications, index=False)
        return [replications]
