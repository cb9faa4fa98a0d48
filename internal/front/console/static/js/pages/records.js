// The records of a topic: from where, which, as what, and live.
import { h, held, show } from '../dom.js'
import * as api from '../api.js'
import { decodeMode, decoding } from '../parts.js'
import { keyOf, preview, sizeOf, valueOf, whole } from '../payload.js'
import { bytes, clock, day, number, time } from '../format.js'

const perPage = 50
const shownMax = 300
const partitionsMax = 64
// Following draws so often at most, however fast records come.
const drawEveryMs = 200

const places = [['newest', 'Newest'], ['earliest', 'Oldest'], ['offset', 'From offset'], ['time', 'From time'], ['ago', 'Since']]
// What stands in the position at first.
const positions = { offset: () => '0', time: () => local(new Date(Date.now() - 3600000)), ago: () => '10m' }
const local = t => `${day(t)}T${clock(t)}`

const idOf = r => `${r.partition ?? 0}:${r.offset ?? 0}`

export function browser(page, name, topicNow) {
  const s = { where: 'newest', at: '', filter: '', partition: '', records: new Map(), cursor: '', end: false, open: new Set(), busy: true, late: 0 }
  const element = held(h('section', { class: 'panel records' }))
  let stream, drawing, run = 0

  const draw = () => show(element,
    h('header', {}, h('h2', {}, 'Records'),
      h('div', { class: 'actions' }, decoding(draw),
        h('button', { type: 'button', class: stream ? 'live on' : 'live', 'aria-pressed': String(!!stream), onclick: () => stream ? stop() : follow() }, 'Follow live'))),
    bar(s, topicNow, { again, draw }),
    s.problem && h('p', { class: 'problem', role: 'alert' }, s.problem),
    listing(s, name, draw),
    !stream && s.cursor && h('div', { class: 'more' }, h('button', { type: 'button', onclick: more }, s.end ? 'Look for newer records' : 'Next records')))

  const soon = () => {
    drawing ??= setTimeout(() => { drawing = undefined; draw() }, drawEveryMs)
  }

  // attempt runs one load at a time: what an older one brings is thrown away.
  async function attempt(load) {
    const mine = ++run
    s.busy = true
    s.problem = undefined
    try {
      const found = await load()
      if (mine === run) keep(found)
    } catch (e) {
      if (e.name !== 'AbortError' && mine === run) s.problem = api.inWords(e)
    }
    if (mine !== run) return
    s.busy = false
    draw()
  }

  function keep(found) {
    for (const r of found) s.records.set(idOf(r), r)
    // The oldest go when there are more than a page can show.
    for (const id of s.records.keys()) {
      if (s.records.size <= shownMax) break
      s.records.delete(id)
      s.open.delete(id)
    }
  }

  function again() {
    s.records.clear()
    s.open.clear()
    s.cursor = ''
    if (stream) return follow()
    return attempt(s.where === 'newest' ? newest : first)
  }

  const which = () => ({ filter: s.filter, partitions: s.partition })

  async function first() {
    const answer = await api.read(name, { ...which(), from: fromOf(s), maxRecords: perPage }, page)
    return took(answer)
  }

  const more = () => attempt(async () => took(await api.read(name, { ...which(), cursor: s.cursor, maxRecords: perPage }, page)))

  function took(answer) {
    s.cursor = answer.cursor ?? ''
    s.end = answer.end ?? false
    return answer.records ?? []
  }

  // newest reads the last records of each partition, because the newest of all are
  // among them.
  async function newest() {
    s.cursor = ''
    const { partitions = [] } = await api.topic(name, page)
    const wanted = partitions.filter(p => BigInt(p.end ?? 0) > BigInt(p.logStart ?? 0) && (s.partition === '' || String(p.partition ?? 0) === s.partition))
    const answers = await Promise.all(wanted.slice(0, partitionsMax).map(p => {
      const low = BigInt(p.logStart ?? 0), from = BigInt(p.end) - BigInt(perPage)
      return api.read(name, { filter: s.filter, partitions: p.partition ?? 0, from: String(from > low ? from : low), maxRecords: perPage }, page)
    }))
    return answers.flatMap(a => a.records ?? []).sort(byTime).slice(-perPage)
  }

  function follow() {
    stop()
    s.where = 'newest'
    stream = new EventSource(api.recordsUrl(name, { ...which(), from: 'latest' }))
    stream.onopen = () => attempt(newest)
    stream.onmessage = e => {
      try {
        keep([JSON.parse(e.data)])
      } catch { return }
      soon()
    }
    stream.onerror = () => {
      s.problem = stream?.readyState === EventSource.CLOSED ? 'The server ended the stream.' : 'The stream broke; it is opened again …'
      soon()
    }
    draw()
  }

  function stop() {
    stream?.close()
    stream = undefined
    draw()
  }

  page.onLeave(() => { stream?.close(); clearTimeout(drawing) })
  return { element, begin: again, again: () => { if (!stream) again() } }
}

function fromOf({ where, at }) {
  const t = at.trim()
  switch (where) {
    case 'earliest': return 'earliest'
    case 'offset':
      if (!/^\d+$/.test(t)) throw new Error(`“${t}” is not an offset. Write a number, such as 0.`)
      return t
    case 'ago':
      if (!/^\d+(ms|s|m|h)([\dmsh]*)$/.test(t)) throw new Error(`“${t}” is not a duration. Write 30s, 10m or 4h.`)
      return `-${t}`
    default: {
      const when = new Date(t)
      if (Number.isNaN(+when)) throw new Error('Fill in the day and the time.')
      return when.toISOString()
    }
  }
}

const byTime = (a, b) => new Date(a.timestamp ?? 0) - new Date(b.timestamp ?? 0) || Number(BigInt(a.offset ?? 0) - BigInt(b.offset ?? 0))

function bar(s, topicNow, { again, draw }) {
  const partitions = topicNow()?.partitions ?? []
  const set = field => e => { s[field] = e.target.value }
  const place = h('select', { 'aria-label': 'Where to begin', key: `where-${s.where}`, onchange: e => {
    s.where = e.target.value
    s.at = positions[s.where]?.() ?? ''
    // Offsets are a partition's own.
    if (s.where === 'offset' && s.partition === '' && partitions.length > 1) s.partition = '0'
    again()
  } }, places.map(([v, l]) => h('option', { value: v, selected: v === s.where }, l)))
  return h('form', { class: 'toolbar', onsubmit: e => { e.preventDefault(); again() } },
    place,
    positions[s.where] && h('input', {
      key: `at-${s.where}`, type: s.where === 'time' ? 'datetime-local' : 'text', step: '1', 'aria-label': 'Position', class: 'at', value: s.at, spellcheck: 'false', autocomplete: 'off', oninput: set('at'),
    }),
    partitions.length > 1 && h('select', { 'aria-label': 'Partition', key: `partition-${partitions.length}-${s.partition}`, onchange: e => { s.partition = e.target.value; again() } },
      h('option', { value: '' }, 'All partitions'), partitions.map(p => h('option', { value: p.partition ?? 0, selected: s.partition === String(p.partition ?? 0) }, `Partition ${p.partition ?? 0}`))),
    h('input', { key: 'filter', type: 'search', class: 'search', placeholder: 'header=value or key=value  /', 'aria-label': 'Filter by header or key', value: s.filter, spellcheck: 'false', oninput: set('filter') }),
    h('button', { type: 'submit' }, 'Read'))
}

function listing(s, name, draw) {
  const records = [...s.records.values()]
  if (s.where === 'newest') records.sort(byTime).reverse()
  if (!records.length) {
    if (s.busy || s.problem) return h('p', { class: 'note', key: 'wait' }, s.busy ? 'Reading …' : '')
    return h('div', { class: 'empty', key: 'none' }, h('p', {}, s.filter || s.where !== 'newest' ? 'No record fits.' : 'No records yet. Write one:'),
      !s.filter && h('div', { class: 'command' }, h('code', {}, `echo hi | naru produce ${name}`)))
  }
  const mode = decodeMode()
  const toggle = id => {
    if (!s.open.delete(id)) s.open.add(id)
    draw()
  }
  return h('div', { class: 'scroll', key: 'list' }, h('table', { 'aria-label': 'Records' },
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Offset'), h('th', { scope: 'col' }, 'Time'), h('th', { scope: 'col' }, 'Key'), h('th', { scope: 'col', class: 'wide' }, 'Value'), h('th', { scope: 'col', class: 'n' }, 'Size'))),
    h('tbody', {}, records.map(r => line(r, mode, s.open.has(idOf(r)), toggle)))))
}

function line(r, mode, isOpen, toggle) {
  const id = idOf(r), value = valueOf(r), key = keyOf(r)
  return [
    h('tr', { key: id, class: isOpen ? 'opened' : '', onclick: e => { if (!e.target.closest('button')) toggle(id) } },
      h('td', { class: 'mono' }, h('button', { type: 'button', class: 'row', 'aria-expanded': String(isOpen), onclick: () => toggle(id) }, h('span', { class: 'faint' }, `${r.partition ?? 0} : `), number(r.offset ?? '0'))),
      h('td', { class: 'mono nowrap', title: time(r.timestamp) }, r.timestamp ? clock(new Date(r.timestamp)) : '–'),
      h('td', { class: 'mono cut key' }, preview(key, mode)),
      h('td', { class: 'mono cut wide' }, preview(value, mode)),
      h('td', { class: 'n' }, bytes(sizeOf(value)))),
    isOpen && h('tr', { key: `${id}+`, class: 'detail' }, h('td', { colspan: '5' }, detail(r, key, value, mode))),
  ]
}

// detail is all of a record; queues show their messages with it, too.
export function detail(r, key, value, mode) {
  const headers = r.headers ?? []
  return h('div', {},
    h('p', { class: 'note' }, `Partition ${r.partition ?? 0}, offset ${number(r.offset ?? '0')} · ${time(r.timestamp ?? r.sentTime)} · ${bytes(sizeOf(value))}`,
      r.contentType && [' · ', r.contentType], r.correlationId && [' · correlation ', h('code', {}, r.correlationId)], r.replyTo && [' · reply to ', h('code', {}, r.replyTo)]),
    !key.none && [h('h3', {}, 'Key'), whole(key, mode)],
    h('h3', {}, 'Value'), whole(value, mode),
    headers.length > 0 && [h('h3', {}, 'Headers'), h('dl', { class: 'headers' }, headers.map(x => h('div', {}, h('dt', {}, x.name), h('dd', {}, preview({ ...valueOf(x) }, mode)))))])
}
