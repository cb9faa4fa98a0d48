// One trigger: when it fires, what it starts, and how that went.
import { h } from '../dom.js'
import * as api from '../api.js'
import { confirm, toast } from '../dialogs.js'
import { empty, facts, heading, panel, table, tag, tiles } from '../parts.js'
import { count, duration, number, date, time } from '../format.js'
import { go, link } from '../router.js'
import { condition, runState } from './triggers.js'

export function trigger(page) {
  const name = page.params.trigger
  page.title(name)
  page.poll(1000, async () => draw(page, await api.trigger(name, page)))
}

function draw(page, t) {
  const { spec } = t
  page.show(
    heading(spec.trigger, {
      up: ['#/triggers', 'Triggers'],
      note: ['On queue ', h('a', { href: link('queues', spec.queue) }, spec.queue), t.createdTime && ` · created ${date(t.createdTime)}`, t.configured && tag('from the configuration file')],
      actions: h('button', { type: 'button', class: 'danger quiet', disabled: t.configured, onclick: () => remove(t), title: t.configured ? 'The configuration file has it; take it out there.' : null }, 'Delete'),
    }),
    tiles(['Fired', number(t.fired)], ['Running', number(t.running)], ['Waiting', number(t.waiting)], ['Succeeded', number(t.succeeded)], ['Failed', number(t.failed)]),
    conditions(t), action(spec), runs(t))
}

function conditions(t) {
  return panel('Fires', { note: 'when any of these holds' }, table([
    ['Condition', condition],
    ['State', (c, i) => t.armed?.[i] ? 'armed: would fire' : 'has fired; armed again when the queue falls below'],
  ], t.spec.conditions ?? [], { label: 'Conditions' }))
}

function action(spec) {
  const limits = [['At a time', number(spec.maxRunning || 1)], ['Tries', number(spec.attemptsMax || 5)]]
  if (spec.webhook) {
    return panel('Calls', {}, facts(['URL', h('code', {}, spec.webhook.url)], ['Timeout of a try', duration(spec.webhook.timeout ?? '30s')], ...limits,
      ...Object.keys(spec.webhook.headers ?? {}).map(n => [`Header ${n}`, h('code', {}, spec.webhook.headers[n])])))
  }
  const p = spec.program ?? {}
  return panel('Starts', {}, facts(['Program', h('code', {}, (p.argv ?? []).join(' '))], p.dir && ['Directory', h('code', {}, p.dir)], ['Killed after', duration(p.timeout ?? '3600s')], ...limits,
    ...Object.entries(p.env ?? {}).map(([n, v]) => [`$${n}`, h('code', {}, v)])))
}

function runs(t) {
  const all = t.runs ?? []
  return panel('Last runs', {}, all.length ? table([
    ['Fired', r => time(r.firedTime), 'nowrap'],
    ['Condition', r => number((r.condition ?? 0) + 1), 'n'],
    ['State', runState],
    ['Took', r => r.endedTime ? duration((new Date(r.endedTime) - new Date(r.firedTime)) / 1000) : '–', 'n'],
    ['Attempts', r => number(r.attempts), 'n'],
    ['Failure', r => r.failure || '', 'wide'],
  ], all, { key: r => r.id, label: 'Last runs' }) : empty('It has not fired yet. Send something:', `naru send ${t.spec.queue} hi`))
}

function remove(t) {
  confirm({
    title: `Delete trigger ${t.spec.trigger}?`, action: 'Delete trigger',
    consequences: [
      `Nothing will be started any more when messages come to ${t.spec.queue}.`,
      `${count(t.waiting ?? 0, 'run')} that ${t.waiting === 1 ? 'waits' : 'wait'} will not happen; ${count(t.running ?? 0, 'run')} that ${t.running === 1 ? 'goes' : 'go'} on now will end as it does.`,
    ],
    act: async () => {
      await api.deleteTrigger(t.spec.trigger)
      toast(`Trigger ${t.spec.trigger} was deleted.`)
      go('#/triggers')
    },
  })
}
