"""The plain way, to compare with: a web handler that runs eager torch, one photo at a time.

    python -m benchmarks.baseline --port-file FILE [--find-faces] [--describe-faces]

As student projects do it: decode everything, full-width torchvision ResNet-50 in eager
mode, a greedy LSTM, and a second eager network for the face. Weights are random, for the
time a network takes does not depend on them. Where the face is, it is told, which flatters
it; with ``--find-faces`` dlib's HOG detector looks for it, without enlarging the photo. With
``--describe-faces`` a second captioner looks at the face, as it would have to for our answer.
"""

from __future__ import annotations

import argparse
import io
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from training.vision import torchvision_models

__all__ = ["BaselineServer"]

VOCABULARY = 2500
WORDS = 12
"""Length of the average caption."""


class GreedyLstm(torch.nn.Module):
    """One LSTM cell and a projection, called word by word."""

    def __init__(self, features: int = 2048, hidden: int = 512) -> None:
        super().__init__()
        self.project = torch.nn.Linear(features, hidden)
        self.embed = torch.nn.Embedding(VOCABULARY, hidden)
        self.lstm = torch.nn.LSTM(hidden, hidden, batch_first=True)
        self.words = torch.nn.Linear(hidden, VOCABULARY)

    def forward(self, features: torch.Tensor) -> list[int]:
        """Greedy words for features of shape (1, 2048)."""
        inputs, state, caption = self.project(features).unsqueeze(1), None, []
        for _ in range(WORDS):
            output, state = self.lstm(inputs, state)
            word = self.words(output[:, 0]).argmax(1)
            caption.append(int(word))
            inputs = self.embed(word).unsqueeze(1)
        return caption


class BaselineServer:
    """The plain way as an HTTP server on a free port of the loopback.

    Args:
        gallery_size: Celebrities to compare with.
        find_faces: Whether to look for the face.
        describe_faces: Whether to caption the face too.
    """

    def __init__(
        self, gallery_size: int, *, find_faces: bool = False, describe_faces: bool = False
    ) -> None:
        models = torchvision_models()
        captioners = 2 if describe_faces else 1
        self._captioners = [_captioner(models) for _ in range(captioners)]
        self._embedder = models.resnet50(weights=None).eval()
        self._gallery = np.random.default_rng(0).normal(size=(gallery_size, 1000))
        self._detector = _dlib_detector() if find_faces else None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]

    def serve_forever(self) -> None:
        """Answers until the process ends."""
        self._server.serve_forever()

    def predict(self, data: bytes) -> dict[str, object]:
        """Everything about one photo, the plain way."""
        image = Image.open(io.BytesIO(data)).convert("RGB")
        with torch.no_grad():
            face = image.crop(self._find_face(image))
            captions = [
                captioner(_tensor(picture, 224))
                for captioner, picture in zip(self._captioners, (image, face), strict=False)
            ]
            vector = self._embedder(_tensor(face, 160)).numpy()[0]
        cosine = self._gallery @ vector / np.linalg.norm(self._gallery, axis=1)
        return {"captions": captions, "match": int(cosine.argmax())}

    def _find_face(self, image: Image.Image) -> tuple[int, int, int, int]:
        if self._detector and (found := self._detector(np.asarray(image), 0)):
            box = found[0]
            return box.left(), box.top(), box.right(), box.bottom()
        return image.width // 4, 0, 3 * image.width // 4, image.height // 2

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        baseline = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = json.dumps(baseline.predict(body)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: object) -> None:
                """Keeps quiet."""

        return Handler


def _captioner(models: Any) -> torch.nn.Sequential:
    encoder = models.resnet50(weights=None)
    encoder.fc = torch.nn.Identity()
    return torch.nn.Sequential(encoder, GreedyLstm()).eval()


def _tensor(image: Image.Image, side: int) -> torch.Tensor:
    pixels = np.asarray(image.resize((side, side)), dtype=np.float32) / 255.0
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy()).unsqueeze(0)


def _dlib_detector() -> Any:
    import dlib  # noqa: PLC0415 - only this needs it

    return dlib.get_frontal_face_detector()


def main() -> None:
    """Runs the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True, help="the port is written here")
    parser.add_argument("--find-faces", action="store_true")
    parser.add_argument("--describe-faces", action="store_true")
    options = parser.parse_args()
    server = BaselineServer(
        5200, find_faces=options.find_faces, describe_faces=options.describe_faces
    )
    draft = options.port_file.with_suffix(".new")
    draft.write_text(str(server.port))
    draft.rename(options.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
