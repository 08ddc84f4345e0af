"""``onsei watch``: follows runs through resumes, tells the time left, and serves this machine alone."""

from __future__ import annotations

import json
import os
import re
import threading
from http.client import HTTPConnection
from pathlib import Path

import pytest
import uvicorn

from onsei.errors import RunError
from onsei.serve import curves
from onsei.serve.curves import RunLog, seconds_left
from onsei.serve.watch import Watch, _listen, find_runs, make_app, static_page, watch


def row(step: int, **values) -> dict:
    return {"step": step, "epoch": step // 10, "seconds": step * 2.0, "skipped": 0} | values


def write(folder: Path, rows: list[dict], name: str = "metrics.jsonl") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def add(folder: Path, text: str) -> None:
    with (folder / "metrics.jsonl").open("a", encoding="utf-8", newline="\n") as file:
        file.write(text)


@pytest.fixture
def run(tmp_path) -> Path:
    write(tmp_path / "試し", [row(i, **{"train/loss": 10.0 - i}) for i in range(5)])
    return tmp_path / "試し"


def loss(log: RunLog) -> list[float]:
    return log.snapshot()["curves"].get("train/loss", [[], []])[1]


def test_curves_grow_with_the_file_and_versions_tell_when(run):
    log = RunLog(run)
    assert loss(log) == [10.0, 9.0, 8.0, 7.0, 6.0]
    version = log.snapshot()["version"]
    assert log.snapshot()["version"] == version
    add(run, json.dumps(row(5, **{"train/loss": 5.0})) + "\n")
    assert loss(log)[-1] == 5.0
    assert log.snapshot()["version"] != version


def test_a_line_is_taken_when_it_is_whole(run):
    log = RunLog(run)
    line = json.dumps(row(5, **{"train/loss": 5.0})) + "\n"
    assert len(loss(log)) == 5
    add(run, line[:20])
    assert len(loss(log)) == 5
    add(run, line[20:])
    assert loss(log)[-1] == 5.0


@pytest.mark.parametrize("regrown", [0, 1, 9])
def test_a_resume_that_cut_the_file_back_leaves_no_trace_of_what_was_cut(run, regrown):
    log = RunLog(run)
    assert len(loss(log)) == 5
    rows = [row(i, **{"train/loss": 10.0 - i}) for i in range(3)]
    write(run, rows + [row(3 + i, **{"train/loss": 0.5}) for i in range(regrown)])
    assert loss(log) == [10.0, 9.0, 8.0] + [0.5] * regrown
    add(run, json.dumps(row(20, **{"train/loss": 0.1})) + "\n")
    assert loss(log)[-1] == 0.1


def test_a_file_cut_to_nothing_or_gone_leaves_no_curves(run):
    log = RunLog(run)
    version = log.snapshot()["version"]
    (run / "metrics.jsonl").write_text("")
    assert loss(log) == []
    assert log.snapshot()["version"] != version
    add(run, json.dumps(row(1, **{"train/loss": 1.0})) + "\n")
    assert loss(log) == [1.0]
    (run / "metrics.jsonl").unlink()
    assert loss(log) == []


def test_damaged_lines_are_counted_and_the_rest_is_shown(run):
    add(run, 'half a li\n[1]\n\n{"step": 9, "train/loss": NaN}\n' + json.dumps(row(10, **{"train/loss": 1.0})) + "\n")
    log = RunLog(run)
    assert loss(log)[-1] == 1.0
    assert log.snapshot()["damaged"] == 2
    assert len(loss(log)) == 6


def test_many_steps_are_thinned_but_spikes_stay(tmp_path):
    write(tmp_path, [row(i, **{"train/loss": 99.0 if i == 12345 else 1.0}) for i in range(20_000)])
    values = loss(RunLog(tmp_path))
    assert len(values) <= 1000
    assert max(values) == 99.0


def test_time_left_follows_epochs_or_steps():
    rows = [row(i) for i in range(31)]  # 10 steps an epoch, 2 s a step; epoch 3 has begun
    ends = {0: 9, 1: 19, 2: 29, 3: 30}
    assert seconds_left(rows, {"epochs": 5}, ends) == pytest.approx((50 - 30) * 2, rel=0.1)
    assert seconds_left(rows, {"epochs": 5, "max_steps": 40}, ends) == pytest.approx(20)
    assert seconds_left(rows, {"epochs": 5, "max_steps": 0}, ends) == pytest.approx(40, rel=0.1)
    assert seconds_left(rows, {"epochs": 1}, ends) == 0
    assert seconds_left(rows[:5], {"epochs": 5}, {0: 4}) is None
    assert seconds_left(rows, {}, ends) is None
    assert seconds_left([], {"epochs": 5}, {}) is None


def test_a_file_longer_than_a_block_is_read_whole_and_its_rows_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "_BLOCK", 100)
    write(tmp_path, [row(i, **{"train/loss": float(i), "note": "x" * 300}) for i in range(900)])
    log = RunLog(tmp_path)
    assert loss(log) == [float(i) for i in range(900)]
    assert log.snapshot()["step"] == 899
    assert len(log._recent) < 300


def test_a_run_tells_its_place_its_faults_and_its_end(run):
    (run / "config.yaml").write_text("training:\n  epochs: 7\n")
    write(run, [{"id": "a"}, {"id": "b"}], "quarantine.jsonl")
    write(run, [row(i, skipped=3) for i in range(25)])
    found = RunLog(run).snapshot()
    assert (found["name"], found["step"], found["epoch"], found["epochs"]) == ("試し", 24, 2, 7)
    assert (found["quarantined"], found["skipped"], found["finished"]) == (2, 3, False)
    assert found["eta"] == pytest.approx((70 - 24) * 2, rel=0.1)
    (run / "onsei.json").write_text("{}")
    os.utime(run / "metrics.jsonl", (1, 1))
    assert RunLog(run).snapshot()["finished"] is True


@pytest.mark.parametrize("text", ["training: [", "training: 3\n", "", "\t"])
def test_a_config_that_cannot_be_read_costs_only_the_time_left(run, text):
    (run / "config.yaml").write_text(text)
    assert RunLog(run).snapshot()["eta"] is None


def test_runs_are_found_in_a_folder_of_runs(tmp_path, run):
    write(tmp_path / "other" / "試し", [row(1)])
    (tmp_path / "empty").mkdir()
    assert [log.folder.name for log in find_runs([tmp_path])] == ["試し"]
    assert [log.name for log in find_runs([run, tmp_path / "other", run])] == [f"{tmp_path.name}/試し", "other/試し"]


def test_folders_without_a_run_are_refused(tmp_path):
    with pytest.raises(RunError, match="no such run folder"):
        find_runs([tmp_path / "gone"])
    with pytest.raises(RunError, match="no run"):
        find_runs([tmp_path])
    with pytest.raises(RunError, match="no run named"):
        find_runs([])


def test_the_static_page_holds_the_curves_and_nothing_from_outside(run, tmp_path, capsys):
    add(run, json.dumps(row(5, **{"train/</script><script>alert(1)</script>": 1.0})) + "\n")
    watch(Watch(runs=(run,), once=tmp_path / "page.html"))
    assert "page.html" in capsys.readouterr().out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("<script") == 2
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data[1])[0]["curves"]["train/loss"][1] == [10.0, 9.0, 8.0, 7.0, 6.0]
    assert not re.search(r"""(src|href)=|https?://(?!www\.w3\.org/2000/svg)|@import|url\(""", text)


def test_data_of_a_static_page_is_valid_json_even_with_odd_numbers(tmp_path):
    write(tmp_path, [row(1, **{"train/loss": float("inf"), "val/loss": None})])
    text = static_page(find_runs([tmp_path]))
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1]
    json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.fixture
def port(run):
    listener = _listen(0)
    server = uvicorn.Server(uvicorn.Config(make_app(find_runs([run])), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def ask(port: int, path: str, host: str = "") -> tuple[int, dict, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def test_the_server_gives_page_and_runs_and_leaves_out_known_curves(port, run):
    status, headers, page = ask(port, "/")
    assert status == 200
    assert b"<h1>onsei watch</h1>" in page
    assert "default-src 'none'" in headers["content-security-policy"]
    (first,) = json.loads(ask(port, "/runs")[2])
    assert first["curves"]["train/loss"][1][0] == 10.0
    (again,) = json.loads(ask(port, f"/runs?0={first['version']}")[2])
    assert "curves" not in again
    add(run, json.dumps(row(5, **{"train/loss": 5.0})) + "\n")
    (more,) = json.loads(ask(port, f"/runs?0={first['version']}")[2])
    assert more["curves"]["train/loss"][1][-1] == 5.0
    assert ask(port, "/metrics.jsonl")[0] == 404
    assert ask(port, "/../config.yaml")[0] == 404


def test_another_hosts_name_is_refused(port):
    assert ask(port, "/runs", host=f"localhost:{port}")[0] == 200
    assert ask(port, "/runs", host="evil.example")[0] == 400
    assert ask(port, "/runs", host=f"127.0.0.1.evil.example:{port}")[0] == 400


def test_a_port_that_is_taken_is_told(port, run):
    with pytest.raises(RunError, match=f"port {port}") as caught:
        watch(Watch(runs=(run,), port=port))
    assert "--port" in caught.value.mend
    with pytest.raises(RunError, match="port 99999"):
        watch(Watch(runs=(run,), port=99999))
