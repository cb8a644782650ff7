"""A scenario that has everything which a report shows, and runs in a moment."""

SMALL = """
name: {name}
fleet: [{{group: researchers, agents: 2, model: claude-opus-4-6}}]
cycle:
  - think: {{turns: {{typical: 10 to 40, varies: 2x}}}}
  - experiment: {{gpus: 1, time: {{typical: 20 min to 60 min, varies: 2x}}, fails: 10%}}
  - score: {{}}
turn:
  output_tokens: {{typical: 300 to 900, varies: 2x}}
  tool_result_tokens: {{typical: 500 to 2000, varies: 3x}}
  tool_time: {{typical: 5 s to 30 s, varies: 3x}}
gpus: {{count: 2, price: 3 $/h}}
prices: {{on: 2026-06-01}}
research: {{explores: 30%}}
gates: [{{name: held-out, keeps: 30% to 80%, smallest_effect: 0.05, noise: 0.03, price: 40 $/try, time: 4 h}}]
stop: {{after: 1 day, budget: {budget}}}
limits: [spend p90 <= $5000]
"""


def small(name: str = "Small fleet", budget: str = "$5000") -> str:
    """Return the scenario's text."""
    return SMALL.format(name=name, budget=budget)
