"""The check of the built site finds what it is for."""

import runpy

import pytest
import source_tree

ROOT = source_tree.required("docs")
SITE = runpy.run_path(str(ROOT / "docs" / "check_site.py"), run_name="read")
PAGE = '<a href="b.html#there">b</a><script src="_static/a.js?v=1"></script><p id="here"></p>'


@pytest.fixture
def site(tmp_path):
    """Return a sound site of two pages."""
    (tmp_path / "_static").mkdir()
    (tmp_path / "generated").mkdir()
    (tmp_path / "_static" / "a.js").touch()
    (tmp_path / "a.html").write_text(PAGE)
    (tmp_path / "b.html").write_text('<h1 id="there"></h1><a href="#there">x</a>')
    words = ", ".join(f'"{word.lower()}": 0' for word in SITE["WORDS"])
    (tmp_path / "searchindex.js").write_text(
        f'Search.setIndex({{"terms": {{{words}}}, "titleterms": {{}}}})'
    )
    return tmp_path


def faults(site):
    return list(SITE["faults"](site))


def test_a_sound_site(site):
    assert faults(site) == []


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ('<a href="c.html">c</a>', "a.html: c.html leads nowhere"),
        ('<a href="b.html#here">b</a>', "a.html: b.html#here leads to no place on its page"),
        ('<a href="#there">b</a>', "a.html: #there leads to no place on its page"),
        (
            '<script src="https://cdn.x/a.js"></script>',
            "https://cdn.x/a.js is fetched from elsewhere",
        ),
        ('<link rel="stylesheet" href="//cdn.x/a.css">', "//cdn.x/a.css is fetched from elsewhere"),
        ('<img src="a.png">', "a.html: a.png does not exist"),
    ],
)
def test_faults_of_a_page(site, page, fault):
    (site / "a.html").write_text(page)
    (found,) = faults(site)
    assert fault in found


def test_the_constructor_of_a_plan_is_hidden(site):
    path = site / "generated" / "pyconv.Plan.html"
    path.write_text('<dt>class Plan</dt><em class="sig-param">x</em>')
    assert faults(site) == []
    path.write_text('<dt>class Plan(<em class="sig-param">prepared</em>)</dt>')
    assert len(faults(site)) == 1


def test_a_word_that_no_page_has(site):
    index = site / "searchindex.js"
    index.write_text(index.read_text().replace("nodata", "other"))
    assert faults(site) == ["search: no page has the word nodata"]
