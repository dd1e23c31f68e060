"""Headless Chromium for the tests of pages: what it says in its console, pictures, and colour schemes."""

import base64
import json
import pathlib
import shutil
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service


def program(*names):
    for name in names:
        if path := shutil.which(name):
            return path
    sys.exit(f"error: none of {', '.join(names)} is installed\nhint: on Debian and Ubuntu run scripts/browser-setup")


class Browser:
    """A window of Chromium; use it as a context."""

    def __init__(self, width=1440, height=1000):
        # Debian's start script counts megabytes of memory in a way that large machines break.
        binary = pathlib.Path("/usr/lib/chromium/chromium")
        options = Options()
        options.binary_location = str(binary) if binary.exists() else program("chromium", "google-chrome", "chrome")
        self.profile = tempfile.TemporaryDirectory(prefix="browser-")
        for argument in (
            "--headless=new",
            "--no-sandbox",  # Containers run as root.
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-component-update",
            "--disable-background-networking",
            "--hide-scrollbars",
            # Nothing outside of this machine is asked.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
            f"--user-data-dir={self.profile.name}",
            f"--window-size={width},{height}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(program("chromedriver")))
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.profile.cleanup()

    def resize(self, width, height):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def picture(self, path, whole=False):
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole, **self.clip(whole)})
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def clip(self, whole):
        if not whole:
            return {}
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def pdf(self, path):
        made = self.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False, "paperWidth": 8.27, "paperHeight": 11.69})
        pathlib.Path(path).write_bytes(base64.b64decode(made["data"]))

    def complaints(self):
        """What the console has at the level of warnings and errors since the last call."""
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self):
        """What was fetched since the last call."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [it["params"]["request"]["url"] for it in events if it["method"] == "Network.requestWillBeSent"]
