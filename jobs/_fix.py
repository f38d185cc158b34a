"""Finds the function that `--fix module:function` names."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from pyspark import cloudpickle

from pipelines.errors import InputError
from pipelines.events.fixes import Fix

EXAMPLE = "examples.fixes:comma_in_price"


def load_fix(name: str) -> Fix:
    """Import the function, from an installed package or from the current folder, and let it travel to the executors.

    Raises InputError that says which part of `name` is wrong.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise InputError(f"--fix '{name}': expected module:function, such as {EXAMPLE}")
    module = _module(name, module_name)
    fix: Fix | None = getattr(module, function_name, None)
    if fix is None:
        raise InputError(f"--fix '{name}': there is no '{function_name}' in {module.__file__}. {_functions(module)}")
    if not callable(fix):
        raise InputError(f"--fix '{name}': '{function_name}' is a {type(fix).__name__}, expected a function of bytes")
    cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]  # executors may lack the file
    return fix


def _module(name: str, module_name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # last: it must not hide a library
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(f"--fix '{name}': no module '{error.name}', neither installed nor in {folder}") from error
        raise InputError(f"--fix '{name}': {module_name} needs a module that is missing: {error}") from error
    except Exception as error:  # whatever the module does when it is imported
        problem = f"{type(error).__name__}: {error}"
        raise InputError(f"--fix '{name}': {module_name} cannot be imported: {problem}") from error


def _functions(module: ModuleType) -> str:
    names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    own = [name for name in names if getattr(getattr(module, name), "__module__", "") == module.__name__]
    return f"It has: {', '.join(own)}" if own else "It has no functions"
