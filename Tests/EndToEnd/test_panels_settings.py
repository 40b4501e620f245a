"""The messages of `relay check` about panels: all problems at once, and no relay starts with them."""

import paneled
import pytest
from test_settings import run

BASE = paneled.settings("http://127.0.0.1:9/v1")


@pytest.fixture
def problems(tmp_path):
    """`problems(**settings)`: the lines, without their location."""

    def told(**settings):
        ended = run("check", tmp_path, **BASE, **settings)
        lines = [line.split("environment  ", 1)[1] for line in ended.stderr.split("\n") if "environment  " in line]
        warnings = ended.stderr.startswith("configuration:") and "warning" in ended.stderr.split("\n")[0]
        assert ended.returncode == (0 if warnings or not lines else 78), ended.stderr
        return sorted(lines)

    return told


def test_good_panels_are_no_problem(problems):
    assert problems(**paneled.panel("EXPERTS", VISION_MODELS="va,row/vs", DEADLINE="5s", MIN_ANSWERS="1"),
                    **paneled.panel("TOP", MODELS="experts,a"), DEFAULT_MODEL="top", FALLBACK_MODEL="experts",
                    KEY_X_TOKEN="token-of-the-caller-x", KEY_X_MODELS="experts", RATE_LIMIT_BY_MODEL="top=5/minute") == []  # fmt: skip


def test_all_problems_are_told_at_once(problems):
    told = problems(
        PANEL_XA_MODELS="bb,nothing,row/vss,other/a", PANEL_XA_SUMMARY_MODEL="sum", PANEL_XA_TEMPERATURE="2.5",
        PANEL_XA_ATTEMPTS="0", PANEL_XA_MODE="both", PANEL_XA_STATUS_FEEDBACK="loud", PANEL_XA_KEEP_HISTORY="perhaps",
        PANEL_XA_TIMEOUT="soon", PANEL_XA_SUMMARY_PROMPT_FILE="/nowhere", PANEL_XA_VISION_SUMMARY_MODEL="vs vs",
        PANEL_XA_MODLES="a", PANEL_XB_MODELS="a", PANEL_XC_SUMMARY_MODEL="s", PANEL_XC_MIN_ANSWERS="1",
        PANEL_XD_SUMMARY_MODEL="s", PANEL_XD_MODE="direct", PANEL_XD_MODELS="a",
        PANEL_XE_SUMMARY_MODEL="s", PANEL_XE_MODELS="a,b", PANEL_XE_VISION_MODELS="va", PANEL_XE_MIN_ANSWERS="2",
    )  # fmt: skip
    assert told == sorted([
        'PANEL_XA_MODELS: no provider serves "bb"',
        'PANEL_XA_MODELS: no provider serves "nothing"',
        'PANEL_XA_MODELS: no provider serves "row/vss"',
        'PANEL_XA_MODELS: no provider serves "other/a"; did you mean "a"?',
        'PANEL_XA_SUMMARY_MODEL: no provider serves "sum"',
        'PANEL_XA_TEMPERATURE: "2.5" is not a number from 0 to 2',
        'PANEL_XA_ATTEMPTS: "0" is not a number from 1 to 10',
        'PANEL_XA_MODE: "both" is not one of parallel, direct',
        'PANEL_XA_STATUS_FEEDBACK: "loud" is not one of content, reasoning, comment, off',
        'PANEL_XA_KEEP_HISTORY: "perhaps" is not true or false',
        'PANEL_XA_TIMEOUT: "soon" is not a time from 1ms to 24h (500ms, 30s, 5m, 2h, or seconds)',
        'PANEL_XA_SUMMARY_PROMPT_FILE: "/nowhere" cannot be read: No such file or directory; put the file there, or correct the path',
        'PANEL_XA_VISION_SUMMARY_MODEL: "vs vs" is not the name of a model',
        "PANEL_XA_MODLES: unknown variable; did you mean PANEL_XA_MODELS?",
        "PANEL_XB_MODELS: PANEL_XB_SUMMARY_MODEL is not set; did you mean PANEL_XA_MODELS?",
        "PANEL_XC_SUMMARY_MODEL: PANEL_XC_MODELS must be set, unless the mode is direct",
        "PANEL_XD_MODELS: the mode direct has no members; remove this line",
        "PANEL_XE_MIN_ANSWERS: 2 responses are more than 1 member can give",
    ])  # fmt: skip


def test_a_panel_may_not_contain_itself(problems):
    told = problems(
        PANEL_A_MODELS="a,b", PANEL_A_SUMMARY_MODEL="panel-b", PANEL_A_NAME="first",
        PANEL_PANEL_B_MODELS="a", PANEL_PANEL_B_SUMMARY_MODEL="s", PANEL_PANEL_B_VISION_MODELS="first",
        PANEL_OWN_MODELS="own", PANEL_OWN_SUMMARY_MODEL="s", PANEL_FREE_MODELS="own,a", PANEL_FREE_SUMMARY_MODEL="s",
    )  # fmt: skip
    assert told == sorted([
        "PANEL_A_SUMMARY_MODEL: the panel calls itself: first > panel-b > first",
        "PANEL_OWN_SUMMARY_MODEL: the panel calls itself: own > own",
        "PANEL_PANEL_B_SUMMARY_MODEL: the panel calls itself: panel-b > first > panel-b",
        'PANEL_FREE_SUMMARY_MODEL: the panel calls more than 64 models, including those of nested panels',
    ])  # fmt: skip


def test_names_are_unique_and_bounded(problems):
    told = problems(
        PANEL_X_NAME="a", PANEL_X_MODELS="b", PANEL_X_SUMMARY_MODEL="s",
        PANEL_TWIN_MODELS="b", PANEL_TWIN_SUMMARY_MODEL="s", PANEL_OTHER_NAME="twin", PANEL_OTHER_MODELS="b", PANEL_OTHER_SUMMARY_MODEL="s",
        PANEL_MANY_MODELS=",".join(["b"] * 64), PANEL_MANY_SUMMARY_MODEL="s",
    )  # fmt: skip
    assert told == sorted([
        'PANEL_X_NAME: "a" is also a model of a provider; give the panel another name',
        'PANEL_TWIN_SUMMARY_MODEL: "twin" is also the name of the panel of PANEL_OTHER_NAME',
        "PANEL_MANY_SUMMARY_MODEL: the panel calls more than 64 models, including those of nested panels",
    ])  # fmt: skip


def test_members_are_permitted_models_that_chat(problems):
    told = problems(
        PROVIDER_MIN_KIND="onemin", PROVIDER_MIN_API_KEYS="v-1", SUBSET_OF_ONE_MIN_PERMITTED_MODELS="gpt-4o-mini,whisper-1",
        PERMIT_MODELS_FROM_SUBSET_ONLY="true", PANEL_X_MODELS="gpt-4o-mini,gpt-4o,whisper-1", PANEL_X_SUMMARY_MODEL="min/gpt-4o-mini",
    )  # fmt: skip
    assert told == ['PANEL_X_MODELS: "whisper-1" does not support chats', 'PANEL_X_MODELS: no provider serves "gpt-4o"']
