// Keys that work everywhere, and the dialog that lists them.
import { h } from './dom.js'
import { open } from './dialogs.js'
import { go, refresh } from './router.js'
import { jump } from './jump.js'

const places = { o: ['#/', 'overview'], t: ['#/topics', 'topics'], q: ['#/queues', 'queues'], g: ['#/groups', 'groups'], r: ['#/triggers', 'triggers'], c: ['#/connections', 'connections'], s: ['#/settings', 'settings'] }

let prefixUntil = 0

export function start() {
  addEventListener('keydown', e => {
    if ((e.ctrlKey || e.metaKey) && !e.altKey && e.key === 'k') {
      e.preventDefault()
      if (!document.querySelector('dialog[open]')) jump()
      return
    }
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector('dialog[open]')) return
    if (e.target.closest('input, textarea, select')) {
      if (e.key === 'Escape') e.target.blur()
      return
    }
    if (press(e.key)) e.preventDefault()
  })
}

function press(key) {
  if (Date.now() < prefixUntil) {
    prefixUntil = 0
    if (places[key]) {
      go(places[key][0])
      return true
    }
  }
  switch (key) {
    case 'g': prefixUntil = Date.now() + 1500; return true
    case '/': search(); return true
    case '?': help(); return true
    case 'r': refresh(); return true
    case 'n': document.querySelector('[data-new]')?.click(); return true
    case 'j': return step(1)
    case 'k': return step(-1)
    case 't': window.switchTheme(); return true
  }
  return false
}

function search() {
  const field = document.querySelector('#main .search')
  if (!field) return jump()
  field.focus()
  field.select()
}

// step moves the focus to the next or previous row's link or button.
function step(by) {
  const rows = [...document.querySelectorAll('#main tbody :is(a, button.row)')].filter(r => r.closest('td:first-child'))
  if (!rows.length) return false
  const at = rows.indexOf(document.activeElement)
  rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))].focus()
  return true
}

export function help() {
  const line = (keys, text) => h('div', {}, h('dt', {}, keys.map(k => h('kbd', {}, k))), h('dd', {}, text))
  open('Keys', h('dl', { class: 'keys' },
    line(['/'], 'search or filter this page'), line(['Ctrl', 'K'], 'go to a topic, queue, group or page'),
    Object.entries(places).map(([k, [, name]]) => line(['g', k], `to ${name}`)),
    line(['j'], 'next row'), line(['k'], 'previous row'), line(['Enter'], 'open'),
    line(['n'], 'new: create, produce or send'), line(['r'], 'load again'), line(['t'], 'light or dark'),
    line(['Ctrl', 'Enter'], 'submit a dialog'), line(['Esc'], 'close a dialog'), line(['?'], 'this list')))
}
