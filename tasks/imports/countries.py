"""ISO 3166 two-letter codes of countries, by the names that exports use."""

from __future__ import annotations

from functools import lru_cache

#: What shops and their customers write, in English and at home. The codes of three letters are ISO's.
_NAMES = """
AE: are, united arab emirates, uae
AR: arg, argentina
AT: aut, austria, österreich, oesterreich
AU: aus, australia
BE: bel, belgium, belgië, belgique, belgien
BG: bgr, bulgaria
BR: bra, brazil, brasil
CA: can, canada
CH: che, switzerland, schweiz, suisse, svizzera
CL: chl, chile
CN: chn, china
CO: col, colombia
CY: cyp, cyprus
CZ: cze, czech republic, czechia, česko, česká republika
DE: deu, germany, deutschland, tyskland, allemagne, alemania
DK: dnk, denmark, danmark, dänemark
EE: est, estonia, eesti
ES: esp, spain, españa, espana, spanien, espagne
FI: fin, finland, suomi, finnland
FR: fra, france, frankreich, frankrike, francia
GB: gbr, united kingdom, uk, great britain, england, scotland, wales, northern ireland, u.k.
GR: grc, greece, ελλάδα
HK: hkg, hong kong
HR: hrv, croatia, hrvatska
HU: hun, hungary, magyarország
ID: idn, indonesia
IE: irl, ireland, éire
IL: isr, israel
IN: ind, india
IS: isl, iceland, ísland
IT: ita, italy, italia, italien, italie
JP: jpn, japan
KR: kor, south korea, korea, republic of korea
LT: ltu, lithuania, lietuva
LU: lux, luxembourg, luxemburg
LV: lva, latvia, latvija
MX: mex, mexico, méxico
MY: mys, malaysia
NL: nld, netherlands, the netherlands, nederland, holland, niederlande, pays-bas
NO: nor, norway, norge, norwegen
NZ: nzl, new zealand
PH: phl, philippines
PL: pol, poland, polska, polen
PT: prt, portugal
RO: rou, romania, românia
RS: srb, serbia
RU: rus, russia, russian federation
SA: sau, saudi arabia
SE: swe, sweden, sverige, schweden
SG: sgp, singapore
SI: svn, slovenia, slovenija
SK: svk, slovakia, slovensko
TH: tha, thailand
TR: tur, turkey, türkiye
TW: twn, taiwan
UA: ukr, ukraine
US: usa, united states, united states of america, u.s.a., u.s., america
VN: vnm, vietnam, viet nam
ZA: zaf, south africa
"""
_CODES = {
    name: code
    for code, _, names in (line.partition(": ") for line in _NAMES.strip().splitlines())
    for name in names.split(", ")
}


@lru_cache(maxsize=1024)
def country_code(text: str) -> str | None:
    """Return the code of a country, given its code or its name; None if it is unknown."""
    name = text.strip()
    if len(name) == 2 and name.isascii() and name.isalpha():
        return {"UK": "GB"}.get(name.upper(), name.upper())
    return _CODES.get(name.casefold())


def is_country(code: str | None) -> bool:
    """Return True if phonenumbers knows a country of this code."""
    from phonenumbers import SUPPORTED_REGIONS  # here, not above: slow to import, and not needed without a country

    return code in SUPPORTED_REGIONS
