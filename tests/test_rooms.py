import ast
from pathlib import Path

import pytest

CORE = ("jaxgen/game.py", "jaxgen/step.py", "jaxgen/parallel.py")


@pytest.mark.parametrize("path", CORE)
def test_the_core_never_names_linen(path):
    tree = ast.parse((Path(__file__).parent.parent / path).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names |= {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
    assert names and not [name for name in names if name.startswith(("flax.linen", "flax.nnx"))]
