"""The service: what it counts, what it refuses, and what a kill -9 leaves."""

import asyncio
import json
import os
import random
import signal
from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError

from simbudget.pilot.service.client import RefusedError, SiteClient
from simbudget.pilot.service.messages import NewPost
from simbudget.pilot.service.starting import ServiceFailedError, start_service, write_settings
from tests.pilot.site import TOKENS, client, everything, run, serving, settings, submission


def test_a_submission_is_scored_and_rounded_and_a_post_is_read_by_the_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(settings(tmp_path)) as service, client(service) as one, client(service, 1) as two:
            scored = await one.submit(await submission(one, 0.123456), "a")
            assert (scored.submission, scored.score, scored.left_in_quota) == (1, 0.123, None)
            assert await one.post(NewPost(text="it works", score=0.123, submission=1), "b") == 1
            assert [post.text for post in (await two.posts()).posts] == ["it works"]
            assert (await one.posts()).posts == ()
            assert len((await one.posts(of_others=False)).posts) == 1
            assert (await two.posts(since=1)).posts == ()
            assert await two.fetch(await one.store("x = 1\n")) == "x = 1\n"
            assert (await one.standing()).best_score == 0.123

    run(story())


def test_the_same_key_counts_once_and_gets_the_first_reply_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(settings(tmp_path, quota=5)) as service, client(service) as one:
            sent = await submission(one)
            replies = await asyncio.gather(*(one.submit(sent, "same") for _ in range(8)))
            assert len({reply.model_dump_json() for reply in replies}) == 1
            assert (await one.standing()).submissions == 1
            posts = await asyncio.gather(*(one.post(NewPost(text="once"), "same post") for _ in range(8)))
            assert set(posts) == {1}
            with pytest.raises(RefusedError, match="belongs to another request"):
                await one.submit(await submission(one, 0.9), "same")
            assert (await one.standing()).submissions == 1

    run(story())


def test_no_race_passes_the_quota(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(settings(tmp_path, quota=3, scoring_s=0.02)) as service, client(service) as one:
            sent = await submission(one)
            replies = await asyncio.gather(
                *(one.submit(sent, str(k)) for k in range(12)), return_exceptions=True
            )
            refused = [reply for reply in replies if isinstance(reply, RefusedError)]
            assert len(refused) == 9
            assert {reply.refusal.reason for reply in refused} == {"quota used up"}
            assert all(0 < (reply.refusal.retry_after_s or 0) <= 86_400 for reply in refused)

    run(story())


def test_a_cool_down_is_kept_and_says_how_long(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(settings(tmp_path, cool_down_s=3.0)) as service, client(service) as one:
            sent = await submission(one)
            scored = await one.submit(sent, "a")
            assert 0 < scored.next_allowed_s <= 3.0
            with pytest.raises(RefusedError) as refused:
                await one.submit(sent, "b")
            assert refused.value.refusal.reason == "cool-down"
            await asyncio.sleep((refused.value.refusal.retry_after_s or 0) + 0.01)
            assert (await one.submit(sent, "b")).submission == 2

    run(story())


def test_one_scoring_server_serves_in_the_order_of_asking(tmp_path: Path) -> None:
    async def story() -> None:
        chosen = settings(tmp_path, servers=1, scoring_s=1.5)
        async with serving(chosen) as service, client(service) as one, client(service, 1) as two:
            sent = await submission(one)
            first = asyncio.create_task(one.submit(sent, "a"))
            await asyncio.sleep(0.5)
            second = await two.submit(sent, "b")
            assert (await first).submission == 1
            assert second.submission == 2
            assert 0 < second.queued_s < 1.5
            assert second.scoring_s >= 1.5

    run(story())


HOSTILE = {
    "no body": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "deep answer": b'{"method":"m","code":"%s","answer":{"metric":%s}}'
    % (b"a" * 64, b"[" * 9000 + b"]" * 9000),
    "long number": b'{"method":"m","seed":' + b"9" * 6000 + b"}",
    "huge seed": b'{"method":"m","seed":' + b"9" * 40 + b',"code":"%CODE%","answer":{"metric":1}}',
    "unknown field": b'{"method":"m","code":"%CODE%","answer":{"metric":1},"admin":true}',
    "no such code": b'{"method":"m","code":"' + b"0" * 64 + b'","answer":{"metric":1}}',
    "path as code": b'{"method":"m","code":"../../labels","answer":{"metric":1}}',
    "wrong answer": b'{"method":"m","code":"%CODE%","answer":{"metric":"high"}}',
    "infinite answer": b'{"method":"m","code":"%CODE%","answer":{"metric":Infinity}}',
    "surrogate": b'{"method":"\\ud800","code":"%CODE%","answer":{"metric":1}}',
    "infinite knob": b'{"method":"m","hyperparameters":{"a":NaN},"code":"%CODE%","answer":{"metric":1}}',
    "not UTF-8": b'{"method":"\xff","code":"%CODE%","answer":{"metric":1}}',
    "too large": b'{"method":"' + b"m" * 300_000 + b'"}',
}


def test_what_is_refused_changes_nothing(tmp_path: Path) -> None:
    chosen = settings(tmp_path, quota=1, max_body_bytes=200_000)

    async def story() -> None:
        async with serving(chosen) as service, client(service) as one, httpx2.AsyncClient() as http:
            sent = await submission(one)
            before = everything(chosen.database)
            good = {
                "authorization": f"Bearer {TOKENS[0]}",
                "idempotency-key": "k",
                "content-type": "application/json",
            }
            path = f"{service.url}/agents/0/submissions"

            async def refused(
                url: str, body: bytes, headers: dict[str, str], status: set[int], reason: str
            ) -> None:
                response = await http.post(url, content=body, headers=headers)
                assert response.status_code in status, (body[:80], response.status_code, response.text[:300])
                assert reason in response.json()["reason"]
                assert response.json()["what"]
                assert everything(chosen.database) == before

            body = sent.model_dump_json().encode()
            await refused(path, body, {**good, "authorization": "Bearer guess"}, {401}, "wrong token")
            await refused(path, body, {**good, "authorization": f"Bearer {TOKENS[1]}"}, {401}, "wrong token")
            await refused(path, body, {**good, "authorization": ""}, {401}, "wrong token")
            await refused(f"{service.url}/agents/7/submissions", body, good, {404}, "no such agent")
            await refused(f"{service.url}/agents/x/submissions", body, good, {422}, "malformed")
            await refused(f"{service.url}/admin", body, good, {404}, "malformed")
            await refused(path, body, {**good, "idempotency-key": ""}, {422}, "malformed")
            await refused(path, body, {**good, "idempotency-key": "k" * 300}, {422}, "malformed")
            for what, hostile in HOSTILE.items():
                expected = {"too large": {413}, "no such code": {404}}.get(what, {400, 422})
                reason = what if what in {"too large", "no such code"} else "malformed"
                await refused(path, hostile.replace(b"%CODE%", sent.code.encode()), good, expected, reason)
            assert (await one.submit(sent, "real")).left_in_quota == 0
            before = everything(chosen.database)
            await refused(path, body, {**good, "idempotency-key": "another"}, {429}, "quota used up")

    run(story())


def test_a_body_without_a_length_is_bounded_too(tmp_path: Path) -> None:
    async def endless():  # type: ignore[no-untyped-def]
        for _ in range(2_000):
            yield b" " * 10_000

    async def story() -> None:
        async with (
            serving(settings(tmp_path, max_body_bytes=50_000)) as service,
            httpx2.AsyncClient() as http,
        ):
            headers = {"authorization": f"Bearer {TOKENS[0]}", "idempotency-key": "k"}
            try:
                response = await http.post(
                    f"{service.url}/agents/0/posts", content=endless(), headers=headers
                )
            except httpx2.TransportError:
                return  # it hung up in the middle, which is a refusal too
            assert response.status_code == 413

    run(story())


def test_a_service_that_is_killed_again_and_again_counts_each_submission_once(tmp_path: Path) -> None:
    chance = random.Random(1)
    chosen = settings(tmp_path, scoring_s=0.005)
    kills, each = 6, 40

    async def submit_all(url: str, agent: int) -> list[int]:
        numbers = []
        async with SiteClient(url, agent, TOKENS[agent]) as site:
            for k in range(each):
                numbers.append(
                    (await site.submit(await submission(site, k / 1000), f"{agent}-{k}")).submission
                )
                await site.post(NewPost(text=f"found {k}"), f"post {agent}-{k}")
        return numbers

    async def story() -> list[list[int]]:
        file = chosen.database.with_suffix(".json")
        write_settings(chosen, file)
        service = await start_service(file)
        write_settings(chosen.model_copy(update={"port": service.port}), file)
        work = [asyncio.create_task(submit_all(service.url, agent)) for agent in TOKENS]
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            os.kill(service.process.pid, signal.SIGKILL)
            await service.process.wait()
            service = await start_service(file)
        numbers = await asyncio.gather(*work)
        await service.stop()
        return numbers

    numbers = run(story())
    kept = everything(chosen.database)
    assert sorted(numbers[0] + numbers[1]) == list(range(1, 2 * each + 1))
    assert [row[0] for row in kept["submissions"]] == list(range(1, 2 * each + 1))
    told = {(row[1], json.loads(row[9])["metric"]) for row in kept["submissions"]}
    assert told == {(agent, k / 1000) for agent in TOKENS for k in range(each)}
    posts = [(row[1], json.loads(row[3])["text"]) for row in kept["posts"]]
    assert len(posts) == len(set(posts)) == 2 * each


def test_quota_and_cool_down_outlast_a_restart(tmp_path: Path) -> None:
    chosen = settings(tmp_path, quota=2, cool_down_s=0.0)

    async def story() -> None:
        async with serving(chosen) as service, client(service) as one:
            await one.submit(await submission(one), "a")
        async with serving(chosen) as service, client(service) as one:
            assert (await one.submit(await submission(one), "b")).left_in_quota == 0
            with pytest.raises(RefusedError, match="quota"):
                await one.submit(await submission(one), "c")

    run(story())


def test_only_one_service_serves_a_database(tmp_path: Path) -> None:
    chosen = settings(tmp_path, lock_patience_s=0.3)

    async def story() -> None:
        async with serving(chosen):
            with pytest.raises(ServiceFailedError, match="another service holds"):
                await start_service(chosen.database.with_suffix(".json"))

    run(story())


def test_the_service_ends_when_its_runner_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "site.json"
        write_settings(settings(tmp_path), file)
        service = await start_service(file)
        assert service.process.stdin is not None
        service.process.stdin.close()  # what the kernel does when the runner dies
        assert await asyncio.wait_for(service.process.wait(), 120) == 0

    run(story())


def test_settings_and_database_are_for_their_owner_only(tmp_path: Path) -> None:
    chosen = settings(tmp_path)

    async def story() -> None:
        async with serving(chosen) as service, client(service) as one:
            await one.submit(await submission(one), "a")
            for path in tmp_path.glob("site.*"):
                assert path.stat().st_mode & 0o077 == 0 or path.suffix == ".log", path

    run(story())


def test_a_post_and_a_page_of_posts_have_a_size(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(settings(tmp_path)) as service, client(service) as one, client(service, 1) as two:
            for large in (
                {"method": "m" * 101},
                {"code": "c" * 65},
                {"hyperparameters": {"h" * 201: 1}},
                {"hyperparameters": {"h": "v" * 201}},
                {"text": "t" * 20_001},
            ):
                with pytest.raises(ValidationError):
                    NewPost(**{"text": "x", **large})
            for number in range(30):
                await one.post(NewPost(text="x" * 20_000), f"{number}")
            first = await two.posts(at_most=500)
            assert first.more
            assert len(first.model_dump_json()) < 320_000
            read, since = 0, 0
            while True:
                page = await two.posts(since=since, at_most=500)
                read, since = read + len(page.posts), page.posts[-1].number
                if not page.more:
                    break
            assert read == 30, "and every post is on some page"

    run(story())
