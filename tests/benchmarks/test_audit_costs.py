import re

import pytest

from benchmarks import audit_costs


@pytest.mark.slow
def test_each_preset_without_a_proof_has_a_line_for_each_audit_that_repeats(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["audit_costs", "--training", "7000"])
    audit_costs.main()
    lines = capsys.readouterr().out.splitlines()[2:]
    assert len(lines) == 12
    assert not any("dp" in line.split("|")[1] for line in lines)
    times = [float(re.split(r" \| ", line)[2]) for line in lines[:3]]
    # Costs grow as the repetitions: 8, 24 and 80.
    assert times[1] / times[0] == pytest.approx(3, rel=0.05)
    assert times[2] / times[0] == pytest.approx(10, rel=0.05)
