"use strict";
// Buttons leave some clips of the gallery in view; a line runs over each clip's picture while it plays.
for (const gallery of document.querySelectorAll(".gallery")) {
  const scope = gallery.closest(".chapter") ?? document;
  const clips = [...gallery.querySelectorAll(".clip")];
  const said = gallery.querySelector("output");
  const buttons = [...scope.querySelectorAll("button.show")];
  const choose = (button) => {
    const wanted = button.dataset.show.split(" ");
    let shown = 0;
    for (const clip of clips) {
      clip.hidden = !clip.dataset.tokens.split(" ").some((token) => wanted.includes(token));
      if (clip.hidden) clip.querySelector("audio").pause();
      else shown += 1;
    }
    for (const other of buttons) other.setAttribute("aria-pressed", other === button);
    const told = button.dataset.told || button.textContent;
    said.textContent = told + " · " + (shown === 1 ? "1 clip" : shown + " clips") + " here";
    gallery.querySelector(".clips").scrollTop = 0;
  };
  for (const button of buttons) {
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      choose(button);
      if (!gallery.contains(button)) gallery.scrollIntoView({ behavior: "smooth", block: "nearest" });
    });
  }
  for (const clip of clips) {
    const audio = clip.querySelector("audio");
    const picture = clip.querySelector(".mel");
    const line = picture.querySelector("i");
    const seconds = Number(picture.dataset.seconds);
    const show = () => {
      line.style.left = (100 * Math.min(audio.currentTime, seconds)) / seconds + "%";
      line.style.display = "block";
    };
    let frame = 0;
    const follow = () => {
      show();
      frame = audio.paused ? 0 : requestAnimationFrame(follow);
    };
    audio.addEventListener("play", () => {
      for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
      if (!frame) follow();
    });
    for (const name of ["seeking", "seeked", "timeupdate", "pause"]) audio.addEventListener(name, show);
    picture.addEventListener("pointerdown", (event) => {
      const bounds = picture.getBoundingClientRect();
      const at = seconds * Math.min(1, Math.max(0, (event.clientX - bounds.left) / bounds.width));
      const go = () => {
        audio.currentTime = at;
        show();
      };
      if (audio.readyState) go();
      else {
        audio.preload = "auto";
        audio.addEventListener("loadedmetadata", go, { once: true });
        audio.load();
      }
      audio.play();
    });
  }
}
