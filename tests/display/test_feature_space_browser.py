"""The page of FeatureSpaceDisplay in a browser: hover, click, and what must not happen."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest

from skaudio.audio import AudioBatch
from skaudio.display import FeatureSpaceDisplay

pytest.importorskip("bokeh")
webdriver = pytest.importorskip("selenium.webdriver")

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
EVIL = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>&\"'"

# Where a point is on the screen, and the values it was made of.
LOCATE = """
const view = Bokeh.index.roots[0]
const data = view.model.renderers[0].data_source.data
const box = view.canvas_view.el.getBoundingClientRect()
const i = arguments[0]
return [
  box.left + view.frame.x_scale.compute(data.x[i]),
  box.top + view.frame.y_scale.compute(data.y[i]),
]
"""
# The texts shown in the shadow trees of Bokeh, and the pictures.
SHOWN = """
const found = []
const walk = (node) => {
  if (node.shadowRoot) walk(node.shadowRoot)
  for (const child of node.children || []) {
    if (child.tagName === "IMG" && child.complete && child.naturalWidth) found.push("IMG")
    const isText = child.children.length === 0 && !["STYLE", "SCRIPT"].includes(child.tagName)
    if (isText) found.push(child.textContent)
    walk(child)
  }
}
walk(document.body)
return found.filter((text) => text.trim())
"""


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None or DRIVER is None:
        pytest.skip("no chromium with its chromedriver on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("headless=new", "no-sandbox", "mute-audio", "window-size=1200,800"):
        options.add_argument(f"--{argument}")
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, make_clip, tmp_path):
    """Open a page of four recordings, one of each class and group, in the corners of a square."""
    import matplotlib as mpl

    mpl.use("Agg")
    batch = AudioBatch(
        [make_clip(1.0, seed=i) for i in range(4)], 16000, names=["one.wav", EVIL, "c", "d"]
    )
    display = FeatureSpaceDisplay.from_embeddings(
        np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]),
        ["first", EVIL, "third", "fourth"],
        groups=["odd", "even", "odd", EVIL],
        recordings=batch,
        method=None,
    )
    mpl.pyplot.close("all")
    display.to_html(tmp_path / "page.html", title=f"Sounds {EVIL}")
    browser.get((tmp_path / "page.html").as_uri())
    wait_for(lambda: browser.execute_script("return !!window.Bokeh && Bokeh.index.roots.length"))
    return browser


def wait_for(condition, seconds=180):
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return value


def move_to(browser, i):
    x, y = browser.execute_script(LOCATE, i)
    actions = webdriver.ActionChains(browser)
    for place in ((x - 9, y), (x, y)):  # from where it may have been before, nothing would move
        actions.w3c_actions.pointer_action.move_to_location(*map(round, place))
    actions.perform()


def click(browser):
    webdriver.ActionChains(browser).click().perform()


def test_a_click_plays_the_recording(page):
    def playing(i):
        state = "const p = document.getElementById('player');"
        sound = f"document.getElementById('sound-{i}').textContent"
        return page.execute_script(
            f"{state} return p.currentTime > 0 && p.error === null && p.src.endsWith({sound})"
        )

    for i, text in ((0, "one.wav, first, odd"), (2, "c, third, odd")):
        move_to(page, i)
        click(page)
        wait_for(lambda i=i: playing(i))
        assert page.find_element("id", "playing").text == text
    length = page.execute_script("return document.getElementById('player').duration")
    assert length == pytest.approx(1, abs=0.15)
    # The same point again: it plays again.
    wait_for(lambda: page.execute_script("return document.getElementById('player').ended"))
    click(page)
    wait_for(
        lambda: page.execute_script(
            "const p = document.getElementById('player'); return !p.ended && p.currentTime > 0"
        )
    )


def test_hover_shows_name_class_and_spectrogram(page):
    move_to(page, 0)
    shown = wait_for(lambda: (found := page.execute_script(SHOWN)) and "IMG" in found and found)
    assert "one.wav" in shown
    assert "first, odd, 1.0 s" in shown


def test_nothing_that_is_shown_becomes_code(page):
    move_to(page, 1)
    shown = wait_for(lambda: (found := page.execute_script(SHOWN)) and "IMG" in found and found)
    assert any("window.hacked" in text for text in shown)  # as text
    click(page)
    wait_for(lambda: "onerror" in page.find_element("id", "playing").text)
    assert EVIL in page.find_element("tag name", "h1").text
    assert page.title == f"Sounds {EVIL}"
    assert page.execute_script("return window.hacked") is None
    assert page.execute_script("return document.querySelectorAll('img[src=x]').length") == 0


def test_nothing_is_loaded_from_elsewhere(page):
    loaded = page.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert [name for name in loaded if not name.startswith(("data:", "blob:"))] == []
    errors = [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []
