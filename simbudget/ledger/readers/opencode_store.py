"""Where OpenCode itself keeps its sessions: `opencode.db` (SQLite), in older versions a folder of small JSON files.

In the folder each message is a file, `message/SESSION/MESSAGE.json`, each of its parts one, `part/MESSAGE/PART.json`,
and each session one. A session's messages are read together, when the first of them comes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from simbudget.ledger.readers.files import LogFile, loads
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.opencode import SOURCE, add_message, begin_session
from simbudget.ledger.readers.sqlite import columns_of, connect, is_sqlite
from simbudget.ledger.readers.values import JsonObject, folder_name, mapping, moment, text

_MESSAGES: Final = {"id", "session_id", "time_created", "data"}
_PARTS: Final = {"id", "message_id", "data"}
_SESSIONS: Final = {"id", "parent_id", "directory"}


def _recognises(file: LogFile) -> bool:
    if is_sqlite(file):
        return columns_of(file, "message") >= _MESSAGES and columns_of(file, "part") >= _PARTS
    return bool(_kind(file))


def _kind(file: LogFile) -> str:
    """Return what one of the small files is: a message, a part or a session; nothing if none of them."""
    if not file.is_document or b'ID"' not in file.head:
        return ""
    about = mapping(file.document)
    if "sessionID" in about and "messageID" in about and "type" in about:
        return "part"
    if "sessionID" in about and about.get("role") in ("user", "assistant"):
        return "message"
    is_session = text(about.get("id")).startswith("ses_") and "projectID" in about and "directory" in about
    return "session" if is_session else ""


def _read(file: LogFile, gathering: Gathering) -> None:
    if is_sqlite(file):
        _read_database(file, gathering)
    elif _kind(file) == "message" and gathering.is_new(("opencode folder", str(file.path.parent.resolve()))):
        _read_folder(file, gathering)
    else:
        gathering.tells_with_others()
        if _kind(file) == "session":
            _describe(gathering, file.document)


def _read_database(file: LogFile, gathering: Gathering) -> None:
    try:
        with closing(connect(file)) as database:
            database.row_factory = sqlite3.Row
            for session, above, folder in _sessions(file, database):
                about = {"id": session, "parentID": above, "directory": folder}
                thread = begin_session(file, gathering, about)
                for place, (key, data) in enumerate(_messages_of(database, session)):
                    add_message(thread, gathering, _object(data), _parts_of(database, key), place)
    except sqlite3.Error as error:
        gathering.cannot_read(file.path, 0, f"a damaged database: {error}")


def _sessions(file: LogFile, database: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    """Yield the id of each session that has messages, its parent's, and its directory."""
    known: dict[str, tuple[str, str]] = {}
    if columns_of(file, "session") >= _SESSIONS:
        for row in database.execute("SELECT id, parent_id, directory FROM session"):
            known[text(row["id"])] = (text(row["parent_id"]), text(row["directory"]))
    for row in database.execute("SELECT DISTINCT session_id FROM message ORDER BY session_id"):
        session = text(row["session_id"])
        yield session, *known.get(session, ("", ""))


def _messages_of(database: sqlite3.Connection, session: str) -> Iterator[tuple[str, Any]]:
    of_session = "SELECT id, data FROM message WHERE session_id = ? ORDER BY time_created, id"
    for row in database.execute(of_session, (session,)):
        yield row["id"], row["data"]


def _parts_of(database: sqlite3.Connection, message: str) -> list[JsonObject]:
    of_message = "SELECT data FROM part WHERE message_id = ? ORDER BY id"
    return [_object(row["data"]) for row in database.execute(of_message, (message,))]


def _object(data: Any) -> JsonObject:
    return mapping(loads(data.encode() if isinstance(data, str) else bytes(data or b"")))


def _read_folder(file: LogFile, gathering: Gathering) -> None:
    """Read all messages of the session that a message belongs to, in the order of time."""
    logged = [LogFile(path) for path in sorted(file.path.parent.iterdir()) if path.suffix == ".json"]
    messages = [mapping(each.document) for each in logged if _kind(each) == "message"]
    messages.sort(
        key=lambda message: (moment(mapping(message.get("time")).get("created")), text(message.get("id")))
    )
    thread = begin_session(file, gathering, {"id": file.document.get("sessionID")})
    parts = file.path.parents[2] / "part" if len(file.path.parents) > 2 else file.path.parent
    for place, message in enumerate(messages):
        identity = Path(text(message.get("id"))).name
        files = sorted((parts / identity).glob("*.json")) if identity else []
        add_message(thread, gathering, message, [mapping(LogFile(path).document) for path in files], place)


def _describe(gathering: Gathering, about: JsonObject) -> None:
    """Say of a session that was read where it worked, and which one it is part of."""
    run = gathering.runs.get(f"opencode {text(about.get('id'))}")
    if run is not None:
        run.project = folder_name(about.get("directory")) or run.project
        above = text(about.get("parentID"))
        run.part_of = f"opencode {above}" if above else run.part_of


FORMAT: Final = Format(SOURCE, "OpenCode's own store", _recognises, _read)
