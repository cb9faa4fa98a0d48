// Pieces that several pages are made of.
import { h } from './dom.js'
import { toast } from './dialogs.js'
import { modes, modeNames } from './payload.js'

// heading is the top of a page: where one is, what can be done here.
export function heading(title, { up, note, actions } = {}) {
  return h('header', { class: 'heading', key: 'heading' },
    h('div', {},
      up && h('nav', { class: 'up', 'aria-label': 'Up' }, h('a', { href: up[0] }, up[1])),
      h('h1', {}, title), note && h('p', { class: 'note' }, note)),
    h('div', { class: 'actions' }, actions))
}

// table draws rows under columns [title, cell, class].
export function table(columns, rows, { key, label } = {}) {
  return h('div', { class: 'scroll', key: `table-${label}` }, h('table', { 'aria-label': label },
    h('thead', {}, h('tr', {}, columns.map(([title, , kind]) => h('th', { scope: 'col', class: kind }, title)))),
    h('tbody', {}, rows.map((r, i) => h('tr', { key: key ? key(r) : undefined }, columns.map(([, cell, kind]) => h('td', { class: kind }, cell(r, i))))))))
}

export function panel(title, { note, actions, key } = {}, ...children) {
  return h('section', { class: 'panel', key: key ?? title },
    h('header', {}, h('h2', {}, title), note && h('span', { class: 'note' }, note), actions && h('div', { class: 'actions' }, actions)),
    ...children)
}

// facts is a list of names and values, side by side.
export function facts(...pairs) {
  return h('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, value, more]) =>
    h('div', more ?? {}, h('dt', {}, name), h('dd', {}, value))))
}

// tiles are the same for the few numbers that matter most.
export function tiles(...pairs) {
  return h('dl', { class: 'tiles', key: 'tiles' }, pairs.filter(Boolean).map(([name, value, note]) =>
    h('div', { 'data-tile': name }, h('dt', {}, name), h('dd', {}, value), note !== undefined && h('dd', { class: 'note' }, note))))
}

// empty is what a page without content shows: what would be here, and the next
// command to type.
export function empty(text, ...commands) {
  return h('div', { class: 'empty', key: 'empty' }, h('p', {}, text), commands.map(c => command(c)))
}

export function command(line) {
  return h('div', { class: 'command' }, h('code', {}, line), copyButton(line))
}

export function copyButton(text, what = 'Copy') {
  return h('button', {
    type: 'button', class: 'copy', 'aria-label': `Copy ${text.split('\n')[0].slice(0, 60)}`,
    onclick: async () => toast(await copy(text) ? 'Copied.' : 'The browser does not allow copying. Select the text instead.'),
  }, what)
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Without TLS, and not on localhost, there is only the old way.
    const area = h('textarea', { class: 'offscreen', readonly: true })
    area.value = text
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}

// search is the field that / puts the focus on.
export function search(label, value, changed) {
  return h('input', {
    type: 'search', class: 'search', key: 'search', placeholder: `${label}  /`, 'aria-label': label, value, spellcheck: 'false', autocomplete: 'off',
    oninput: e => changed(e.target.value),
  })
}

// segments is a row of buttons of which one is on.
export function segments(label, options, value, chosen) {
  return h('div', { class: 'segments', role: 'group', 'aria-label': label }, options.map(([v, l]) =>
    h('button', { type: 'button', 'aria-pressed': String(v === value), onclick: () => chosen(v) }, l)))
}

let mode = modes[0]
try {
  if (modes.includes(localStorage.getItem('naru.mode'))) mode = localStorage.getItem('naru.mode')
} catch { /* remembered for this page only */ }
export const decodeMode = () => mode

// decoding is the switch between text, JSON and hex, remembered.
export function decoding(redraw) {
  return segments('Show values as', modes.map(m => [m, modeNames[m]]), mode, chosen => {
    mode = chosen
    try { localStorage.setItem('naru.mode', chosen) } catch { /* as above */ }
    redraw()
  })
}

export const dot = (kind, text) => h('span', { class: `state ${kind}` }, text)
export const tag = text => h('span', { class: 'tag' }, text)
export const nothing = '–'

// bar shows how much of a whole is done.
export const bar = (done, all, label) => h('progress', { value: String(done), max: String(Math.max(1, all)), 'aria-label': label })
