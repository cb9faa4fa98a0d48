// One queue: its numbers, what is in it, and what can be done with it.
import { h, slot } from '../dom.js'
import * as api from '../api.js'
import { area, ask, confirm, headersOf, positive, row, text, toast } from '../dialogs.js'
import { decodeMode, decoding, empty, facts, heading, panel, tag, tiles } from '../parts.js'
import { chart } from '../charts.js'
import { keyOf, preview, valueOf } from '../payload.js'
import { compact, count, duration, number, date, time, typed, wire } from '../format.js'
import { go, link } from '../router.js'
import { detail } from './records.js'
import { oldest } from './queues.js'
import { redrive, redrivePanel } from './redrive.js'

const peekMax = 50
const historyMax = 900

export function queue(page) {
  const name = page.params.queue
  page.title(name)
  let q, messages, redrives = []
  const opened = new Set(), history = []
  const depth = chart({ title: 'Messages', lines: ['ready', 'in flight', 'delayed'], write: compact, least: 4 })

  const load = async () => {
    [q, messages, redrives] = await Promise.all([api.queue(name, page), api.peek(name, peekMax, page), api.redrives(name, page)])
    note(history, q.stats ?? {})
    depth.set(['at', 'ready', 'inFlight', 'delayed'].map(column => history.map(x => x[column])))
    draw()
  }
  const draw = () => q && page.show(
    top(q, redrives, load), numbers(q), slot(depth.element),
    peeked(q, messages, opened, draw), redrivePanel(q, redrives, load), settings(q, load))
  page.poll(1000, load)
  page.onLeave(() => depth.end())
}

function note(history, { ready = 0, inFlight = 0, delayed = 0 }) {
  history.push({ at: Date.now() / 1000, ready: Number(ready), inFlight: Number(inFlight), delayed: Number(delayed) })
  history.splice(0, history.length - historyMax)
}

function top(q, redrives, done) {
  const sources = q.deadLetterSources ?? []
  return heading(q.queue, {
    up: ['#/queues', 'Queues'],
    note: [q.settings?.ordered && tag('ordered'), 'Created ', date(q.createdTime), ' · ',
      q.owned ? 'topic ' : 'a view of ', h('a', { href: link('topics', q.topic) }, q.topic),
      sources.length > 0 && [' · dead letters of ', sources.map(s => h('a', { href: link('queues', s) }, s, ' '))]],
    actions: [
      h('button', { type: 'button', class: 'primary', 'data-new': true, onclick: () => send(q, done) }, 'Send'),
      (sources.length > 0 || redrives.length > 0) && h('button', { type: 'button', onclick: () => redrive(q, done) }, 'Redrive'),
      h('button', { type: 'button', class: 'danger quiet', onclick: () => purge(q, done) }, 'Purge'),
      h('button', { type: 'button', class: 'danger quiet', onclick: () => remove(q) }, 'Delete'),
    ],
  })
}

function numbers({ stats: s = {} }) {
  return tiles(
    ['Ready', number(s.ready), 'deliverable'], ['In flight', number(s.inFlight), 'leased'], ['Delayed', number(s.delayed), 'not due yet'],
    ['Oldest', oldest(s), 'not done'], ['Sent', compact(s.sent), 'since the start'], ['Acked', compact(s.acked), 'since the start'],
    ['Redelivered', compact(s.redelivered), 'since the start'], ['Dead-lettered', compact(s.deadLettered), 'since the start'])
}

function peeked(q, messages, opened, draw) {
  const mode = decodeMode()
  const toggle = id => {
    if (!opened.delete(id)) opened.add(id)
    draw()
  }
  return panel('Messages that are not done', {
    key: 'peek', note: messages.length ? `the oldest ${messages.length}; looking at them changes nothing` : '', actions: decoding(draw),
  },
  messages.length ? h('div', { class: 'scroll' }, h('table', { 'aria-label': 'Messages' },
    h('thead', {}, h('tr', {}, [['Offset'], ['Sent'], ['Attempts', 'n'], ['Key'], ['Value', 'wide']].map(([t, kind]) => h('th', { scope: 'col', class: kind }, t)))),
    h('tbody', {}, messages.map(m => line(m, mode, opened.has(m.id), toggle)))))
    : empty('Nothing is in this queue. Send something:', `naru send ${q.queue} hi`, `naru receive ${q.queue} --ack --follow`))
}

function line(m, mode, isOpen, toggle) {
  const key = keyOf(m), value = valueOf(m)
  return [
    h('tr', { key: m.id, class: isOpen ? 'opened' : '', onclick: e => { if (!e.target.closest('button')) toggle(m.id) } },
      h('td', { class: 'mono' }, h('button', { type: 'button', class: 'row', 'aria-expanded': String(isOpen), onclick: () => toggle(m.id) }, h('span', { class: 'faint' }, `${m.partition ?? 0} : `), number(m.offset ?? '0'))),
      h('td', { class: 'mono nowrap' }, time(m.sentTime)),
      h('td', { class: 'n' }, number(m.attempts)),
      h('td', { class: 'mono cut key' }, preview(key, mode)),
      h('td', { class: 'mono cut wide' }, preview(value, mode))),
    isOpen && h('tr', { key: `${m.id}+`, class: 'detail' }, h('td', { colspan: '5' },
      h('p', { class: 'note' }, 'Id ', h('code', {}, m.id), m.firstReceivedTime && ` · first delivered ${time(m.firstReceivedTime)}`), detail(m, key, value, mode))),
  ]
}

function settings(q, done) {
  const s = q.settings ?? {}
  const yes = b => b ? 'yes' : 'no'
  return panel('Settings', { actions: h('button', { type: 'button', onclick: () => change(q, done) }, 'Change') }, facts(
    ['Lease', duration(s.lease)], ['Delay', duration(s.delay ?? '0s')], ['Wait of a receive', duration(s.wait ?? '0s')], ['Kept for', duration(s.retention)],
    ['Attempts', s.attemptsMax ? number(s.attemptsMax) : 'no limit'],
    ['Dead letters to', s.deadLetter ? h('a', { href: link('queues', s.deadLetter) }, s.deadLetter) : 'nowhere'],
    ['Dead-letter expired', yes(s.deadLetterExpired)], ['Ordered', yes(s.ordered)], ['Lanes', number(s.lanes ?? 1)],
    ['Largest message', `${number(s.messageBytesMax)} bytes`], ['Deduplication', `${s.dedup || 'none'}${s.dedupByContent ? ', by content' : ''}`],
    s.filter && ['Filter', h('code', {}, s.filter)],
    ...Object.entries(q.tags ?? {}).map(([k, v]) => [`Tag ${k}`, v])))
}

function change(q, done) {
  const s = q.settings ?? {}
  ask({
    title: `Settings of ${q.queue}`, action: 'Save',
    fields: [
      ...row(text('lease', 'Lease', { value: typed(s.lease) }), text('delay', 'Delay', { value: typed(s.delay ?? '0s') })),
      ...row(text('wait', 'Wait of a receive', { value: typed(s.wait ?? '0s') }), text('retention', 'Keep for', { value: typed(s.retention) })),
      ...row(
        text('attempts', 'Attempts', { value: s.attemptsMax ? String(s.attemptsMax) : '0', hint: '0 is no limit.' }),
        text('dead', 'Dead-letter queue', { value: s.deadLetter ?? '', placeholder: 'none' })),
    ],
    act: async v => {
      await api.updateQueue(q.queue, {
        lease: wire(v.lease), delay: wire(v.delay), wait: wire(v.wait), retention: wire(v.retention),
        attemptsMax: positive(v.attempts, 'attempts'), deadLetter: v.dead.trim(),
      })
      toast('The settings were saved.')
      await done()
    },
  })
}

function send(q, done) {
  const lanes = q.settings?.lanes ?? 1
  ask({
    title: `Send to ${q.queue}`, action: 'Send',
    fields: [
      area('value', 'Message', { rows: 6, placeholder: '{"to": "anna"}' }),
      ...row(
        text('key', 'Key', { placeholder: 'none', hint: q.settings?.ordered ? 'Orders messages among themselves.' : '' }),
        text('delay', 'Delay', { placeholder: typed(q.settings?.delay ?? '0s') || '0s' }),
        ...(lanes > 1 ? [text('priority', `Priority, 0 to ${lanes - 1}`, { placeholder: '0', inputmode: 'numeric' })] : [])),
      area('headers', 'Headers', { rows: 2, placeholder: 'name=value, one on each line' }),
    ],
    act: async v => {
      api.only(await api.send(q.queue, {
        text: v.value, keyText: v.key || undefined, delay: wire(v.delay), priority: positive(v.priority ?? '', 'the priority'), headers: headersOf(v.headers),
      }))
      toast('The message was sent.')
      await done()
    },
  })
}

const held = ({ ready = 0, inFlight = 0, delayed = 0 } = {}) => String(BigInt(ready) + BigInt(inFlight) + BigInt(delayed))

// what says what of a queue's messages would be gone.
const what = s => `${count(s?.ready ?? 0, 'ready message')}, ${number(s?.inFlight ?? 0)} in flight and ${number(s?.delayed ?? 0)} delayed`

function purge(q, done) {
  confirm({
    title: `Purge ${q.queue}?`, action: `Purge ${count(held(q.stats), 'message')}`,
    consequences: [
      `All messages that are in ${q.queue} now will be ended: ${what(q.stats)}. Consumers that work on one cannot acknowledge it any more.`,
      !q.owned && `The records stay in the topic ${q.topic}; other queues and groups still get them.`,
    ],
    act: async () => {
      await api.purge(q.queue)
      toast(`${q.queue} was purged.`)
      await done()
    },
  })
}

function remove(q) {
  const sources = (q.deadLetterSources ?? []).join(', ')
  confirm({
    title: `Delete queue ${q.queue}?`, action: `Delete queue and ${count(held(q.stats), 'message')}`,
    consequences: [
      `The queue ${q.queue} will be gone with ${what(q.stats)}.`,
      q.owned ? `Its topic ${q.topic} was made for it, and goes with it.` : `The topic ${q.topic} and its records stay.`,
      sources && `Dead letters of ${sources} come here; without this queue they have nowhere to go.`,
    ],
    act: async () => {
      await api.deleteQueue(q.queue)
      toast(`Queue ${q.queue} was deleted.`)
      go('#/queues')
    },
  })
}
