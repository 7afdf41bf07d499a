"""Functions by name."""

import pytest

from jaxgen.run.named import named

TABLE = {"first": min, "second": max}


def test_an_entry_of_the_table_is_found():
    assert named("--f", "second", TABLE) is max


def test_a_function_of_a_module_is_found(tmp_path, monkeypatch):
    (tmp_path / "own_functions.py").write_text("def double(x):\n    return 2 * x\n\nx = 3\n")
    (tmp_path / "broken_functions.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert named("--f", "own_functions:double", TABLE)(4) == 8
    with pytest.raises(ValueError, match="module 'own_functions' has no function 'other'"):
        named("--f", "own_functions:other", TABLE)
    with pytest.raises(ValueError, match="expected a function, got a int"):
        named("--f", "own_functions:x", TABLE)
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        named("--f", "broken_functions:f", TABLE)


@pytest.mark.parametrize("text", ["secnd", ":f", "module:", ""])
def test_a_name_that_is_not_there_is_refused_with_all_that_are(text):
    with pytest.raises(ValueError, match="--f must be one of first, second, or module:function, got"):
        named("--f", text, TABLE)


def test_the_nearest_name_is_offered():
    with pytest.raises(ValueError, match="did you mean 'second'"):
        named("--f", "secnd", TABLE)


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no module 'surely_not_here'"):
        named("--f", "surely_not_here.deep:f", TABLE)
