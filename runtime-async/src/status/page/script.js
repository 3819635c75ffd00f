// Keeps the page up to date: asks for it again, and changes what has changed.
(() => {
  'use strict';
  const PERIOD = 4000, PATIENCE = 10000;
  const live = document.getElementById('live');
  const content = document.getElementById('content');
  let timer = 0, asking = false, lastWell = new Date();

  // Said only when it changes, so that a screen reader does not say it every few seconds.
  function say(state, text) {
    if (live.textContent !== text) live.textContent = text;
    document.documentElement.dataset.live = state;
  }

  // Makes `old` like `fresh`, and leaves alone what is equal: focus, selection,
  // scrolling and what was typed stay.
  function change(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(document.importNode(fresh, true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      // Whoever opened details wants them open.
      if (!fresh.hasAttribute(name) && !(name === 'open' && old.nodeName === 'DETAILS')) old.removeAttribute(name);
    }
    // Parts with a name are found by it: one that came or went moves no other.
    const wanted = [...fresh.childNodes];
    wanted.forEach((node, place) => {
      let here = old.childNodes[place];
      const named = key(node);
      if (named) {
        const known = [...old.children].find((child) => key(child) === named);
        if (known && known !== here) {
          old.insertBefore(known, here || null);
          here = known;
        } else if (!known) {
          old.insertBefore(document.importNode(node, true), here || null);
          return;
        }
      }
      if (here) change(here, node);
      else old.append(document.importNode(node, true));
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  }

  function key(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return '';
    return node.id || node.getAttribute('aria-labelledby') || '';
  }

  async function ask() {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    try {
      const answer = await fetch(location.href, {
        cache: 'no-store', headers: { accept: 'text/html' }, signal: AbortSignal.timeout(PATIENCE),
      });
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const part = fresh.getElementById('content');
      if (!part) throw new Error('not this page');
      document.title = fresh.title;
      change(content, part);
      lastWell = new Date();
      say('yes', 'Live');
    } catch {
      say('no', 'Not live since ' + lastWell.toISOString().slice(11, 19) + ' UTC: the controller does not answer');
    }
    asking = false;
    wait();
  }

  function wait() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, PERIOD);
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      clearTimeout(timer);
      say('paused', 'Paused while nobody looks');
    } else ask();
  });
  say('yes', 'Live');
  wait();
})();
