"""Rows per second of the whole submission path, against what people do without it.

The product's figure has everything in it that a run has: the row's turn, gates, pace,
the durable intent, the POST, the durable answer, from one process. ``with look`` has
the GET of the store's inventory before each POST, as by default; its baseline has the
same GET. Limits are so high that they do not bind. Reading the manifest is not in it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from batch_reenroll.command.decode import reenrollment_body
from benchmarks.fastserver import fast_server
from benchmarks.harness import (
    Contender,
    Goal,
    Sample,
    Table,
    arguments,
    measure,
    process,
    publish,
)
from benchmarks.submitters import planned_rows

#: As many as the submit pool has workers at high rates.
_CONNECTIONS, _THREADS, _FORKS = 128, 32, 20

_PLAYBOOK = """
- hosts: stores
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.uri:
        url: "{{ url }}/CertificateStores/Reenrollment"
        method: POST
        body_format: json
        body: "{{ body }}"
        status_code: 204
"""


def _sent(way: str, url: str, n_rows: int, connections: int = _CONNECTIONS) -> Sample:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.submitters"]
    return process(
        [*command, way, url, str(n_rows), str(connections)],
        figure=lambda said, _: float(json.loads(said)["rows_per_s"]),
    )


def _by_ansible(playbook: str, url: str, n_rows: int) -> Sample:
    """Run a playbook over one inventory host for each row, start-up included."""
    hosts = {
        f"row{row.row_no}": {
            "body": reenrollment_body(row.request, properties_as_array=False)
        }
        for row in planned_rows(n_rows)
    }
    shared = {"url": url, "ansible_python_interpreter": sys.executable}
    inventory = {"stores": {"hosts": hosts, "vars": shared}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hosts.json").write_text(json.dumps(inventory))
        (folder / "play.yml").write_text(_PLAYBOOK)
        return process(
            [playbook, "-i", "hosts.json", "-f", str(_FORKS), "play.yml"],
            figure=lambda _, took_s: n_rows / took_s,
            environment={"ANSIBLE_LOCALHOST_WARNING": "false", "HOME": name},
            folder=folder,
        )


def _flags(parser: argparse.ArgumentParser) -> None:
    found = shutil.which("ansible-playbook") or ""
    parser.add_argument("--ansible", default=found, help="path of ansible-playbook")


def main() -> None:
    """Measure and publish."""
    title = "Submission: rows per second from one process"
    options = arguments("submission", title, more=_flags)
    n_rows = 1_000 if options.quick else 20_000
    n_tasks = 20 if options.quick else 200
    ansible = options.asked.ansible
    with fast_server() as url:
        table = measure(
            [
                Contender("bare aiohttp", lambda: _sent("bare", url, n_rows)),
                Contender("product", lambda: _sent("product", url, n_rows)),
                Contender(
                    "requests, 32 threads",
                    lambda: _sent("threads", url, n_rows // 4, _THREADS),
                ),
                Contender(
                    f"Ansible uri, {_FORKS} forks",
                    lambda: _by_ansible(ansible, url, n_tasks),
                    skip="" if ansible else "no ansible-playbook is installed",
                ),
            ],
            title="POST only",
            unit="rows/s",
            baseline="bare aiohttp",
            options=options,
        )
        looking = measure(
            [
                Contender("bare GET + POST", lambda: _sent("bare-look", url, n_rows)),
                Contender("product", lambda: _sent("product-look", url, n_rows)),
            ],
            title="With a look at the store before each POST (the default)",
            unit="rows/s",
            baseline="bare GET + POST",
            options=options,
        )
    publish(
        options,
        [table, looking],
        goals=_goals(table),
        libraries=["aiohttp", "uvloop", "requests"],
    )


def _goals(table: Table) -> list[Goal]:
    threads = table.ratio("product", "requests, 32 threads")
    return [
        Goal("product to bare aiohttp", table.ratio("product"), at_least=0.6),
        Goal("product to requests in 32 threads", threads, at_least=4.0),
    ]


if __name__ == "__main__":
    main()
