// Go to: type a part of a name, Enter opens the first that fits.
import { h, show } from './dom.js'
import { open } from './dialogs.js'
import { go, link } from './router.js'
import * as api from './api.js'

const shownMax = 12

const pages = ['Overview', 'Topics', 'Queues', 'Groups', 'Triggers', 'Connections', 'Settings']
  .map(name => ({ kind: 'page', name, hash: name === 'Overview' ? '#/' : link(name.toLowerCase()) }))

export function jump() {
  let places = pages, text = '', chosen = 0
  const list = h('ul', { class: 'places', role: 'listbox', id: 'places', 'aria-label': 'Places' })
  const field = h('input', { type: 'search', 'aria-label': 'Go to', placeholder: 'Topic, queue, group, trigger or page', role: 'combobox', 'aria-controls': 'places', 'aria-expanded': 'true', autocomplete: 'off', spellcheck: 'false' })
  const dialog = open('Go to', field, list)
  const fitting = () => places.filter(p => p.name.toLowerCase().includes(text)).slice(0, shownMax)
  const to = place => {
    dialog.close()
    go(place.hash)
  }
  const draw = () => show(list, fitting().map((p, i) => h('li', { role: 'option', 'aria-selected': String(i === chosen), onclick: () => to(p) },
    h('span', {}, p.name), h('span', { class: 'note' }, p.kind))))
  field.oninput = () => {
    text = field.value.trim().toLowerCase()
    chosen = 0
    draw()
  }
  field.onkeydown = e => {
    const fit = fitting()
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      chosen = Math.max(0, Math.min(fit.length - 1, chosen + (e.key === 'ArrowDown' ? 1 : -1)))
      e.preventDefault()
      draw()
    } else if (e.key === 'Enter' && fit[chosen]) {
      e.preventDefault()
      to(fit[chosen])
    }
  }
  draw()
  field.focus()
  load().then(found => {
    places = [...found, ...pages]
    draw()
  })
}

async function load() {
  const named = (kind, path, names) => names.map(name => ({ kind, name, hash: link(path, name) }))
  const found = await Promise.all([
    api.topics().then(l => named('topic', 'topics', l.map(t => t.topic)), () => []),
    api.queues().then(l => named('queue', 'queues', l.map(q => q.queue)), () => []),
    api.groups().then(l => named('group', 'groups', l.map(g => g.group)), () => []),
    api.triggers().then(l => named('trigger', 'triggers', l.map(t => t.spec.trigger)), () => []),
  ])
  return found.flat()
}
