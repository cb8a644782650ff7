"""Run one experiment: `python run.py`.

Reads `experiment.json` ({"method": , "hyperparameters": {}, "seed": , "code": null or "FILE.py"}) and the domains in
`domains/`, and writes `answer.json`: for each domain, the class of each test item. With `code`, the function
`method(domain, seed, **hyperparameters)` of that file is run instead of a known method. The seed also determines
which teacher labels the examples, and which 80 % of them the student gets.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

POOL_SHARE = 0.8

library: Any = importlib.import_module("methods")
students: Any = importlib.import_module("students")


def load_domain(path: Path, seed: int) -> Any:
    """Return the domain for one seed: one teacher's labels, and a subset of the examples."""
    with np.load(path, allow_pickle=False) as file:
        data = {name: file[name] for name in file.files}
    teacher = seed % len(data["weak"])
    size = len(data["x"])
    pool = np.sort(np.random.default_rng(seed).permutation(size)[: round(POOL_SHARE * size)])
    known = {"x", "x_test", "weak", "sure", "student"}
    return library.Domain(
        name=path.stem,
        x=data["x"][pool].astype(float),
        weak=data["weak"][teacher][pool].astype(np.int64),
        sure=data["sure"][teacher][pool].astype(float),
        x_test=data["x_test"].astype(float),
        student=students.STUDENTS[str(data["student"])],
        extra={
            name: data[name] if name.endswith("_test") else data[name][pool]
            for name in data
            if name not in known
        },
    )


def main() -> None:
    """Run the experiment specified in `experiment.json`."""
    experiment = json.loads(Path("experiment.json").read_text("utf-8"))
    if experiment["code"]:
        sys.path.insert(0, str(Path.cwd()))
        method = importlib.import_module(experiment["code"].removesuffix(".py")).method
    else:
        method = library.METHODS[experiment["method"]]
    answer = {}
    for path in sorted(Path("domains").glob("*.npz")):
        began = time.perf_counter()
        domain = load_domain(path, experiment["seed"])
        said = np.asarray(method(domain, experiment["seed"], **experiment["hyperparameters"])).astype(int)
        answer[path.stem] = said.tolist()
        print(f"{path.stem}: {len(said)} items in {time.perf_counter() - began:.2f} s")
    Path("answer.json").write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main()
