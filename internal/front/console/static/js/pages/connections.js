// Connections: who is here, by protocol.
import { h } from '../dom.js'
import * as api from '../api.js'
import { empty, heading, search, segments, table, tiles } from '../parts.js'
import { ago, count, number } from '../format.js'

const labels = { kafka: 'Kafka', aws: 'AWS', http: 'HTTP' }

export function connections(page) {
  page.title('Connections')
  let answer, filter = '', protocol = ''
  const draw = () => {
    if (!answer) return
    const all = answer.connections ?? [], counts = answer.counts ?? {}
    const total = Object.values(counts).reduce((a, b) => a + b, 0)
    const shown = all.filter(c => (!protocol || c.protocol === protocol) && `${c.client} ${c.remoteAddress}`.includes(filter))
    page.show(
      heading('Connections', { note: `${count(total, 'connection')}${total > all.length ? `, of which ${number(all.length)} are listed` : ''}` }),
      tiles(...Object.entries(counts).sort().map(([name, n]) => [labels[name] ?? name, number(n)])),
      h('div', { class: 'toolbar', key: 'toolbar' },
        search('Filter by client or address', filter, v => { filter = v; draw() }),
        segments('Protocol', [['', 'All'], ...Object.keys(counts).sort().map(n => [n, labels[n] ?? n])], protocol, p => { protocol = p; draw() })),
      shown.length ? list(shown) : empty(all.length ? 'No connection fits.' : 'Nobody is connected.'))
  }
  page.poll(2000, async () => {
    answer = await api.connections(page)
    draw()
  })
}

const list = shown => table([
  ['Protocol', c => labels[c.protocol] ?? c.protocol],
  ...(shown.some(c => c.client) ? [['Client', c => c.client || '–']] : []),
  ['Address', c => h('span', { class: 'mono' }, c.remoteAddress)],
  ['Since', c => ago(c.since), 'nowrap'],
  ['Requests', c => number(c.requests), 'n'],
], shown, { key: c => `${c.protocol} ${c.remoteAddress}`, label: 'Connections' })
