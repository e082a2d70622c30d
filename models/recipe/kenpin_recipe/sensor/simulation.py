"""Simulated sensor text: what a flash tester and a PLC might print about each ELPV cell.

**Simulated.** ELPV holds images and labels only. Every value here is drawn, seeded by cell, from the annotators'
defect probability and the cell type, and from nothing else: no pixel is looked at. So the text tells of the label by
construction, no more than the constants below let it, and every figure that uses it, fused ones too, is simulated.

Taken from publications:

- Cracks that still conduct (modes A, B) cost little at once and act as series resistance; parts that are cut off
  (mode C) are inactive area. Koentges et al. 2011, Solar Energy Materials and Solar Cells 95, 1131-1137; Koentges et
  al. 2014, Review of Failures of Photovoltaic Modules, IEA PVPS T13-01.
- Cracks over 1 to 58 % of a cell: no considerable loss where small, up to some 60 % of the power where large. Dhimish
  and Hu 2022, Scientific Reports 12, 12168.
- Fill factor with series and shunt resistance: the empirical expressions of Green 1982 (series) and 1992 (shunt), as
  given in Applied Photovoltaics, equations 3.20 and 3.23; ideal fill factor of Green 1981, Solid-State Electronics 24,
  788-789. Open-circuit voltage with a shunt: the one-diode equation at zero current. Inactive area leaves the voltage
  as it is, for photocurrent and dark current shrink alike.
- Labels and types: Buerhop-Lutz et al. 2018; Deitsch et al. 2019.

Assumed, with no source but plausible size: how often a doubtful or defective cell has each loss and how large it is
(`LOSSES`), that mono cells crack more and poly cells shunt more, what a sound cell of each type measures (`SOUND`),
spread and noise (`SPREAD`), temperature coefficients, and that a cracked cell makes the tester flash twice more often.
"""

import random
from dataclasses import asdict, dataclass, fields
from math import exp, log

from ..data import Sample

SEED = 1  # of the one simulated set that every model learns from and is judged by
THERMAL_VOLTAGE = 0.025693  # volt, kT/q at 25 degrees Celsius
LEAST_SHUNT = 3.0  # in units of open-circuit voltage over short-circuit current
OVER_RANGE = 99.9  # ohm, the most that the tester prints


@dataclass(frozen=True)
class Sound:
    """What a sound cell of one type (156 mm wide) measures at 25 degrees Celsius."""

    current: float  # ampere, short circuit
    voltage: float  # volt, open circuit
    series: float  # milliohm
    shunt: float  # ohm, median


@dataclass(frozen=True)
class Loss:
    """How one loss depends on the defect probability p: its chance is floor + slope * p, its size exponential."""

    floor: float  # chance at p = 0
    slope: float  # what is added to it at p = 1
    mean: float  # of the size, where there is a loss


SOUND = {"mono": Sound(9.10, 0.634, 4.0, 45.0), "poly": Sound(8.70, 0.622, 4.3, 35.0)}
LOSSES = {  # inactive: share of the area; crack: milliohm; shunt: factor by which the resistance falls, on a log scale
    "mono": {"inactive": Loss(0.05, 0.45, 0.07), "crack": Loss(0.08, 0.57, 2.0), "shunt": Loss(0.04, 0.26, 1.5)},
    "poly": {"inactive": Loss(0.04, 0.40, 0.07), "crack": Loss(0.06, 0.49, 2.0), "shunt": Loss(0.06, 0.39, 1.5)},
}
MOST_INACTIVE = 0.58  # share of the area
SPREAD = {"current": 0.012, "voltage": 0.006, "series": 0.12, "shunt": 0.5, "temperature": 0.8}
CURRENT_PER_KELVIN, VOLTAGE_PER_KELVIN = 0.0005, -0.0021  # share, volt
SECOND_FLASH = (0.04, 0.25)  # chance without and with a crack


@dataclass(frozen=True)
class Measurement:
    """What is printed of one cell, rounded as printed; the names are the keys of the reading."""

    type: str  # mono or poly, as the line's recipe names it
    isc: float  # ampere
    voc: float  # volt
    ff: float  # per cent
    pmpp: float  # watt
    rs: float  # milliohm
    rsh: float  # ohm
    temp: float  # degrees Celsius
    flashes: int  # 1 or 2


NUMBERS = tuple(field.name for field in fields(Measurement) if field.name not in ("type", "flashes"))


def measure(cell: Sample, seed: int = SEED) -> Measurement:
    """The simulated measurement of `cell`; the same for the same stem, probability, type and seed. Opens no image."""
    draw = random.Random(f"{seed}:{cell.stem}")  # seeded by the SHA-512 of the text
    sound, losses = SOUND[cell.kind], LOSSES[cell.kind]
    size = {name: _size(loss, cell.probability, draw) for name, loss in losses.items()}
    warmer = draw.gauss(0, SPREAD["temperature"])
    current = sound.current * (1 - min(size["inactive"], MOST_INACTIVE)) * (1 + draw.gauss(0, SPREAD["current"]))
    current *= 1 + CURRENT_PER_KELVIN * warmer
    voltage = sound.voltage * (1 + draw.gauss(0, SPREAD["voltage"])) + VOLTAGE_PER_KELVIN * warmer
    series = sound.series * exp(draw.gauss(0, SPREAD["series"])) + size["crack"]
    shunt = sound.shunt * exp(draw.gauss(0, SPREAD["shunt"]) - 2 * size["shunt"])
    shunt = max(shunt, LEAST_SHUNT * voltage / current)
    flashes = 1 + (draw.random() < SECOND_FLASH[size["crack"] > 0])
    factor = fill_factor(voltage, current, series / 1000, shunt)
    voltage += THERMAL_VOLTAGE * log(1 - voltage / (current * shunt))
    return Measurement(
        cell.kind, round(current, 2), round(voltage, 4), round(100 * factor, 1), round(current * voltage * factor, 2),
        round(series, 1), round(min(shunt, OVER_RANGE), 1), round(25 + warmer, 1), flashes,
    )  # fmt: skip


def fill_factor(voltage: float, current: float, series: float, shunt: float) -> float:
    """Fill factor (0..1) from volt, ampere and ohm: Green 1981, 1982, 1992, ideality 1, at 25 degrees Celsius."""
    normal = voltage / THERMAL_VOLTAGE
    ideal = (normal - log(normal + 0.72)) / (normal + 1)
    series, shunt = series * current / voltage, shunt * current / voltage
    cracked = ideal * (1 - 1.1 * series) + series**2 / 5.4
    return cracked * (1 - (normal + 0.7) / normal * cracked / shunt)


def report(measured: Measurement) -> str:
    """The lines that tester and PLC print, joined by ` | ` to one text of at most 128 bytes of ASCII."""
    lines = (
        f"RCP {measured.type.upper()}156",
        f"ISC {measured.isc:5.2f} A",
        f"VOC {measured.voc:.4f} V",
        f"FF {measured.ff:4.1f} %",
        f"PMPP {measured.pmpp:4.2f} W",
        f"RS {measured.rs:4.1f} mohm",
        f"RSH {measured.rsh:4.1f} ohm",
        f"T {measured.temp:4.1f} C",
        f"FLASH {measured.flashes} OK",
    )
    return " | ".join(lines)


def readings(cell: Sample, seed: int = SEED) -> dict[str, str | float]:
    """The reading of `cell` as the daemon keeps it: numbers by key, `type`, and the whole text as `report`."""
    measured = measure(cell, seed)
    return {**asdict(measured), "report": report(measured)}


def line(cell: Sample, seed: int = SEED) -> str:
    """The reading as one line of a sensor of format `key-value` with `part_key = "part"`."""
    pairs = readings(cell, seed).items()
    return " ".join([f"part={cell.stem}", *(f'{key}="{v}"' if key == "report" else f"{key}={v}" for key, v in pairs)])


def _size(loss: Loss, probability: float, draw: random.Random) -> float:
    """How large one loss of a cell is; 0 where it has none. Two draws either way."""
    hit, size = draw.random() < loss.floor + loss.slope * probability, draw.expovariate(1 / loss.mean)
    return size if hit else 0.0
