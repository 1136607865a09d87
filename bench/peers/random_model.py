"""tools/random-model.py, importable."""

import pathlib
import runpy

globals().update(runpy.run_path(str(pathlib.Path(__file__).resolve().parents[2] / "tools/random-model.py"), run_name=__name__))
