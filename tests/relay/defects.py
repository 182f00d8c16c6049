"""Known defects of the relay. Each mark is strict: the test of a mended defect fails until its mark is taken away."""

import pytest

SHARED_QUEUES = pytest.mark.xfail(reason="core/relay/state.py: ClientView.updates and .held are one deque for all")
TWO_ERRORS = pytest.mark.xfail(reason="an upstream's fatal error is passed on, and told a second time at its close")
LOST_ITEM_DONE = pytest.mark.xfail(reason="item.added was passed on, its item.done is lost with the link")
DONE_WITHOUT_ADDED = pytest.mark.xfail(reason="responses.failed: item.done of an item whose item.added never came")
PLACE_BEHIND_UNTOLD = pytest.mark.xfail(reason="an item without words is not told to the next link, places differ")
DONE_TWICE_OTHERWISE = pytest.mark.xfail(reason="responses.failed: an item that was done ends once more, incomplete")
STOPPED_TWICE = pytest.mark.xfail(reason="speech_stopped is shown again when the utterance is heard again")
LOST_COMMITTED = pytest.mark.xfail(reason="what was committed and not added yet is lost with the link")
CUT_CALL_IS_TOLD = pytest.mark.xfail(reason="replay tells a call that was cut, with empty arguments")
FIRST_BECOMES_LAST = pytest.mark.xfail(reason="Mirror.add takes a place that is null for the end, not the start")
HIDDEN_INDEX = pytest.mark.xfail(reason="a hidden call keeps its output_index, visible items begin above 0")
LATE_DONE_OF_SEED = pytest.mark.xfail(reason="item.done of an item that we told is shown after the client deleted it")
