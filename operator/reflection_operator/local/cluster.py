"""The local stand-in for a cluster: creates Jobs as processes and shows them in the words of the Kubernetes API."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reflection_api.stages import TOLD_TO_STOP, ExitCode

from . import pods
from .processes import end_marked, oom_kills, start
from .records import Records, read_json, write_json


@dataclass
class _Running:
    """A Job whose processes this runner started."""

    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    oom_kills: int = field(default_factory=oom_kills)
    """The kernel's count when the Job began."""


class LocalCluster:
    """Jobs as processes of this machine. One process per completion index; the first failure ends its siblings."""

    def __init__(self, records: Records, mark: str) -> None:
        self._records = records
        self._mark = mark
        self._running: dict[str, _Running] = {}

    def adopt(self) -> None:
        """End what an earlier runner left unfinished and forget it: whoever decides creates the same attempt again.

        To be stopped is no failure of the attempt, so it costs no restart and no wait.
        """
        end_marked(self._mark)
        for name, stored in self._records.jobs():
            if any(record is None for record in self._exits(name, stored["job"])):
                shutil.rmtree(self._records.job(name), ignore_errors=True)

    def create(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Start a Job; nothing happens where it exists already, as with a 409 from an API server."""
        job = next(manifest for manifest in manifests if manifest["kind"] == "Job")
        name = str(job["metadata"]["name"])
        if (self._records.job(name) / "objects.json").exists():
            return
        data = {
            key: text
            for item in manifests
            if item["kind"] == "ConfigMap"
            for key, text in item["data"].items()
        }
        port = pods.free_port()
        for index in range(_completions(job)):
            folder = self._records.pod(name, index)
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "config").mkdir(parents=True)
            for key, text in data.items():
                (folder / "config" / key).write_text(text)
        write_json(self._records.job(name) / "objects.json", {"job": job, "createdAt": pods.now()})
        running = self._running.setdefault(name, _Running())
        for index in range(_completions(job)):
            folder = self._records.pod(name, index)
            environment = pods.environment(
                job,
                index,
                folder=folder,
                config=next((folder / "config").iterdir()),
                mark=self._mark,
                rendezvous_port=port,
            )
            log = self._records.log(name, index)
            running.processes[index] = start(pods.command(job), environment, log, folder)

    def delete(self, name: str, *, grace: float) -> None:
        """Stop a Job's processes in order and forget the Job."""
        running = self._running.pop(name, None)
        if running:
            _stop(running, grace)
            end_marked(self._mark)  # only one Job runs at a time: whatever is left was this one's
        shutil.rmtree(self._records.job(name), ignore_errors=True)

    def poll(self) -> bool:
        """Record the processes that have ended; True where something changed."""
        changes = [self._poll_job(name, running) for name, running in self._running.items()]
        return any(changes)

    def _poll_job(self, name: str, running: _Running) -> bool:
        ended = {index: process for index, process in running.processes.items() if process.poll() is not None}
        for index, process in ended.items():
            del running.processes[index]
            out_of_memory = process.returncode == -signal.SIGKILL and oom_kills() > running.oom_kills
            self._record_exit(name, index, _exit_code(process.returncode), out_of_memory=out_of_memory)
            shutil.rmtree(self._records.pod(name, index) / "scratch", ignore_errors=True)
        if any(process.returncode != ExitCode.DONE for process in ended.values()):
            self._end_siblings(name, running)
        return bool(ended)

    def interrupt(self, grace: float) -> None:
        """Stop everything in order and forget the Jobs that were not finished, as `adopt` does."""
        for running in self._running.values():
            _stop(running, grace)
        self.adopt()

    def job_objects(self) -> list[dict[str, Any]]:
        """The Jobs as an API server would show them."""
        return [self._job_object(name, stored) for name, stored in self._records.jobs()]

    def pod_objects(self) -> list[dict[str, Any]]:
        """The pods as an API server would show them."""
        return [
            self._pod_object(name, stored, index)
            for name, stored in self._records.jobs()
            for index in range(_completions(stored["job"]))
        ]

    def progress_files(self, name: str) -> list[Any]:
        """The newest progress report of each of a Job's pods that has one."""
        folders = sorted(self._records.job(name).glob("[0-9]*"))
        return [report for folder in folders if (report := read_json(folder / "progress.json"))]

    def _end_siblings(self, name: str, running: _Running) -> None:
        indices = list(running.processes)
        _stop(running, grace=2.0)
        for index in indices:
            self._record_exit(name, index, TOLD_TO_STOP)
        end_marked(self._mark)

    def _record_exit(self, name: str, index: int, code: int, *, out_of_memory: bool = False) -> None:
        reason = "OOMKilled" if out_of_memory else "Completed" if code == 0 else "Error"
        record = {"code": code, "reason": reason, "at": pods.now()}
        write_json(self._records.pod(name, index) / "exit.json", record)

    def _exits(self, name: str, job: Mapping[str, Any]) -> list[dict[str, Any] | None]:
        return [read_json(self._records.pod(name, index) / "exit.json") for index in range(_completions(job))]

    def _job_object(self, name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
        job, created = stored["job"], stored["createdAt"]
        exits = self._exits(name, job)
        status: dict[str, Any] = {
            "startTime": created,
            "active": sum(record is None for record in exits),
            "conditions": [],
        }
        ended = [record for record in exits if record is not None]
        failed = [record for record in ended if record["code"] != 0]
        if len(ended) == len(exits):
            finished = max(str(record["at"]) for record in ended)
            kind, reason = (
                ("Failed", "BackoffLimitExceeded") if failed else ("Complete", "CompletionsReached")
            )
            status["conditions"].append(
                {
                    "type": kind,
                    "status": "True",
                    "reason": reason,
                    "lastTransitionTime": finished,
                    "message": "",
                }
            )
            if not failed:
                status["completionTime"] = finished
        metadata = {**job["metadata"], "creationTimestamp": created, "uid": pods.job_uid(name)}
        return {**job, "metadata": metadata, "status": status}

    def _pod_object(self, name: str, stored: Mapping[str, Any], index: int) -> dict[str, Any]:
        folder = self._records.pod(name, index)
        exit_record = read_json(folder / "exit.json")
        termination = ""
        if exit_record is not None:
            with contextlib.suppress(OSError):
                termination = (folder / "termination.json").read_text(errors="replace")
            if not termination and exit_record["code"] != 0:
                termination = pods.log_tail(self._records.log(name, index))
        return pods.pod_object(
            stored["job"],
            index,
            exit_record=exit_record,
            termination=termination,
            started=str(stored["createdAt"]),
        )


def _completions(job: Mapping[str, Any]) -> int:
    return int(job["spec"].get("completions", 1))


def _exit_code(returncode: int) -> int:
    """As a container runtime reports it: 128 + n for signal n."""
    return 128 - returncode if returncode < 0 else returncode


def _stop(running: _Running, grace: float) -> None:
    """SIGTERM to every process at once, then patience together."""
    for process in running.processes.values():
        process.terminate()
    for process in running.processes.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=grace)
        if process.poll() is None:
            process.kill()
            process.wait()
    running.processes.clear()
