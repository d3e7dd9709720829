"""Tests in pytest's style, and answers that are about equal to pytest alone."""

PYTEST = """
import pytest, unittest
from solution import f
@pytest.fixture(params=[1, 2], ids=["one", "two"])
def pair(request):
    return request.param, request.param * 2
@pytest.fixture(scope="module")
def table():
    yield {3: 6}
def test_pair(pair):
    assert f(pair[0]) == pair[1]
def test_table(table, monkeypatch):
    monkeypatch.setitem(table, 4, 8)
    assert all(f(x) == y for x, y in table.items())
@pytest.mark.parametrize("x", [1, 2], ids=str)
@pytest.mark.parametrize(("y", "z"), [(0, 0), pytest.param(1, 2, id="b")])
def test_double(x, y, z):
    assert f(x) + f(y) == x * 2 + z
def test_error():
    with pytest.raises(TypeError, match="unsupported") as caught:
        f(None)
    assert caught.type is TypeError and "unsupported" in str(caught.value)
@pytest.mark.xfail(reason="it doubles")
def test_not_yet(): assert f(1) == 1
class TestMore:
    def setup_method(self): self.x = 3
    @pytest.fixture(autouse=True)
    def more(self): self.y = 6
    def test_close(self): assert [f(0.1), f(1)] == pytest.approx([0.2, 2.0])
    def test_setup(self): assert f(self.x) == self.y and f(self.x) == LAST
class TestUnit(unittest.TestCase):
    def setUp(self): self.x = 4
    def test_unit(self): self.assertEqual(f(self.x), 8)
"""

# an answer, and an expected value that has another form
UNLIKE = [
    ("np.array([])", "3.14"),
    ("np.array([3.14, 3.14])", "3.14"),
    ("3.14", "np.array([])"),
    ("3.14", "np.array([3.14])"),
    ("{1.0: 0, 2.0: 0}", "[1.0, 2.0]"),
    ("b'\\x01\\x02'", "[1, 2]"),
    ("{1.0, 2.0}", "[1.0, 2.0]"),
    ("[np.array([])]", "[3.14]"),
    ("{'a': np.array([])}", "{'a': 3.14}"),
    ("float('nan')", "3.14"),
]
