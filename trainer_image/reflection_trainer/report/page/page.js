
"use strict";
// The page is complete without this script, except for the transcripts. Model text only ever becomes text nodes.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const PER_PAGE = 10;
  const OUTCOMES = { learned: "Learned", both: "Right with both", neither: "Wrong with both", lost: "Lost" };
  const TEXTS = ["question", "failed", "baseReflection", "baseRetry", "trainedReflection", "trainedRetry"];
  const numbers = new Intl.NumberFormat("en");

  $$(".js").forEach((element) => { element.hidden = false; });
  $$(".without").forEach((element) => { element.hidden = true; });
  if (data.transcripts.length) transcripts(data.transcripts);
  $$(".charts").forEach(curves);
  addEventListener("resize", reach);
  reach();

  // What scrolls sideways can be reached with a keyboard and has a name.
  function reach() {
    $$(".wide").forEach((box) => {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-labelledby", box.dataset.by);
      } else {
        ["tabindex", "role", "aria-labelledby"].forEach((name) => box.removeAttribute(name));
      }
    });
  }

  // --- The step under the pointer, in all charts of a round at once.
  function curves(charts) {
    const curve = data.curves[charts.dataset.round];
    const slider = $(`.step input[data-round="${charts.dataset.round}"]`);
    const output = $("output", slider.parentNode);
    const { left, top, width, height, right } = data.plot;
    const first = curve[0].step;
    const length = Math.max(curve[curve.length - 1].step - first, 1);
    const cursors = $$("svg", charts).map((svg) => {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", "cursor");
      line.setAttribute("y1", top);
      line.setAttribute("y2", top + height);
      line.setAttribute("x1", -1);
      line.setAttribute("x2", -1);
      svg.append(line);
      svg.addEventListener("pointermove", (event) => {
        const box = svg.getBoundingClientRect();
        const x = ((event.clientX - box.left) / box.width) * (left + width + right) - left;
        show(nearest(first + (Math.min(Math.max(x, 0), width) / width) * length));
      });
      return line;
    });
    const nearest = (step) =>
      curve.reduce((best, line, index) =>
        Math.abs(line.step - step) < Math.abs(curve[best].step - step) ? index : best, 0);
    const show = (index) => {
      const line = curve[index];
      const x = left + ((line.step - first) / length) * width;
      slider.value = index;
      slider.setAttribute("aria-valuetext", `step ${line.step}`);
      output.textContent = numbers.format(line.step);
      cursors.forEach((cursor) => { cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); });
      $$(".now", charts).forEach((now) => {
        const value = line[now.dataset.figure];
        now.textContent = value === undefined ? "" : `(at this step ${worded(value, now.dataset.axis)})`;
      });
    };
    slider.addEventListener("input", () => show(Number(slider.value)));
  }

  function worded(value, axis) {
    if (axis.includes("%")) return `${(100 * value).toFixed(1)}%`;
    return Math.abs(value) >= 100 ? numbers.format(Math.round(value)) : value.toPrecision(3);
  }

  // --- Transcripts: filtered in memory, a page of them in the document.
  function transcripts(rows) {
    const form = $(".filters");
    const list = $("#list");
    rows.forEach((row, index) => {
      row.index = index;
      row.outcome = row.trainedCorrect ? (row.baseCorrect ? "both" : "learned") : row.baseCorrect ? "lost" : "neither";
      row.words = TEXTS.map((name) => row[name]).join("\n").toLowerCase();
    });
    options(form.elements.reason, rows, (row) => row.reason);
    if (form.elements.round) options(form.elements.round, rows, (row) => String(row.round));
    let found = rows;
    let page = 0;

    const words = () => form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);

    function filter() {
      const { reason, round, outcome } = form.elements;
      const wanted = words();
      const before = rows.filter((row) =>
        (!reason.value || row.reason === reason.value) &&
        (!round || !round.value || String(row.round) === round.value) &&
        wanted.every((word) => row.words.includes(word)));
      $$(".tally", form).forEach((tally) => {
        const kind = tally.dataset.outcome;
        tally.textContent = numbers.format(kind ? before.filter((row) => row.outcome === kind).length : before.length);
      });
      found = outcome.value ? before.filter((row) => row.outcome === outcome.value) : before;
      page = 0;
      show();
    }

    function show() {
      const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
      const shown = found.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
      list.replaceChildren(...shown.map((row) => article(row, words())));
      $$("pre", list).forEach((pre) => { if (pre.scrollHeight > pre.clientHeight + 1) pre.tabIndex = 0; });
      $("#found").textContent = found.length
        ? `${numbers.format(found.length)} of ${numbers.format(rows.length)} shown`
        : "None fits. Clear the search or choose another outcome.";
      $("#page").textContent = `Page ${page + 1} of ${numbers.format(pages)}`;
      $("#back").disabled = page === 0;
      $("#next").disabled = page + 1 >= pages;
    }

    function turn(by) {
      page += by;
      show();
      $("#transcripts").scrollIntoView();
      const heading = $("article h3", list);
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    }

    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    $("#back").addEventListener("click", () => turn(-1));
    $("#next").addEventListener("click", () => turn(1));
    filter();
  }

  function options(select, rows, of) {
    const counts = new Map();
    rows.forEach((row) => counts.set(of(row), (counts.get(of(row)) || 0) + 1));
    [...counts].sort((a, b) => b[1] - a[1]).forEach(([value, count]) => {
      select.append(new Option(`${value} (${numbers.format(count)})`, value));
    });
  }

  function article(row, wanted) {
    const element = $("#transcript").content.cloneNode(true);
    const outcome = $(".outcome", element);
    outcome.textContent = OUTCOMES[row.outcome];
    outcome.classList.add(row.outcome);
    $(".reason", element).textContent = row.reason;
    $(".place", element).textContent = `number ${numbers.format(row.index + 1)}`;
    $$("pre", element).forEach((pre) => fill(pre, row[pre.dataset.text], wanted));
    $$(".side", element).forEach((side) => {
      const who = side.dataset.who;
      const right = row[`${who}Correct`];
      const verdict = $(".verdict", side);
      verdict.textContent = right ? "✓ right" : `✗ wrong: ${row[`${who}Reason`]}`;
      verdict.classList.add(right ? "right" : "wrong");
    });
    return element;
  }

  // The text with what was searched for marked.
  function fill(pre, text, wanted) {
    if (!text) {
      pre.textContent = "(empty)";
      pre.classList.add("soft");
      return;
    }
    const lower = text.toLowerCase();
    // Lower case of a few characters has another length; then the places would not fit.
    if (!wanted.length || lower.length !== text.length) {
      pre.textContent = text;
      return;
    }
    let at = 0;
    while (at < text.length) {
      const hits = wanted.map((word) => [lower.indexOf(word, at), word.length]).filter(([place]) => place >= 0);
      if (!hits.length) break;
      const [place, length] = hits.reduce((best, hit) =>
        hit[0] < best[0] || (hit[0] === best[0] && hit[1] > best[1]) ? hit : best);
      pre.append(text.slice(at, place));
      const mark = document.createElement("mark");
      mark.textContent = text.slice(place, place + length);
      pre.append(mark);
      at = place + length;
    }
    pre.append(text.slice(at));
  }
})();
