// Topics: the list, and making one.
import { h } from '../dom.js'
import * as api from '../api.js'
import { ask, positive, row, text, toast } from '../dialogs.js'
import { heading, table, search, empty, tag } from '../parts.js'
import { bytes, count, number } from '../format.js'
import { go, link } from '../router.js'

export function topics(page) {
  page.title('Topics')
  let all, filter = page.query.get('filter') ?? '', internal = false
  const load = async () => {
    all = await api.topics(internal, page)
    draw()
  }
  const draw = () => all && page.show(
    heading('Topics', {
      note: count(all.length, 'topic'),
      actions: h('button', { type: 'button', class: 'primary', 'data-new': true, onclick: () => create(load) }, 'New topic'),
    }),
    (all.length > 0 || internal) && h('div', { class: 'toolbar', key: 'toolbar' },
      search('Filter topics', filter, v => { filter = v; draw() }),
      h('label', { class: 'check' }, h('input', { type: 'checkbox', onchange: e => { internal = e.target.checked; page.attempt(load) } }), 'The server’s own')),
    all.length ? list(all.filter(t => t.topic.includes(filter))) : empty('No topics yet. A topic keeps records in order, and every group reads all of them.',
      'naru topic create greetings --partitions 3', 'echo hi | naru produce greetings'))
  page.poll(3000, load)
}

function list(shown) {
  if (!shown.length) return h('p', { class: 'note', key: 'none' }, 'No topic has that in its name.')
  return table([
    ['Topic', t => [h('a', { href: link('topics', t.topic) }, t.topic), t.internal && tag('internal'), t.queues?.map(q => q !== t.topic && tag(`queue ${q}`))]],
    ['Partitions', t => number(t.partitionCount), 'n'],
    ['Records', t => number(t.records), 'n'],
    ['Size', t => bytes(t.sizeBytes), 'n'],
  ], shown, { key: t => t.topic, label: 'Topics' })
}

function create(done) {
  ask({
    title: 'New topic', action: 'Create topic',
    fields: [
      text('topic', 'Name', { placeholder: 'orders', required: true }),
      ...row(
        text('partitions', 'Partitions', { inputmode: 'numeric', placeholder: 'default', hint: 'Consumers of a group share them.' }),
        text('days', 'Keep for (days)', { inputmode: 'decimal', placeholder: 'default' })),
    ],
    act: async v => {
      const settings = {}
      if (v.days.trim()) {
        const days = Number(v.days)
        if (!(days > 0)) throw new Error(`“${v.days}” is not a number of days.`)
        settings['retention.ms'] = String(Math.round(days * 86400000))
      }
      await api.createTopic({ topic: v.topic.trim(), partitions: positive(v.partitions, 'partitions', 1), settings })
      toast(`Topic ${v.topic.trim()} was created.`)
      await done()
      go(link('topics', v.topic.trim()))
    },
  })
}
