// Binds the page's own controls to the events that Gradio sends on. Nothing here leaves this origin.
window.fp = (() => {
  const asked = "feat/upload";
  const CAMERA_PX = 640; // widest picture of the camera that is sent
  const busy = (element, text, sorry = false) => {
    const line = element.querySelector(".busy");
    line.textContent = text;
    line.classList.toggle("sorry", sorry);
  };

  async function send(file, kind) {
    const answer = await fetch(asked, {
      method: "POST",
      headers: { "content-type": "application/octet-stream", "x-feat-kind": kind },
      body: file,
    });
    const reply = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(reply.detail || "The upload did not arrive; try again.");
    return { name: file.name || "pasted picture", ticket: reply.ticket };
  }

  // A place to drop, paste or choose files; `most` in bytes, so that too large a file is not even sent.
  function drop(element, submit, { kind, most, many }) {
    const zone = element.querySelector("[data-drop]");
    const input = zone.querySelector("input");
    let working = false;
    async function take(files) {
      files = [...files].slice(0, many || 1);
      if (!files.length || working) return;
      const large = files.find((file) => file.size > most);
      if (large) {
        const size = (large.size / 1e6).toFixed(1);
        return busy(zone, `The file has ${size} MB, and at most ${most / 1e6} MB are taken here; send a smaller one.`, true);
      }
      working = true;
      busy(zone, "Sending …");
      try {
        const sent = [];
        for (const file of files) sent.push(await send(file, kind));
        busy(zone, "Looking at it …");
        submit(sent);
      } catch (error) {
        busy(zone, error instanceof TypeError ? "The program that serves this page does not answer." : error.message, true);
      }
      working = false;
      input.value = "";
    }
    input.addEventListener("change", () => take(input.files));
    for (const name of ["dragenter", "dragover"])
      zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
    for (const name of ["dragleave", "drop"])
      zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.remove("over"); });
    zone.addEventListener("drop", (event) => take(event.dataTransfer.files));
    document.addEventListener("paste", (event) => {
      if (zone.offsetParent === null) return; // its tab is not open
      const files = [...(event.clipboardData?.files || [])];
      if (files.length) { event.preventDefault(); take(files); }
    });
    return { done: () => busy(zone, "") };
  }

  const drops = {};
  function upload(element, submit, options) { drops[options.tab] = drop(element, submit, options); }
  function answered(tab) { drops[tab]?.done(); }
  // Where Gradio itself refuses, as it does when too many wait, it only shows a toast.
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes)
        if (node.nodeType === 1 && (node.matches(".toast-body") || node.querySelector(".toast-body")))
          Object.values(drops).forEach((place) => place.done());
  }).observe(document.documentElement, { childList: true, subtree: true });

  // Of questions that come while one is being answered only the last is asked, when the answer has come.
  const gates = {};
  function gate(name, send) {
    gates[name] = { send, busy: false, next: null, timer: 0 };
    return (question) => {
      if (gates[name].busy) gates[name].next = question;
      else ask(name, question);
    };
  }
  function ask(name, question) {
    const gate = gates[name];
    gate.busy = true;
    clearTimeout(gate.timer);
    gate.timer = setTimeout(() => done(name), 20000); // an answer that never comes must not end it
    gate.send(question);
  }
  const after = {};
  function done(name) {
    const gate = gates[name];
    const next = gate.next;
    [gate.busy, gate.next] = [false, null];
    clearTimeout(gate.timer);
    if (next) ask(name, next);
    after[name]?.();
  }

  // Buttons on faces: marks them pressed at once, then asks.
  function faces(element, choose) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-face]");
      if (!button) return;
      const side = button.dataset.side;
      for (const other of element.querySelectorAll("[data-face]"))
        if (other.dataset.side === side)
          other.setAttribute("aria-pressed", String(other.dataset.face === button.dataset.face));
      choose({ face: Number(button.dataset.face), side: Number(side || 0) });
    });
  }

  // Highlight one region of the face alone while the pointer is on its Action Units.
  function panel(element) {
    const highlight = (region) => {
      const crop = element.querySelector(".crop");
      if (!crop) return;
      const found = region && crop.querySelector(`.highlight[data-region="${region}"]`);
      crop.classList.toggle("one", Boolean(found));
      for (const overlay of crop.querySelectorAll(".highlight")) overlay.classList.toggle("on", overlay === found);
    };
    element.addEventListener("pointerover", (event) => {
      const group = event.target.closest(".region");
      const entry = event.target.closest(".legend li");
      highlight(group ? group.querySelector("p").textContent : entry ? entry.querySelector("b").textContent : "");
    });
    element.addEventListener("pointerleave", () => highlight(""));
  }

  // Native selects: every change asks with all of them.
  function questions(element, ask) {
    element.addEventListener("change", (event) => {
      if (!event.target.matches("select[data-ask]")) return;
      const found = {};
      for (const select of element.querySelectorAll("select[data-ask]")) found[select.dataset.ask] = select.value;
      ask(found);
    });
  }

  // Sliders: those that differ from the measured value are sent, not more often than answers come.
  let board = null;
  function sliders(element, move, watch) {
    let timer = 0;
    const inputs = () => [...element.querySelectorAll("input[data-au]")];
    const show = (input) => {
      const slide = input.closest(".slide");
      slide.style.setProperty("--at", (Number(input.dataset.own) - input.min) / (input.max - input.min));
      slide.querySelector("output").textContent = Number(input.value).toFixed(2);
      slide.classList.toggle("shifted", input.dataset.moved === "yes");
    };
    const ask = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const changes = {};
        for (const input of inputs()) if (input.dataset.moved === "yes") changes[input.dataset.au] = Number(input.value);
        move({ changes });
      }, 120);
    };
    const reset = () => {
      for (const input of inputs()) { input.dataset.moved = "no"; input.value = input.dataset.own; show(input); }
    };
    element.addEventListener("input", (event) => {
      if (!event.target.matches("input[data-au]")) return;
      event.target.dataset.moved = "yes";
      show(event.target);
      ask();
    });
    element.addEventListener("click", (event) => {
      if (event.target.closest("[data-reset]")) { reset(); ask(); }
    });
    board = (values) => {
      reset();
      for (const input of inputs()) {
        if (!(input.dataset.au in values)) continue;
        input.dataset.moved = "yes";
        input.value = values[input.dataset.au];
        show(input);
        const more = input.closest("details");
        if (more) more.open = true;
      }
      ask();
      element.scrollIntoView({ block: "nearest" });
      inputs().find((input) => input.dataset.moved === "yes")?.focus({ preventScroll: true });
    };
    watch("value", () => { clearTimeout(timer); reset(); });
    reset();
  }
  function trials(element) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-try]");
      if (button && board) board(JSON.parse(button.dataset.try));
    });
  }

  function takeaway(element, take) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-take]");
      if (button) take({ what: button.dataset.take });
    });
  }
  // A file that came in the page's own data is handed to the browser's downloads.
  function download(value) {
    if (!value) return;
    const { name, kind, content } = JSON.parse(value);
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: kind }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // The camera: a picture is taken when the answer to the one before has come, so that delay cannot grow.
  function camera(element, capture) {
    const video = element.querySelector("video");
    const canvas = document.createElement("canvas");
    const [start, stop] = ["start", "stop"].map((what) => element.querySelector(`[data-camera=${what}]`));
    let stream = null;
    let waiting = 0;
    const shoot = () => {
      if (!stream) return;
      canvas.width = Math.min(CAMERA_PX, video.videoWidth);
      canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth);
      canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
      capture({ picture: canvas.toDataURL("image/jpeg", 0.85) });
    };
    after.camera = () => { clearTimeout(waiting); waiting = setTimeout(shoot, 30); };
    const end = () => {
      clearTimeout(waiting);
      stream?.getTracks().forEach((track) => track.stop());
      stream = null;
      [start.hidden, stop.hidden] = [false, true];
      busy(element, "");
    };
    start.addEventListener("click", async () => {
      try {
        if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
        stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: CAMERA_PX } } });
        video.srcObject = stream;
        await video.play();
        [start.hidden, stop.hidden] = [true, false];
        busy(element, "The camera is on.");
        shoot();
      } catch (error) {
        end();
        const words = {
          NotAllowedError: "The browser did not allow the camera; allow it in the address bar and try again.",
          NotFoundError: "No camera was found on this device.",
          SecurityError: "Browsers allow the camera only on https or on this machine's own address, 127.0.0.1.",
        };
        busy(element, words[error.name] || "The camera cannot be used; another program may hold it.", true);
      }
    });
    stop.addEventListener("click", end);
    new IntersectionObserver(([seen]) => { if (!seen.isIntersecting && stream && element.offsetParent === null) end(); }).observe(element);
  }

  return { upload, answered, faces, panel, questions, sliders, trials, takeaway, download, camera, gate, done };
})();
