"""Published campaigns that counted their results one by one, beside what is projected of them from the priors alone.

`python -m benchmarks.published_campaigns [--replications 400] [--write]`. Nothing is fitted: a campaign's number of
submissions, how far from the benchmark its results were tried, and what it counted are taken from the publication (see
`simbudget evidence --claims`), all else are the defaults of `research`.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Campaign:
    """A campaign: how many of its submissions, tried how, turned out to hold."""

    name: str
    held: int
    submissions: int
    reach: str
    """How far from the benchmark results were tried, as a gate has it."""
    research: str
    """What of `research` the publication says."""


CAMPAIGNS = (
    Campaign("autoresearch, two days (2026)", 20, 700, "larger scale", "hacks: 0%"),
    Campaign("DeepScientist (2025)", 21, 1100, "same task", "explores: 100%"),
)
COUNTS = (("method", 3), ("method", 1000), ("improvement", 3), ("improvement", 1000))

PAGE = """# Published campaigns beside what is projected of them

`python -m benchmarks.published_campaigns --write`. Nothing is fitted: the number of submissions and the distance of the
test are as published, all else are the defaults of `research`.

| campaign | held | unit | finalists | projected, mean | p10 | p90 | kept, mean |
| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |
"""


def rows(campaign: Campaign, replications: int) -> Iterator[str]:
    """Yield a line for each way to count the results."""
    for unit, finalists in COUNTS:
        text = (
            f"fleet: [{{agents: 1}}]\ncycle: [score]\nscorer: {{time: 1 min, servers: 1}}\n"
            f"stop: {{cycles_per_agent: {campaign.submissions}, after: 300 days}}\nprices: {{on: 2026-06-01}}\n"
            f"research: {{unit: {unit}, finalists: {finalists}, {campaign.research}}}\n"
            f"gates: [{{reach: {campaign.reach}, price: 1 $/try}}]\n"
        )
        research = project(loads_scenario(text).scenario, Options(1, replications)).summary.research
        assert research is not None
        assert research.transferable_results is not None
        true, kept = research.transferable_results.true, research.kept
        assert true is not None
        assert kept is not None
        yield (
            f"| {campaign.name} | {campaign.held} of {campaign.submissions:,} | {unit} | {finalists:,} "
            f"| {true.mean:.1f} | {true.p10:.0f} | {true.p90:.0f} | {kept.mean:.0f} |\n"
        )


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    page = PAGE + "".join(line for each in CAMPAIGNS for line in rows(each, options.replications))
    if options.write:
        (HERE / "published_campaigns.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
