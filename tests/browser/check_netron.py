"""Opens a model with ranges in Netron, in headless Chromium, and checks that it shows the ranges that `inspect` lists:
those of the results of all operators and of the model's inputs.

check_netron.py MODEL LISTING PICTURE: an output model, its `inspect --json`, and a picture to take."""

import json
import pathlib
import re
import struct
import sys
import time

import netron
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.support.ui import WebDriverWait

from browser import Browser

RANGE = re.compile(r"(?:(\S+) ≤ )?q(?: ≤ (\S+))?")

# What the side bar says about each argument: its name, and its quantization if it has one.
ARGUMENTS = """
return [...document.querySelectorAll("#sidebar .sidebar-item-value")].map((it) =>
    [...it.querySelectorAll(".sidebar-item-value-line, .sidebar-item-value-line-border")].flatMap((line) => line.innerText.split("\\n")));
"""


def single(number):
    """Rounded to single precision, as models have it."""
    return struct.unpack("<f", struct.pack("<f", float(number)))[0]


def expected_ranges(listing):
    """By name: the ranges of the first subgraph's tensors."""
    tensors = listing["subgraphs"][0]["tensors"]
    ranges = ((it["name"], it["quantization"]) for it in tensors if it["quantization"])
    return {name: (single(q["min"][0]), single(q["max"][0])) for name, q in ranges if len(q.get("min", [])) == 1}


def shown_ranges(browser):
    """By name: what Netron shows of all arguments of all nodes."""
    shown = {}
    nodes = browser.run("return [...document.querySelectorAll('g.graph-node[id^=node-id-]')].map((it) => it.id)")
    for node in nodes:
        browser.run("document.querySelector('#sidebar-closebutton')?.click()")
        browser.run(
            "document.querySelector(`#${CSS.escape(arguments[0])} .node-item-type`)"
            ".dispatchEvent(new MouseEvent('click', { bubbles: true }))",
            node,
        )
        WebDriverWait(browser.driver, 5).until(lambda _: browser.run("return document.querySelector('#sidebar-title')?.textContent === 'Node Properties'"))
        browser.run("document.querySelectorAll('#sidebar .sidebar-item-value-expander').forEach((it) => it.innerText === '+' && it.click())")
        for lines in browser.run(ARGUMENTS):
            name = next((line.removeprefix("name: ") for line in lines if line.startswith("name: ")), None)
            for line in lines:
                if name and (found := RANGE.fullmatch(line.strip())) and any(found.groups()):
                    # Netron leaves zeros away.
                    shown[name] = tuple(single(it or 0) for it in found.groups())
    return shown


def main():
    model, listing, picture = map(pathlib.Path, sys.argv[1:4])
    expected = expected_ranges(json.loads(listing.read_text()))
    host, port = netron.start(str(model), browse=False)
    try:
        with Browser(1500, 1000) as browser:
            browser.driver.get(f"http://{host}:{port}")
            accept = "return [...document.querySelectorAll('button')].find((it) => it.innerText.trim() === 'Accept')"
            is_open = lambda _: browser.run("return document.querySelector('g.graph-node') !== null")
            try:
                WebDriverWait(browser.driver, 5).until(lambda _: is_open(_) or browser.run(accept))
                browser.run(accept + "?.click()")
                WebDriverWait(browser.driver, 20).until(is_open)
            except TimeoutException:
                browser.picture(picture)
                sys.exit(f"error: Netron does not open {model}; see {picture}")
            time.sleep(0.5)
            shown = shown_ranges(browser)
            browser.picture(picture)
    finally:
        netron.stop()
    wrong = {name: (shown.get(name), range_) for name, range_ in expected.items() if shown.get(name) != range_}
    for name, (found, range_) in wrong.items():
        print(f"FAILED {name}: Netron shows {found}, not {range_}")
    print(f"{len(expected) - len(wrong)} of {len(expected)} ranges are shown by Netron; {picture}")
    sys.exit(1 if wrong or not expected else 0)


main()
