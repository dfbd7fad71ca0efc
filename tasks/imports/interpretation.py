"""Find out what a file is and how its values are written, before its rows are imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import cast

from tasks.imports.amounts import infer_decimal, is_ambiguous_amount
from tasks.imports.cards import CARDS, are_cards
from tasks.imports.cells import tidy_cells
from tasks.imports.consents import CONSENT_BY_KIND as CONSENTS
from tasks.imports.consents import channels, consent_rows
from tasks.imports.dates import infer_order, is_ambiguous_date
from tasks.imports.exports import NONE, Matched, export_named, match_columns, recognise
from tasks.imports.fields import Field
from tasks.imports.further_rows import leave_out_further_rows
from tasks.imports.grid import Grid
from tasks.imports.kinds import KINDS, VARIANTS, Kind
from tasks.imports.options import Options
from tasks.imports.orders import COST, ITEM_ID, ITEMS, ORDERED_PRODUCT, group_orders, list_ordered_products
from tasks.imports.plan import Plan, compile_plan
from tasks.imports.products import PRODUCT_ID, VARIANT_ID, item_rows, variant_rows
from tasks.imports.sources import Batch, Source, count_reject_columns
from tasks.imports.withheld import is_secret
from worker.errors import InputError

#: Rows that a column is judged by. More are read only for a column that can be read in two ways.
SAMPLE_ROWS = 1_000

_DATES = "day-first or month-first with --dates, or map it like 'x=properties.x:day-first'"
_DECIMALS = "decimal-comma or decimal-point with --decimals, or map it like 'x=properties.x:decimal-comma'"
#: For each form: what proves how its values are written, which values need that proof, and how to say it.
_EVIDENCE: Mapping[str, tuple[Callable[[str], str | None], Callable[[str], bool], str]] = {
    "time": (infer_order, is_ambiguous_date, _DATES),
    "day": (infer_order, is_ambiguous_date, _DATES),
    "number": (infer_decimal, is_ambiguous_amount, _DECIMALS),
}


def interpret(source: Source, kind: str, options: Options, say: str = "--map ") -> tuple[Source, Plan]:
    """Return the source with its rows as its export means them, and the plan that makes requests of them.

    Raises:
        InputError: a column leads nowhere, an option is wrong, or a column can be read in two ways.
        SourceError: the source is not what it claims to be.

    """
    try:
        found = _matched(source, kind, options)
    except ValueError as error:
        raise InputError(f"import {kind}", [str(error)]) from None
    left_out: Mapping[str, str] = {}
    if found is not None and options.consent:
        source, options = _as_consent(source, kind, found, options)
    elif found is not None:
        source, options = _as_export(source, KINDS[kind], found, options)
        left_out = found.left_out
    source, cards = _card_columns(source, kind, options)
    left_out = {**left_out, **dict.fromkeys(cards, CARDS)}
    options = replace(options, mapping=(*options.mapping, *(f"{name}=" for name in cards)))
    plan = compile_plan(kind, source.columns, options, say)
    plan = replace(plan, export=found.export.name if found else None, left_out={**left_out, **plan.left_out})
    return _with_styles(source, plan)


def _matched(source: Source, kind: str, options: Options) -> Matched | None:
    if options.export == NONE or source.columns is None:
        return None
    header = source.columns[count_reject_columns(source.columns) :]
    export = export_named(options.export) if options.export else recognise(header)
    wanted = "profiles" if options.consent and kind in CONSENTS else KINDS.get(kind, KINDS["profiles"]).exported
    is_variants = export is not None and export.catalog is not None and wanted == VARIANTS
    if export is None or (wanted != export.kind and not is_variants):
        if options.consent:
            raise ValueError(
                "--consent needs a known export, whose columns of consent are known: say with --as which it is"
            )
        return None
    columns = export.catalog.variants if is_variants and export.catalog else None
    return match_columns(export, header, options.mapping, columns)


def _as_consent(source: Source, kind: str, found: Matched, options: Options) -> tuple[Source, Options]:
    """Keep the rows of those who said yes or no to marketing, with their addresses and nothing else."""
    assert source.columns is not None
    if not channels(found, kind, source.name):
        raise InputError(f"import {kind}", [f"{found.export.title} have no column for it"])
    leads = (each.removesuffix(":international") for each in (*found.mapping, *options.mapping))
    fields = KINDS[kind].identifiers
    reach = [each for each in leads if each.rpartition("=")[2] in fields]
    kept = {each.rpartition("=")[0] for each in reach}
    header = source.columns[count_reject_columns(source.columns) :]
    source = consent_rows(source, found, kind, options.region())
    mapping = (*reach, *(f"{name}=" for name in header if name not in kept))
    return source, replace(options, mapping=mapping)


def _as_export(source: Source, kind: Kind, found: Matched, options: Options) -> tuple[Source, Options]:
    export, fixed = found.export, dict(options.fixed)
    if export.metric and not any(each.endswith("=metric") for each in options.mapping):
        fixed.setdefault("metric", export.metric)
    if fixed.get("metric") not in (export.metric, ORDERED_PRODUCT):
        found = replace(found, no_order={})
    for field, column in found.seconds.items():
        fixed.setdefault(field, f"{{{column}}}")
    mapping = [*found.mapping]
    if export.one_by and export.one_by in (source.columns or ()):
        source = leave_out_further_rows(source, export.one_by)
    if found.order and fixed.get("metric") == ORDERED_PRODUCT:
        source = list_ordered_products(source, found, options.decimals)
        items = {name: f"properties.{key}:{type}" for key, (name, type) in found.items.items()}
        kept = [each for each in mapping if each.rpartition("=")[0] not in items]
        mapping = [each for each in kept if not each.endswith(("=unique_id", "=value"))]
        mapping += [f"{each.rpartition('=')[0]}=" for each in kept if each.endswith(("=unique_id", "=value"))]
        mapping += [f"{name}={target}" for name, target in items.items()]
        mapping += [
            f"{COST}=value:decimal-point",
            f"{ITEM_ID}=unique_id",
        ]  # computed here, whatever the file's decimal mark
    elif found.order:
        source = group_orders(source, found, options.decimals)
        mapping.append(f"{ITEMS}=properties.{ITEMS}:json")
    elif export.catalog and kind.exported == VARIANTS:
        source = variant_rows(source, export.catalog)
        mapping += [f"{VARIANT_ID}=external_id", f"{PRODUCT_ID}=item_id"]
        fixed.setdefault("sku", f"{{{VARIANT_ID}}}")  # Klaviyo requires one, and many shops have none
        fixed.setdefault("inventory_quantity", 0)  # the same; without an inventory policy, 0 hides no variant
    elif export.catalog:
        source = item_rows(source, export.catalog)
        mapping.append(f"{PRODUCT_ID}=external_id")
    own = {each.rpartition("=")[0] for each in options.mapping}
    mapping = [each for each in mapping if each.rpartition("=")[0] not in own]
    if kind.rest and "*" not in own:
        mapping.append(f"*={kind.rest}.*")
    return source, replace(
        options,
        mapping=(*mapping, *options.mapping),
        fixed=fixed,
        time_zone=export.time_zone or options.time_zone,
    )


def _card_columns(source: Source, kind: str, options: Options) -> tuple[Source, list[str]]:
    """Find columns of card numbers among those that neither a name nor a mapping identifies."""
    if source.columns is None or kind not in KINDS:
        return source, []
    own = {each.rpartition("=")[0] for each in options.mapping} | {*KINDS[kind].fields}
    header = source.columns
    asked = [place for place in range(count_reject_columns(header), len(header)) if header[place] not in own]
    asked = [place for place in asked if not is_secret(header[place])]
    if not asked:
        return source, []
    source, batches = _first_batches(source)
    return source, [
        header[place] for place in asked if are_cards([cell for batch in batches for cell in _column(batch, place)])
    ]


def _first_batches(source: Source) -> tuple[Source, list[Batch]]:
    """Return the batches that columns are judged by, and the source as if they had not been read."""
    batches, read, rows = source.batches(), [], 0
    for batch in batches:
        read.append(batch)
        rows += len(batch.rows)
        if rows >= SAMPLE_ROWS:
            break
    if not source.rereadable:
        again: Iterator[Batch] = chain(read, batches)
        source = replace(source, batches=lambda: again)
    return source, read


def _with_styles(source: Source, plan: Plan) -> tuple[Source, Plan]:
    """Return the plan with the style of each column whose values prove one."""
    if plan.header is None:
        return source, plan
    given = {"time": plan.options.dates, "day": plan.options.dates, "number": plan.options.decimals}
    open = {
        place: field
        for place, field in plan.columns.items()
        if field.form in _EVIDENCE and not field.style and not given[field.form]
    }
    styles = {
        place: str(given[field.form])
        for place, field in plan.columns.items()
        if not field.style and given.get(field.form)
    }
    if open:
        source, found = _evidence(source, open)
        styles |= found
    if not styles:
        return source, plan
    columns = {place: replace(each, style=styles.get(place, each.style)) for place, each in plan.columns.items()}
    fields = {**plan.fields, **{each.name: each for each in columns.values()}}
    return source, replace(plan, columns=columns, fields=fields)


def _evidence(source: Source, open: Mapping[int, Field]) -> tuple[Source, dict[int, str]]:
    """Return the styles that values prove. A date column that proves nothing is like the file's others."""
    batches = source.batches()
    read: list[Batch] = []
    styles: dict[int, str] = {}
    asking: set[int] = set()
    rows = 0
    for batch in batches:
        read += [] if source.rereadable else [batch]
        rows += len(batch.rows)
        for place in open.keys() - styles.keys():
            _judge_cells(place, open[place], _column(batch, place), styles, asking)
        if rows >= SAMPLE_ROWS and (asking <= styles.keys() or not source.rereadable):
            break
    if not source.rereadable:
        again: Iterator[Batch] = chain(read, batches)
        source = replace(source, batches=lambda: again)
    for form in ("time", "number"):
        alike = {styles[place] for place, field in open.items() if place in styles and _is_of_form(field.form, form)}
        for place in asking - styles.keys():
            if _is_of_form(open[place].form, form) and len(alike) == 1:
                styles[place] = next(iter(alike))
    if undecided := sorted(asking - styles.keys()):
        assert source.columns is not None
        names = ", ".join(repr(source.columns[place]) for place in undecided)
        how = " and ".join(dict.fromkeys(_EVIDENCE[open[place].form][2] for place in undecided))
        raise InputError("import", [f"the values of column {names} can be read in two ways: say {how}"])
    return source, styles


def _is_of_form(form: str, other: str) -> bool:
    return (form == "number") == (other == "number")


def _judge_cells(place: int, field: Field, cells: Sequence[str], styles: dict[int, str], asking: set[int]) -> None:
    proves, is_ambiguous, _ = _EVIDENCE[field.form]
    for cell in dict.fromkeys(cells):  # in their order, so that a resumed run finds the same
        if cell and (style := proves(cell)):
            styles[place] = style
            return
        if cell and is_ambiguous(cell):
            asking.add(place)


def _column(batch: Batch, place: int) -> Sequence[str]:
    if isinstance(batch.rows, Grid):
        return tidy_cells(batch.rows.column(place))
    return tidy_cells([row[place] if len(row) > place else "" for row in cast(Sequence[Sequence[str]], batch.rows)])
