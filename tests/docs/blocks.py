"""Which blocks of commands a test runs, and why the others are not run.

A block is named by its page and its first command. A new one stands in neither list, and fails a
test until somebody has decided.
"""

ON_ONE_MACHINE = "tests/e2e/test_documented_commands.py::test_the_pages_of_one_machine"
TWO_HOSPITALS = "tests/e2e/test_documented_commands.py::test_two_hospitals_in_a_terminal"
TO_A_HUB = "tests/e2e/test_hub.py::test_a_release_travels_to_a_hub_that_dies_at_every_step"
IN_THE_HOSPITAL = "tests/e2e/test_documented_commands.py::test_images_are_prepared_and_uploaded"

RUN = {
    (
        "docs/service.md",
        '.venv/bin/exchange admin create-organisation "St. Mary\'s"',
    ): ON_ONE_MACHINE,
    (
        "docs/service.md",
        'API=http://127.0.0.1:8000/api/v1; AUTH="Authorization: Bearer $TOKEN"',
    ): ON_ONE_MACHINE,
    (
        "docs/service.md",
        "echo $TOKEN | .venv/bin/exchange login --token-stdin",
    ): ON_ONE_MACHINE,
    ("docs/service.md", ".venv/bin/exchange verify bundle.zip"): ON_ONE_MACHINE,
    (
        "docs/service.md",
        ".venv/bin/exchange backup /mnt/backup/exchange --data-dir /srv/exchange",
    ): ON_ONE_MACHINE,
    ("docs/cluster.md", "exchange admin workers"): ON_ONE_MACHINE,
    ("docs/security.md", "exchange rotate-secret --data-dir /srv/exchange"): ON_ONE_MACHINE,
    (
        "docs/webhooks.md",
        "curl -X POST $API/webhooks -H \"$AUTH\" -H 'Content-Type: application/json' \\",
    ): ON_ONE_MACHINE,
    (
        "docs/client.md",
        "exchange login --portal https://exchange.example --email grey@st-anna.example",
    ): TWO_HOSPITALS,
    (
        "docs/client.md",
        "exchange login --portal https://exchange.example --email meyer@elsewhere.example",
    ): TWO_HOSPITALS,
    ("docs/client.md", "exchange requests --received --open"): TWO_HOSPITALS,
    ("docs/client.md", "exchange accept rel_…"): TWO_HOSPITALS,
    ("docs/client.md", "exchange train ds_… rel_…"): TWO_HOSPITALS,
    ("docs/client.md", "exchange audit export 2026-12.jsonl"): TWO_HOSPITALS,
    (
        "docs/guide.md",
        "iadd train --bundle theirs.zip --bundle others.zip --data xrays/ --out table.json",
    ): TWO_HOSPITALS,
    (
        "docs/federation.md",
        'exchange admin create-organisation "St. Anna" --data-dir /srv/hub',
    ): TO_A_HUB,
    (
        "docs/federation.md",
        'exchange hub connect "Northern hub" https://hub.example < token.txt',
    ): TO_A_HUB,
    (
        "docs/federation.md",
        'exchange hub confirm "Northern hub" 3f2a-91bc-0d4e-77a1-5c2f',
    ): TO_A_HUB,
    (
        "docs/federation.md",
        'exchange share dl_… --title "Chest X-rays 2026" --summary "COVID and normal, adults." '
        '--contact a@b.example --to "Northern hub"',
    ): TO_A_HUB,
    ("docs/intake.md", "exchange layout export/"): IN_THE_HOSPITAL,
    ("docs/intake.md", "exchange layout ds_… --out layout.json"): IN_THE_HOSPITAL,
    ("docs/client.md", "exchange layout export/"): IN_THE_HOSPITAL,
    ("docs/client.md", "exchange layout ds_… --out layout.json"): IN_THE_HOSPITAL,
}

DOCKER = "needs a Docker engine; tests/test_compose.py reads the files with the real docker compose"
GIGABYTES = "downloads gigabytes; tests/docs/test_locks.py compares what it would install"
THE_TESTS = "is what runs, or surrounds, these tests"

NOT_RUN = {
    ("README.md", "make demo"): f"{THE_TESTS}; tests/e2e/test_demo.py runs the demo",
    (
        "README.md",
        ".venv/bin/exchange demo --data xrays.zip --out out/",
    ): "minutes; tests/e2e/test_demo.py runs it with settings of seconds",
    ("CONTRIBUTING.md", "make install"): THE_TESTS,
    (
        "docs/service.md",
        "make up",
    ): "tests/fixtures/service.py starts `exchange up` for every e2e test",
    (
        "docs/guide.md",
        "iadd reproduce table1       --data cifar-10-binary.tar.gz --out study1/",
    ): "hours on a GPU; tests/iadd/reproduce runs each study at tiny sizes",
    ("docs/webhooks.md", "EXCHANGE_WEBHOOK_NETWORKS=10.20.0.0/16"): "a setting, and no command",
    (
        "docs/federation.md",
        "exchange up --role hub --data-dir /srv/hub",
    ): "tests/e2e/test_hub.py starts a hub with the same role",
    ("docs/federation.md", "docker compose --file docker-compose.hub.yml up -d --wait"): DOCKER,
    ("docs/install.md", "python3 -m venv exchange"): GIGABYTES,
    (
        "docs/install.md",
        "python3 -m venv /opt/exchange",
    ): GIGABYTES,
    ("docs/airgapped.md", "python3 -m pip wheel --no-deps --wheel-dir wheels ."): GIGABYTES,
    ("docs/airgapped.md", "python3 -m venv exchange"): GIGABYTES,
    ("docs/airgapped.md", "docker compose build"): DOCKER,
    ("docs/airgapped.md", "sha256sum --check images.tar.gz.sha256"): DOCKER,
    ("docs/airgapped.md", "make docs"): "tests/docs/test_site.py builds the site",
    (
        "docs/cluster.md",
        "EXCHANGE_BROKER_URL='rediss://:PASSWORD@broker.example:6379/0'",
    ): "settings, and no command; a test below knows their names",
    (
        "docs/cluster.md",
        "exchange migrate",
    ): "needs a cluster; every e2e test starts the same processes",
    ("docs/security.md", "docker compose exec portal exchange rotate-secret"): DOCKER,
    (
        "docs/security.md",
        "docker compose exec postgres psql --username exchange --dbname exchange "
        "--command '\\password'",
    ): DOCKER,
    ("docs/security.md", "make lock"): "asks PyPI, for minutes",
    ("docs/faults.md", "make test-faults"): THE_TESTS,
    (
        "docs/runbooks.md",
        "exchange admin status",
    ): "tests/app/operations/test_status.py runs it",
    (
        "docs/operate.md",
        "exchange admin status --data-dir /srv/exchange",
    ): "tests/app/operations/test_status.py runs it",
    (
        "docs/upgrade.md",
        "exchange backup /mnt/backup/exchange --data-dir /srv/exchange",
    ): "tests/e2e/test_upgrade.py does these steps",
    ("docs/upgrade.md", "exchange drain"): "tests/e2e/test_upgrade.py does these steps",
    ("docs/upgrade.md", "EXCHANGE_BACKUP_HOURS=24"): "settings, and no command",
    (
        "docs/scaling.md",
        "python -m benchmarks.scaling",
    ): "minutes on a quiet machine; tests/benchmarks/test_scaling.py runs a small one",
}

NOT_RUN_PAGES = {
    "docs/deploy.md": DOCKER,
    "docs/results.md": "hours of computing: the commands of dated results",
    "docs/performance.md": "needs a machine that does nothing else: the commands of dated figures",
}
"""Pages none of whose blocks is run."""
