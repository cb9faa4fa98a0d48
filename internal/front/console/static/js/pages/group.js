// One group: members, how far behind they are, and moving them.
import { h, slot } from '../dom.js'
import * as api from '../api.js'
import { chart } from '../charts.js'
import { ask, choice, confirm, open, text, toast } from '../dialogs.js'
import { empty, heading, panel, table, tiles } from '../parts.js'
import { compact, count, number } from '../format.js'
import { go, link } from '../router.js'
import { stateOf } from './groups.js'

// So many lines can be told apart; the rest is in the table.
const linesMax = 4
const historyMax = 900

const partitionOf = o => `${o.topic} ${o.partition ?? 0}`

export function group(page) {
  const name = page.params.group
  page.title(name)
  const history = []
  let g, lag, shown

  const collect = () => {
    const now = new Map((g.offsets ?? []).map(o => [partitionOf(o), Number(o.lag ?? 0) < 0 ? null : Number(o.lag ?? 0)]))
    history.push({ at: Date.now() / 1000, now })
    history.splice(0, history.length - historyMax)
    const most = [...now].sort((a, b) => (b[1] ?? 0) - (a[1] ?? 0)).slice(0, linesMax).map(([n]) => n).sort()
    // The lines stay while they have the partitions that are most behind among them.
    if (!shown || shown.length < most.length || now.get(most[0]) > Math.max(...shown.map(n => now.get(n) ?? 0))) {
      lag?.end()
      shown = most
      lag = shown.length ? chart({ title: 'Lag by partition', lines: shown, write: compact, least: 4 }) : undefined
    }
    lag?.set([history.map(x => x.at), ...shown.map(n => history.map(x => x.now.get(n) ?? null))])
  }
  const load = async () => {
    g = await api.group(name, page)
    collect()
    draw()
  }
  const draw = () => g && page.show(
    heading(name, {
      up: ['#/groups', 'Groups'], note: [stateOf(g), g.protocol && ` · ${g.protocol}`],
      actions: [
        h('button', { type: 'button', 'data-new': true, onclick: () => reset(g, load) }, 'Reset offsets'),
        h('button', { type: 'button', class: 'danger quiet', onclick: () => remove(g) }, 'Delete'),
      ],
    }),
    tiles(['Lag', number(g.lag), 'records behind'], ['Members', number(g.memberCount)], ['Partitions', number((g.offsets ?? []).length)]),
    lag && slot(lag.element), offsets(g), members(g))
  page.poll(1000, load)
  page.onLeave(() => lag?.end())
}

const orUnknown = n => n === undefined || BigInt(n) < 0n ? '–' : number(n)

function offsets(g) {
  const all = g.offsets ?? []
  return panel('Offsets', {}, all.length ? table([
    ['Topic', o => h('a', { href: link('topics', o.topic) }, o.topic)],
    ['Partition', o => number(o.partition), 'n'],
    ['Committed', o => orUnknown(o.committed ?? '0'), 'n'],
    ['End', o => orUnknown(o.end ?? '0'), 'n'],
    ['Lag', o => orUnknown(o.lag ?? '0'), 'n'],
    ...(all.some(o => o.memberId) ? [['Member', o => h('span', { class: 'mono cut', title: o.memberId }, o.memberId || '–')]] : []),
  ], all, { key: partitionOf, label: 'Offsets' }) : empty('Nothing is committed yet.'))
}

function members(g) {
  const all = g.members ?? []
  return panel('Members', {}, all.length ? table([
    ['Client', m => m.clientId || '–'],
    ['Host', m => m.clientHost?.replace(/^\//, '') || '–'],
    ['Member', m => h('span', { class: 'mono cut' }, m.memberId)],
    ['Instance', m => m.instanceId || '–'],
  ], all, { key: m => m.memberId, label: 'Members' }) : empty('No consumer is in this group now.', `naru consume ${g.offsets?.[0]?.topic ?? 'TOPIC'} --group ${g.group} --follow`))
}

const targets = [['earliest', 'the oldest record'], ['latest', 'the end'], ['offset', 'an offset'], ['time', 'a time'], ['ago', 'so long ago']]

// target writes a place as the API takes it.
function target(kind, at) {
  const t = at.trim()
  if (kind === 'earliest' || kind === 'latest') return kind
  if (!t) throw new Error('Fill in where to.')
  if (kind === 'ago') return `-${t}`
  if (kind === 'offset') return t
  const when = new Date(t)
  if (Number.isNaN(+when)) throw new Error(`“${t}” is not a time. Write 2026-11-21 08:30.`)
  return when.toISOString()
}

// reset shows first what would be, by the server's own dry run.
function reset(g, done) {
  if (g.memberCount) {
    open('Reset offsets', h('p', {}, `${g.group} has ${count(g.memberCount, 'member')}. Offsets can be moved only while nobody consumes: stop the consumers first.`))
    return
  }
  const topics = [...new Set((g.offsets ?? []).map(o => o.topic))]
  if (!topics.length) {
    open('Reset offsets', h('p', {}, 'Nothing is committed in this group, so there is nothing to move.'))
    return
  }
  ask({
    title: `Reset offsets of ${g.group}`, action: 'Preview',
    fields: [
      choice('topic', 'Topic', topics.map(t => [t, t])),
      choice('kind', 'To', targets),
      text('at', 'Where', { placeholder: '0, 2026-11-21 08:30, or 10m', hint: 'For an offset, a time, or how long ago.' }),
    ],
    act: async v => {
      const body = { topic: v.topic, to: target(v.kind, v.at) }
      const answer = await api.reset(g.group, { ...body, dryRun: true })
      preview(g, body, answer.offsets ?? [], done)
    },
  })
}

function preview(g, body, planned, done) {
  const before = new Map((g.offsets ?? []).filter(o => o.topic === body.topic).map(o => [o.partition ?? 0, o.committed ?? '0']))
  const again = planned.reduce((sum, o) => {
    const moved = BigInt(before.get(o.partition ?? 0) ?? o.committed ?? 0) - BigInt(o.committed ?? 0)
    return [sum[0] + (moved > 0n ? moved : 0n), sum[1] + (moved < 0n ? -moved : 0n)]
  }, [0n, 0n])
  ask({
    title: `Reset offsets of ${g.group}?`, action: `Reset ${count(planned.length, 'partition')}`, danger: true,
    intro: h('div', {},
      h('p', {}, `${g.group} will consume ${count(String(again[0]), 'record')} of ${body.topic} again, and skip ${number(String(again[1]))}.`),
      table([
        ['Partition', o => number(o.partition), 'n'],
        ['Committed now', o => orUnknown(before.get(o.partition ?? 0)), 'n'],
        ['Then', o => number(o.committed ?? '0'), 'n'],
        ['Lag then', o => orUnknown(o.lag ?? '0'), 'n'],
      ], planned, { key: o => o.partition ?? 0, label: 'What would be' })),
    act: async () => {
      await api.reset(g.group, { ...body, dryRun: false })
      toast('The offsets were reset.')
      await done()
    },
  })
}

function remove(g) {
  confirm({
    title: `Delete group ${g.group}?`, action: 'Delete group',
    consequences: [
      `The group ${g.group} and its ${count((g.offsets ?? []).length, 'committed offset')} will be gone. A consumer that comes back under this name begins anew.`,
      g.memberCount > 0 && `It has ${count(g.memberCount, 'member')}, and cannot be deleted before they leave.`,
    ],
    act: async () => {
      await api.deleteGroup(g.group)
      toast(`Group ${g.group} was deleted.`)
      go('#/groups')
    },
  })
}
