//! What is looked for in every page, in any browser test of this repository.

use serde_json::Value;

use crate::driver::Browser;

/// Nothing is said on the console, no text leaves its box, no labels lie on
/// each other.
pub(crate) fn sound(browser: &Browser) {
    assert_eq!(browser.console(), Vec::<Value>::new(), "said on the console");
    let overflowing = browser.evaluate(OVERFLOWING);
    assert_eq!(overflowing, Value::Array(Vec::new()), "text that leaves its box");
    let colliding = browser.evaluate(COLLIDING);
    assert_eq!(colliding, Value::Array(Vec::new()), "labels that lie on each other");
}

/// There are pictures, and something is in each of them.
pub(crate) fn drawn(browser: &Browser) {
    let empty = browser.evaluate(EMPTY_PICTURES);
    assert_eq!(empty, Value::Array(Vec::new()), "pictures without a size");
}

/// Charts, and lines in them, that are shown and have no size.
const EMPTY_PICTURES: &str = r#"
const empty = [];
const pictures = [...document.querySelectorAll('svg[role=img]')].filter((svg) => svg.checkVisibility());
if (pictures.length === 0) empty.push('there are none');
for (const svg of pictures) {
  const box = svg.getBoundingClientRect();
  if (box.width < 200 || box.height < 80) empty.push(svg.id);
  if (svg.querySelectorAll('path, rect').length === 0) empty.push(svg.id + ' is blank');
  for (const path of svg.querySelectorAll('path')) {
    if (path.getTotalLength() === 0) empty.push(svg.id + ' ' + path.getAttribute('class'));
  }
}
return empty;"#;

/// Text that is wider than what holds it, a page that scrolls sideways,
/// labels that a picture cuts off.
const OVERFLOWING: &str = r#"
const over = [];
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) over.push('the page: ' + root.scrollWidth + ' > ' + root.clientWidth);
for (const element of document.querySelectorAll('h1, h2, p, dt, dd, li, summary, figcaption, th, td, .figure')) {
  if (element.checkVisibility() && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0) {
    over.push(element.tagName + ' ' + element.textContent.slice(0, 40));
  }
}
for (const text of document.querySelectorAll('svg[role=img] text')) {
  if (!text.checkVisibility()) continue;
  const box = text.getBoundingClientRect(), svg = text.ownerSVGElement.getBoundingClientRect();
  if (box.left < svg.left - 1 || box.right > svg.right + 1 || box.top < svg.top - 1 || box.bottom > svg.bottom + 1) {
    over.push(text.ownerSVGElement.id + ' ' + text.textContent);
  }
}
return over;"#;

/// Labels of one picture that lie on each other.
const COLLIDING: &str = r#"
const colliding = [];
for (const svg of document.querySelectorAll('svg[role=img]')) {
  if (!svg.checkVisibility()) continue;
  const boxes = [...svg.querySelectorAll('text')].map((text) => [text.textContent, text.getBoundingClientRect()]);
  boxes.forEach(([one, a], place) => {
    for (const [other, b] of boxes.slice(place + 1)) {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 3) colliding.push(svg.id + ': ' + one + ' / ' + other);
    }
  });
}
return colliding;"#;

/// Text whose contrast to what is behind it is below 4.5.
pub(crate) const WEAK_TEXT: &str = r#"
const weak = new Set();
function light(colour) {
  const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    const parts = colour.match(/[\d.]+/g);
    if (parts.length === 3 || Number(parts[3]) === 1) return colour;
  }
  return 'rgb(255, 255, 255)';
}
for (const element of document.querySelectorAll('h1, h2, p, dt, dd span, li, td, th, caption, span, strong, svg text')) {
  if (!element.checkVisibility() || !element.textContent.trim()) continue;
  const style = getComputedStyle(element);
  const colour = element instanceof SVGElement ? style.fill : style.color;
  const [a, b] = [light(colour), light(behind(element))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) weak.add(element.tagName + '.' + element.getAttribute('class') + ' ' + colour);
}
return [...weak];"#;
