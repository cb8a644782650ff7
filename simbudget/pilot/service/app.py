"""The service's HTTP interface. Every path begins with the agent who asks, and every request carries its token."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from simbudget.pilot.service.messages import (
    NewPost,
    NewSource,
    Post,
    Posts,
    Refusal,
    Source,
    Standing,
    Stored,
    Submission,
)
from simbudget.pilot.service.refusals import RefusedRequest, SizeLimit, refusal_response
from simbudget.pilot.service.scoring import ScoringServer, digest, replied
from simbudget.pilot.service.settings import ServiceSettings
from simbudget.pilot.service.store import Store
from simbudget.pilot.tasks.task import Scorer

_UNAUTHORISED = 401
_NOT_FOUND = 404
_MALFORMED = 422
_PAGE_BYTES = 256 * 1024
"""Posts on one page, beyond the first: more than an agent's context can usefully take at once."""


@dataclass(frozen=True)
class Site:
    """The objects that request handlers work on."""

    store: Store
    scoring: ScoringServer
    token_digests: dict[int, bytes]


def make_app(settings: ServiceSettings, store: Store, scorer: Scorer) -> FastAPI:
    """Return the service as an ASGI application."""
    app = FastAPI(title="simbudget pilot", docs_url=None, redoc_url=None, openapi_url=None)
    digests = {agent: hashlib.sha256(token.encode()).digest() for agent, token in settings.tokens.items()}
    app.state.site = Site(store, ScoringServer(settings, store, scorer), digests)
    app.add_middleware(SizeLimit, max_body_bytes=settings.max_body_bytes)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.include_router(_paths)
    return app


def _site(request: Request) -> Site:
    """Return the site that a request is for."""
    site: Site = request.app.state.site
    return site


_TheSite = Annotated[Site, Depends(_site)]


def _authenticated(site: _TheSite, agent: int, authorization: Annotated[str, Header()] = "") -> int:
    """Return the agent's number if the request carries its token.

    Raises:
        RefusedRequest: there is no such agent, or the token is wrong.
    """
    if agent not in site.token_digests:
        raise RefusedRequest(_NOT_FOUND, Refusal(reason="no such agent", what=f"there is no agent {agent}"))
    shown = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
    if not secrets.compare_digest(shown, site.token_digests[agent]):
        what = f"this is not the token of agent {agent}"
        raise RefusedRequest(_UNAUTHORISED, Refusal(reason="wrong token", what=what))
    return agent


_Agent = Annotated[int, Depends(_authenticated)]
_Key = Annotated[str, Header(alias="idempotency-key", min_length=1, max_length=200)]
_paths = APIRouter(prefix="/agents/{agent}")


@_paths.post("/submissions")
async def _submit(site: _TheSite, agent: _Agent, submission: Submission, key: _Key) -> Response:
    return Response(await site.scoring.submit(agent, submission, key), media_type="application/json")


@_paths.get("/standing")
async def _standing(site: _TheSite, agent: _Agent) -> Standing:
    return site.scoring.standing(agent)


@_paths.post("/posts")
async def _post(site: _TheSite, agent: _Agent, post: NewPost, key: _Key) -> Response:
    text = post.model_dump_json()
    reply = replied(site.store, agent, key, text)
    if reply is None:
        with site.store.change():
            reply = str(site.store.add_post(agent, text))
            site.store.keep_reply(agent, key, digest(text), reply)
    return Response(reply, media_type="application/json")


@_paths.get("/posts")
async def _posts(
    site: _TheSite,
    agent: _Agent,
    since: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    at_most: Annotated[int, Query(ge=1, le=500)] = 50,  # a page also ends at `_PAGE_BYTES`
    of_others: bool = True,
) -> Posts:
    found: list[Post] = []
    taken = 0
    for number, by, at_s, text in site.store.posts(since, at_most + 1, agent if of_others else None):
        taken += len(text.encode())
        if len(found) == at_most or (found and taken > _PAGE_BYTES):
            return Posts(posts=tuple(found), more=True)
        post = NewPost.model_validate_json(text).model_dump()
        found.append(Post(number=number, agent=by, posted_at_s=at_s, **post))
    return Posts(posts=tuple(found), more=False)


@_paths.post("/code")
async def _put_code(site: _TheSite, agent: _Agent, source: NewSource) -> Stored:
    return Stored(code=site.store.add_code(agent, source.source))


@_paths.get("/code/{code}")
async def _get_code(site: _TheSite, agent: _Agent, code: str) -> Source:
    source = site.store.source(code)
    if source is None:
        what = f"the code store has no {code[:64]}"
        raise RefusedRequest(_NOT_FOUND, Refusal(reason="no such code", what=what))
    return Source(code=code, source=source)


def _refused(_: Request, error: Exception) -> JSONResponse:
    """Convert a refusal, or any other HTTP error, to a response."""
    if isinstance(error, RefusedRequest):
        return refusal_response(error.status_code, error.refusal)
    if not isinstance(error, HTTPException):
        raise error
    return refusal_response(error.status_code, Refusal(reason="malformed", what=str(error.detail)))


def _malformed(_: Request, error: Exception) -> JSONResponse:
    """Respond to a malformed request with its first few errors."""
    if not isinstance(error, RequestValidationError):
        raise error
    found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
    return refusal_response(_MALFORMED, Refusal(reason="malformed", what="; ".join(found)[:1000]))
