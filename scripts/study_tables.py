"""The tables of the studies, for scripts/docs.py: a results file in, Markdown out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from spectrace.evaluation.figures import FIGURES
from spectrace.evaluation.results import Estimate
from spectrace.evaluation.tables import cell as estimate_cell


def _bounds(cell: dict[str, float], form: str = ".3f") -> str:
    value, low, high = (format(cell[name], form) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _patch_depth(path: Path) -> str:
    """Average precision by network and generator, one table a condition."""
    result = json.loads(path.read_text())["result"]
    names = [
        f"{name} (trained on)" if name == result["trained_on"] else name for name in result["generators"]
    ]
    parts = []
    for condition in result["conditions"]:
        lines = [f"| {condition} | | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]
        for row in result["networks"]:
            cells = [_bounds(row["average_precision"][condition][name]) for name in result["generators"]]
            lines.append(f"| {row['network']} | {row['kind']} | " + " | ".join(cells) + " |")
        gain = result["truncated_minus_full_on_others"][condition]
        lines += ["", f"Truncated minus full on the generators not trained on: {_bounds(gain, '+.3f')}."]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _left_half(path: Path) -> str:
    """Pixel AUROC of heatmaps of pictures whose left half only is generated."""
    result = json.loads(path.read_text())["result"]
    lines = ["| network | pixel AUROC, a seed each |", "|---|---|"]
    for row in result["networks"]:
        if row["left_half_pixel_auroc"]:
            lines.append(
                f"| {row['network']} | {', '.join(f'{x:.3f}' for x in row['left_half_pixel_auroc'])} |"
            )
    return "\n".join(lines)


def _patch_seeds(path: Path) -> str:
    """Average precision of each seed on untouched pictures, by network and generator."""
    result = json.loads(path.read_text())["result"]
    names = result["generators"]
    lines = ["| network | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for row in result["networks"]:
        found = row["average_precision"]["untouched"]
        cells = [" ".join(f"{value:.3f}" for value in found[name]["seeds"]) for name in names]
        lines.append(f"| {row['network']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _regions(path: Path) -> str:
    """Share of the predictive patches over share of the area, by region, class and seed."""
    result = json.loads(path.read_text())["result"]
    kinds = {"generated": "speak for generated", "real": "speak for camera"}
    lines = [
        "| region | "
        + " | ".join(f"{title}, seed {one['seed']}" for title in kinds.values() for one in result["trained"])
        + " | area |",
        "|---|" + "---:|" * (len(kinds) * len(result["trained"]) + 1),
    ]
    for number, region in enumerate(result["regions"]):
        bars = [one["patches"][kind]["regions"][number] for kind in kinds for one in result["trained"]]
        cells = [_bounds(bar["ratio"], ".2f") for bar in bars]
        lines.append(f"| {region} | " + " | ".join(cells) + f" | {100 * bars[0]['area']:.0f} % |")
    return "\n".join(lines)


def _cross_manipulation(path: Path) -> str:
    """One 4 x 4 table a measure: rows trained on, columns tested on."""
    result = json.loads(path.read_text())["result"]
    names = result["manipulations"]
    measures = {
        "average precision, mean logit": result["average_precision"]["logit-mean"],
        "average precision, strongest tenth of the patches": result["average_precision"]["strongest"],
        "pixel AUROC": result["pixel_auroc"],
        "IoU at the threshold chosen on validation": result["iou_at_chosen"],
    }
    parts = []
    for title, rows in measures.items():
        lines = [f"| {title} | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
        lines += [
            f"| trained on {name} | " + " | ".join(map(_bounds, cells)) + " |"
            for name, cells in zip(names, rows, strict=True)
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _patch_speed(path: Path) -> str:
    document = json.loads(path.read_text())
    lines = [
        f"| network | pictures a second | {document['default']} is faster by (range) |",
        "|---|---:|---:|",
    ]
    for name, row in document["results"].items():
        low, high = row["range"]
        lines.append(
            f"| {name} | {row['pictures_per_second']:.1f} "
            f"| {row['default_is_faster_by']:.1f} ({low:.1f} to {high:.1f}) |"
        )
    return "\n".join(lines)


def _generators(path: Path) -> str:
    """One row a generator: what it is, and how its spectrum follows its upsampler's kernel."""
    document = json.loads(path.read_text())["result"]["generators"]
    bands = next(list(row["bands"]) for row in document if "bands" in row)
    lines = [
        "| family | upsampler | steps of batch | minutes | "
        + " | ".join(f"{band}: kernel alone | found" for band in bands)
        + " | strongest peak of the mean spectrum |",
        "|---|---|---|---:|" + "---:|---:|" * len(bands) + "---|",
    ]
    for row in document:
        cells = [
            f"{row['bands'][band][name]:+.1f}" if "bands" in row else ""
            for band in bands
            for name in ("kernel", "found")
        ]
        peak = row["peaks"][0].removesuffix(" over its neighbourhood") if row["peaks"] else ""
        minutes = f"{row['train_seconds'] / 60:.0f}"
        lines.append(
            f"| {row['family']} | {row['upsampler']} | {row['steps']} of {row['batch']} | {minutes} | "
            + " | ".join(cells)
            + f" | {peak} |"
        )
    return "\n".join(lines)


def _upsampling(path: Path) -> str:
    """Accuracy and AUROC on pixels and on the DCT, and what the DCT gains."""
    columns = ("pixels", "log-dct", "gain")
    parts = []
    for measure, title in (("accuracy", "accuracy"), ("auroc", "AUROC")):
        lines = [f"| {title}, ridge | pixels | log-DCT | gain |", "|---|---:|---:|---:|"]
        for row in json.loads(path.read_text())["result"]["upsamplers"]:
            cells = [_bounds(row[measure][name], "+.3f" if name == "gain" else ".3f") for name in columns]
            lines.append(f"| {row['upsampler']} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _attribution(path: Path) -> str:
    """Accuracy and AUROC of the unknown source, by method and representation."""
    result = json.loads(path.read_text())["result"]
    unknown = result["unknown"]
    lines = [
        "| method | sees | accuracy | " + " | ".join(f"AUROC, {name} unknown" for name in unknown) + " |",
        "|---|---|---:|" + "---:|" * len(unknown),
    ]
    for row in result["methods"]:
        cells = [_bounds(row["accuracy"]), *(_bounds(row["unknown_auroc"][name]) for name in unknown)]
        lines.append(f"| {row['method']} | {row['representation']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _counter_forensics(path: Path) -> str:
    """Accuracy of every detector against every attack, and what each costs."""
    result = json.loads(path.read_text())["result"]
    names = list(result["table"])
    lines = ["| attack | PSNR | SSIM | " + " | ".join(names) + " |", "|---|---:|---:|" + "---:|" * len(names)]
    for number, attack in enumerate(result["attacks"]):
        name = f"{attack['name']}, at {attack['aimed_at']}" if attack["aimed_at"] else attack["name"]
        psnr = "" if attack["psnr"] is None else f"{attack['psnr']:.1f}"
        cells = [_bounds(result["table"][detector][number]["accuracy"], ".2f") for detector in names]
        lines.append(f"| {name} | {psnr} | {attack['ssim']:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _tuning_rounds(path: Path) -> str:
    """Accuracy before and after each round of tuning, and of the detector trained anew."""
    rounds = json.loads(path.read_text())["result"]["rounds"]
    lines = [
        "| tuned against | round | PSNR | SSIM | before | after | the other kind | trained anew |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, rows in rounds.items():
        for number, row in enumerate(rows, start=1):
            (other,) = (name for name in row if name.endswith("never attacked"))
            cells = [_bounds(row[name]["accuracy"]) for name in ("before", "frozen", other, "trained anew")]
            lines.append(
                f"| {kind} | {number} | {row['psnr']:.1f} | {row['ssim']:.2f} | " + " | ".join(cells) + " |"
            )
    return "\n".join(lines)


def _across(path: Path) -> str:
    """AUROC by what was trained on and what was tested on; then the means."""
    result = json.loads(path.read_text())["result"]
    names = result["groups"]
    lines = ["| trained on | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for name, row in zip([*names, "all others"], [*result["each"], result["others"]], strict=True):
        lines.append(f"| {name} | " + " | ".join(_bounds(cell, ".2f") for cell in row) + " |")
    means = result["means"]
    lines += [
        "",
        f"Mean over groups: tested on what was trained on {_bounds(means['own'], '.2f')}, on another one "
        f"{_bounds(means['foreign'], '.2f')}; trained on all others {_bounds(means['others'], '.2f')}, which is "
        f"{_bounds(means['others_minus_foreign'], '+.2f')} more than trained on one.",
    ]
    return "\n".join(lines)


def _linear_separability(path: Path) -> str:
    """Accuracy and AUROC of linear models by penalty and representation, one table a generator."""
    columns = {"pixels": "pixels", "log-dct": "log-DCT", "gain": "gain"}
    titles = {"none": "none", "l1": "L1", "l2": "L2", "both": "L1 and L2"}
    parts = []
    for row in json.loads(path.read_text())["result"]["generators"]:
        heads = [f"{measure}, {title}" for measure in ("accuracy", "AUROC") for title in columns.values()]
        lines = [
            f"| against {row['generator']}, penalty | chosen (pixels; log-DCT) | " + " | ".join(heads) + " |",
            "|---|---|" + "---:|" * len(heads),
        ]
        for model in row["models"]:
            strengths = [
                ", ".join(f"{kind} {value:g}" for kind, value in model["strengths"][name].items() if value)
                for name in ("pixels", "log-dct")
            ]
            cells = [
                _bounds(model[measure][name], "+.3f" if name == "gain" else ".3f")
                for measure in ("accuracy", "auroc")
                for name in columns
            ]
            chosen = "; ".join(strengths) if any(strengths) else ""
            lines.append(f"| {titles[model['penalty']]} | {chosen} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _fewer_data(path: Path) -> str:
    """Accuracy by number of training pictures, what is lost, and the steps taken; one table a model."""
    parts = []
    for model in json.loads(path.read_text())["result"]["models"]:
        lines = [
            f"| {model['title']}: training pictures | pixels | log-DCT | gain | pixels lose | log-DCT loses "
            "| steps, pixels | steps, log-DCT |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for row in model["shares"]:
            cells = [_bounds(row["accuracy"][name]) for name in ("pixels", "log-dct")]
            cells += [_bounds(row["accuracy"]["gain"], "+.3f")]
            cells += [_bounds(row["lost"][name], "+.3f") for name in ("pixels", "log-dct")]
            cells += [
                ", ".join(str(one["trained"]) for one in row["steps"][name]) for name in ("pixels", "log-dct")
            ]
            lines.append(f"| {row['pictures']} ({100 * row['share']:g} %) | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _frequency_robustness(path: Path) -> str:
    """Accuracy on altered pictures, trained on untouched and on altered ones."""
    result = json.loads(path.read_text())["result"]
    names = {"pixels": "pixels", "log-dct": "log-DCT", "gain": "gain"}
    columns = {"clean_trained": "trained untouched", "retrained": "retrained"}
    columns["retrained_on_untouched"] = "retrained, tested untouched"
    heads = [f"{title}: {name}" for title in columns.values() for name in names.values()]

    def cells(compared: dict[str, Any]) -> list[str]:
        return [_bounds(compared[name], "+.3f" if name == "gain" else ".3f") for name in names]

    untouched = [*cells(result["untouched"]), *[""] * (2 * len(names))]
    lines = ["| altered by | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    lines.append("| nothing | " + " | ".join(untouched) + " |")
    for row in result["rows"]:
        found = [cell for column in columns for cell in cells(row[column])]
        lines.append(f"| {row['alteration']} | " + " | ".join(found) + " |")
    return "\n".join(lines)


def _preprocessing(path: Path) -> str:
    """AUROC by factor and way of training, one table a detector; then detectors trained without a generator."""
    result = json.loads(path.read_text())["result"]
    known = result["trained_on"]
    columns = {
        "reported": (known, "reported"),
        "one pipeline": (known, "one pipeline"),
        "exchanged": (known, "exchanged"),
        "other generators, reported": ("others", "reported"),
        "other generators, one pipeline": ("others", "one pipeline"),
        "null test, two pipelines": ("photographs", "mismatched"),
        "null test, one pipeline": ("photographs", "one pipeline"),
    }
    parts = []
    for detector in dict.fromkeys(row["detector"] for row in result["rows"]):
        lines = [
            f"| {detector} | trained | " + " | ".join(columns) + " |",
            "|---|---|" + "---:|" * len(columns),
        ]
        for row in result["rows"]:
            if row["detector"] == detector:
                cells = [_bounds(row["auroc"][maker][way], ".2f") for maker, way in columns.values()]
                lines.append(f"| {row['factor']} | {row['trained']} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _preprocessing_others(path: Path) -> str:
    """AUROC on each generator not trained on, of matched detectors, both classes through one pipeline."""
    result = json.loads(path.read_text())["result"]
    names = [result["trained_on"], *result["others"]]
    lines = ["| detector | factor | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]
    for row in result["rows"]:
        if row["trained"] == "matched":
            cells = [_bounds(row["auroc"][name]["one pipeline"], ".2f") for name in names]
            lines.append(f"| {row['detector']} | {row['factor']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _audit(path: Path) -> str:
    """AUROC by state and kind of traits; the strongest traits; halves of one source."""
    result = json.loads(path.read_text("utf-8"))["result"]
    names = {"file": "metadata and size", "grid": "block grid", "spectral": "resampling and detail"}

    def cell(one: dict[str, Any] | None) -> str:
        return "" if one is None else _bounds(one, ".2f")

    lines = [
        f"{result['pictures']:,} pictures of {result['sources']} sources, of which {result['sources_of_one_size']} have one "
        f"size throughout and {result['sources_of_one_quality']} one JPEG quality; {result['left_out']:,} are too small for the copies.",
        "",
        "| state | traits | AUROC | on new sources | p | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for state in result["states"]:
        for part in state["kinds"]:
            lines.append(
                f"| {state['state']} | {names[part['kind']]} | {cell(part['auroc'])} | {cell(part['new_sources'])} "
                f"| {part['p_value']:.3f} | {part['verdict']} |"
            )
    lines += ["", "| as it is | generated | real | AUROC alone |", "|---|---|---|---|"]
    for tell in result["states"][0]["tells"]:
        shares = f"{100 * tell['generated']:.0f} % | {100 * tell['real']:.0f} %"
        lines.append(f"| {tell['statement']} | {shares} | {cell(tell['auroc'])} |")
    lines += [
        "",
        "| halves of | pictures | traits | AUROC of the first | mean | intervals with 0.5 |",
        "|---|---|---|---|---|---|",
    ]
    for half in result["halves"]:
        for part in half["kinds"]:
            lines.append(
                f"| {half['source']} | {half['pictures']} | {names[part['kind']]} | {cell(part)} | {part['mean']:.2f} "
                f"| {part['covered']} of {half['halvings']} |"
            )
    return "\n".join(lines)


def _robustness(path: Path) -> str:
    """AUROC as the pictures are and at the strongest treatment, of every sweep, and what augmentation gains."""
    result = json.loads(path.read_text())["result"]
    names = [curve["name"] for curve in result["sweeps"][0]["curves"]]
    none = " / ".join(f"{curve['auroc'][0]['value']:.2f}" for curve in result["sweeps"][0]["curves"])
    lines = [
        f"AUROC on untreated pictures, {' / '.join(names)}: {none}.",
        "",
        f"| treatment | last strength | {' | '.join(names)} | augmented less clean, mean over strengths |",
        "|---|---|" + "---:|" * (len(names) + 1),
    ]
    for sweep in result["sweeps"]:
        last = f"{sweep['unit']} {sweep['strengths'][-1]}".strip()
        cells = [_bounds(curve["auroc"][-1], ".2f") for curve in sweep["curves"]]
        gain = _bounds(sweep["gain"]["auroc"], "+.2f")
        lines.append(f"| {sweep['title']} | {last} | {' | '.join(cells)} | {gain} |")
    return "\n".join(lines)


def _robustness_verdicts(path: Path) -> str:
    """What the verdicts of models with thresholds do at the last strength of every sweep."""
    result = json.loads(path.read_text())["result"]
    figures = ("false_alarm_rate", "detection_rate", "decided")
    models = [curve["name"] for curve in result["sweeps"][0]["curves"] if figures[0] in curve]
    headings = " | ".join(f"{model}: {FIGURES[name].title}" for model in models for name in figures)
    lines = [
        f"| treatment | strength | {headings} |",
        "|---|---|" + "---:|" * (len(models) * len(figures)),
    ]
    for number, sweep in enumerate(result["sweeps"]):
        by_name = {curve["name"]: curve for curve in sweep["curves"]}
        unit = sweep["unit"]
        rows = [("untreated", "", 0)] if not number else []
        for title, label, place in [*rows, (sweep["title"], f"{unit} {sweep['strengths'][-1]}".strip(), -1)]:
            cells = [
                f"{100 * by_name[model][name][place]['value']:.0f} %" for model in models for name in figures
            ]
            lines.append(f"| {title} | {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _robustness_maps(path: Path) -> str:
    """What is left of the patch detectors' heatmaps after each perturbation."""
    maps = json.loads(path.read_text())["result"]["maps"]
    headings = " | ".join(f"{kind}: rank correlation | {kind}: strongest tenth kept" for kind in maps)
    lines = [f"| perturbation | pictures | {headings} |", "|---|---:|" + "---:|" * (2 * len(maps))]
    for rows in zip(*maps.values(), strict=True):
        name = rows[0]["perturbation"].replace("|", "\\|")
        cells = [
            _bounds(row[figure], ".2f") for row in rows for figure in ("rank_correlation", "strongest_kept")
        ]
        lines.append(f"| {name} | {rows[0]['pictures']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _baselines(path: Path) -> str:
    """Every method in each condition: figures with intervals, and what a picture costs."""
    result = json.loads(path.read_text("utf-8"))["result"]
    kinds = {"network": "trained here", "baseline": "fitted here", "shipped": "shipped"}
    alike = {"study": "by the study", "recipe": "by its recipe", "no": "no"}
    titles = [
        "",
        "",
        "formats made alike",
        "AUROC",
        "AUROC, every source alike",
        "TPR at 5 % FPR",
        "Cllr (bits)",
    ]
    tables = []
    for number, condition in enumerate(result["conditions"]):
        last = ["seconds a picture"] if number == 0 else []
        shown = [
            "untouched" if condition == "identity" else condition.replace("|", r"\|"),
            *titles[1:],
            *last,
        ]
        lines = ["| " + " | ".join(shown) + " |", "|---|---|---|" + "---:|" * (len(shown) - 3)]
        for method in result["methods"]:
            figures = method["figures"][condition]
            cells = [_bounds(figures[name]) for name in ("auroc", "auroc_by_source", "tpr_at_5_fpr", "cllr")]
            cells += [f"{method['seconds_a_picture']:.4f}"] if last else []
            named = [method["title"], kinds[method["kind"]], alike[method["equalised"]]]
            lines.append("| " + " | ".join([*named, *cells]) + " |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def _calibration(path: Path) -> str:
    """One table a model: each method under each condition, on sources outside of the fit."""
    document = json.loads(path.read_text())
    columns = {
        "cllr": "Cllr (bits)",
        "minimum_cllr": "least Cllr",
        "ece": "expected calibration error",
        "false_alarms": "real called generated",
        "misses": "generated called camera",
        "decided": "decided",
        "accuracy_of_decided": "right when decided",
    }
    parts = []
    for model in document["result"]["models"]:
        real, generated = (
            f"{model[name]['pictures']} {name} pictures of {model[name]['sources']} sources"
            for name in ("real", "generated")
        )
        lines = [
            f"Model {model['model']}: {real}, {generated}.",
            "",
            "| pictures | method | " + " | ".join(columns.values()) + " |",
            "|---|---|" + "---:|" * len(columns),
        ]
        for row in model["rows"]:
            condition = row["condition"].replace("identity", "untouched").replace("|", "\\|")
            cells = [
                "–" if row["figures"][name]["value"] is None else _bounds(row["figures"][name])
                for name in columns
            ]
            lines.append(f"| {condition} | {row['method']} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _operating_limits(path: Path) -> str:
    """Every strength of every treatment, where the rule ends, and the limits that follow."""
    result = json.loads(path.read_text("utf-8"))["result"]
    names = ("false_alarm_rate_by_source", "miss_rate_by_source", "auroc", "accuracy_of_decided", "decided")
    headings = [FIGURES[name].title for name in names]
    headings.insert(3, "AUROC of the same, untouched")
    lines = [
        "| treatment | strength | real + generated | " + " | ".join(headings) + " | within |",
        "|---|---:|---:|" + "---:|" * len(headings) + "---|",
    ]
    for ladder in result["ladders"]:
        within = ladder["holds_to"] is not None
        for point in ladder["points"]:
            cells = [
                estimate_cell(Estimate(**point["figures"][name]), FIGURES[name].percent) for name in names
            ]
            cells.insert(3, estimate_cell(Estimate(point["untouched"]["auroc"]["value"])))
            lines.append(
                f"| {ladder['title']} | {point['strength']:g} | {point['real']} + {point['generated']} | "
                f"{' | '.join(cells)} | {'yes' if within else 'no'} |"
            )
            within = within and point["strength"] != ladder["holds_to"]
    limits = result["limits"]
    allowed = result["allowed"]
    bound = " (upper end of the interval)" if allowed["bound"] == "high" else ""
    scales = ", ".join(f"{kernel} {_or_nowhere(scale)}" for kernel, scale in limits["min_scale"].items())
    real, generated = (result["pictures"][label] for label in ("real", "generated"))
    return "\n".join(
        [
            f"Model {result['model']}: {real['pictures']} real pictures of {real['sources']} sources, "
            f"{generated['pictures']} generated ones of {generated['sources']}.",
            "",
            *lines,
            "",
            f"Allowed{bound}: {100 * allowed['false_alarms']:.3g} % real called generated, "
            f"{100 * allowed['misses']:.3g} % generated called camera. Limits that follow: shortest side "
            f"{_or_nowhere(limits['min_side'])}, JPEG quality {_or_nowhere(limits['min_jpeg_quality'])}; "
            f"strongest downscale: {scales}.",
        ]
    )


def _or_nowhere(limit: float | None) -> str:
    return "holds nowhere" if limit is None else f"{limit:g}"


def _operating_limits_stand_ins(path: Path) -> str:
    """What traits of the pixels tell of upscaling, and of errors."""
    rows = json.loads(path.read_text("utf-8"))["result"]["stand_ins"]
    lines = ["| trait | tells | cases | others | AUROC |", "|---|---|---:|---:|---:|"]
    for row in rows:
        auroc = estimate_cell(Estimate(row["value"], row["low"], row["high"]))
        lines.append(f"| `{row['trait']}` | {row['question']} | {row['cases']} | {row['others']} | {auroc} |")
    return "\n".join(lines)


def _steadiness(path: Path) -> str:
    """Sets of checks, all conditions together; then by condition; then by re-encoding."""
    result = json.loads(path.read_text("utf-8"))["result"]
    titles = {
        "decided": "decided",
        "wrong": "wrong, of the decided",
        "reversed": "camera to generated or back",
        "wavered": "to or from inconclusive",
        "lost": "another verdict, of the decided",
        "unsteady": "score gives another verdict, of the decided",
        "saved": "fewer of these than without checks (points)",
        "given_up": "fewer decided than without checks (points)",
    }
    real, generated = (result["pictures"][label] for label in ("real", "generated"))
    overall = ["| checks | " + " | ".join(titles.values()) + " |", "|---|" + "---:|" * len(titles)]
    short = ("decided", "wrong", "reversed", "unsteady")
    by_condition = [
        "| pictures | checks | " + " | ".join(titles[name] for name in short) + " |",
        "|---|---|" + "---:|" * len(short),
    ]
    by_reencoding = [
        "| score gives another verdict after | " + " | ".join(result["reencodings"]) + " |",
        "|---|" + "---:|" * len(result["reencodings"]),
    ]
    for number, condition in enumerate(result["conditions"]):
        shown = condition.replace("identity", "untouched").replace("|", "\\|")
        by_condition += [
            f"| {shown} | {_checks(one)} | {_shares(one['by_condition'][number], short)} |"
            for one in result["sets"]
        ]
    for one in result["sets"]:
        overall.append(f"| {_checks(one)} | {_shares(one['by_condition'][-1], titles)} |")
        cells = [_shares(row, ["unsteady"]) for row in one["by_reencoding"]]
        by_reencoding.append(f"| {_checks(one)} | {' | '.join(cells)} |")
    head = (
        f"Model {result['model']}: {real['pictures']} real pictures of {real['sources']} sources, "
        f"{generated['pictures']} generated ones of {generated['sources']}; {result['outside_of_limits']} "
        "pictures under a condition are outside of the model's limits and left out."
    )
    return "\n\n".join([head, *("\n".join(lines) for lines in (overall, by_condition, by_reencoding))])


def _checks(one: dict[str, Any]) -> str:
    name = ", ".join(one["checks"]) or "none"
    return f"**{name}** (the card's)" if one["of_the_card"] else name


def _shares(row: dict[str, Any], names: Iterable[str]) -> str:
    return " | ".join(estimate_cell(Estimate(**row["figures"][name]), percent=True) for name in names)


TABLES: dict[str, Callable[[Path], str]] = {
    "patch-depth": _patch_depth,
    "left-half": _left_half,
    "patch-seeds": _patch_seeds,
    "regions": _regions,
    "cross-manipulation": _cross_manipulation,
    "patch-speed": _patch_speed,
    "generators": _generators,
    "upsampling": _upsampling,
    "attribution": _attribution,
    "counter-forensics": _counter_forensics,
    "tuning-rounds": _tuning_rounds,
    "across": _across,
    "linear-separability": _linear_separability,
    "fewer-data": _fewer_data,
    "frequency-robustness": _frequency_robustness,
    "preprocessing": _preprocessing,
    "preprocessing-others": _preprocessing_others,
    "audit": _audit,
    "robustness": _robustness,
    "robustness-verdicts": _robustness_verdicts,
    "robustness-maps": _robustness_maps,
    "baselines": _baselines,
    "calibration": _calibration,
    "operating-limits": _operating_limits,
    "operating-limits-stand-ins": _operating_limits_stand_ins,
    "steadiness": _steadiness,
}
"""By the kind that a document's marker names."""
