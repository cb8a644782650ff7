"""Examples of every key, block by block, for the reference page; a test reads each of them."""

from typing import Final

from simbudget.scenario import scenario as scenarios
from simbudget.scenario.language.blocks import Block

EXAMPLES: Final[dict[type[Block], str]] = {
    scenarios.Scenario: """
simbudget: 1
name: Two agents for a day
fleet: [{group: researchers, agents: 2, model: claude-opus-4-6}]
cycle: [{think: {turns: 20 to 60}}, {experiment: {time: 20 min to 2 h}}]
turn: {output_tokens: 350 to 1200}
context: {cache: 1 h}
models: {claude-opus-4-6: {output_speed: 60 tokens/s}}
prices: {on: 2026-03-01}
api: {requests_per_min: 4000}
gpus: {count: 2}
scorer: {time: 1 min}
forum: {reads_at_most: 10}
review: {people: 1}
research: {finalists: 3}
tasks: {count: 40, solved: 30% to 60%}
gates: [{name: held-out, keeps: 30% to 80%}]
evidence: {gates: {held-out: 1 of 3}}
fixed: $200
stop: {after: 1 day, budget: $1000}
limits: [spend p90 <= $900, agent_hours p10 >= 40]
calibration: calibrated.parquet
""",
    scenarios.Group: """
fleet:
  - group: researchers
    kind: agents
    agents: 4
    model: claude-opus-4-6
    directions: 2
    start: {then_every: 5 min}
    crashes: {every: 40 h}
    sandbox: {price: 0.10 $/h}
    service: standard
    stop: {spend: $200}
    turn: {tool_time: 20 s}
    context: {lasts: life}
  - group: people
    kind: people
    agents: 1
    staff: {price: 95 $/h, hours: Mon-Fri 9-17}
    cycle: [{think: {time: 2 h}}]
""",
    scenarios.Start: """
fleet:
  - agents: 4
    start: {first: 10 min, then_every: 2 min, context_tokens: 60k, cached_tokens: 50k, context_turns: 30}
""",
    scenarios.Crashes: "fleet: [{agents: 4, crashes: {every: 40 h to 200 h, restart: 10 min to 6 h}}]",
    scenarios.Sandbox: "fleet: [{agents: 4, sandbox: {price: 0.10 $/h}}]",
    scenarios.Staff: """
fleet:
  - {agents: 2, kind: people, staff: {price: 95 $/h, hours: Mon-Fri 9-17}, cycle: [{think: {time: 2 h}}]}
""",
    scenarios.AgentStop: "fleet: [{agents: 4, stop: {after: 12 h, spend: $10, tokens: 2M, turns: 500}}]",
    scenarios.Think: """
cycle:
  - think: {turns: 20 to 60}
  - think:
      turns: 5
      model: claude-haiku-4-5
      turn: {output_tokens: 200}
      context: {first_prompt_tokens: 3000}
      returns_tokens: 500
      service: standard
      if: 30%
""",
    scenarios.Delegate: """
cycle:
  - think: {turns: 10}
  - delegate:
      agents: 2 to 6
      turns: 5 to 15
      model: claude-haiku-4-5
      turn: {output_tokens: 300}
      context: {first_prompt_tokens: 2000}
      returns_tokens: 400
      service: standard
      if: 50%
""",
    scenarios.Experiment: """
cycle:
  - think: {turns: 10}
  - experiment:
      gpus: 1
      time: {typical: 1 h to 3 h, varies: 2x}
      fails: 10%
      attempts: 2
      on_failure: end cycle
      at_once: 2 to 4
      wait_for: 2
      on: new
      polls: {every: 4 min}
      if: 80%
gpus: [{name: old, count: 4}, {name: new, count: 4, speed: 1.5}]
""",
    scenarios.Polls: """
cycle:
  - experiment: {time: 1 h, polls: {every: 4 min, output_tokens: 60, result_tokens: 300}}
""",
    scenarios.Score: "cycle: [{experiment: {time: 1 h}}, {score: {each: yes, if: succeeded}}]",
    scenarios.Share: "cycle: [{think: {turns: 10}}, score, {share: {if: improved}}]",
    scenarios.OwnStep: "cycle: [{think: {turns: 10}}, {python: {file: steps.py, function: step, if: 10%}}]",
    scenarios.Turn: """
turn:
  like: claude-code
  output_tokens: {typical: 350 to 1200, varies: 3x}
  thinking_tokens: 0 to 2000
  tool_result_tokens: {typical: 500 to 3000, varies: 4x}
  tool_time: {typical: 5 s to 30 s, varies: 5x}
  opening: {times: 3}
""",
    scenarios.Opening: "turn: {opening: {times: 2 to 6, turns: 4}}",
    scenarios.Context: """
context:
  first_prompt_tokens: 20000
  limit_tokens: 160000
  compacted_to_tokens: 20000
  lasts: cycle
  cache: 5 min
  cache_misses: 2%
  keeps_thinking: yes
  shared_prefix_tokens: 15000
  when_full: restart
  carried_tokens: 4000
""",
    scenarios.ModelSpeed: """
fleet: [{group: a, agents: 4, model: claude-opus-4-6}, {group: b, agents: 8, model: own}]
models:
  claude-opus-4-6: {first_token: 1.5 s to 5 s, output_speed: 45 to 80 tokens/s}
  own: {served_on: hall, replicas: 2, gpus_each: 4, throughput: 2500 tokens/s, at_most: 60 tokens/s}
gpus: {name: hall, count: 16}
""",
    scenarios.Prices: """
prices:
  on: 2026-03-01
  discount: {tokens: 15%, gpu: 30%}
  claude-opus-4-6: {input: 5 $/Mtok, cache_write: 6.25 $/Mtok, cache_read: 0.5 $/Mtok, output: 25 $/Mtok}
""",
    scenarios.ModelPrices: """
prices:
  claude-opus-4-6:
    input: 5 $/Mtok
    cache_write: 6.25 $/Mtok
    cache_read: 0.5 $/Mtok
    output: 25 $/Mtok
    services: {batch: 50%, fast: 600%}
    long: {above: 200k, input: 10, cache_write: 12.5, cache_read: 1, output: 37.5}
""",
    scenarios.LongTier: """
prices:
  claude-opus-4-6:
    {input: 5, cache_write: 6.25, cache_read: 0.5, output: 25,
     long: {above: 200k, input: 10, cache_write: 12.5, cache_read: 1, output: 37.5}}
""",
    scenarios.Api: """
api:
  requests_per_min: 4000
  input_tokens_per_min: 2M
  output_tokens_per_min: 400k
  error_rate: 0.5%
  retries: 2
  gives_up_for: 1 min
  tier: build
  models: {claude-opus-4-6: {requests_per_min: 1000}}
  plan: {price: 200 $/month, week: {allows: $300}}
""",
    scenarios.ModelLimits: """
api:
  models:
    claude-opus-4-6: {requests_per_min: 1000, input_tokens_per_min: 400k, output_tokens_per_min: 80k}
""",
    scenarios.Plan: """
api:
  plan:
    price: 200 $/month
    seats: 2
    window: {every: 5 h, allows: $35}
    week: {allows: $300}
    then: wait
""",
    scenarios.Window: "api: {plan: {price: 200 $/month, window: {every: 5 h, allows: $35}}}",
    scenarios.Week: "api: {plan: {price: 200 $/month, week: {allows: $300}, then: pay}}",
    scenarios.Gpus: """
gpus:
  name: spot
  count: 8
  type: H100
  price: 2.10 $/h
  billing: spot
  speed: 1.0
  preempted: every 20 h
  checkpoint_every: 15 min
""",
    scenarios.Preempted: "gpus: {count: 8, billing: spot, preempted: {every: 10 h to 30 h}}",
    scenarios.Scorer: """
scorer:
  servers: 2
  time: 10 s
  cool_down: 5 min
  quota_per_agent_per_day: 20
  price: 0.02 $/call
  noise: 0.02 to 0.05
  model: claude-haiku-4-5
  calls: 1 to 5
  input_tokens: 6000
  output_tokens: 400
  service: standard
""",
    scenarios.Forum: "forum: {post_tokens: 300 to 1200, reads_at_most: 30}",
    scenarios.Review: """
review:
  people: 2
  hours: Mon-Fri 9-17
  time: 10 min to 40 min
  price: 90 $/h
  of: best
  by: claude-haiku-4-5
  input_tokens: 20k
  output_tokens: 800
""",
    scenarios.Research: """
research:
  explores: {unknown: 20% to 50%}
  follows: 30% to 80%
  ideas: 3 to 30
  known_methods: 40
  first_quality: 0.0 to 0.45
  refines: 10% to 30%
  gain: 0.05 to 0.35
  transfers: 1% to 20%
  real_share: 5% to 60%
  hacks: 0.3% to 3%
  hack_score: 0.9 to 1.0
  caught: 70% to 99%
  blames: 0.2% to 3%
  unit: improvement
  finalists: 20
  gates_start: as finalists appear
""",
    scenarios.Tasks: """
tasks:
  count: 500
  attempts: 3
  solved: {unknown: 30% to 60%}
  difficulty: 1.0
  until: solved
  limit: {time: 12 h, spend: $10, tokens: 2M, turns: 200}
""",
    scenarios.Attempt: "tasks: {count: 500, solved: 40%, limit: {time: 12 h, spend: $10, tokens: 2M, turns: 200}}",
    scenarios.Gate: """
gates:
  - name: held-out domain
    reach: other domain
    keeps: 30% to 80%
    smallest_effect: 0.10
    noise: 0.03
    price: 40 $/try
    time: 4 h
    tries: passed
""",
    scenarios.Evidence: """
gates: [{name: held-out domain, keeps: 30% to 80%}]
evidence:
  explores: 12 of 40
  refines: 5 of 28
  transfers: 1 of 6
  hacks: 1 of 40
  caught: 4 of 4
  blames: 0 of 20
  review: 3 of 24
  gates: {held-out: 1 of 3}
  scores: [0.21, 0.34, 0.34, 0.41]
""",
    scenarios.Stop: """
stop:
  after: 5 days
  budget: $20,000
  begins: Mon 9:00
  budget_counts: when begun
  cycles_per_agent: 100
  target_score: 0.95
  reserve: $4,000
  no_improvement_for: 2 days
""",
}
"""YAML of top-level keys; a complete scenario also needs `fleet` and `cycle`."""
