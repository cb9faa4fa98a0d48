// One topic: partitions, settings, records.
import { h, slot } from '../dom.js'
import * as api from '../api.js'
import { area, ask, choice, confirm, headersOf, positive, row, text, toast } from '../dialogs.js'
import { heading, panel, table, tiles, tag } from '../parts.js'
import { bytes, count, number, date } from '../format.js'
import { go, link } from '../router.js'
import { browser } from './records.js'

export function topic(page) {
  const name = page.params.topic
  page.title(name)
  let t
  const records = browser(page, name, () => t)
  const load = async () => {
    const first = !t
    t = await api.topic(name, page)
    if (first) records.begin()
    draw()
  }
  const draw = () => t && page.show(
    heading(name, {
      up: ['#/topics', 'Topics'],
      note: [t.createdTime && ['Created ', date(t.createdTime), ' '], t.internal && tag('internal'), t.queues?.length > 0 && ['Read by ', t.queues.map(q => h('a', { href: link('queues', q) }, q, ' '))]],
      actions: [
        h('button', { type: 'button', class: 'primary', 'data-new': true, onclick: () => produce(t, () => { page.refresh(); records.again() }) }, 'Produce'),
        h('button', { type: 'button', onclick: () => partitions(t, load) }, 'Add partitions'),
        h('button', { type: 'button', class: 'danger quiet', onclick: () => remove(t) }, 'Delete'),
      ],
    }),
    tiles(['Records', number(t.records)], ['Size', bytes(t.sizeBytes)], ['Partitions', number(t.partitionCount)]),
    slot(records.element), parts(t, load), settings(t, load))
  page.poll(3000, load)
}

function parts(t, done) {
  return panel('Partitions', {}, table([
    ['Partition', p => number(p.partition ?? 0)],
    ['First offset', p => number(p.logStart ?? '0'), 'n'],
    ['Next offset', p => number(p.end ?? '0'), 'n'],
    ['Records', p => number(held(p)), 'n'],
    ['Size', p => bytes(p.sizeBytes), 'n'],
    ['', p => h('button', { type: 'button', class: 'link', disabled: held(p) === '0', onclick: () => trim(t, p, done) }, 'Trim'), 'n'],
  ], t.partitions ?? [], { key: p => p.partition ?? 0, label: 'Partitions' }))
}

const held = p => String(BigInt(p.end ?? 0) - BigInt(p.logStart ?? 0))

function settings(t, done) {
  const own = (t.settings ?? []).filter(s => s.overridden).length
  return panel('Settings', { note: own ? `${own} of its own, the rest are defaults` : 'all are defaults' }, table([
    ['Setting', s => [h('code', { title: s.help ?? '' }, s.name), s.overridden && tag('own')]],
    ['Value', s => h('code', {}, s.value ?? '')],
    ['', s => h('button', { type: 'button', class: 'link', onclick: () => change(t, s, done) }, 'Change'), 'n'],
  ], t.settings ?? [], { key: s => s.name, label: 'Settings' }))
}

function change(t, s, done) {
  ask({
    title: `Change ${s.name}`, action: 'Save', intro: s.help && h('p', { class: 'note' }, s.help),
    fields: [text('value', 'Value', { value: s.value ?? '', hint: s.overridden ? 'Leave it empty for the default.' : '' })],
    act: async ({ value }) => {
      await api.updateTopic(t.topic, value.trim() ? { settings: { [s.name]: value.trim() } } : { reset: [s.name] })
      toast(`${s.name} was saved.`)
      await done()
    },
  })
}

function partitions(t, done) {
  ask({
    title: 'Add partitions', action: 'Add partitions',
    intro: h('p', { class: 'note' }, 'Partitions can be added, not removed. Keys may go to another partition from then on, so that the order of a key holds only among records before, and among records after.'),
    fields: [text('partitions', 'Partitions in all', { value: String(t.partitionCount + 1), inputmode: 'numeric' })],
    act: async v => {
      await api.updateTopic(t.topic, { partitions: positive(v.partitions, 'partitions', 1) })
      await done()
    },
  })
}

function trim(t, p, done) {
  ask({
    title: `Trim partition ${p.partition ?? 0}`, action: 'Delete records', danger: true,
    intro: h('p', {}, `Deletes the records of partition ${p.partition ?? 0} of ${t.topic} below an offset. It has ${count(held(p), 'record')}, from offset ${number(p.logStart ?? '0')} to ${number(String(BigInt(p.end ?? 0) - 1n))}. This cannot be undone.`),
    fields: [text('before', 'First offset to keep', { value: p.end ?? '0', inputmode: 'numeric', hint: `${p.end ?? 0} keeps none.` })],
    act: async v => {
      if (!/^\d+$/.test(v.before.trim())) throw new Error(`“${v.before}” is not an offset.`)
      await api.trim(t.topic, p.partition ?? 0, v.before.trim())
      toast('The records were deleted.')
      await done()
    },
  })
}

function remove(t) {
  const queues = (t.queues ?? []).join(', ')
  confirm({
    title: `Delete topic ${t.topic}?`, action: `Delete ${count(t.records, 'record')}`,
    consequences: [
      `The topic ${t.topic} and its ${count(t.records, 'record')} (${bytes(t.sizeBytes)}) in ${count(t.partitionCount, 'partition')} will be gone.`,
      queues && `Queues read it: ${queues}. It cannot be deleted before them.`,
    ],
    act: async () => {
      await api.deleteTopic(t.topic)
      toast(`Topic ${t.topic} was deleted.`)
      go('#/topics')
    },
  })
}

function produce(t, done) {
  const partitionNames = [['', 'by the key'], ...(t.partitions ?? []).map(p => [String(p.partition ?? 0), String(p.partition ?? 0)])]
  ask({
    title: `Produce to ${t.topic}`, action: 'Produce',
    fields: [
      area('value', 'Value', { rows: 7, placeholder: '{"hello": "world"}' }),
      ...row(text('key', 'Key', { placeholder: 'none' }), choice('partition', 'Partition', partitionNames)),
      area('headers', 'Headers', { rows: 2, placeholder: 'name=value, one on each line' }),
    ],
    act: async v => {
      const r = api.only(await api.produce(t.topic, {
        text: v.value, keyText: v.key || undefined, partition: v.partition === '' ? undefined : Number(v.partition), headers: headersOf(v.headers),
      }))
      toast(`The record is in partition ${r.partition ?? 0} at offset ${number(r.offset ?? '0')}.`)
      done()
    },
  })
}
