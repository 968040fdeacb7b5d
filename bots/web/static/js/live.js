// Live mode: frames of the camera go out over a WebSocket, answers come back.
//
// Two frames at most are on their way, so a slow server gets fewer frames and
// never old ones. The server on its side answers the latest frame it has.

import { portraitUrl, Problem } from "./api.js";
import { closeCamera, grab, hasCamera, openCamera } from "./camera.js";
import { byId, h, named, number, showBusy, showError, text } from "./dom.js";

const FRAME_SIDE_PX = 640;
const FRAME_QUALITY = 0.8;
const IN_FLIGHT = 2;
const MEMORY = 0.8; // how much of a look-alike's standing lives on to the next frame

export function startLive(usePicture) {
  const video = byId("live-video");
  const boxes = byId("live-boxes");
  const matchBox = byId("live-match");
  const errorBox = byId("live-error");
  let facing = "user";
  let session = null;

  function stop() {
    if (!session) return;
    const ended = session;
    session = null;
    ended.socket?.close();
    closeCamera(video);
    boxes.replaceChildren();
    byId("live-cover").hidden = false;
    byId("live-actions").hidden = true;
    byId("live-rate").textContent = "";
  }

  async function start() {
    stop();
    showError(errorBox, null);
    const mine = { socket: null, sent: 0, answered: 0, standing: new Map(), shown: null, times: [] };
    session = mine;
    showBusy(matchBox, text("starting"));
    try {
      if (!hasCamera) throw new Problem(text("no_camera"));
      await openCamera(video, facing);
    } catch (error) {
      if (session === mine) fail(error);
      return;
    }
    if (session !== mine) {
      closeCamera(video);
      return;
    }
    byId("live-cover").hidden = true;
    byId("live-actions").hidden = false;
    byId("live-stop").focus();
    showBusy(matchBox, text("looking_for_face"));
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/live`);
    mine.socket = socket;
    socket.addEventListener("open", () => pump(mine));
    socket.addEventListener("message", (event) => {
      if (session === mine) receive(mine, JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (session === mine) fail(new Problem(event.reason || text("live_ended")));
    });
  }

  function fail(error) {
    stop();
    matchBox.replaceChildren();
    byId("live-caption").textContent = "";
    showError(errorBox, error, start);
  }

  /** Send frames while there is room; called again whenever an answer makes some. */
  async function pump(mine) {
    while (session === mine && mine.socket.readyState === WebSocket.OPEN && mine.sent - mine.answered < IN_FLIGHT) {
      mine.sent += 1;
      mine.times.push(performance.now());
      const frame = await grab(video, FRAME_SIDE_PX, FRAME_QUALITY);
      if (session === mine && mine.socket.readyState === WebSocket.OPEN) mine.socket.send(frame);
      await new Promise(requestAnimationFrame);
    }
  }

  function receive(mine, answer) {
    // Frames before this one that got no answer were overtaken: they count as done.
    mine.answered = Math.max(mine.answered, answer.sequence);
    if (answer.error) {
      showError(errorBox, new Problem(answer.error.detail));
      setTimeout(() => pump(mine), 1000 * Math.max(0.5, answer.error.retry_after_s));
      return;
    }
    showError(errorBox, null);
    drawBoxes(answer);
    drawMatch(mine, answer);
    byId("live-caption").textContent = answer.caption;
    const delay = performance.now() - mine.times[answer.sequence - 1];
    mine.delay = smooth(mine.delay, delay);
    mine.gap = smooth(mine.gap, performance.now() - (mine.last ?? performance.now() - delay));
    mine.last = performance.now();
    byId("live-rate").textContent = text("live_rate", {
      rate: number(1000 / mine.gap, { maximumFractionDigits: 1 }),
      milliseconds: number(Math.round(mine.delay)),
    });
    pump(mine);
  }

  function drawBoxes(answer) {
    const { width, height } = answer.image_size;
    // Like object-fit: cover, which the video is shown with.
    const stage = byId("live-stage");
    const scale = Math.max(stage.clientWidth / width, stage.clientHeight / height);
    const left = (stage.clientWidth - width * scale) / 2;
    const top = (stage.clientHeight - height * scale) / 2;
    const mirrored = video.classList.contains("mirrored");
    boxes.replaceChildren(
      ...answer.faces.map((face) => {
        const x = mirrored ? width - face.box.x - face.box.width : face.box.x;
        const match = face.matches[0];
        return h(
          "div",
          {
            class: "live-box",
            style: {
              left: `${left + x * scale}px`,
              top: `${top + face.box.y * scale}px`,
              width: `${face.box.width * scale}px`,
              height: `${face.box.height * scale}px`,
            },
          },
          match ? h("span", { dir: "auto" }, `${match.name} ${number(Math.round(match.likeness))}`) : null,
        );
      }),
    );
  }

  /** One star for one face: the standing of each is averaged over the frames. */
  function drawMatch(mine, answer) {
    const matches = answer.faces[0]?.matches ?? [];
    if (!matches.length) {
      if (mine.shown !== "") showBusy(matchBox, text("looking_for_face"));
      mine.shown = "";
      return;
    }
    for (const [id, entry] of mine.standing) {
      entry.weight *= MEMORY;
      if (entry.weight < 1) mine.standing.delete(id);
    }
    for (const match of matches) {
      const entry = mine.standing.get(match.id) ?? { weight: 0 };
      mine.standing.set(match.id, { weight: entry.weight + (1 - MEMORY) * match.likeness, match });
    }
    const [best] = [...mine.standing.values()].sort((a, b) => b.weight - a.weight);
    if (mine.shown !== best.match.id) {
      mine.shown = best.match.id;
      matchBox.replaceChildren(
        h("img", { class: "live-portrait", src: portraitUrl(best.match.id), alt: "" }),
        h("p", { class: "names" }, named("face_looks_like", best.match.name)),
      );
    }
  }

  byId("live-start").addEventListener("click", start);
  byId("live-stop").addEventListener("click", () => {
    stop();
    matchBox.replaceChildren();
    byId("live-caption").textContent = "";
    byId("live-start").focus();
  });
  byId("live-switch").addEventListener("click", () => {
    facing = facing === "user" ? "environment" : "user";
    start();
  });
  byId("live-use").addEventListener("click", async () => {
    const file = await grab(video);
    stop();
    usePicture(file);
  });
  document.addEventListener("visibilitychange", () => {
    // Nobody looks: let go of the camera.
    if (document.hidden) stop();
  });
  return { leave: stop };
}

function smooth(old, fresh) {
  return old ? 0.9 * old + 0.1 * fresh : fresh;
}
