"""Every row of every list of the sources is there, and what one says of another holds together."""

import shutil
from pathlib import Path

import pytest

from console.flags.catalogue import BY_KEY
from console.roadmap import decisions
from console.roadmap.decisions import PROGRAMMES, Optimisation
from console.roadmap.programmes import read_roadmap, roadmap
from console.roadmap.reading import FOLDER, DataError
from monitoring.alerts.catalogue import RULES

# Which lines of its source each list has, counted there by hand.
LISTS = {
    "roadmap.tasks": [
        51, 127, 174, 243, 356, 405, 515, 602, 735, 836, 923, 1031, 1130, 1308,
        1466, 1539, 1609, 1687, 1807, 2042, 2161,
    ],
    "roadmap.deliverables": [*range(693, 701), *range(1434, 1440), *range(2306, 2313)],
    "roadmap.improvements": [*range(2178, 2186), *range(2189, 2195), *range(2198, 2204)],
    "roadmap.post_launch": [*range(2466, 2470), *range(2473, 2477), *range(2480, 2484)],
    "io.recommendations": [
        112, 128, 140, 264, 289, 308, 318, 459, 487, 502, 514, 668, 690, 709, 727, 738,
    ],
    "io.bottlenecks": [
        77, 87, 98, 210, 224, 241, 251, 395, 412, 426, 442, 597, 607, 619, 634, 651,
    ],
    "io.matrix_of_bottlenecks": [*range(781, 786)],
    "io.contention": [789, 803, 818],
    "io.adrs": [835, 866, 903, 945],
    "io.priorities": [*range(1002, 1006), *range(1011, 1015), *range(1020, 1024)],
    "io.scenarios": [1127, 1148, 1169, 1202],
    "io.roadmap": [1234, 1239, 1244, 1253, 1258, 1263, 1272, 1277, 1282, 1291, 1296, 1301],
    "io.takeaways": [1373, 1376, 1379, 1382],
    "bottlenecks.top": [33, 62, 92, 123, 158],
    "bottlenecks.quick_wins": [197, 203, 209, 215, 221],
    "bottlenecks.recommendations": [*range(274, 279), *range(282, 287), *range(290, 295)],
    "bottlenecks.categories": [
        302, 303, 304, 308, 309, 310, 314, 315, 316, 320, 321, 322, 326, 327, 328,
    ],
    "bottlenecks.plan": [*range(336, 341), *range(344, 349), *range(352, 357)],
    "overlay.findings": [
        27, 38, 48, 63, 92, 106, 116, 135, 149, 160, 171, 185, 200, 219, 235, 254, 277, 299, 309,
        328, 343, 352, 366,
    ],
    "overlay.plan": [
        *range(412, 416), *range(418, 421), *range(426, 430), *range(432, 436), *range(441, 445),
        *range(447, 451),
    ],
    "overlay.acceptance": [*range(455, 459), *range(461, 465), *range(467, 471)],
    "fixpack.fixes": [56, 63, 69, 79, 85],
    "fixpack.scripts": [*range(97, 103)],
    "fixpack.enhancements": [*range(363, 368)],
}  # fmt: skip
PHASES = {"roadmap": 5, "io": 4, "bottlenecks": 4, "overlay": 3, "fixpack": 1}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The files, to be spoilt."""
    return Path(shutil.copytree(FOLDER, tmp_path / "data"))


def spoilt(folder: Path, name: str, before: str, after: str) -> str:
    """What is said of a file in which something else stands."""
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_roadmap(folder, decisions.optimisations())
    return str(caught.value)


def test_every_row_of_every_list_is_there() -> None:
    assert {each.id: [row.line for row in each.rows] for each in roadmap().lists} == LISTS


def test_each_optimisation_is_a_row_of_some_list_or_its_source_says_where() -> None:
    listed = {key for each in roadmap().lists for row in each.rows for key in row.of}
    unlisted = [row.id for row in decisions.optimisations() if row.id not in listed]
    assert unlisted == ["own.1"]


def test_all_programmes_have_their_phases_in_their_order() -> None:
    assert [each.id for each in roadmap().programmes] == list(PROGRAMMES)
    assert {each.id: len(each.phase) for each in roadmap().programmes} == PHASES


@pytest.mark.parametrize("row", decisions.optimisations(), ids=lambda row: row.id)
def test_what_was_decided_is_planned_and_has_a_way_back(row: Optimisation) -> None:
    planned = roadmap().planned[row.id]
    assert row.rollback
    assert planned.phase.partition(".")[0] in {row.programme, ""}
    assert set(row.flags) <= BY_KEY.keys()


def test_the_tasks_of_the_roadmap_say_all_that_the_source_asks() -> None:
    for key in (row.id for row in decisions.optimisations() if row.id[0].isdigit()):
        row = roadmap().planned[key]
        assert row.phase == f"roadmap.{key[0]}"
        assert all((row.location, row.effects, row.criteria, row.effort_h)), key


def test_flags_and_alerts_that_are_named_are_there() -> None:
    named = {key for each in roadmap().contradictions for key in each.flags}
    assert named <= BY_KEY.keys()
    assert {each.rule for each in roadmap().thresholds if each.rule} <= RULES.keys()


def test_what_depends_on_something_goes_round_in_no_circle() -> None:
    seen: dict[str, bool] = {}

    def walk(key: str) -> None:
        assert seen.get(key) is not False, key
        if key not in seen:
            seen[key] = False
            for other in roadmap().planned[key].depends:
                walk(other)
            seen[key] = True

    for key in roadmap().planned:
        walk(key)


def test_a_field_of_the_wrong_kind_is_named_with_file_and_row(copied: Path) -> None:
    said = spoilt(copied, "io.toml", "effort_h = 1\n", 'effort_h = "one"\n')
    assert (
        said == "io.toml, [[optimisation]] 1 (io.1): effort_h: Expected `float | null`, got `str`"
    )


def test_a_field_that_nobody_reads_is_refused(copied: Path) -> None:
    said = spoilt(copied, "risks.toml", "likelihood =", "likelyhood =")
    assert "risks.toml, [[risk]] 1 (roadmap.database-down)" in said
    assert "likelyhood" in said


@pytest.mark.parametrize(
    ("name", "before", "after", "expected"),
    [
        ("io.toml", 'phase = "io.p1"', 'phase = "io.p9"', "phase: there is no 'io.p9'"),
        ("roadmap.toml", 'depends = ["1.1"]', 'depends = ["9.9"]', "depends: there is no '9.9'"),
        ("io.toml", 'same_as = ["1.1"]', 'same_as = ["x"]', "same_as: there is no 'x'"),
        ("lists.toml", 'of = ["1.2"]', 'of = ["1.9"]', "of: there is no '1.9'"),
        ("lists.toml", 'of = ["1.2"]', "of = []", "says why it names none"),
        ("adrs.toml", '["lru-without-reads"]', '["lru"]', "contradictions: there is no 'lru'"),
        ("overlay.toml", 'id = "ov.1.1"', 'id = "io.1"', "decisions.toml decides none of it"),
        ("overlay.toml", 'id = "ov.1.2"', 'id = "ov.1.1"', "id: another row has it"),
        ("roadmap.toml", "low = -45, high = -45", "low = -4, high = -45", "from low to high"),
        ("costs.toml", "hour = 100.0", 'hour = "much"', "costs.toml, [prices]: hour: Expected"),
        ("kpis.toml", "[[kpi]]", "[[kpi]", "kpis.toml, the file: is no TOML"),
    ],
)
def test_what_does_not_hold_together_is_named(
    copied: Path, name: str, before: str, after: str, expected: str
) -> None:
    said = spoilt(copied, name, before, after)
    assert said.startswith(name)
    assert expected in said


def test_an_optimisation_that_was_decided_and_is_not_planned_is_named(copied: Path) -> None:
    path = copied / "fixpack.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.rindex("[[optimisation]]")], encoding="utf-8")
    with pytest.raises(DataError, match=r"fixpack.toml.*no row of fix.6"):
        read_roadmap(copied, decisions.optimisations())


def test_an_optimisation_without_a_way_back_is_refused() -> None:
    rows = decisions.optimisations()
    bare = Optimisation(
        id="1.1", programme="roadmap", title="", lines="", decision="flag", rollback=" "
    )
    with pytest.raises(DataError, match=r"roadmap.toml, .* 1.1: rollback"):
        read_roadmap(FOLDER, (bare, *rows[1:]))


def test_a_file_that_is_not_there_is_named(copied: Path) -> None:
    (copied / "targets.toml").unlink()
    with pytest.raises(DataError, match=r"targets.toml, the file: cannot be read"):
        read_roadmap(copied, decisions.optimisations())
