"use strict";
// Each section holds one player and boxes that lie over the time axes of its pictures.
for (const section of document.querySelectorAll(".sound")) {
  const audio = section.querySelector("audio");
  const place = section.querySelector(".place");
  const start = Number(section.dataset.start);
  const boxes = [...section.querySelectorAll(".box")];
  const seconds = Number(boxes[0].dataset.seconds);
  const share = (event, box) => {
    const bounds = box.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - bounds.left) / bounds.width));
  };
  const show = () => {
    const at = Math.min(audio.currentTime, seconds);
    for (const box of boxes) {
      box.querySelector(".cursor").style.left = (100 * at) / seconds + "%";
      box.setAttribute("aria-valuenow", at.toFixed(3));
      box.setAttribute("aria-valuetext", (start + at).toFixed(2) + " s");
    }
    place.textContent = (start + at).toFixed(3) + " s";
  };
  const go = (at) => {
    audio.currentTime = Math.min(seconds, Math.max(0, at));
    show();
  };
  const tell = (event, box) => {
    const bounds = box.getBoundingClientRect();
    const height = Math.min(1, Math.max(0, (bounds.bottom - event.clientY) / bounds.height));
    const marks = box.dataset.hertz ? box.dataset.hertz.split(" ").map(Number) : [];
    let text = (start + share(event, box) * seconds).toFixed(3) + " s";
    if (marks.length) {
      const index = Math.min(marks.length - 2, Math.floor(height * (marks.length - 1)));
      const rest = height * (marks.length - 1) - index;
      text += " · " + Math.round(marks[index] + rest * (marks[index + 1] - marks[index])) + " Hz";
    }
    place.textContent = text;
  };
  let frame = 0;
  const follow = () => {
    show();
    frame = audio.paused ? 0 : requestAnimationFrame(follow);
  };
  const toggle = () => (audio.paused ? audio.play() : audio.pause());
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    if (!frame) follow();
  });
  for (const name of ["seeking", "seeked", "timeupdate", "pause", "loadedmetadata"]) audio.addEventListener(name, show);
  for (const box of boxes) {
    for (const side of ["left", "top", "width", "height"]) box.style[side] = 100 * box.dataset[side] + "%";
    box.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      go(share(event, box) * seconds);
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => {
      box.querySelector(".hover").style.left = 100 * share(event, box) + "%";
      if (event.buttons & 1) go(share(event, box) * seconds);
      tell(event, box);
    });
    box.addEventListener("pointerleave", show);
    box.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 };
      if (event.key === " ") toggle();
      else if (event.key in moves) go(audio.currentTime + moves[event.key]);
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(seconds);
      else return;
      event.preventDefault();
    });
  }
  show();
}
