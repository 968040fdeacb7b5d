// The camera: opening it, switching to another, cutting a picture out of it.

import { Problem } from "./api.js";
import { byId, showError, text } from "./dom.js";

/** Whether this browser lets the page see a camera at all. */
export const hasCamera = Boolean(navigator.mediaDevices?.getUserMedia);

/** Start the camera that looks `facing` ("user" or "environment") into `video`. */
export async function openCamera(video, facing) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } },
    });
  } catch {
    throw new Problem(text("no_camera"));
  }
  video.srcObject = stream;
  await video.play();
  const settings = stream.getVideoTracks()[0].getSettings();
  // People expect a mirror of themselves, but not of the world.
  video.classList.toggle("mirrored", (settings.facingMode ?? "user") === "user");
}

export function closeCamera(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

/** What the camera sees now, as a JPEG file at most `side` pixels wide or high. */
export async function grab(video, side = 1600, quality = 0.9) {
  const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}

/** Let the person take a photo in the dialog; null where they close it. */
export async function takePhoto() {
  if (!hasCamera) return fromSystemCamera();
  const dialog = byId("camera-dialog");
  const video = byId("camera-video");
  const errorBox = byId("camera-error");
  let facing = "user";
  let photo = null;

  async function open() {
    closeCamera(video);
    showError(errorBox, null);
    try {
      await openCamera(video, facing);
      if (!dialog.open) closeCamera(video);
    } catch (error) {
      showError(errorBox, error);
    }
    byId("snap").disabled = !video.srcObject;
  }

  byId("snap").disabled = true;
  byId("snap").onclick = async () => {
    photo = await grab(video);
    dialog.close();
  };
  byId("camera-switch").onclick = () => {
    facing = facing === "user" ? "environment" : "user";
    open();
  };
  dialog.showModal();
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  await open();
  await closed;
  closeCamera(video);
  return photo;
}

/** Pages that are not served over HTTPS may still open the phone's camera app. */
function fromSystemCamera() {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = "image/*";
    input.capture = "user";
    input.addEventListener("change", () => resolve(input.files[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}
