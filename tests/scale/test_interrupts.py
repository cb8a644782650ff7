"""An interrupt while workers are being started waits until they are, and never reaches them."""

import subprocess
import sys

STARTS = """
import os, signal, subprocess, sys
from simbudget.projection.executors.uninterrupted import held_back

ASKS = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
child = [sys.executable, "-c", ASKS]
try:
    with held_back():
        os.kill(os.getpid(), signal.SIGINT)
        print(subprocess.run(child, capture_output=True, text=True, check=True).stdout.strip())
        print("all are started")
    print("not reached")
except KeyboardInterrupt:
    print("interrupted")
print(subprocess.run(child, capture_output=True, text=True, check=True).stdout.strip())
"""


def test_an_interrupt_waits_until_workers_are_started_and_they_do_not_get_it() -> None:
    done = subprocess.run([sys.executable, "-c", STARTS], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["True", "all are started", "interrupted", "False", ""]
