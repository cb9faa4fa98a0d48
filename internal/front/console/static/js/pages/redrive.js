// Redrives: moving dead letters back to where they came from.
import { h } from '../dom.js'
import * as api from '../api.js'
import { ask, positive, row, text, toast } from '../dialogs.js'
import { bar, dot, panel, table } from '../parts.js'
import { ago, count, number } from '../format.js'

export function redrive(q, done) {
  const sources = q.deadLetterSources ?? []
  ask({
    title: `Redrive ${q.queue}`, action: `Move ${count(q.stats?.ready ?? 0, 'message')}`,
    intro: h('p', {}, `Moves the ${count(q.stats?.ready ?? 0, 'message')} that ${Number(q.stats?.ready ?? 0) === 1 ? 'is' : 'are'} ready in ${q.queue} back to the queue each came from`,
      sources.length > 0 && ` (${sources.join(', ')})`, ', or all to one. They count as new there: attempts begin again.'),
    fields: row(
      text('to', 'To', { placeholder: 'where each came from', list: sources }),
      text('rate', 'Per second', { placeholder: 'as fast as it goes', inputmode: 'numeric' })),
    act: async v => {
      await api.startRedrive(q.queue, { to: v.to.trim() || undefined, perSecond: positive(v.rate, 'messages per second', 1) })
      toast('The redrive began.')
      await done()
    },
  })
}

const kinds = { running: 'busy', completed: 'good', cancelling: 'busy', cancelled: 'idle', failed: 'bad' }

// redrivePanel shows the redrives of a queue, if there were any.
export function redrivePanel(q, redrives, done) {
  if (!redrives.length) return null
  const cancel = async r => {
    try {
      await api.cancelRedrive(r.id)
      await done()
    } catch (e) {
      toast(api.inWords(e), true)
    }
  }
  return panel('Redrives', {}, table([
    ['Started', r => ago(r.startedTime), 'nowrap'],
    ['To', r => r.to || 'where each came from'],
    ['State', r => [dot(kinds[r.state] ?? 'idle', r.state), r.failure && [' ', r.failure]]],
    ['Progress', r => [bar(Number(r.moved ?? 0), Number(r.toMove ?? 0), 'moved'), ' ', `${number(r.moved)} of ${number(r.toMove)}`], 'nowrap'],
    ['', r => r.state === 'running' && h('button', { type: 'button', class: 'link', onclick: () => cancel(r) }, 'Cancel'), 'n'],
  ], redrives.slice(0, 10), { key: r => r.id, label: 'Redrives' }))
}
