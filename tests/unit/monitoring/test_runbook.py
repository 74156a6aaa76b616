"""Whoever is told by an alert finds out what to do: each alert has its paragraph, and each paragraph its alert."""

from __future__ import annotations

import re

import pytest
from deploy.monitoring import generate
from deploy.monitoring.alerts import ALERTS, Alert

from codesieve.server.__main__ import main

TEXT = (generate.HERE / "RUNBOOK.md").read_text()
PARAGRAPHS = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=\n\n|\Z)", TEXT, re.MULTILINE | re.DOTALL))


def test_each_alert_has_a_paragraph_and_each_paragraph_an_alert() -> None:
    assert list(PARAGRAPHS) == [alert.name for alert in ALERTS]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_paragraph_says_what_it_means_what_users_feel_where_to_look_and_what_to_do(alert: Alert) -> None:
    text = PARAGRAPHS[alert.name].replace("\n", " ")
    assert text.startswith(f"*{alert.severity}* · **Means** ")
    places = [text.index(f"**{part}** ") for part in ("Means", "Users feel", "Look", "Do")]
    assert places == sorted(places)
    assert alert.anchor == alert.name.lower()  # as Markdown's headings are linked


def test_alerts_have_names_of_their_own_and_a_runbook_in_the_rules() -> None:
    names = [alert.name for alert in ALERTS]
    assert len(set(names)) == len(names)
    for alert in ALERTS:
        assert f"runbook_url: {generate.RUNBOOK}#{alert.anchor}\n" in generate.rules()


def test_the_runbook_names_options_that_there_are() -> None:
    options = {name for one in main.params for name in one.opts}
    assert set(re.findall(r"`(--[a-z-]+)", TEXT)) <= options
    for dashboard in re.findall(r"(?:overview|training|sandboxes|job), \*([^*]+)\*", TEXT.replace("\n", " ")):
        titles = "".join(path.read_text() for path in (generate.HERE / generate.DASHBOARDS).glob("*.json"))
        assert f'"title": "{dashboard}"' in titles
