"""Starts a model server on loopback, which stops when its parent process is gone."""

import asyncio
import sys
from pathlib import Path

from simbudget.pilot.model_server.app import make_app
from simbudget.pilot.model_server.provider import Provider
from simbudget.pilot.model_server.settings import ModelServerSettings
from simbudget.pilot.serving import serve


def main() -> None:
    """Serve until standard input ends."""
    settings = ModelServerSettings.model_validate_json(Path(sys.argv[1]).read_bytes())
    asyncio.run(serve(make_app(Provider(settings)), settings.port))


main()
