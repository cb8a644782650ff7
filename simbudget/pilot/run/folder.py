"""A pilot's folder: its layout, and the state from which a pilot is resumed."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from simbudget.errors import Problem, UserError
from simbudget.ledger.store import LedgerStore
from simbudget.pilot.run.plan import Options

_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True)
class Keys:
    """Secrets known only to the runner and, in part, its processes."""

    task_secret: int
    agents: tuple[str, ...]
    """Each agent's token for the service, which is also its API key for the local model server."""


class Folder:
    """The folder of one pilot."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.ledger = self.root / "ledger.sqlite"
        self.provider = self.root / "provider.sqlite"
        self.site = self.root / "site.sqlite"
        self.public = self.root / "public"
        self.settings = self.root / "settings"
        self.logs = self.root / "logs"
        self._state = self.settings / "pilot.json"

    def agent(self, number: int) -> Path:
        """Return the folder of an agent."""
        return self.root / "agents" / f"agent-{number}"

    @property
    def exists(self) -> bool:
        """Return whether a pilot has been started here."""
        return self._state.exists()

    def make(self, options: Options, scenario_text: str, keys: Keys) -> None:
        """Create the folder of a new pilot.

        Raises:
            UserError: the folder already holds a pilot.
        """
        if self.exists:
            raise UserError(
                Problem(
                    f"{self.root} already holds a pilot",
                    remedy="add --resume to continue it, or give another --out",
                )
            )
        for folder in (self.root, self.settings, self.logs, self.public):
            folder.mkdir(parents=True, exist_ok=True)
        self.settings.chmod(0o700)
        (self.root / "scenario.yaml").write_text(scenario_text, "utf-8")
        stated = {"options": _plain(options), "keys": asdict(keys), "scenario": scenario_text}
        self.write_private(self._state, json.dumps(stated, indent=2))

    def read(self) -> tuple[dict[str, Any], Keys]:
        """Return the options and keys with which the pilot was started.

        Raises:
            UserError: there is no pilot, or its state is damaged.
        """
        try:
            stated = json.loads(self._state.read_text("utf-8"))
            keys = Keys(stated["keys"]["task_secret"], tuple(stated["keys"]["agents"]))
        except FileNotFoundError:
            raise UserError(
                Problem(
                    f"{self.root} holds no pilot to resume", remedy="leave out --resume, or give its --out"
                )
            ) from None
        except (ValueError, KeyError, TypeError):
            raise UserError(Problem(f"{self._state} is damaged", remedy="give another --out")) from None
        return {**stated["options"], "scenario_text": stated["scenario"]}, keys

    def write_settings(self, name: str, settings: BaseModel) -> Path:
        """Write a process's settings, readable only by the owner; return the path."""
        path = self.settings / f"{name}.json"
        self.write_private(path, settings.model_dump_json(indent=2))
        return path

    @staticmethod
    def write_private(path: Path, text: str) -> None:
        """Write a file that only its owner can read, replacing it in one step."""
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)

    def store(self) -> LedgerStore:
        """Open the ledger."""
        return LedgerStore(self.ledger)


def new_keys(agents: int) -> Keys:
    """Return fresh keys."""
    return Keys(secrets.randbits(62), tuple(secrets.token_urlsafe(24) for _ in range(agents)))


def _plain(options: Options) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(options).items()}
