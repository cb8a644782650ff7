"""Settles what an agent left open when it died: every open entry is closed, none is lost or counted twice.

For a model call, the local model server is asked by the call's name: a billed call is recorded, and one that never
arrived is closed there and discarded here. The real provider cannot be asked, so its calls keep their worst case.
Anything else (an experiment, a submission) is taken to have lasted until the agent died.
"""

from dataclasses import dataclass
from typing import Any

import httpx2

from simbudget.guard.usage import entry_columns, usage_of
from simbudget.ledger.store import LedgerStore, OpenEntry
from simbudget.pricing.charge import Rates, charge


@dataclass(frozen=True)
class Resolver:
    """Settles open entries of dead agents."""

    store: LedgerStore
    run: int
    rates: dict[str, Rates]
    model_server: str | None
    """Address of the local model server; None if the provider cannot be asked."""
    gpu_usd_per_hour: float = 0.0

    async def resolve(self, agent: int, died_s: float) -> int:
        """Close the open entries of an agent that died at a moment of the run; return their number."""
        found = self.store.open_entries(self.run, agent)
        for each in found:
            if each.entry.component == "tokens":
                await self._resolve_call(each, died_s)
            else:
                self._cut(each, died_s)
        return len(found)

    async def _resolve_call(self, found: OpenEntry, died_s: float) -> None:
        if self.model_server is None:
            self.store.write_off(found.key)
            return
        said = await self._ask(found.request_id)
        if not said["billed"]:
            self.store.discard(found.key)
            return
        usage = usage_of(said["usage"])
        self.store.settle(
            found.key,
            outcome="cut",
            duration_s=max(0.0, died_s - found.entry.started_s),
            cost_usd=charge(usage, self.rates[found.entry.model]).total_usd,
            name=said["id"],
            **entry_columns(usage),
        )

    async def _ask(self, request_id: str) -> dict[str, Any]:
        async with httpx2.AsyncClient(base_url=str(self.model_server), timeout=30.0) as client:
            response = await client.post(f"/simbudget/requests/{request_id}/settle")
            response.raise_for_status()
            said: dict[str, Any] = response.json()
            return said

    def _cut(self, found: OpenEntry, died_s: float) -> None:
        entry = found.entry
        lasted_s = max(0.0, died_s - entry.started_s)
        cost_usd = entry.cost_usd if entry.kind == "score" else 0.0
        if entry.kind == "experiment":
            cost_usd = min(entry.cost_usd, self.gpu_usd_per_hour * (entry.gpus or 0) * lasted_s / 3600.0)
        self.store.settle(found.key, outcome="cut", duration_s=lasted_s, cost_usd=cost_usd)
