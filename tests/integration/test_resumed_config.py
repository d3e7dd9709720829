"""What a run's config asks of its steps also holds once it is resumed."""

from pathlib import Path

from flow_driver import IMPORTS, Fault, drive

FLOW = Path(__file__).with_name("store_flow.py")
CONFIG = "extends: demo\nresources: {default: {retries: 1, retry_minutes: 0}}\n"


def test_a_task_that_is_lost_after_resume_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(CONFIG)
    environment = {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path), **IMPORTS}

    def at_join(fault: Fault):
        return lambda task: fault if (task.step, task.attempt) == ("join", 0) else "none"

    words = ["--config", "cfg", "again.yaml", "run"]
    killed = drive(FLOW, words, tmp_path, at_join("kill scheduler"), environment)
    assert killed.code is None
    resumed = drive(FLOW, ["resume"], tmp_path, at_join("kill task"), environment)
    assert resumed.code == 0, resumed.output[-3000:]
    assert "30 rows, 30 keys" in resumed.output
