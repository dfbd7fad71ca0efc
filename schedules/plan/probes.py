"""The pages that an estimate reads from Klaviyo to find out how many there are. It keeps only times and counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schedules.plan.density import Curve, Sample, Survey
from schedules.pull.definition import Partition, Stream
from schedules.pull.resources import moment
from schedules.pull.watermark import TimeField
from worker.action import Action
from worker.api.jsonapi import Envelope
from worker.api.paging import listed, next_page
from worker.errors import Malformed

#: Pages that are counted of a list that cannot be requested from a time on; a longer one is reported as "at least".
MAX_COUNTED_PAGES = 10

#: How long Klaviyo takes to answer, if that has not been measured.
USUAL_LATENCY_S = 0.2

Ask = Callable[[Action[Any], Mapping[str, Any]], Envelope]


def ask_now(account: str) -> Ask:
    """Return a function that makes requests in this process, within the budget and ahead of the bulk lane."""
    return lambda action, params: action.on(account, lane="now")(**params)


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows a window seems to have.

    ``uncertainty``: the share by which that may be wrong. Not ``whole``: there may be any number more.
    """

    curve: Curve
    uncertainty: float = 0.0
    whole: bool = True


@dataclass(slots=True)
class Probes:
    """Makes the requests of an estimate, and records how long Klaviyo took to answer each."""

    ask: Ask
    seconds: list[float] = field(default_factory=list)
    _whole: bool = True

    @property
    def latency(self) -> float:
        """Return the seconds that Klaviyo usually takes to answer."""
        return statistics.median(self.seconds) if self.seconds else USUAL_LATENCY_S

    def count(self, stream: Stream, partition: Partition) -> tuple[int, int, bool]:
        """Count the rows and the pages of a list, `MAX_COUNTED_PAGES` of them at most; True if these are all."""
        assert stream.action is not None
        declaration, rows = stream.action.declaration, 0
        params: Mapping[str, Any] = stream.request(partition)
        for page in range(1, MAX_COUNTED_PAGES + 1):
            envelope = self._get(stream.action, params)
            rows += len(listed(declaration, envelope))
            following = next_page(declaration, declaration.bind(params), envelope)
            if following is None:
                return rows, page, True
            params = following
        return rows, MAX_COUNTED_PAGES, False

    def survey(
        self, stream: Stream, partition: Partition, by: TimeField, since: datetime | None, until: datetime | None
    ) -> Found:
        """Estimate the rows of a window by its first page and, if there are more, its last page and some in between."""
        assert stream.page_size is not None
        self._whole = True
        times, more = self._page(stream, stream.request(partition, by, since, until), by)
        begin = since.timestamp() if since else min(times, default=0.0)
        end = until.timestamp() if until else max(times, default=begin)
        survey = Survey(stream.page_size)
        if not more:
            survey.add(Sample.read(begin, max(end, begin), times))
            return Found(survey.curve())
        survey.add(_forwards(begin, times))
        last, _ = self._page(stream, _sparse(stream, partition, by, since, until, f"-{by.name}"), by)
        if last:
            survey.add(_backwards(end if until else max(last), last))
        while (next_time := survey.next_time()) is not None:
            at = datetime.fromtimestamp(next_time, UTC)
            times, more = self._page(stream, _sparse(stream, partition, by, at, until, by.name), by)
            times = [each for each in times if each >= next_time]
            survey.add(
                _forwards(next_time, times) if more and times else Sample.read(next_time, survey.pages[-1].end, times)
            )
        return Found(survey.curve(), survey.error, self._whole)

    def _page(self, stream: Stream, params: Mapping[str, Any], by: TimeField) -> tuple[list[float], bool]:
        """Return the times of a page's rows, and whether there is another page.

        If all rows are of the same second, the next page is read too: it cannot be requested by time.
        """
        assert stream.action is not None
        declaration, take = stream.action.declaration, moment(by.name)
        times: list[float] = []
        for _ in range(MAX_COUNTED_PAGES):
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
            raise Malformed(declaration.name, f"{MAX_COUNTED_PAGES} pages are empty, and there is another")
        self._whole = False
        return times, True

    def _get(self, action: Action[Any], params: Mapping[str, Any]) -> Envelope:
        began = time.monotonic()
        envelope = self.ask(action, params)
        self.seconds.append(time.monotonic() - began)
        return envelope


def _forwards(begin: float, times: list[float]) -> Sample:
    """Make a sample of a page requested from ``begin``, without its last second, which the next page may continue."""
    end = float(int(max(times)))
    end = end if end > begin else begin + 1
    return Sample.read(begin, end, [each for each in times if each < end])


def _backwards(end: float, times: list[float]) -> Sample:
    """Make a sample of a page that was read backwards from ``end``, likewise."""
    begin = min(float(int(min(times))) + 1, end)
    return Sample.read(begin, end, [each for each in times if each >= begin], backwards=True)


def _sparse(
    stream: Stream, partition: Partition, by: TimeField, since: datetime | None, until: datetime | None, sort: str
) -> dict[str, Any]:
    """Return the parameters of a window's first page with nothing but the time of each row."""
    asked = stream.request(partition, by, since, until)
    bare = {name: value for name, value in asked.items() if name not in stream.params}
    return {**bare, "sort": sort, f"fields_{stream.name.removesuffix('s')}": [by.name]}
