"""Logging in: a token once, a cookie from then on, so that no page's script holds the token."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from surefoot.web import answers
from surefoot.web.guard import COOKIE, Guard, Refused, cookie_of
from surefoot.web.keys import SESSION_LASTS, Keys, Session
from surefoot.web.routes import OPEN, Shown, Ticking, Written, answering, refusing

router = APIRouter(prefix="/api/v1")


class Login(BaseModel):
    """A token, as `surefoot token` prints it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: str = Field(max_length=200)


@router.post("/session", responses=answering(answers.SessionAnswer), openapi_extra=OPEN)
async def log_in(request: Request, clock: Ticking, login: Login) -> Response:
    """Exchange a token for a session's cookie."""
    keys: Keys = request.app.state.keys
    guard: Guard = request.app.state.guard
    scope = guard.check(login.token.strip(), request.scope)
    cookie = keys.open_session(scope, clock.now())
    session = keys.session(cookie, clock.now())
    if session is None:
        raise Refused(503, "the token was changed just now; try again")
    response = Written(_answer(session))
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.get("/session", responses=answering(answers.SessionAnswer))
async def session(request: Request, clock: Ticking, shown: Shown) -> Response:
    """Return what the caller may do, and the proof that a browser's changes must carry."""
    keys: Keys = request.app.state.keys
    cookie = cookie_of(request.headers.get("cookie", "")) if shown.session else None
    found = None if cookie is None else keys.session(cookie, clock.now())
    if found is None:
        return Written(answers.SessionAnswer(scope=shown.scope, expires_at=None, proof=None))
    return Written(_answer(found))


@router.delete("/session", status_code=204, responses=refusing())
async def log_out() -> Response:
    """Forget the session in this browser."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _answer(session: Session) -> answers.SessionAnswer:
    return answers.SessionAnswer(
        scope=session.scope, expires_at=session.expires_at, proof=session.proof
    )
