"""The formats that are known, in the order in which a file is asked whether it is one.

A new format is a module, and a line here. Of two formats whose files look alike, the one that needs more comes first.
"""

from typing import Final

from simbudget.ledger.readers import (
    api_answers,
    claude_code,
    claude_results,
    cline,
    codex,
    codex_exec,
    copilot,
    experiment_lines,
    gemini,
    inspect_logs,
    managed_agents,
    observed_calls,
    opencode,
    opencode_run,
    opencode_store,
    openhands,
    otlp,
    own,
    pi,
    research_systems,
    results_table,
    seed,
    swe_agent,
    trials,
    usage_exports,
    usage_lines,
)
from simbudget.ledger.readers.format import Format

FORMATS: Final[tuple[Format, ...]] = (
    own.FORMAT,
    seed.FORMAT,
    inspect_logs.FORMAT,
    gemini.QWEN,  # before Claude Code, whose lines it resembles
    claude_code.FORMAT,
    codex.FORMAT,
    codex_exec.FORMAT,
    gemini.STREAM,
    gemini.CHAT,
    copilot.FORMAT,
    opencode_run.FORMAT,
    pi.FORMAT,
    managed_agents.FORMAT,
    claude_results.FORMAT,
    otlp.FORMAT,
    swe_agent.FORMAT,
    opencode.FORMAT,
    opencode_store.FORMAT,
    openhands.FORMAT,
    cline.FORMAT,
    trials.FORMAT,
    research_systems.JOURNAL,
    research_systems.TRACKER,
    observed_calls.LITELLM,
    observed_calls.LANGFUSE,
    observed_calls.LANGSMITH,
    usage_exports.ANTHROPIC,
    usage_exports.OPENAI,
    usage_exports.OPENROUTER,
    usage_exports.CURSOR,
    api_answers.FORMAT,
    experiment_lines.FORMAT,
    usage_lines.FORMAT,
    results_table.FORMAT,
)
