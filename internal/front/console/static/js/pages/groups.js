// Groups: the list.
import { h } from '../dom.js'
import * as api from '../api.js'
import { dot, empty, heading, search, table } from '../parts.js'
import { count, number } from '../format.js'
import { link } from '../router.js'

const kinds = { Stable: 'good', Empty: 'idle', Dead: 'bad', PreparingRebalance: 'busy', CompletingRebalance: 'busy' }
export const stateOf = g => dot(kinds[g.state] ?? 'idle', g.state || 'unknown')

export function groups(page) {
  page.title('Groups')
  let all, filter = page.query.get('filter') ?? ''
  const draw = () => all && page.show(
    heading('Groups', { note: count(all.length, 'group') }),
    all.length > 0 && h('div', { class: 'toolbar', key: 'toolbar' }, search('Filter groups', filter, v => { filter = v; draw() })),
    all.length ? list(all.filter(g => g.group.includes(filter))) : empty('No groups yet. A group remembers how far its consumers have read, and shares the partitions among them.',
      'naru consume greetings --group hello --follow'))
  page.poll(2000, async () => {
    all = await api.groups(page)
    draw()
  })
}

function list(shown) {
  if (!shown.length) return h('p', { class: 'note', key: 'none' }, 'No group has that in its name.')
  return table([
    ['Group', g => h('a', { href: link('groups', g.group) }, g.group)],
    ['State', stateOf],
    ['Members', g => number(g.memberCount), 'n'],
    ['Lag', g => number(g.lag), 'n'],
    ['Assignment', g => g.protocol || '–'],
  ], shown, { key: g => g.group, label: 'Groups' })
}
