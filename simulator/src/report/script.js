// Tells the values under the pointer, or where the arrow keys went.
(() => {
  'use strict';
  const units = [[86400000, 'd'], [3600000, 'h'], [60000, 'min'], [1000, 's']];
  function length(millis) {
    if (millis < 1000) return millis === 0 ? '0 s' : millis + ' ms';
    const at = units.findIndex(([size]) => millis >= size);
    const [size, unit] = units[at];
    let text = Math.floor(millis / size) + ' ' + unit;
    if (at + 1 < units.length) {
      const [smaller, name] = units[at + 1];
      const rest = Math.floor(millis % size / smaller);
      if (rest > 0) text += ' ' + rest + ' ' + name;
    }
    return text;
  }

  // As the story's lines begin.
  function clock(millis) {
    const seconds = Math.floor(millis / 1000), days = Math.floor(seconds / 86400);
    const parts = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    const time = parts.map((part) => String(Math.floor(part)).padStart(2, '0')).join(':');
    return days > 0 ? days + ' d ' + time : time;
  }

  for (const timeline of document.querySelectorAll('.timeline')) {
    const { every, length: whole, exact, columns } =
      JSON.parse(timeline.querySelector('script').textContent);
    const readout = timeline.querySelector('.readout');
    const pictures = [...timeline.querySelectorAll('svg')];
    const last = Math.max(0, ...columns.map((column) => column.values.length - 1));
    let place = 0;

    function show(wanted) {
      place = Math.min(last, Math.max(0, wanted));
      const time = place * every;
      for (const picture of pictures) {
        const left = Number(picture.dataset.left), right = Number(picture.dataset.right);
        const x = left + (right - left) * Math.min(1, time / whole);
        const cursor = picture.querySelector('.cursor');
        cursor.setAttribute('x1', x);
        cursor.setAttribute('x2', x);
        cursor.setAttribute('visibility', 'visible');
      }
      const when = exact ? clock(time) : clock(time) + ' to ' + clock(Math.min(whole, time + every)) + ', at most';
      readout.replaceChildren(part('time', when));
      for (const { name, counts, values } of columns) {
        const value = values[place] ?? 0;
        readout.append(part('', name + ' ', part('value', counts ? value.toLocaleString('en') : length(value))));
      }
      readout.classList.add('shown');
    }

    function part(kind, ...content) {
      const span = document.createElement('span');
      if (kind) span.className = kind;
      span.append(...content);
      return span;
    }

    function hide() {
      readout.classList.remove('shown');
      for (const picture of pictures) picture.querySelector('.cursor').setAttribute('visibility', 'hidden');
    }

    for (const picture of pictures) {
      picture.addEventListener('pointermove', (event) => {
        const box = picture.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width * picture.viewBox.baseVal.width;
        const left = Number(picture.dataset.left), right = Number(picture.dataset.right);
        show(Math.floor((x - left) / (right - left) * whole / every));
      });
    }
    timeline.addEventListener('pointerleave', hide);
    timeline.addEventListener('focusout', hide);
    timeline.addEventListener('keydown', (event) => {
      const far = Math.max(1, Math.round(last / 20));
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -far, PageDown: far, Home: -last, End: last };
      if (event.target !== timeline || !(event.key in steps)) return;
      event.preventDefault();
      show(place + steps[event.key]);
    });
  }
})();
