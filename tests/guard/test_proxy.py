"""`simbudget guard`: programs of any kind behind the proxy, as real processes over real sockets."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from simbudget.ledger.store import LedgerStore
from tests.guard.fake import MODEL, FakeProvider, always, faking, used

HELPERS = """
import json, os, urllib.error, urllib.request
def post(base, path, body, **headers):
    headers = {"content-type": "application/json", "authorization": "Bearer secret-key", **headers}
    request = urllib.request.Request(os.environ[base] + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
"""
MESSAGE = {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": "Go on."}]}
CHAT = {"model": "gpt-5", "max_completion_tokens": 1000, "messages": [{"role": "user", "content": "Go on."}]}
RESPONSE = {"model": "gpt-5", "max_output_tokens": 1000, "input": "Go on."}


def guard(
    folder: Path, provider: FakeProvider, program: str, *options: str
) -> "subprocess.CompletedProcess[str]":
    """Run a Python program behind the proxy."""
    (folder / "program.py").write_text(HELPERS + textwrap.dedent(program))
    return subprocess.run(
        [sys.executable, "-m", "simbudget", "guard", *options, "--", sys.executable, "program.py"],
        cwd=folder,
        env={**os.environ, "ANTHROPIC_BASE_URL": provider.url, "OPENAI_BASE_URL": provider.url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_program_in_any_language_stops_at_the_cap(tmp_path: Path) -> None:
    with faking(always(used(100, 900))) as provider:
        done = guard(
            tmp_path,
            provider,
            f"""
            made = 0
            while True:
                status, said = post("ANTHROPIC_BASE_URL", "/v1/messages", {MESSAGE!r})
                if status != 200: break
                made += 1
            print(made, status, said)
            raise SystemExit(7)
            """,
            "--cap",
            "$0.20",
        )
    made, status, said = done.stdout.split(maxsplit=2)
    assert done.returncode == 7, done.stderr
    assert status == "402"
    assert json.loads(said)["error"]["type"] == "billing_error"
    assert int(made) == len(provider.requests)
    assert 0.20 - 0.045 < len(provider.requests) * 0.023 <= 0.20
    assert "1 calls refused" in done.stderr
    assert b"secret-key" not in (tmp_path / "spend.sqlite").read_bytes(), "no key is kept"


def test_openai_s_apis_are_capped_too_and_streams_pass_through(tmp_path: Path) -> None:
    with faking(always(used(100, 200))) as provider:
        done = guard(
            tmp_path,
            provider,
            f"""
            for path, body in (("/chat/completions", {CHAT!r}), ("/responses", {RESPONSE!r})):
                for more in ({{}}, {{"stream": True}}, {{"stream": True, "stream_options": {{"include_usage": True}}}}):
                    if path == "/responses" and "stream_options" in more: continue
                    print(json.dumps(post("OPENAI_BASE_URL", path, {{**body, **more}})))
            """,
            "--cap",
            "1",
        )
    answers: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [status for status, _ in answers] == [200] * 5, done
    whole, streamed, with_usage, response, response_stream = (said for _, said in answers)
    assert json.loads(whole)["usage"]["completion_tokens"] == 200
    assert streamed.endswith("data: [DONE]\n\n")
    assert '"choices": []' not in streamed, "what only the guard asked for is not passed back"
    assert '"choices": []' in with_usage
    assert json.loads(response)["usage"]["output_tokens"] == 200
    assert "response.completed" in response_stream
    with LedgerStore(tmp_path / "spend.sqlite") as store:
        entries = store.entries()
        assert [entry.outcome for entry in entries] == ["ok"] * 5
        assert store.spend(0).settled_usd == pytest.approx(5 * (100 * 1.25e-6 + 200 * 10e-6))


def test_what_has_no_bound_is_refused_and_a_default_gives_one(tmp_path: Path) -> None:
    unbounded = {key: value for key, value in CHAT.items() if key != "max_completion_tokens"}
    program = f"""
        for base, path, body in (
            ("OPENAI_BASE_URL", "/chat/completions", {unbounded!r}),
            ("OPENAI_BASE_URL", "/embeddings", {{"model": "x", "input": "y"}}),
            ("ANTHROPIC_BASE_URL", "/v1/messages/batches", {{"requests": []}}),
            ("ANTHROPIC_BASE_URL", "/v1/messages/count_tokens", {{"model": "x", "messages": []}}),
            ("ANTHROPIC_BASE_URL", "/v1/messages", [1]),
            ("ANTHROPIC_BASE_URL", "/v1/messages", {{**{MESSAGE!r}, "model": "no-such-model"}}),
        ):
            print(post(base, path, body)[0])
        """
    with faking(always(used())) as provider:
        done = guard(tmp_path, provider, program, "--cap", "1")
        assert done.stdout.split() == ["400", "403", "403", "200", "400", "400"], done
        assert provider.paths == ["/v1/messages/count_tokens"]
        done = guard(tmp_path, provider, program, "--cap", "1", "--max-output-tokens", "50")
        assert done.stdout.split()[0] == "200"
    assert provider.requests[1]["max_completion_tokens"] == 50


def test_caps_per_agent_and_task_go_by_headers(tmp_path: Path) -> None:
    program = f"""
        for agent, task in ((1, "a"), (1, "a"), (1, "a"), (2, "b"), (2, "c")):
            headers = {{"x-simbudget-agent": str(agent), "x-simbudget-task": task}}
            print(post("ANTHROPIC_BASE_URL", "/v1/messages", {MESSAGE!r}, **headers)[0])
        """
    with faking(always(used(100, 900))) as provider:
        done = guard(tmp_path, provider, program, "--per-agent", "$0.06")
        assert done.stdout.split() == ["200", "200", "402", "200", "200"], done


def test_nobody_calls_through_the_proxy_without_its_path(tmp_path: Path) -> None:
    with faking(always(used())) as provider:
        done = guard(
            tmp_path,
            provider,
            f"""
            from urllib.parse import urlsplit
            url = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
            for path in ("", "/anthropic", "/x/anthropic"):
                os.environ["GUESSED"] = f"http://{{url.netloc}}{{path}}"
                print(post("GUESSED", "/v1/messages", {MESSAGE!r})[0])
            """,
            "--cap",
            "1",
        )
    assert done.stdout.split() == ["404"] * 3
    assert provider.requests == []


@pytest.mark.parametrize(
    "options",
    [(), ("--cap", "0"), ("--cap", "five"), ("--cap", "-1"), ("--cap-tokens", "many"), ("--cap", "nan")],
)
def test_a_cap_that_is_none_is_one_clear_message(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simbudget", "guard", *options, "--", "true"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_program_that_is_not_there_is_one_clear_message(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simbudget", "guard", "--cap", "1", "--", "./no-such-program"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "error: ./no-such-program cannot be started: no such file or directory\n"


@pytest.mark.parametrize("package", ["uvicorn", "starlette", "httpx2"])
def test_an_installation_without_what_the_proxy_needs_says_which_extra_has_it(
    tmp_path: Path, package: str
) -> None:
    lacking = f"import sys; sys.modules[{package!r}] = None; from simbudget.cli.main import main; main()"
    command = [sys.executable, "-c", lacking, "guard", "--cap", "$5", "--", "true"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: this needs the package {package}; install it with: pip install 'simbudget[guard]'\n"
    )
