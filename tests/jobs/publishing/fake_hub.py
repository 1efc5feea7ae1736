"""The Hugging Face Hub at the transport: an adapter of ``requests`` that keeps what is uploaded in memory."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import BaseAdapter

ENDPOINT = "https://huggingface.co"  # in addresses only: nothing leaves the process


@dataclass
class FakeHub(BaseAdapter):
    """A Hub with one owner.

    Attributes:
        is_private: of the repository; None: there is none yet.
        objects: large files by SHA-256.
        files: committed files by name.
        refuses: part of an address of requests that are refused.
        asked: method and path of every request.
        kind: of the repository: model or dataset.
    """

    is_private: bool | None = None
    objects: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    refuses: str = "\0"
    asked: list[tuple[str, str]] = field(default_factory=list)
    kind: str = "model"

    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount("https://", self)
        return session

    def close(self) -> None:
        pass

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        path = str(request.url).removeprefix(ENDPOINT)
        self.asked.append((str(request.method), path))
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        status, answer = (403, {"error": "no"}) if self.refuses in path else self.answer(path, content)
        response = requests.Response()
        response.status_code, response.url, response.request = status, str(request.url), request
        response._content = json.dumps(answer).encode()
        response.headers["Content-Type"] = "application/json"
        return response

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/api/repos/create":
            if self.is_private is not None:
                return 409, {"error": "exists", "url": f"{ENDPOINT}/anna/voice"}
            assert json.loads(body).get("type", "model") == self.kind
            self.is_private = bool(json.loads(body)["private"])
            return 200, {"url": f"{ENDPOINT}/anna/voice"}
        if path == f"/api/{self.kind}s/anna/voice":
            return 200, {"id": "anna/voice", "private": self.is_private, "sha": "0" * 40, "siblings": []}
        if path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            large = {file["path"]: file["path"].endswith((".safetensors", ".wav")) for file in files}
            modes = [{"path": name, "uploadMode": "lfs" if large[name] else "regular"} for name in large]
            return 200, {"files": [mode | {"shouldIgnore": False} for mode in modes]}
        if path.endswith("/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": [self.place(one) for one in json.loads(body)["objects"]]}
        if path.startswith("/put/"):
            assert hashlib.sha256(body).hexdigest() == path.removeprefix("/put/")
            self.objects[path.removeprefix("/put/")] = body
            return 200, {}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path.endswith("/commit/main"):
            self.commit(body)
            return 200, {"commitUrl": f"{ENDPOINT}/anna/voice/commit/1", "commitOid": "1" * 40, "hookOutput": ""}
        return 404, {"error": path}

    def place(self, wanted: dict[str, Any]) -> dict[str, Any]:
        known = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] in self.objects:
            return known
        return known | {"actions": {"upload": {"href": f"{ENDPOINT}/put/{wanted['oid']}"}}}

    def commit(self, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "lfsFile":
                self.files[value["path"]] = self.objects[value["oid"]]
            elif line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
