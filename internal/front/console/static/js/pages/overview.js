// Overview: what goes on, and how to connect.
import { h, held, slot } from '../dom.js'
import * as api from '../api.js'
import { chart } from '../charts.js'
import { heading, panel, tiles, facts, copyButton, segments, empty } from '../parts.js'
import { ago, bytes, compact, duration, number, seconds, date } from '../format.js'
import { reachable, protocols } from '../snippets.js'

const samplesMax = 900

export function overview(page) {
  page.title('Overview')
  const samples = []
  const throughput = chart({ title: 'Records per second', lines: ['in', 'delivered', 'acked'], write: compact, least: 5 })
  const latency = chart({ title: 'Append latency', lines: ['p99', 'p50'], write: ms => duration(ms / 1000), powers: true })
  const charts = held(h('div', { class: 'pair' }, throughput.element, latency.element))
  let status
  const choice = { protocol: 'Kafka', language: undefined }

  const draw = () => status && page.show(
    heading('Overview', {
      note: h('span', {}, status.ready ? h('span', { class: 'state good' }, 'Ready') : h('span', { class: 'state bad' }, `Not ready: ${status.problem}`),
        ` · naru ${status.version} · started ${ago(status.startedTime)}`),
    }),
    now(samples.at(-1), status),
    slot(charts),
    connect(status, choice, draw), server(status))

  page.poll(1000, async () => {
    const { samples: fresh = [] } = await api.activity(samples.at(-1)?.time, page)
    samples.push(...fresh.map((s, i) => rates(s, fresh[i - 1] ?? samples.at(-1))))
    samples.splice(0, samples.length - samplesMax)
    const column = name => samples.map(s => s[name])
    throughput.set([column('at'), column('records'), column('delivered'), column('acked')])
    latency.set([column('at'), column('p99'), column('p50')])
    draw()
  })
  page.poll(5000, async () => {
    status = await api.status(page)
    draw()
  })
  page.onLeave(() => { throughput.end(); latency.end() })
}

// rates turns a sample's counts into counts per second.
function rates(s, before) {
  const at = new Date(s.time) / 1000
  const span = before ? at - new Date(before.time) / 1000 : 1
  const per = n => Number(n ?? 0) / (span > 0 ? span : 1)
  // A logarithm has no zero.
  const ms = d => d === undefined ? null : Math.max(seconds(d) * 1000, 0.001)
  return {
    time: s.time, at, records: per(s.recordsIn), delivered: per(s.messagesDelivered), acked: per(s.messagesAcked),
    bytesIn: per(s.bytesIn), bytesOut: per(s.bytesOut), requests: per(s.requests), p50: ms(s.appendP50), p99: ms(s.appendP99),
    connections: s.connections ?? 0,
  }
}

function now(s, status) {
  return tiles(
    ['Records in', s ? compact(s.records) : '–', 'per second'],
    ['Bytes in', s ? bytes(s.bytesIn) : '–', 'per second'],
    ['Bytes out', s ? bytes(s.bytesOut) : '–', 'per second'],
    ['Requests', s ? compact(s.requests) : '–', 'per second'],
    ['Append p99', s?.p99 == null ? '–' : duration(s.p99 / 1000), 'to the disk'],
    ['Connections', s ? number(s.connections) : '–', h('a', { href: '#/connections' }, 'by protocol')])
}

function connect(status, choice, redraw) {
  const endpoints = reachable(status.endpoints)
  const offered = protocols(endpoints)
  if (!offered.length) return empty('No endpoint is on.', 'naru serve')
  const protocol = offered.find(p => p.name === choice.protocol) ?? offered[0]
  const snippet = protocol.snippets.find(s => s.language === choice.language) ?? protocol.snippets[0]
  const choose = change => {
    Object.assign(choice, change)
    redraw()
  }
  return panel('Connect', {
    actions: segments('Protocol', offered.map(p => [p.name, p.name]), protocol.name, name => choose({ protocol: name })),
  },
  h('ul', { class: 'endpoints' }, endpoints.map(e => h('li', {}, h('span', { class: 'label' }, e.label), h('code', {}, e.url), copyButton(e.url)))),
  h('div', { class: 'snippet' },
    h('div', { class: 'bar' },
      segments('Language', protocol.snippets.map(s => [s.language, s.language]), snippet.language, language => choose({ language })),
      copyButton(snippet.code, 'Copy snippet')),
    h('pre', { tabindex: '0', 'aria-label': `${protocol.name}, ${snippet.language}` }, snippet.code)))
}

function server(status) {
  return panel('Server', {}, facts(
    ['Topics', h('a', { href: '#/topics' }, number(status.topics))],
    ['Queues', h('a', { href: '#/queues' }, number(status.queues))],
    ['Groups', h('a', { href: '#/groups' }, number(status.groups))],
    ['Triggers', h('a', { href: '#/triggers' }, number(status.triggers))],
    ['Stored', bytes(status.storedBytes)],
    Number(status.freeBytes) > 0 && ['Free on the disk', bytes(status.freeBytes)],
    status.brokers > 1 && ['Brokers', number(status.brokers)],
    [status.dataDir?.includes('://') ? 'Bucket' : 'Data directory', h('code', {}, status.dataDir ?? '–')],
    ['Cluster', h('code', {}, status.clusterId ?? '–')],
    ['Started', date(status.startedTime)]))
}
