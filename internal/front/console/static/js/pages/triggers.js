// Triggers: the list.
import { h } from '../dom.js'
import * as api from '../api.js'
import { dot, empty, heading, search, table, tag } from '../parts.js'
import { ago, count, duration, number } from '../format.js'
import { link } from '../router.js'

const examples = [
  'naru trigger create batch --queue mails --on depth=10,wait=30s --webhook http://localhost:9000/batch',
  'naru trigger create drain --queue mails --on first -- /usr/local/bin/send-mails',
]

export function triggers(page) {
  page.title('Triggers')
  let all, filter = ''
  const draw = () => all && page.show(
    heading('Triggers', { note: count(all.length, 'trigger') }),
    all.length > 0 && h('div', { class: 'toolbar', key: 'toolbar' }, search('Filter triggers', filter, v => { filter = v; draw() })),
    all.length ? list(all.filter(t => t.spec.trigger.includes(filter)))
      : empty('No triggers yet. A trigger starts a program or calls a URL when a queue’s state says so. Programs have to be allowed: naru serve --trigger-programs', ...examples))
  page.poll(2000, async () => {
    all = await api.triggers(page)
    draw()
  })
}

function list(shown) {
  if (!shown.length) return h('p', { class: 'note', key: 'none' }, 'No trigger has that in its name.')
  return table([
    ['Trigger', t => [h('a', { href: link('triggers', t.spec.trigger) }, t.spec.trigger), t.configured && tag('from the file')]],
    ['Queue', t => h('a', { href: link('queues', t.spec.queue) }, t.spec.queue)],
    ['Fires', t => (t.spec.conditions ?? []).map(condition).join(', or ')],
    ['Running', t => number(t.running), 'n'],
    ['Waiting', t => number(t.waiting), 'n'],
    ['Succeeded', t => number(t.succeeded), 'n'],
    ['Failed', t => number(t.failed), 'n'],
    ['Last run', t => t.runs?.length ? [runState(t.runs[0]), ' ', ago(t.runs[0].firedTime)] : '–', 'nowrap'],
  ], shown, { key: t => t.spec.trigger, label: 'Triggers' })
}

// condition says in words when a trigger fires.
export function condition(c) {
  const least = c.minPriority ? ` of priority ${c.minPriority} or above` : ''
  const when = {
    first: `on the first message${least}`,
    every: `on every message${least}`,
    depth: `when ${number(c.depth ?? 0)} messages${least} are ready`,
  }[c.on] ?? c.on
  return c.maxWait ? `${when}, or one waited ${duration(c.maxWait)}` : when
}

const kinds = { waiting: 'idle', running: 'busy', succeeded: 'good', failed: 'bad' }
export const runState = r => dot(kinds[r.state] ?? 'idle', r.state)
