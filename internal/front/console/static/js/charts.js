// Lines over the last minutes, drawn by uPlot.
import uPlot from '../vendor/uPlot.esm.js'
import { h, held } from './dom.js'
import { clock } from './format.js'

// Line styles beside the one accent: further lines are told apart by grey and dash.
const styles = [
  { colour: '--accent', width: 1.75, fill: '--accent-soft' },
  { colour: '--line-2', width: 1.25 },
  { colour: '--line-3', width: 1.25, dash: [4, 3] },
  { colour: '--line-2', width: 1, dash: [1, 3] },
]

const spanMin = 60, spanMax = 300

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

// chart has a heading, the lines' names with their newest values, and the lines.
// lines: [name]; write: how a value is written. It shows the last minutes, or what
// there is of them, but a minute at least. With powers the scale is logarithmic, for
// what is mostly small and now and then a thousand times larger.
export function chart({ title, lines, write, height = 156, least = 1, powers = false }) {
  const values = lines.map(() => h('b', {}, '–'))
  const legend = h('div', { class: 'legend' }, lines.map((name, i) =>
    h('span', { class: `line line-${i}` }, name, ' ', values[i])))
  const when = h('span', { class: 'note' })
  const area = h('div', { class: 'plot', role: 'img', 'aria-label': `${title}: a chart over time` })
  const element = held(h('section', { class: 'panel chart' }, h('header', {}, h('h2', {}, title), when, legend), area))
  let data = [[], ...lines.map(() => [])]
  let plot

  const tell = index => {
    const at = index ?? data[0].length - 1
    values.forEach((v, i) => { v.textContent = at < 0 || data[i + 1][at] == null ? '–' : write(data[i + 1][at]) })
    when.textContent = index == null ? '' : clock(new Date(data[0][at] * 1000))
  }

  const make = () => {
    plot?.destroy()
    if (area.clientWidth) plot = new uPlot(options({ lines, write, height, least, powers, tell, width: area.clientWidth }), data, area)
    frame()
  }
  const frame = () => {
    const end = data[0].at(-1) ?? Date.now() / 1000
    const span = Math.min(spanMax, Math.max(spanMin, end - (data[0][0] ?? end)))
    plot?.setScale('x', { min: end - span, max: end })
  }
  const observer = new ResizeObserver(() => {
    if (!plot) make()
    else if (area.clientWidth) plot.setSize({ width: area.clientWidth, height })
  })
  observer.observe(area)
  addEventListener('theme', make)

  return {
    element,
    set(next) {
      data = next
      plot?.setData(data, false)
      frame()
      if (plot?.cursor.idx == null) tell(null)
    },
    end() {
      removeEventListener('theme', make)
      observer.disconnect()
      plot?.destroy()
    },
  }
}

// Counts have no halves.
const steps = Array.from({ length: 15 }, (_, power) => [1, 2, 5].map(n => n * 10 ** power)).flat()

const decade = (round, value) => 10 ** round(Math.log10(value))
const logarithmic = { distr: 3, range: (_, min, max) => [decade(Math.floor, min || 0.1), decade(Math.ceil, (max || 1) * 1.01)] }

function decades(_, __, min, max) {
  const found = []
  for (let power = Math.round(Math.log10(min)); power <= Math.round(Math.log10(max)); power++) found.push(10 ** power)
  return found
}

// lonely finds the values with none before and none after: a line of their own has no
// length, so they are drawn as points.
function lonely(u, line) {
  const values = u.data[line]
  const found = []
  for (let i = 0; i < values.length; i++) if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i)
  return found
}

function options({ lines, write, height, least, powers, tell, width }) {
  const grid = { stroke: colour('--rule'), width: 1 }
  const axis = { stroke: colour('--faint'), font: '11px ' + getComputedStyle(document.body).fontFamily, ticks: { show: false } }
  return {
    width, height, padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: powers ? logarithmic : { range: (_, __, max) => [0, Math.max(least, (max ?? 0) * 1.12)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 26, gap: 7, space: 72, incrs: [10, 20, 30, 60, 120, 300], values: (_, ticks, __, ___, step) => ticks.map(t => clock(new Date(t * 1000)).slice(0, step < 60 ? 8 : 5)) },
      { ...axis, grid, size: 58, gap: 6, space: 34, values: (_, ticks) => ticks.map(write), splits: powers ? decades : undefined, incrs: steps, filter: (_, splits) => splits },
    ],
    series: [{}, ...lines.map((label, i) => {
      const s = styles[i % styles.length]
      return { label, stroke: colour(s.colour), width: s.width, dash: s.dash, fill: s.fill && colour(s.fill), points: { size: 4, fill: colour(s.colour), filter: lonely }, spanGaps: false }
    })],
    hooks: { setCursor: [u => tell(u.cursor.idx)] },
  }
}
