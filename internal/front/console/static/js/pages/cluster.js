// The cluster: who is up, who owns which slot, and how the broker that answers fares.
import { h } from '../dom.js'
import * as api from '../api.js'
import { dot, empty, facts, heading, nothing, panel, table, tag, tiles } from '../parts.js'
import { ago, bytes, count, duration, number } from '../format.js'

const steps = { append: 'Appends, until durable', put: 'Storing an object', commit: 'Committing it' }

export function cluster(page) {
  page.title('Cluster')
  page.poll(2000, async () => {
    const c = await api.cluster(page)
    if (!c.clustered) {
      page.show(heading('Cluster'), empty('This server is alone: it keeps everything in its data directory.'))
      return
    }
    const members = c.members ?? [], slots = c.slots ?? []
    const free = slots.filter(s => !s.owner).length
    page.show(
      heading('Cluster', { note: `As broker ${c.broker ?? 0} sees it.` }),
      tiles(
        ['Brokers', number(members.length)],
        ['Slots', number(slots.length), free ? dot('bad', `${number(free)} without owner`) : 'all have owners'],
        ['Lease left', duration(c.leaseLeft ?? '0s'), 'of this broker'],
        ['etcd', bytes(c.etcdBytes ?? 0), 'in use']),
      panel('Brokers', { key: 'brokers' }, brokers(members)),
      panel('This broker', { key: 'steps', note: 'since its process began' }, writes(c)),
      panel('Its bucket and cache', { key: 'bucket' }, bucket(c)),
      panel('Slots', { key: 'slots', note: count(slots.length, 'slot') }, owners(slots)))
  })
}

const brokers = members => table([
  ['Broker', m => [number(m.broker), ' ', m.drained ? tag('drained') : m.ready ? null : tag('not ready')], 'nowrap'],
  ['Slots', m => number(m.slots ?? 0), 'n'],
  ['Host', m => m.host || nothing],
  ['Kafka', m => h('span', { class: 'mono' }, m.endpoints?.kafka ?? nothing)],
  ['HTTP', m => h('span', { class: 'mono' }, m.endpoints?.http ?? nothing)],
  ['Up', m => ago(m.startedTime), 'nowrap'],
  ['Version', m => m.version || nothing],
], members, { key: m => m.broker, label: 'Brokers' })

const writes = c => table([
  ['Step', s => steps[s.name] ?? s.name],
  ['Count', s => number(s.count ?? 0), 'n'],
  ['p50', s => s.p50 ? duration(s.p50) : nothing, 'n'],
  ['p99', s => s.p99 ? duration(s.p99) : nothing, 'n'],
], c.steps ?? [], { key: s => s.name, label: 'Steps of a write' })

function bucket(c) {
  const hits = Number(c.cacheHits ?? 0), read = hits + Number(c.cacheMisses ?? 0)
  return facts(
    ['Cache', `${bytes(c.cacheBytes ?? 0)} in memory, ${bytes(c.cacheDiskBytes ?? 0)} on disk`],
    ['Found in it', read ? `${number(100 * hits / read)} % of ${number(read)} blocks` : nothing],
    ['Objects', Number(c.objects ?? 0) ? `${number(c.objects)}, ${bytes(c.objectBytes ?? 0)}` : 'not counted yet'],
    ['Orphans removed', number(c.orphansRemoved ?? 0)])
}

const owners = slots => table([
  ['Slot', s => number(s.slot ?? 0)],
  ['Owner', s => [s.owner ? number(s.owner) : dot('bad', 'none'), s.wantedAt && s.wantedAt !== s.owner ? [' ', tag(`moving to ${s.wantedAt}`)] : null], 'nowrap'],
  ['Epoch', s => number(s.epoch ?? 0), 'n'],
  ['Objects', s => number(s.sequence ?? 0), 'n'],
  ['After its manifest', s => number(Number(s.sequence ?? 0) - Number(s.manifestSequence ?? 0)), 'n'],
], slots, { key: s => s.slot ?? 0, label: 'Slots' })
