"""Images are prepared where they are, and only what was prepared leaves."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from app.cli.dicom_notice import holds_dicom
from app.cli.exit_codes import Exit
from app.datasets.repository import DatasetRepository
from iadd.cohort import draw_image
from iadd.intake.prepare.prepare import list_source
from tests.fixtures.planted import dicom, planted_in, write_source

QUICK = ("--text", "skip", "--size", "32")


def write_classes(folder, *, each=3):
    for label in ("COVID", "Normal"):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            picture = Image.fromarray(draw_image(label, number, image_size=32))
            picture.save(folder / label / f"{number}.png")
    return folder


def write_sites(folder):
    for site in ("General", "StMary"):
        write_classes(folder / site)
    return folder


def manifest(folder):
    return list(csv.DictReader((folder / "manifest.csv").read_text().splitlines()))


def await_mapping(portal, source):
    """A dataset that a worker has listed and asks about."""
    dataset_id = portal.uploaded_dataset()
    _, layout = list_source(source)
    _ask(portal, dataset_id, layout)
    return dataset_id


def _ask(portal, dataset_id, layout):
    with portal.database.transaction() as session:
        datasets = DatasetRepository(session)
        fence = datasets.claim(dataset_id, owner="test", seconds=60)
        datasets.mark_awaiting_mapping(
            dataset_id, fence=fence, layout=layout.to_dict(), signature="s" * 64
        )


def test_a_folder_is_prepared_and_counted(exchange):
    write_source(Path("xrays"))
    Path("xrays/Folderplant^COVID0_1950/fileplant_0.dcm").write_bytes(b"")
    done = exchange(None, "prepare", "xrays", "--out", "prepared", *QUICK)

    assert done.exit_code == 0, done.output
    assert "Accepted: 17 of 21 files" in done.stdout
    assert "empty file  1  It holds no bytes" in done.stdout
    assert "Ignored: 3" in done.stdout
    assert len(manifest(Path("prepared"))) == 17
    again = exchange(None, "prepare", "xrays", "--out", "prepared", *QUICK)
    assert again.exit_code == 0, again.output
    assert again.stdout == done.stdout


def test_questions_have_a_code_of_their_own_and_a_file_answers_them(exchange):
    write_sites(Path("xrays"))
    asked = exchange(None, "prepare", "xrays", "--out", "prepared", *QUICK)

    assert asked.exit_code == 3
    assert "Are they hospitals or sites?" in asked.stdout
    assert "--layout layout.json" in asked.stderr
    assert not Path("prepared").exists()
    shown = exchange(None, "layout", "xrays", "--out", "layout.json")
    assert shown.exit_code == 0, shown.output
    assert "Are they hospitals or sites?" in shown.stdout
    assert json.loads(Path("layout.json").read_text())["levels"] == ["site", "class"]
    done = exchange(
        None, "prepare", "xrays", "--out", "prepared", "--layout", "layout.json", *QUICK
    )
    assert done.exit_code == 0, done.output
    assert {row["site"] for row in manifest(Path("prepared"))} == {"General", "StMary"}


def test_a_layout_that_does_not_fit_is_explained(exchange):
    write_sites(Path("xrays"))
    for content, said in (
        ("[1]", "not the JSON of a layout"),
        ('{"levels": ["site", "site"]}', "Nothing says which class a picture has"),
        ('{"csv": {"file": "a.csv", "columns": {"file": "f", "label": "l"}}}', "does not fit"),
    ):
        Path("layout.json").write_text(content)
        refused = exchange(
            None, "prepare", "xrays", "--out", "out", "--layout", "layout.json", *QUICK
        )
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.output
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "--out", "out"), "There is nothing at nowhere"),
        (("xrays", "--out", "xrays/out"), "lies in xrays"),
        (("xrays", "--out", "out", "--text", "maybe"), "hold, blank, skip"),
        (("xrays/COVID/0.png", "--out", "out"), "This is a single picture"),
        (("xrays", "--out", "out", "--key-file", "xrays/COVID/0.png"), "key"),
    ],
)
def test_what_cannot_be_prepared_is_named_on_one_line(exchange, arguments, said):
    write_classes(Path("xrays"))
    refused = exchange(None, "prepare", *arguments, *(() if "--text" in arguments else QUICK))

    assert refused.exit_code == Exit.UNUSABLE, refused.output
    assert said in refused.stderr.replace("'", "")
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not Path("out").exists()


def test_a_missing_part_names_the_extra(exchange, monkeypatch):
    write_classes(Path("xrays"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = exchange(None, "prepare", "xrays", "--out", "out", *QUICK)

    assert refused.exit_code == 1
    assert "iadd-exchange[intake]" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_preparation_loads_neither_torch_nor_the_portal(tmp_path):
    write_classes(tmp_path / "xrays")
    script = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from app.cli import app\n"
        f"done = CliRunner().invoke(app, ['prepare', 'xrays', '--out', 'out', *{list(QUICK)!r}])\n"
        "assert done.exit_code == 0, done.output\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'torch', 'fastapi', 'sqlalchemy', 'celery'}, loaded\n"
    )
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "XDG_CONFIG_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def prepare_in_process(tmp_path):
    """`prepare_in_process()` starts `exchange prepare xrays --out prepared`."""
    started = []

    def start():
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "app.cli", "prepare", "xrays", "--out", "prepared", *QUICK],
                cwd=tmp_path,
                env={
                    "PYTHONPATH": str(Path(__file__).parents[4]),
                    "XDG_CONFIG_HOME": str(tmp_path / "config"),
                    "PATH": "/usr/bin:/bin",
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_preparation_that_was_stopped_goes_on(prepare_in_process, tmp_path, number, wait_until):
    write_classes(tmp_path / "xrays", each=60)
    process = prepare_in_process()
    noted = tmp_path / "prepared" / ".work" / "pictures.jsonl"
    wait_until(
        lambda: noted.is_file() and noted.read_bytes().count(b"\n") > 5, "pictures were decoded"
    )
    # As a terminal does it: to the program and to its decoders.
    os.killpg(process.pid, number)
    _, told = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert process.returncode == Exit.INTERRUPTED, told
        assert "Run the same command again" in told
    assert not list((tmp_path / "prepared").glob("*.part"))
    again = prepare_in_process()
    said, told = again.communicate(timeout=60)

    assert again.returncode == 0, told
    assert "Accepted: 120 of 120 files" in said
    assert len(manifest(tmp_path / "prepared")) == 120
    assert not (tmp_path / "prepared" / ".work").exists()


@pytest.fixture
def record(proxy):
    """All that the portal is sent, as bytes."""
    sent = []

    def recorded(proxy, handler, headers):
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        sent.append(f"{handler.command} {handler.path} {headers}".encode() + body)
        stream, handler.rfile = handler.rfile, io.BytesIO(body)
        proxy.whole(proxy, handler, headers)
        handler.rfile = stream

    proxy.next(*[recorded] * 50)
    return sent


def test_no_planted_name_leaves_with_a_folder(exchange, portal, proxy, record):
    source = write_source(Path("export FOLDERPLANT"))
    done = exchange(portal.steward, "upload", source, "--no-wait", *QUICK, "--portal", proxy.url)

    assert done.exit_code == 0, done.output
    assert len(record) > 3
    assert b"manifest.csv" in b"".join(record)
    for request in record:
        assert planted_in(request) == []
    dataset_id = done.stdout.splitlines()[-1]
    (key,) = portal.stored(f"datasets/{dataset_id}")
    stored = portal.storage.get(key)
    assert planted_in(stored) == []
    with zipfile.ZipFile(io.BytesIO(stored)) as archive:
        assert len(archive.namelist()) == 19
    assert portal.steward.get(f"/datasets/{dataset_id}").json()["name"] == "Prepared images"


def test_what_was_prepared_on_the_way_is_removed_but_for_the_receipts(exchange, portal, tmp_path):
    write_classes(Path("xrays"))
    done = exchange(portal.steward, "upload", "xrays", "--no-wait", *QUICK)

    dataset_id = done.stdout.splitlines()[-1]
    state = tmp_path / "state" / "iadd-exchange"
    assert [path.name for path in (state / "receipts").iterdir()] == [f"{dataset_id}.jsonl"]
    assert list((state / "prepared").iterdir()) == []
    assert portal.steward.get(f"/datasets/{dataset_id}").json()["name"] == "xrays"


def test_an_upload_of_a_folder_that_broke_off_goes_on(exchange, portal, proxy):
    write_classes(Path("xrays"))
    upload = ("upload", "xrays", "--no-wait", *QUICK, "--portal", proxy.url)
    proxy.next(proxy.whole, proxy.whole, *[proxy.answer(503)] * 200)
    broken = exchange(portal.steward, *upload)
    assert broken.exit_code == Exit.LATER, broken.output
    proxy.forget()
    done = exchange(portal.steward, *upload)

    assert done.exit_code == 0, done.output
    assert proxy.paths("POST").count("/datasets") == 1


def test_a_prepared_folder_is_sent_as_it_is(exchange, portal, proxy, record):
    write_source(Path("xrays"))
    exchange(None, "prepare", "xrays", "--out", "prepared", *QUICK)
    done = exchange(
        portal.steward, "upload", "prepared", "--no-wait", *QUICK, "--portal", proxy.url
    )

    assert done.exit_code == 0, done.output
    assert planted_in(b"".join(record)) == []
    assert b"receipts" not in b"".join(record)
    assert Path("prepared/receipts.jsonl").is_file()


def test_a_prepared_folder_is_sent_by_the_base_install(exchange, portal, live_url, tmp_path):
    write_classes(Path("xrays"))
    exchange(None, "prepare", "xrays", "--out", "prepared", *QUICK)
    script = (
        "import sys\n"
        "for name in ('numpy', 'PIL', 'pydicom', 'imagecodecs', 'rapidocr'):\n"
        "    sys.modules[name] = None\n"
        "from app.cli import main\n"
        "sys.argv[1:] = ['upload', 'prepared', '--no-wait']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            "PYTHONPATH": str(Path(__file__).parents[4]),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "EXCHANGE_TOKEN": portal.steward.token,
            "EXCHANGE_PORTAL_URL": live_url,
            "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"],
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ds_")


def test_pictures_of_one_class_are_not_sent(exchange, portal, proxy):
    write_classes(Path("xrays"))
    for picture in Path("xrays/COVID").iterdir():
        picture.write_bytes(b"")
    refused = exchange(
        portal.steward, "upload", "xrays", "--no-wait", *QUICK, "--portal", proxy.url
    )

    assert refused.exit_code == Exit.UNUSABLE, refused.output
    assert "A classifier needs two classes" in refused.stderr
    assert proxy.paths("POST") == []


def test_an_archive_is_prepared_if_asked_and_warned_of_otherwise(exchange, portal):
    with zipfile.ZipFile("xrays.zip", "w") as archive:
        for label in ("COVID", "Normal"):
            for number in range(3):
                archive.writestr(f"{label}/{number}.dcm", dicom(label, 3 * number))
    plain = exchange(portal.steward, "upload", "xrays.zip", "--no-wait")
    assert plain.exit_code == 0, plain.output
    warned = [line for line in plain.stderr.splitlines() if "--prepare" in line]
    assert len(warned) == 1
    assert "headers" in warned[0]
    done = exchange(portal.steward, "upload", "xrays.zip", "--prepare", "--no-wait", *QUICK)
    assert done.exit_code == 0, done.output
    assert "--prepare" not in done.stderr
    (key,) = portal.stored(f"datasets/{done.stdout.splitlines()[-1]}")
    assert planted_in(portal.storage.get(key)) == []


def test_dicom_is_noticed_without_an_ending(tmp_path):
    plain, packed = tmp_path / "a.zip", tmp_path / "b.tar.gz"
    (tmp_path / "IM0001").write_bytes(dicom("COVID", 0))
    with zipfile.ZipFile(plain, "w") as archive:
        archive.write(tmp_path / "IM0001", "x/IM0001")
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tmp_path / "IM0001", "x/IM0001")
    pictures = tmp_path / "c.zip"
    with zipfile.ZipFile(pictures, "w") as archive:
        archive.writestr("x/a.png", b"\x89PNG")
    (tmp_path / "d.zip").write_bytes(b"no archive")

    assert [holds_dicom(path) for path in (plain, packed, pictures, tmp_path / "d.zip")] == [
        *(True, True, False, False)
    ]


def test_a_dataset_that_awaits_its_layout_is_shown_and_confirmed(exchange, portal, tmp_path):
    dataset_id = await_mapping(portal, write_sites(tmp_path / "xrays"))
    shown = exchange(portal.steward, "layout", dataset_id, "--out", "layout.json")
    assert shown.exit_code == 0, shown.output
    assert "Are they hospitals or sites?" in shown.stdout
    done = exchange(portal.steward, "layout", dataset_id, "--layout", "layout.json", "--no-wait")

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == dataset_id
    confirmed = portal.steward.get(f"/datasets/{dataset_id}/layout").json()
    assert confirmed["mapping"]["levels"] == ["site", "class"]
    assert portal.dataset_status(dataset_id) == "checking"


def test_a_layout_that_the_portal_refuses_says_how_to_go_on(exchange, portal, tmp_path):
    dataset_id = await_mapping(portal, write_sites(tmp_path / "xrays"))
    Path("layout.json").write_text('{"levels": ["site"]}')
    refused = exchange(portal.steward, "layout", dataset_id, "--layout", "layout.json")

    assert refused.exit_code == Exit.UNUSABLE
    assert f"exchange layout {dataset_id} --layout FILE" in refused.stderr


def test_a_distillation_of_a_dataset_that_awaits_its_layout(exchange, portal, tmp_path):
    dataset_id = await_mapping(portal, write_sites(tmp_path / "xrays"))
    refused = exchange(portal.steward, "distill", dataset_id, "--preset", "cpu_demo")

    assert refused.exit_code == Exit.NOT_NOW
    assert "Are they hospitals or sites?" in refused.stderr
    assert f"exchange layout {dataset_id} --layout layout.json" in refused.stderr


@pytest.mark.parametrize("answered", [False, True])
def test_an_upload_that_awaits_its_layout(exchange, portal, tmp_path, monkeypatch, answered):
    """What a worker does is done here while the command waits."""
    sites = write_sites(tmp_path / "xrays")
    _, layout = list_source(sites)
    Path("layout.json").write_text(json.dumps(layout.readings[0].mapping.to_dict()))
    Path("chest.zip").write_bytes(b"an archive")
    looks = []

    def work(get, dataset_id, console, pause):
        looks.append(dataset_id)
        if len(looks) == 1:
            _ask(portal, dataset_id, layout)
        else:
            portal.make_ready(dataset_id)
        return get(dataset_id)

    monkeypatch.setattr("app.cli.jobs._next", work)
    options = ("--layout", "layout.json") if answered else ()
    done = exchange(portal.steward, "upload", "chest.zip", *options)

    dataset_id = done.stdout.splitlines()[-1]
    assert dataset_id.startswith("ds_")
    if answered:
        assert done.exit_code == 0, done.output
        assert "COVID: 54 images" in done.stdout
    else:
        assert done.exit_code == Exit.NOT_NOW
        assert f"exchange layout {dataset_id} --out layout.json" in done.stderr
