"""The pages that a plan reads at Klaviyo to know how many there are. Nothing of them is kept but times and counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schedules.plan.density import Curve, Page, Survey
from schedules.pull.resources import moment
from schedules.pull.stream import Partition, Stream, TimeField
from worker.action import Action
from worker.api.jsonapi import Envelope
from worker.api.paging import listed, next_page
from worker.errors import Malformed

#: Pages that are counted one by one of a list that cannot be asked for from a time on; a longer one is told as such.
COUNTED = 10

#: Seconds that an answer takes, where none has been measured.
USUAL = 0.2

Ask = Callable[[Action[Any], Mapping[str, Any]], Envelope]


def ask_now(account: str) -> Ask:
    """Ask in this process, within the budget and before what waits in bulk."""
    return lambda action, params: action.on(account, lane="now")(**params)


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows a window seems to have: ``off`` is the share by which that may be wrong, ``whole`` that it is not
    the least that there are.
    """

    curve: Curve
    off: float = 0.0
    whole: bool = True


@dataclass(slots=True)
class Probes:
    """The requests that a plan has made, and how long Klaviyo took to answer each."""

    ask: Ask
    seconds: list[float] = field(default_factory=list)
    _whole: bool = True

    @property
    def latency(self) -> float:
        """Seconds that an answer usually takes."""
        return statistics.median(self.seconds) if self.seconds else USUAL

    def count(self, stream: Stream, partition: Partition) -> tuple[int, int, bool]:
        """The rows and the pages of a list from its first one on, as far as that is cheap; whether these are all."""
        assert stream.action is not None
        declaration, rows = stream.action.declaration, 0
        params: Mapping[str, Any] = stream.request(partition)
        for page in range(1, COUNTED + 1):
            envelope = self._get(stream.action, params)
            rows += len(listed(declaration, envelope))
            following = next_page(declaration, declaration.bind(params), envelope)
            if following is None:
                return rows, page, True
            params = following
        return rows, COUNTED, False

    def survey(
        self, stream: Stream, partition: Partition, by: TimeField, since: datetime | None, until: datetime | None
    ) -> Found:
        """The rows of a window, by its first page and, if there are more, its last and some in between."""
        assert stream.page_size is not None
        self._whole = True
        times, more = self._page(stream, stream.request(partition, by, since, until), by)
        begin = since.timestamp() if since else min(times, default=0.0)
        end = until.timestamp() if until else max(times, default=begin)
        survey = Survey(stream.page_size)
        if not more:
            survey.add(Page.read(begin, max(end, begin), times))
            return Found(survey.curve())
        survey.add(_forwards(begin, times))
        last, _ = self._page(stream, _sparse(stream, partition, by, since, until, f"-{by.name}"), by)
        if last:
            survey.add(_backwards(end if until else max(last), last))
        while (look := survey.look()) is not None:
            at = datetime.fromtimestamp(look, UTC)
            times, more = self._page(stream, _sparse(stream, partition, by, at, until, by.name), by)
            times = [each for each in times if each >= look]
            survey.add(_forwards(look, times) if more and times else Page.read(look, survey.pages[-1].end, times))
        return Found(survey.curve(), survey.error, self._whole)

    def _page(self, stream: Stream, params: Mapping[str, Any], by: TimeField) -> tuple[list[float], bool]:
        """The times of a page's rows, and whether there is another page. One that does not get beyond a second is read
        on: rows of the same second cannot be asked for by time.
        """
        assert stream.action is not None
        declaration, take = stream.action.declaration, moment(by.name)
        times: list[float] = []
        for _ in range(COUNTED):
            envelope = self._get(stream.action, params)
            page = [take(each) for each in listed(declaration, envelope)]
            if page and not any(page):
                raise Malformed(declaration.name, f"no row of a page has a {by.name!r}")
            times += [at.timestamp() for at in page if at]
            following = next_page(declaration, declaration.bind(params), envelope)
            if following is None or len({int(each) for each in times}) > 1:
                return times, following is not None
            params = following
        if not times:
            raise Malformed(declaration.name, f"{COUNTED} pages are empty, and there is another")
        self._whole = False
        return times, True

    def _get(self, action: Action[Any], params: Mapping[str, Any]) -> Envelope:
        began = time.monotonic()
        envelope = self.ask(action, params)
        self.seconds.append(time.monotonic() - began)
        return envelope


def _forwards(begin: float, times: list[float]) -> Page:
    """What a page shows that was asked for from ``begin``: of its last second there may be more on the next one."""
    end = float(int(max(times)))
    end = end if end > begin else begin + 1
    return Page.read(begin, end, [each for each in times if each < end])


def _backwards(end: float, times: list[float]) -> Page:
    """The same for one that was read towards the past."""
    begin = min(float(int(min(times))) + 1, end)
    return Page.read(begin, end, [each for each in times if each >= begin], backwards=True)


def _sparse(
    stream: Stream, partition: Partition, by: TimeField, since: datetime | None, until: datetime | None, sort: str
) -> dict[str, Any]:
    """A window's first page with no more of each row than its time."""
    asked = stream.request(partition, by, since, until)
    bare = {name: value for name, value in asked.items() if name not in stream.params}
    return {**bare, "sort": sort, f"fields_{stream.name.removesuffix('s')}": [by.name]}
