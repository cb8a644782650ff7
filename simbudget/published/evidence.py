"""The result of `simbudget evidence`: the defaults of `research` and `gates`, their basis, and the claims."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simbudget.numbers import percent
from simbudget.published.claims import COLLECTED_ON, Claim, claims_of, list_claims
from simbudget.published.defaults import Default, default_of, list_defaults
from simbudget.results import Number, Result, Table, as_plain


@dataclass(frozen=True)
class PublishedEvidence(Result):
    """Defaults, with the published claims that they are based on."""

    defaults: Mapping[str, Default]
    claims: tuple[Claim, ...]
    shows_claims: bool
    """Whether to show the claims in a table; the JSON always contains them."""
    notes: tuple[str, ...] = ()

    json_name = "evidence.json"

    def answer(self) -> str:
        """Return the one default asked for, or how many defaults are based on published rates."""
        read = f"read on {COLLECTED_ON}"
        if len(self.defaults) == 1:
            ((key, default),) = self.defaults.items()
            basis = (
                f"based on {default.basis} ({read})" if default.group else "assumed, as no rate was published"
            )
            return f"The default of {key} is {default.text} {default.unit}, {basis}."
        count = sum(default.group is not None for default in self.defaults.values())
        return (
            f"{count} of {len(self.defaults)} defaults are based on published rates, the others are assumed "
            f"({len(self.claims)} claims, {read})."
        )

    def as_json(self) -> dict[str, Any]:
        """Return defaults and claims as plain values."""
        return {
            "collected_on": COLLECTED_ON,
            "defaults": {
                name: as_plain(default) | {"basis": default.basis} for name, default in self.defaults.items()
            },
            "claims": as_plain(self.claims),
            "notes": list(self.notes),
        }

    def tables(self) -> list[Table]:
        """Return the defaults and, if requested, the claims."""
        defaults = Table(
            "Defaults of research and gates",
            ("key", "default", "unit", "rests on", "remark"),
            [
                (name, default.text, default.unit, default.basis, default.why)
                for name, default in self.defaults.items()
            ],
            "A default based on published settings is the 80 % prediction interval for a new setting; studies differ "
            "far more than their own intervals suggest (random effects).",
            words=(0, 1, 2, 3, 4),
        )
        if not self.shows_claims:
            return [defaults]
        claims = Table(
            "Published claims",
            ("claim", "rate", "counts", "unit", "tested at", "certainty", "source"),
            [
                (
                    claim.claim,
                    Number(percent(claim.rate), claim.rate),
                    "" if claim.trials is None else f"{claim.hits:,} of {claim.trials:,}",
                    claim.unit,
                    claim.reach,
                    claim.certainty,
                    claim.source,
                )
                for claim in self.claims
            ],
            "certainty: a read in the source, b secondary or rounded, c a count assumed",
            words=(0, 3, 4, 5, 6),
        )
        return [defaults, claims]


def published_evidence(key: str | None = None, shows_claims: bool = False) -> PublishedEvidence:
    """Return the published evidence on all defaults, or on one key of `research` (or `keeps`).

    Args:
        key: the key; None for all.
        shows_claims: also show the claims in a table.

    Raises:
        UserError: there is no such key.
    """
    if key is None:
        return PublishedEvidence(list_defaults(), list_claims(), shows_claims)
    defaults = default_of(key)
    groups = dict.fromkeys(default.group for default in defaults.values() if default.group)
    return PublishedEvidence(defaults, tuple(claim for group in groups for claim in claims_of(group)), True)
