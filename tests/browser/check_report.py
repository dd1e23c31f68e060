"""Tries the page of a report in headless Chromium: how long it takes to open, that it says nothing in the console and
fetches nothing, that charts are drawn, and that search, filters, sorting, selection, zooming and modes work.

check_report.py PAGE TABLE PICTURES: a page, the table of the same report (--csv), and a folder for pictures."""

import csv
import pathlib
import sys
import time

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from browser import Browser

# From the request to the moment when everything is drawn, without the start of the browser.
MOST_SECONDS = 1.0
MOST_BYTES = 5_000_000

failures = []


def check(what, holds, details=""):
    print(f"{'ok    ' if holds else 'FAILED'} {what}{f': {details}' if details else ''}")
    if not holds:
        failures.append(what)


def open_page(browser, page, fragment=""):
    """Seconds until everything was drawn."""
    browser.driver.get("about:blank")
    browser.driver.get(page.as_uri() + fragment)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if drawn := browser.run("return performance.getEntriesByName('drawn')[0]?.startTime"):
            return drawn / 1000
        if browser.run("return !document.getElementById('failure').hidden"):
            break
        time.sleep(0.01)
    sys.exit("error: the page does not get ready: " + browser.run("return document.getElementById('failure').textContent"))


def names(browser):
    """What the table shows: names as the report has them."""
    return browser.run(
        "return [...document.querySelectorAll('#table tbody tr')]"
        ".map((tr) => reportPage.report.tensors[tr.dataset.position].name)"
    )


def is_drawn(browser, chart):
    """Whether a chart has more than its background: at least three colours in its middle."""
    return browser.run(
        """const canvas = document.querySelector(`#${arguments[0]} canvas`);
        if (!canvas) return false;
        const { width, height } = canvas;
        const { data } = canvas.getContext("2d").getImageData(width / 4, 0, width / 2, height);
        return new Set(new Uint32Array(data.buffer)).size >= 3;""",
        chart,
    )


def colours(browser, chart):
    return browser.run(
        "return document.querySelector(`#${arguments[0]} canvas`).toDataURL()", chart
    )


def check_opening(browser, page):
    seconds = min(open_page(browser, page) for _ in range(3))
    check("opens within a second", seconds < MOST_SECONDS, f"{seconds:.2f} s")
    size = page.stat().st_size
    check("is below 5 MB", size < MOST_BYTES, f"{size / 1e6:.2f} MB")
    fetched = {url for url in browser.requests() if not url.startswith(("chrome", "about:", "data:"))}
    check("fetches nothing but itself", fetched == {page.as_uri()}, ", ".join(fetched - {page.as_uri()}))
    said = browser.driver.find_element(By.ID, "summary").text
    check("judges the records", "Enough data" in said and "alone has" in said)
    for chart in ("overview-chart", "detail-chart"):
        check(f"draws {chart}", is_drawn(browser, chart))


def check_table(browser, rows):
    search = browser.driver.find_element(By.ID, "search")
    shown = lambda: browser.driver.find_element(By.ID, "shown").text
    every = [row["name"] for row in rows]
    check("lists all tensors", names(browser) == every[:500])

    word = every[len(every) // 2].split("/")[1][:12]
    search.send_keys(word)
    expected = [name for name in every if word in name]
    check(f"searches for {word}", names(browser) == expected, shown())
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys("no such tensor")
    check("finds nothing", names(browser) == [])
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys(Keys.DELETE)

    for flag in ("moving", "outlier", "infinite", "unobserved"):
        Select(browser.driver.find_element(By.ID, "filter")).select_by_value(flag)
        expected = [row["name"] for row in rows if flag in row["flags"].split()]
        check(f"filters by {flag}", names(browser) == expected[:500], shown())
    browser.driver.find_element(By.CSS_SELECTOR, "#counts [data-filter=outlier]").click()
    expected = [row["name"] for row in rows if "outlier" in row["flags"].split()]
    check("filters by a count of the summary", names(browser) == expected[:500])
    browser.driver.find_element(By.CSS_SELECTOR, "#counts [data-filter=all]").click()

    column = lambda title: browser.driver.find_element(By.XPATH, f"//table[@id='table']//th/button[.='{title}']")
    number = lambda row, key: float(row[key]) if row[key] else None
    for title, key in (("Outlier", "outlier_score"), ("Max", "moving_average_max")):
        known = [row for row in rows if number(row, key) is not None]
        for _ in range(2):
            column(title).click()
            order = column(title).find_element(By.XPATH, "..").get_attribute("aria-sort")
            expected = [number(row, key) for row in known]
            expected.sort(reverse=order == "descending")
            found = browser.run(
                "return [...document.querySelectorAll('#table tbody tr')].map((tr) => Number(tr.dataset.position))"
            )
            found = [number(rows[i], key) for i in found][: len(known)]
            check(f"sorts by {title}, {order}", found == expected[:500])
    column("#").click()
    check("sorts by position", names(browser) == every[:500])


def check_detail(browser, page, rows):
    title = lambda: browser.driver.find_element(By.ID, "detail-title").text
    before = colours(browser, "detail-chart")
    browser.driver.find_element(By.CSS_SELECTOR, "#table tbody tr:nth-child(4) button").click()
    check("selects a row", title() == rows[3]["name"] and colours(browser, "detail-chart") != before, title())
    browser.driver.find_element(By.ID, "next").click()
    check("goes on to the next", title() == rows[4]["name"])
    check("has an address", browser.driver.current_url.endswith(f"#tensor={rows[4]['subgraph']}:{rows[4]['tensor']}"))

    over = browser.driver.find_element(By.CSS_SELECTOR, "#overview-chart .u-over")
    ActionChains(browser.driver).move_to_element_with_offset(over, 100, 0).click().perform()
    selected = browser.run("return reportPage.selected.position")
    check("selects in the chart", selected > 4 and title() == rows[selected]["name"], title())
    readout = browser.driver.find_element(By.ID, "overview-readout").text
    check("reads the chart", rows[selected]["name"] in readout)

    over = browser.driver.find_element(By.CSS_SELECTOR, "#detail-chart .u-over")
    width = lambda: browser.run("const { min, max } = reportPage.detail.plot.scales.x; return max - min")
    whole = width()
    ActionChains(browser.driver).move_to_element_with_offset(over, -60, 0).click_and_hold().move_by_offset(120, 0).release().perform()
    zoomed = width()
    check("zooms", 0 < zoomed < whole / 2, f"{zoomed:.0f} of {whole:.0f} records")
    check("reads observations", "moving average [" in browser.driver.find_element(By.ID, "detail-readout").text)
    ActionChains(browser.driver).double_click(over).perform()
    check("shows all again", width() == whole)

    before = colours(browser, "overview-chart"), names(browser)
    browser.run("document.getElementById('mode').scrollIntoView({ block: 'center' })")
    Select(browser.driver.find_element(By.ID, "mode")).select_by_index(2)
    cells = browser.run("return [...document.querySelectorAll('#table tbody tr:nth-child(4) td')].map((it) => it.textContent)")
    largest = float(rows[3]["minmax_max"])
    check("changes the mode", colours(browser, "overview-chart") != before[0] and f"{largest:.4g}" in cells, f"{cells}")
    for chart in ("overview", "detail"):
        before = colours(browser, f"{chart}-chart")
        other = "linear" if chart == "overview" else "log"
        Select(browser.driver.find_element(By.ID, f"{chart}-scale")).select_by_value(other)
        check(f"changes the scale of {chart}", colours(browser, f"{chart}-chart") != before and is_drawn(browser, f"{chart}-chart"))

    last = rows[-1]
    open_page(browser, page, f"#tensor={last['subgraph']}:{last['tensor']}")
    check("opens at an address", title() == last["name"], title())
    text = browser.driver.find_element(By.ID, "detail-facts").text
    check("says why there are no observations", (last["observations"] != "0") == ("never observed" not in text), text)


def check_keyboard(browser, page):
    """Everything that a mouse does can be reached by Tab."""
    open_page(browser, page)
    reached = set()
    for _ in range(60):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        reached.add(browser.run("const it = document.activeElement; return it.id || it.closest('[id]')?.id || it.tagName"))
    needed = {"counts", "mode", "overview-scale", "search", "filter", "table"}
    check("is used by keyboard", needed <= reached, ", ".join(sorted(needed - reached)))
    unnamed = browser.run(
        """return [...document.querySelectorAll("button, select, input")].filter((it) =>
            it.checkVisibility() && !(it.textContent.trim() || it.getAttribute("aria-label") || it.labels?.length)).map((it) => it.outerHTML)"""
    )
    check("names all controls", not unnamed, str(unnamed))


def take_pictures(browser, page, rows, folder):
    worst = max(rows, key=lambda row: float(row["outlier_score"] or 0) if row["infinite"] == "0" else 0)
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.resize(1440, 1500)
        open_page(browser, page, f"#tensor={worst['subgraph']}:{worst['tensor']}")
        browser.picture(folder / f"{scheme}.png")
    paper = browser.run("return getComputedStyle(document.documentElement).backgroundColor")
    check("is dark where that is preferred", paper == "rgb(20, 23, 27)", paper)
    browser.resize(400, 1500)
    open_page(browser, page)
    browser.picture(folder / "narrow.png")
    sideways = browser.run("return document.documentElement.scrollWidth > innerWidth")
    check("fits a narrow screen", not sideways)
    # Paper stays light also here.
    browser.pdf(folder / "print.pdf")
    check("prints", (folder / "print.pdf").stat().st_size > 20_000)
    browser.scheme("light")


def main():
    page, table, folder = map(pathlib.Path, sys.argv[1:4])
    page, folder = page.resolve(), folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(csv.DictReader(table.open(newline="")))
    with Browser() as browser:
        check_opening(browser, page)
        check_table(browser, rows)
        check_detail(browser, page, rows)
        check_keyboard(browser, page)
        take_pictures(browser, page, rows, folder)
        complaints = browser.complaints()
        check("says nothing in the console", not complaints, "\n".join(complaints))
    print(f"pictures are in {folder}")
    sys.exit(1 if failures else 0)


main()
