"""Queries as texts and as trees: every piece of the language once, and what is refused with its place."""

from __future__ import annotations

import pytest

from gittrack.core.names import cell_width
from gittrack.core.query.parser import parse_field, parse_query
from gittrack.core.query.tree import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Arithmetic,
    CodeChanged,
    Comparison,
    Constant,
    Field,
    FullText,
    IsNan,
    IsNull,
    Like,
    Matches,
    Not,
    Within,
)
from gittrack.core.query.unparse import unparse
from gittrack.errors import QuerySyntaxError, UsageError

NOW = 1_793_534_400_000  # 2026-11-01 12:00 UTC
DAY = 86_400_000
ACC, LOSS = Field("metrics", "acc", "last"), Field("metrics", "loss", "last")
MODEL = Field("params", "model")


def attribute(name: str, subject: str = "") -> Field:
    return Field("attributes", name, subject=subject)


def parse(text: str):
    return parse_query(text, now=NOW, subjects=("champion",))


def equals(field: Field, value: object, operator: str = "="):
    return Comparison(field, operator, Constant(value))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", EVERYTHING),
        (" \n\t", EVERYTHING),
        ("metrics.acc > 0.9", equals(ACC, 0.9, ">")),
        ("0.9 < metrics.acc", equals(ACC, 0.9, ">")),
        ("0.9 >= metrics.acc", equals(ACC, 0.9, "<=")),
        ("metric.acc == 1", equals(ACC, 1)),
        ("metrics.acc <> 1", equals(ACC, 1, "!=")),
        ("metrics.acc = '0.5'", equals(ACC, 0.5)),
        ("metrics.acc >= -.5e-3", equals(ACC, -0.0005, ">=")),
        ("metrics.acc > - 1", equals(ACC, -1, ">")),
        ("metrics.acc < +inf", equals(ACC, float("inf"), "<")),
        ("metrics.acc < (1 + 2) * 3", equals(ACC, 9, "<")),
        ("params.model = 'rf'", equals(MODEL, "rf")),
        ('params.model = "r""f"', equals(MODEL, 'r"f')),
        ("params.model = 'it''s'", equals(MODEL, "it's")),
        (r"params.model = 'it\'s'", equals(MODEL, "it's")),
        (r"params.model = 'C:\data\x'", equals(MODEL, r"C:\data\x")),
        (r"params.model = 'C:\data\\'", equals(MODEL, "C:\\data\\")),
        (r"params.model = 'C:\data\'", equals(MODEL, "C:\\data\\")),
        ("params.model = TRUE", equals(MODEL, True)),
        ("params.model = 3", equals(MODEL, 3)),
        ("params.model = 9223372036854775807", equals(MODEL, 2**63 - 1)),
        ("params.model = -9223372036854775808", equals(MODEL, -(2**63))),
        ("params.model = 9223372036854775808", equals(MODEL, 2.0**63)),
        ("params.optimizer.lr = 0.1", equals(Field("params", "optimizer.lr"), 0.1)),
        ("metrics.val/acc = 1", equals(Field("metrics", "val/acc", "last"), 1)),
        ("metrics.f1@macro-avg = 1", equals(Field("metrics", "f1@macro-avg", "last"), 1)),
        ("metrics.`a ``b`` - c` = 1", equals(Field("metrics", "a `b` - c", "last"), 1)),
        ("metrics.'a b' = 1", equals(Field("metrics", "a b", "last"), 1)),
        ("metrics.日本 = 1", equals(Field("metrics", "日本", "last"), 1)),
        ("metrics.and = 1", equals(Field("metrics", "and", "last"), 1)),
        ("metrics.loss.min = 1", equals(Field("metrics", "loss.min", "last"), 1)),
        ("summary.a.b.first_step = 1", equals(Field("metrics", "a.b", "first_step"), 1)),
        ("tags.mlflow.user = 'x'", equals(Field("tags", "mlflow.user"), "x")),
        ("data.train.hash = 'md5:12ab'", equals(Field("data", "train", "hash"), "md5:12ab")),
        ("data.my.role.size > 10", equals(Field("data", "my.role", "size"), 10, ">")),
        ("inputs.path = 'a.csv'", equals(Field("inputs", "", "path"), "a.csv")),
        ("artifacts.type = 'image/png'", equals(Field("artifacts", "", "type"), "image/png")),
        ("dataset.context != 'train'", equals(Field("inputs", "", "role"), "train", "!=")),
        ("status = 'FINISHED'", equals(attribute("status"), "finished")),
        ("Attributes.Status = 'Killed'", equals(attribute("status"), "killed")),
        ("commit = 'AB12'", equals(attribute("commit"), "ab12")),
        ("user_id = 'ada'", equals(attribute("author"), "ada")),
        ("lifecycle_stage = 'deleted'", equals(attribute("deleted"), True)),
        ("lifecycle_stage != 'active'", equals(attribute("deleted"), False, "!=")),
        ("dirty", equals(attribute("dirty"), True)),
        ("not dirty", Not(equals(attribute("dirty"), True))),
        ("exit_code = 137", equals(attribute("exit_code"), 137)),
        ("start_time > 1700000000000", equals(attribute("start_time"), 1_700_000_000_000, ">")),
        ("start_time > -7d", equals(attribute("start_time"), NOW - 7 * DAY, ">")),
        ("start_time > '-2w'", equals(attribute("start_time"), NOW - 14 * DAY, ">")),
        ("start_time > -1d + 12h", equals(attribute("start_time"), NOW - DAY // 2, ">")),
        ("Created >= '2026-11-01'", equals(attribute("start_time"), NOW - DAY // 2, ">=")),
        ("end_time < '2026-11-01 14:00+02:00'", equals(attribute("end_time"), NOW, "<")),
        ("duration > 90", equals(attribute("duration"), 90_000, ">")),
        ("duration > 1h30m", equals(attribute("duration"), 5_400_000, ">")),
        ("duration > '1.5s'", equals(attribute("duration"), 1500, ">")),
        ("duration > 2 * 60 + 5s", None),
        ("champion.metrics.acc > 1", equals(Field("metrics", "acc", "last", "champion"), 1, ">")),
        ("champion.status = 'failed'", equals(attribute("status", "champion"), "failed")),
        ("params.model is null", IsNull(MODEL)),
        ("params.model IS NOT NULL", Not(IsNull(MODEL))),
        ("metrics.loss is nan", IsNan(LOSS)),
        ("metrics.loss is not nan", AllOf((Not(IsNan(LOSS)), Not(IsNull(LOSS))))),
        ("params.model in ('a', 3, -1, true)", Within(MODEL, tuple(map(Constant, ("a", 3, -1, True))))),
        ("params.model in ('a',)", Within(MODEL, (Constant("a"),))),
        ("params.model not in ('a')", AllOf((Not(Within(MODEL, (Constant("a"),))), Not(IsNull(MODEL))))),
        ("run_id not in ('ab12')", Not(Within(attribute("id"), (Constant("ab12"),)))),
        ("metrics.acc between 1 and 2", AllOf((equals(ACC, 1, ">="), equals(ACC, 2, "<=")))),
        ("metrics.acc not between 1 and 2", AnyOf((equals(ACC, 1, "<"), equals(ACC, 2, ">")))),
        ("params.model like 'a%'", Like(MODEL, "a%")),
        ("params.model ILIKE 'a%'", Like(MODEL, "a%", ignore_case=True)),
        ("params.model not like 'a%'", AllOf((Not(Like(MODEL, "a%")), Not(IsNull(MODEL))))),
        ("params.model ~ '^a+$'", Matches(MODEL, "^a+$")),
        ("params.model MATCHES 'a'", Matches(MODEL, "a")),
        ("params.model !~ 'a'", AllOf((Not(Matches(MODEL, "a")), Not(IsNull(MODEL))))),
        ("code.changed('src/model.py')", CodeChanged("src/model.py")),
        ("code.changed('./src/', 'v1.0')", CodeChanged("src", "v1.0")),
        ("text('out of  memory')", FullText(("out", "of", "memory"))),
        (
            "has artifact 'model/a.b'",
            AnyOf(
                (
                    equals(Field("artifacts", "", "path"), "model/a.b"),
                    Matches(Field("artifacts", "", "path"), r"^model/a\.b/"),
                )
            ),
        ),
        (
            "metrics.loss < metrics.acc * 1.1 - 1",
            Comparison(LOSS, "<", Arithmetic("-", Arithmetic("*", ACC, Constant(1.1)), Constant(1))),
        ),
        (
            "(metrics.loss + 1) / 2 > -metrics.acc",
            Comparison(
                Arithmetic("/", Arithmetic("+", LOSS, Constant(1)), Constant(2)),
                ">",
                Arithmetic("*", Constant(-1), ACC),
            ),
        ),
        (
            "duration < champion.duration * 2 + 30",
            Comparison(
                attribute("duration"),
                "<",
                Arithmetic("+", Arithmetic("*", attribute("duration", "champion"), Constant(2)), Constant(30_000)),
            ),
        ),
        (
            "end_time - start_time > 2h",
            Comparison(Arithmetic("-", attribute("end_time"), attribute("start_time")), ">", Constant(7_200_000)),
        ),
        ("params.model = author", Comparison(MODEL, "=", attribute("author"))),
        (
            "dirty or not deleted and metrics.acc > 1",
            AnyOf(
                (
                    equals(attribute("dirty"), True),
                    AllOf((Not(equals(attribute("deleted"), True)), equals(ACC, 1, ">"))),
                )
            ),
        ),
        (
            "(dirty OR deleted) AND (dirty and deleted)",
            AllOf(
                (
                    AnyOf((equals(attribute("dirty"), True), equals(attribute("deleted"), True))),
                    equals(attribute("dirty"), True),
                    equals(attribute("deleted"), True),
                )
            ),
        ),
        ("not metrics.acc = 1 and dirty", AllOf((Not(equals(ACC, 1)), equals(attribute("dirty"), True)))),
    ],
)
def test_a_query_becomes_its_tree(text, tree):
    found = parse(text)
    if tree is not None:
        assert found == tree
        assert repr(found) == repr(tree)  # True is not 1
    assert parse(unparse(found)) == found


@pytest.mark.parametrize(
    ("text", "position", "problem", "hint"),
    [
        ("metrics.acc >", 13, "ends where a value", ""),
        ("metrics.acc > 'x'", 14, "a number is compared with 'x'", ""),
        ("acc > 1", 0, "no attribute 'acc'", "metrics.acc"),
        ("params.model = rf", 15, "no attribute 'rf'", "'rf'"),
        ("metrics.acc > 1 and statu = 'x'", 20, "no attribute 'statu'", "did you mean status?"),
        ("matrics.acc > 1", 0, "nothing is called 'matrics.acc'", "did you mean metrics.acc?"),
        ("metrics.a/2 > 1", 9, "part of the name or an operator", "metrics.`a/2`"),
        ("metrics.a-1e5 > 1", 9, "part of the name or an operator", "metrics.`a-1e5`"),
        ("metrics.a-metrics.b > 1", 9, "part of the name or an operator", "put spaces"),
        ("metrics.a-champion.metrics.b > 1", 9, "part of the name or an operator", "put spaces"),
        ("summary.loss > 1", 0, "lacks what of the metric", "summary.loss.min"),
        ("summary.loss.mim > 1", 0, "lacks what of the metric", "did you mean summary.loss.min?"),
        ("data.train = 'x'", 0, "lacks a role", "data.train.hash"),
        ("data.train.hsh = 'x'", 0, "has no 'hsh'", "data.train.hash"),
        ("artifacts.name = 'x'", 0, "has no 'name'", "path"),
        ("metrics. acc > 1", 8, "a name is missing after the dot", "backticks"),
        ("metrics.`` > 1", 0, "names nothing after the dot", ""),
        ("status = ”rf”", 9, "is no quote", "'"),
        ("params.x = 'abc", 11, "never closed", "twice"),
        ("params.`x = 1", 7, "never closed", "`"),
        ("params.x = 0x10", 11, "'0x10' is no number", "quotes"),
        ("params.x = 1.2.3", 11, "'1.2.3' is no number", ""),
        ("duration > 5x", 11, "'5x' is no number", ""),
        ("duration > 'soon'", 11, "'soon' is no duration", "1h30m"),
        ("start_time > 'monday'", 13, "'monday' is no time", "2026-11-01"),
        ("start_time > '2026-02-30'", 13, "is no time", ""),
        ("start_time > -7", 14, "-7 is no time: a unit is missing", "write -7d"),
        ("start_time > 3.5", 13, "3.5 is no time", "-3.5d"),
        ("start_time between 1 and -7d", 19, "1 is no time", "-1d"),
        ("created > 1793534400", 10, "is no time", "milliseconds: 1793534400000"),
        ("status = 'faild'", 9, "'faild' is no status", "did you mean failed?"),
        ("status in ('failed', 'done')", 21, "'done' is no status", "one of running, finished, failed"),
        ("status != ''", 10, "'' is no status", "one of"),
        ("data.train.hash = 'zzzz'", 18, "'zzzz' is no hash", "at least four hex digits"),
        ("inputs.hash in ('12ab', '12a')", 24, "'12a' is no hash", "four hex digits"),
        ("start_time > 7d", 13, "a time is compared with a duration", "-7d"),
        ("dirty = 'maybe'", 8, "neither true nor false", ""),
        ("dirty < true", 0, "no order", "="),
        ("params.x < true", 11, "no order", "="),
        ("status > 'a'", 0, "no order", ""),
        ("name = 3", 7, "a text is compared with a bare number", "quotes"),
        ("params.x = 7d", 11, "a value is compared with a duration", "quote"),
        ("metrics.acc = nan", 14, "nothing equals nan", "is nan"),
        ("metrics.acc + nan > 1", 14, "nan cannot be calculated with", ""),
        ("metrics.acc > 1 / 0", 18, "division by zero", ""),
        ("metrics.acc > inf - inf", 14, "nan cannot be calculated with", ""),
        ("metrics.acc = status", 14, "a number is compared with a status", ""),
        ("duration > metrics.acc", 11, "a duration is compared with a number", ""),
        ("name + 1 > 2", 0, "a text cannot be calculated with", ""),
        ("start_time + end_time > 2", 13, "means nothing", "unit"),
        ("inputs.size + inputs.size > 2", 0, "several values each", ""),
        ("inputs.size between 1 and 2", 0, "several", ">= and <="),
        ("metrics.acc like 'a'", 0, "text pattern", ""),
        ("metrics.acc ~ 'a'", 0, "text pattern", ""),
        ("tags.x is nan", 0, "only metrics and params", ""),
        ("1 = 2", 0, "wants the name of a field", ""),
        ("metrics.acc", 11, "is a value, not a condition", "is not null"),
        ("metrics.acc > 1 metrics.b > 1", 16, "stands after a whole condition", "and"),
        ("metrics.acc > 1 < 2", 16, "stands after a whole comparison", ""),
        ("(metrics.acc > 1", 16, "wants ')'", ""),
        ("metrics.acc > 1)", 15, "there is no '(' for this ')'", "leave it out"),
        ("metrics.acc > 0,9", 15, "',' stands after", "a decimal point is a dot: 0.9"),
        ("metrics.acc > 1, 2", 15, "',' stands after", "in ("),
        ("metrics.acc ≥ 0.9", 12, "≥ is no operator", "write >=;"),
        ("metrics.acc≠0.9", 11, "≠ is no operator", "write !=;"),
        ("metrics.acc > −1", 14, "− is no operator", "write -;"),
        ("duration > 1 hour", 13, "'hour' stands after", "write 1h, without a blank"),
        ("start_time > -7 d", 14, "-7 is no time", "write -7d"),
        ("duration > 1h 30 Mins", 14, "'30' stands after", "join"),
        ("duration > 90min", 11, "'90min' is no number", "write 90m"),
        ("duration > 2 days and dirty", 13, "'days' stands after", "write 2d,"),
        ("metrics.acc > 1 apples", 16, "'apples' stands after", "join conditions"),
        ("has artefact 'model'", 4, "has wants 'artifact'", "has artifact 'model'"),
        ("has 'model'", 4, "has wants 'artifact'", "has artifact 'model'"),
        ("text 'out'", 0, "text wants '('", "text('out of memory')"),
        ("code.changed 'a'", 0, "code.changed wants '('", "code.changed("),
        ("code.change('a')", 0, "called 'code.change'", "did you mean code.changed("),
        ("artifact('a')", 0, "called 'artifact'", "did you mean has artifact"),
        ("lookup(a)", 0, "called 'lookup'", "there are code.changed("),
        ("metrics.acc > (dirty)", 15, "no order", ""),
        ("metrics.acc > (dirty = true)", 15, "a condition stands where a value", ""),
        ("and", 0, "stands where", ""),
        ("dirty and or dirty", 10, "stands where", ""),
        ("metrics.acc in ()", 16, "at least one value", ""),
        ("metrics.acc in (metrics.b)", 16, "values, not fields", ""),
        ("metrics.acc in 3", 15, "in wants '('", ""),
        ("metrics.acc in (1 2)", 18, "wants ')'", ""),
        ("metrics.acc between 1 or 2", 22, "between wants 'and'", ""),
        ("metrics.acc is", 14, "is wants null", ""),
        ("metrics.acc not is null", 12, "is a value, not a condition", ""),
        ("metrics.acc && 1", 12, "'&' means nothing here", "and"),
        ("metrics.acc > 1;", 15, "';' means nothing here", ""),
        ("has artifact '../x'", 13, "must not leave its folder", ""),
        ("has artifact x", 13, "a text in quotes", ""),
        ("code.changed('/etc/passwd')", 13, "no path in the repository", ""),
        ("code.changed('a', '--output=x')", 18, "no git revision", "branch"),
        ("code.changed('a'", 16, "wants ')'", ""),
        ("text('  ')", 5, "at least one word", ""),
        ("params.x ~ '(a'", 12, "'(' without a ')'", "as in Python"),
        ("params.x ~ 'ab(?=c)'", 14, "'(?=' is not supported", ""),
        ("params.x like 3", 14, "like wants a text in quotes", ""),
        ("params.\0x = 1", 7, "'\\x00' cannot stand", ""),
        ("params.x = '\ud800'", 12, "cannot stand", ""),
        ("params.x\u202e = 1", 8, "means nothing here", ""),
    ],
)
def test_what_is_no_query_is_refused_at_its_place(text, position, problem, hint):
    with pytest.raises(QuerySyntaxError) as raised:
        parse(text)
    error = raised.value
    assert error.position == position, str(error)
    assert problem in error.message
    assert hint in (error.hint or "")
    assert error.message.isprintable()
    shown, caret = error.excerpt.split("\n")
    assert caret == " " * (len(caret) - 1) + "^"
    assert shown.isprintable()


def test_the_caret_is_below_the_place_whatever_stands_before_it():
    for before in (
        "",
        "params.x = '日本' and ",
        "params.x = 'a\x1b[31m\n' and ",
        "params.x = 1 and " * 30,
        "日" * 3 + " = " * 50,
    ):
        text = before + "@ = 1" if before.endswith("and ") or not before else before
        with pytest.raises(QuerySyntaxError) as raised:
            parse(text)
        shown, caret = raised.value.excerpt.split("\n")
        assert cell_width(shown) <= 70
        place = next(index for index in range(len(shown) + 1) if cell_width(shown[:index]) == len(caret) - 1)
        assert shown[place : place + 1] == text[raised.value.position]


def test_an_error_is_a_usage_error_that_shows_itself():
    with pytest.raises(UsageError) as raised:
        parse("metrics.acc > 1 and statu = 'x'")
    assert raised.value.exit_code == 2
    assert str(raised.value).splitlines() == [
        "a run has no attribute 'statu', at character 21 of the query",
        "  metrics.acc > 1 and statu = 'x'",
        "                      ^",
        "  did you mean status?",
    ]


def test_another_run_cannot_have_the_name_of_a_scope():
    for name in ("metrics", "Params", "summary", "code", "run"):
        with pytest.raises(ValueError, match="cannot name another run"):
            parse_query("dirty", now=0, subjects=(name,))


def test_a_field_alone():
    assert parse_field("metrics.acc") == ACC
    assert parse_field(" `run name` ") == attribute("name")
    with pytest.raises(QuerySyntaxError, match="stands after a field"):
        parse_field("metrics.acc > 1")
