// Queues: the list, and making one.
import { h } from '../dom.js'
import * as api from '../api.js'
import { ask, check, positive, row, text, toast } from '../dialogs.js'
import { heading, table, search, empty, tag } from '../parts.js'
import { coarse, count, number, seconds, wire } from '../format.js'
import { go, link } from '../router.js'

export function queues(page) {
  page.title('Queues')
  let all, filter = page.query.get('filter') ?? ''
  const load = async () => {
    all = await api.queues(page)
    draw()
  }
  const draw = () => all && page.show(
    heading('Queues', {
      note: count(all.length, 'queue'),
      actions: h('button', { type: 'button', class: 'primary', 'data-new': true, onclick: () => create(all, load) }, 'New queue'),
    }),
    all.length > 0 && h('div', { class: 'toolbar', key: 'toolbar' }, search('Filter queues', filter, v => { filter = v; draw() })),
    all.length ? list(all.filter(q => q.queue.includes(filter))) : empty('No queues yet. A queue gives each message to one consumer, and again if it is not acknowledged.',
      'naru queue create mails --attempts 5 --dead-letter mails-dead', "naru send mails 'to: anna'"))
  page.poll(2000, load)
}

function list(shown) {
  if (!shown.length) return h('p', { class: 'note', key: 'none' }, 'No queue has that in its name.')
  return table([
    ['Queue', q => [h('a', { href: link('queues', q.queue) }, q.queue), q.settings?.ordered && tag('ordered'), (q.deadLetterSources ?? []).length > 0 && tag('dead letters'), !q.owned && tag(`view of ${q.topic}`)]],
    ['Ready', q => amount(q.stats?.ready), 'n'],
    ['In flight', q => amount(q.stats?.inFlight), 'n'],
    ['Delayed', q => amount(q.stats?.delayed), 'n'],
    ['Oldest', q => oldest(q.stats), 'n'],
    ['Dead letters to', q => q.settings?.deadLetter ? h('a', { href: link('queues', q.settings.deadLetter) }, q.settings.deadLetter) : h('span', { class: 'faint' }, '–')],
  ], shown, { key: q => q.queue, label: 'Queues' })
}

// oldest is the age of what is not done, or a dash.
export const oldest = s => seconds(s?.oldestAge) ? coarse(s.oldestAge) : '–'

const amount = n => Number(n ?? 0) ? number(n) : h('span', { class: 'faint' }, '0')

function create(all, done) {
  ask({
    title: 'New queue', action: 'Create queue',
    fields: [
      text('queue', 'Name', { placeholder: 'mails', required: true }),
      ...row(
        text('lease', 'Lease', { placeholder: '30s', hint: 'How long a delivery belongs to its consumer.' }),
        text('delay', 'Delay', { placeholder: '0s', hint: 'Before the first delivery.' })),
      ...row(
        text('attempts', 'Attempts', { inputmode: 'numeric', placeholder: 'no limit', hint: 'Deliveries before it is a dead letter.' }),
        text('dead', 'Dead-letter queue', { placeholder: 'none', list: all.map(q => q.queue), hint: 'Made if it does not exist.' })),
      ...row(
        text('retention', 'Keep for', { placeholder: '4d' }),
        text('topic', 'View of topic', { placeholder: 'its own', hint: 'Reads a topic that exists.' })),
      check('ordered', 'Ordered: messages with the same key one after the other'),
    ],
    act: async v => {
      const queue = v.queue.trim(), dead = v.dead.trim()
      const settings = {
        lease: wire(v.lease), delay: wire(v.delay), retention: wire(v.retention), ordered: v.ordered || undefined,
        attemptsMax: positive(v.attempts, 'attempts', 1), deadLetter: dead || undefined,
      }
      if (dead && !settings.attemptsMax) throw new Error('After how many attempts is a message a dead letter? Fill in Attempts.')
      if (dead && !all.some(q => q.queue === dead)) {
        // A dead-letter queue is as ordered as the queues it serves.
        await api.createQueue({ queue: dead, settings: { ordered: v.ordered || undefined } })
      }
      await api.createQueue({ queue, topic: v.topic.trim() || undefined, settings })
      toast(`Queue ${queue} was created.`)
      await done()
      go(link('queues', queue))
    },
  })
}
