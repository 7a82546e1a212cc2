"""To the hub and back, against a small hub on this machine."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from huggingface_hub import constants

from brainwavlm.errors import ConfigError, RunError
from brainwavlm.models import export, load, verify

SHA = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """Repositories in memory: as much of the hub's interface as an upload and a download need."""

    files: dict[str, dict[str, bytes]]

    def do_POST(self):
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        parts = self.path.split("?")[0].strip("/").split("/")
        if self.path == "/api/repos/create":
            name = json.loads(said)
            self.files.setdefault(f"{name['organization']}/{name['name']}", {})
            return self.told({"url": f"{constants.ENDPOINT}/{name['organization']}/{name['name']}"})
        if parts[-2:-1] == ["preupload"]:
            way = {"uploadMode": "regular", "shouldIgnore": False}
            return self.told({"files": [{"path": one["path"], **way} for one in json.loads(said)["files"]]})
        if parts[-2:-1] == ["commit"]:
            name = "/".join(parts[2:4])
            for line in map(json.loads, said.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.files[name][line["value"]["path"]] = content
            return self.told({"commitUrl": f"{constants.ENDPOINT}/{name}/commit/{SHA}", "commitOid": SHA})
        return self.told({"errors": [], "warnings": []})  # validate-yaml

    def do_GET(self):
        parts = self.path.split("?")[0].strip("/").split("/")
        if self.path == "/api/whoami-v2":
            if self.headers.get("Authorization") != "Bearer mine":
                return self.told({"error": "who?"}, 401)
            return self.told({"name": "me", "type": "user"})
        name = "/".join(parts[2:4]) if parts[0] == "api" else "/".join(parts[:2])
        if name not in self.files:
            return self.told({"error": "Repository not found"}, 404)
        if "tree" in parts:
            about = {"type": "file", "oid": SHA}
            return self.told([about | {"path": p, "size": len(c)} for p, c in self.files[name].items()])
        if parts[0] == "api":
            siblings = [{"rfilename": path} for path in self.files[name]]
            return self.told({"id": name, "sha": SHA, "siblings": siblings, "modelId": name})
        return self.told(self.files[name]["/".join(parts[4:])])

    do_HEAD = do_GET

    def told(self, content, code=200):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for key, value in (
            ("Content-Length", str(len(content))),
            ("X-Repo-Commit", SHA),
            ("ETag", f'"{hashlib.sha1(content).hexdigest()}"'),
            *((("X-Error-Code", "RepoNotFound"),) if code == 404 else ()),
        ):
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The repositories of a hub on loopback, which this process uses."""
    handler = type("Here", (Hub,), {"files": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    place = constants.ENDPOINT + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", place)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "mine")
    yield handler.files
    server.shutdown()
    server.server_close()


def test_a_pushed_model_is_loaded_by_its_name(hub, finished, features, tmp_path):
    folder = export(finished(), tmp_path / "model", cache=features, push="lab/model")
    there = {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    assert hub == {"lab/model": there}
    assert b'from_pretrained("lab/model"' in there["README.md"]
    sound = folder / "brainwavlm" / "example.flac"
    model = load("lab/model")
    assert model.name == "lab/model"
    np.testing.assert_array_equal(model.predict(sound).values, load(folder).predict(sound).values)
    assert verify("lab/model")["files"] == len(there) - 1
    changed = bytearray(there["model.safetensors"])
    changed[-1] ^= 1
    hub["lab/damaged"] = there | {"model.safetensors": bytes(changed)}
    with pytest.raises(RunError, match=r"model\.safetensors: lacks the content"):
        load("lab/damaged")


def test_nothing_is_uploaded_unasked_and_a_stranger_or_a_hub_out_of_reach_is_told_at_once(
    hub, finished, features, tmp_path, monkeypatch
):
    export(finished(), tmp_path / "model", cache=features)
    assert hub == {}
    monkeypatch.setenv("HF_TOKEN", "another")
    for place in (constants.ENDPOINT, "http://127.0.0.1:9"):
        monkeypatch.setattr(constants, "ENDPOINT", place)
        with pytest.raises(
            ConfigError, match=r"push: the hub cannot be reached or refuses(.|\n)*hf auth login"
        ):
            export(finished(), tmp_path / "other", push="lab/model")
        with pytest.raises(
            RunError, match=r"lab/nothing: the hub cannot be reached or refuses(.|\n)*the network"
        ):
            load("lab/nothing")
    assert not (tmp_path / "other").exists()
